/* json_trace.c: the keys of a JSON object as a skeleton, and where its values stand. See json_internal.h. */
#include "read/json_internal.h"

static bool add_place(struct json_trace *t, uint32_t token, uint32_t entry)
{
	if (t->n == JSON_PLACES_MAX) {
		t->limited = true;
		return false;
	}
	t->places[t->n++] = (struct json_place){token, entry};
	return true;
}

/* Kind, place and key. A raw key ends at its first quote that no backslash escapes, and kinds within arrays are other letters than
 * those outside, so no two different objects have the same skeleton. */
static void add_key(struct json_trace *t, char kind, uint32_t place, struct str key)
{
	char *p = buf_reserve(&t->skeleton, key.n + 4);
	p[0] = kind;
	p[1] = (char)place;
	p[2] = (char)(place >> 8);
	memcpy(p + 3, key.p, key.n);
	p[key.n + 3] = '"';
	t->skeleton.n += key.n + 4;
}

static bool holds_objects(const struct json_token *v, uint32_t array)
{
	for (uint32_t i = array + 1; i < v[array].next; i++)
		if (v[i].type == JSON_OBJECT && v[i].next > i + 1) return true;
	return false;
}

/* The entries of one array while it is traced. */
struct walk { uint32_t first, hint, misses; };

/* The entry of that key below `parent`, made when it is new; JSON_NO_ENTRY when there are too many. Members mostly have the same keys in
 * the same order: the search goes on where the last one ended. */
static uint32_t entry_of(struct json_trace *t, struct walk *w, struct json_entry wanted, bool *ret_new)
{
	uint32_t i = w->hint < t->n_entries ? w->hint : w->first;
	*ret_new = false;
	for (uint32_t n = t->n_entries - w->first; n > 0; n--) {
		if (t->entries[i].parent == wanted.parent && str_eq(t->entries[i].key, wanted.key)) {
			w->hint = i + 1;
			return i;
		}
		if (++i == t->n_entries) i = w->first;
	}
	if (t->n_entries == JSON_ENTRIES_MAX) {
		t->limited = true;
		w->misses++;
		return JSON_NO_ENTRY;
	}
	t->entries[t->n_entries] = wanted;
	*ret_new = true;
	w->hint = t->n_entries + 1;
	return t->n_entries++;
}

static bool is_container(const struct json_token *v, uint32_t i)
{
	return (v[i].type == JSON_OBJECT && v[i].next > i + 1) || (v[i].type == JSON_ARRAY && holds_objects(v, i));
}

/* All key paths of an array's members, each once. */
static void trace_array(struct json_trace *t, const struct json_token *v, struct str text, uint32_t array)
{
	enum { MISSES_MAX = 1000, DEPTHS = 256 };
	uint32_t owner[DEPTHS]; /* depth -> the entry that what stands there belongs to; JSON_NO_ENTRY: the array itself */
	bool lost[DEPTHS];      /* depth -> what stands there belongs to an entry beyond the limit */
	struct walk w = {t->n_entries, t->n_entries, 0};
	owner[v[array].depth + 1] = JSON_NO_ENTRY;
	lost[v[array].depth + 1] = false;
	for (uint32_t i = array + 1; i < v[array].next && w.misses < MISSES_MAX; i++) {
		const struct json_token *x = &v[i];
		if (x->type == JSON_OBJECT || x->type == JSON_ARRAY) {
			owner[x->depth + 1] = owner[x->depth];
			lost[x->depth + 1] = lost[x->depth];
		}
		if (x->type != JSON_KEY) continue;
		struct json_entry wanted = {owner[x->depth], json_raw(text, x), is_container(v, i + 1)};
		bool fresh = false;
		uint32_t e = lost[x->depth] ? JSON_NO_ENTRY : entry_of(t, &w, wanted, &fresh);
		if (v[i + 1].type == JSON_OBJECT || v[i + 1].type == JSON_ARRAY) {
			owner[x->depth + 1] = e;
			lost[x->depth + 1] = e == JSON_NO_ENTRY;
			i++; /* entered with an owner of its own */
		}
		if (!fresh) continue;
		if (!add_place(t, array, e)) return;
		add_key(t, wanted.container ? 'O' : 'V', wanted.parent == JSON_NO_ENTRY ? 0xffff : wanted.parent - w.first, wanted.key);
	}
}

void json_trace(struct json_trace *t, const struct json_tape *tape, struct str text)
{
	const struct json_token *v = tape->v;
	if (!t->places) t->places = xmalloc(JSON_PLACES_MAX * sizeof *t->places);
	t->skeleton.n = 0;
	t->n = t->n_entries = 0;
	t->limited = false;
	for (uint32_t i = 1; i < v[0].next;) {
		const struct json_token *value = &v[i + 1];
		char kind = !is_container(v, i + 1) ? 'v' : value->type == JSON_OBJECT ? 'o' : 'a';
		if (!add_place(t, i + 1, JSON_NO_ENTRY)) return;
		add_key(t, kind, v[i].depth, json_raw(text, &v[i]));
		if (kind == 'a') trace_array(t, v, text, i + 1);
		i = kind == 'o' ? i + 2 : value->next;
	}
}

void json_trace_done(struct json_trace *t)
{
	buf_done(&t->skeleton);
	free(t->places);
	t->places = NULL;
}
