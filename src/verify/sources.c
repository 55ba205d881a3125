/* sources.c: the originals, where they are there: hashes, the cited slices, and with the salt key the record trees. */
#include "verify/verify_internal.h"

/* The tree of the source as its bytes give it; NULL when its framing is the reader's or there is no key. */
static struct source_tree *tree_for(struct verify_walk *w, const struct source_seen *s, struct leaf_store *store)
{
	enum framing framing;
	struct salt_stream salts;
	if (!w->o->sources->key || !store || !s->has_root || !framing_parse(s->framing, &framing) || framing == FRAMING_RECORDS) return NULL;
	salt_stream_init(&salts, w->o->sources->key, SALT_SOURCE, (uint32_t)s->step, s->number, s->path);
	return source_tree_new(store, framing, &salts);
}

/* Reads and hashes the whole, feeding the tree. */
static bool read_through(struct input *in, struct source_tree *tree, uint8_t ret[32], struct fault *f)
{
	enum { BLOCK = 256 << 10 };
	char *block = xmalloc(BLOCK);
	int64_t got;
	while ((got = input_next(in, block, BLOCK, f)) > 0)
		if (tree) source_tree_feed(tree, block, (size_t)got);
	free(block);
	return got == 0 && input_finish(in, ret, f);
}

/* Each cited range, cut from the original. */
static bool check_slices(struct verify_walk *w, int64_t id, struct input *in, struct fault *f)
{
	sqlite3_stmt *q = case_db_prepare(w->db, "SELECT id, offset, length, sha256 FROM record WHERE source = ? ORDER BY leaf", f);
	if (!q) return false;
	struct buf b = {0};
	sqlite3_bind_int64(q, 1, id);
	while (sqlite3_step(q) == SQLITE_ROW) {
		uint64_t offset = (uint64_t)sqlite3_column_int64(q, 1), length = (uint64_t)sqlite3_column_int64(q, 2);
		struct str sha = case_column_str(q, 3);
		uint8_t digest[32];
		bool fits = offset <= in->size && length <= in->size - offset;
		b.n = 0;
		if (fits) {
			buf_reserve(&b, length);
			fits = input_pread(in, b.p, length, offset, f) == (int64_t)length;
		}
		if (fits) sha256_of(b.p, length, digest);
		if (!fits || sha.n != 32 || memcmp(sha.p, digest, 32))
			verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "record", sqlite3_column_int64(q, 0), "the original has other bytes at offset %" PRIu64, offset);
	}
	sqlite3_finalize(q);
	buf_done(&b);
	return true;
}

/* The archive that a member lies in, read once for all of them. */
static enum verify_original_is check_container(struct verify_walk *w, const struct source_seen *s)
{
	struct str path = str_sub(s->path, 0, str_find(s->path, STR("!/"), 0));
	struct input in;
	struct fault f = FAULT_INIT;
	uint8_t digest[32];
	if (w->container.n && str_eq(w->container, path)) return w->container_is;
	w->container = path;
	w->container_is = ORIGINAL_MISSING;
	if (!w->o->sources->open(w->o->sources->arg, path, -1, &in, &f)) {
		verify_say(w->o, w->r, VERIFY_LINE_NOTE, "source", s->id, "%.*s: %s", STR_FMT(path), f.text);
		return w->container_is;
	}
	if (!read_through(&in, NULL, digest, &f)) {
		verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "source", s->id, "%.*s: %s", STR_FMT(path), f.text);
	} else {
		w->container_is = memcmp(digest, s->container_sha256, 32) ? ORIGINAL_OTHER : ORIGINAL_SAME;
		if (w->container_is == ORIGINAL_OTHER) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "source", s->id, "%.*s is not the archive that was scanned: another SHA-256", STR_FMT(path));
	}
	input_close(&in);
	return w->container_is;
}

static enum verify_original_is check_source(struct verify_walk *w, int64_t id, struct leaf_store *store)
{
	const struct source_seen *s = seen_by_id(&w->sources, id);
	struct input in;
	struct fault f = FAULT_INIT;
	uint8_t digest[32];
	if (s->member >= 0) {
		enum verify_original_is container = check_container(w, s);
		/* The rescan goes through the archive once, and compares what each member is. */
		bool later = container == ORIGINAL_SAME && w->o->rescan && !w->partial;
		if (later) w->r->sources_checked++, w->left_to_rescan++;
		if (container == ORIGINAL_MISSING) w->r->sources_missing++;
		if (later || container == ORIGINAL_MISSING) return container;
	}
	if (!w->o->sources->open(w->o->sources->arg, s->path, s->member, &in, &f)) {
		w->r->sources_missing++;
		verify_say(w->o, w->r, VERIFY_LINE_NOTE, "source", id, "%.*s: %s", STR_FMT(s->path), f.text);
		return ORIGINAL_MISSING;
	}
	struct source_tree *tree = tree_for(w, s, store);
	enum verify_original_is is = ORIGINAL_SAME;
	w->r->sources_checked++;
	if (!read_through(&in, tree, digest, &f)) {
		verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "source", id, "%.*s: %s", STR_FMT(s->path), f.text);
		is = ORIGINAL_MISSING;
	} else if (in.size != s->size || memcmp(digest, s->sha256, 32)) {
		verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "source", id, "%.*s is not the file that was scanned: another %s", STR_FMT(s->path), in.size != s->size ? "size" : "SHA-256");
		is = ORIGINAL_OTHER;
	} else if (tree) {
		struct hash root;
		bool ok = source_tree_finish(tree, &f);
		root = ok ? source_tree_root(tree) : (struct hash){{0}};
		if (!ok || source_tree_count(tree) != s->leaves || !hash_eq(&root, &s->root))
			verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "source", id, "%.*s: its record tree is not the one kept", STR_FMT(s->path));
	}
	/* Also where the whole differs: which records are still there is worth knowing. */
	if (!check_slices(w, id, &in, &f)) verify_say(w->o, w->r, VERIFY_LINE_PROBLEM, "source", id, "%s", f.text);
	source_tree_free(tree);
	input_close(&in);
	return is;
}

void check_sources(struct verify_walk *w, struct verify_original **ret_v, size_t *ret_n)
{
	struct verify_original *v = *ret_v = xcalloc(w->sources.n + 1, sizeof *v);
	*ret_n = w->sources.n;
	struct leaf_store *store = w->o->sources->key ? leaf_store_new(w->o->temp_dir ? w->o->temp_dir : "/tmp", NULL) : NULL;
	if (!w->o->sources->key) verify_say(w->o, w->r, VERIFY_LINE_NOTE, NULL, 0, "without the salt key the record trees of the originals are not built again; their hashes and the cited bytes are checked");
	for (size_t i = 0; i < w->sources.n; i++)
		v[i] = (struct verify_original){w->sources.v[i].id, w->sources.v[i].has_sha256 ? check_source(w, w->sources.v[i].id, store) : ORIGINAL_UNHASHED};
	leaf_store_free(store);
}
