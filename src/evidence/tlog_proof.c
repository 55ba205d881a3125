/* tlog_proof.c: see tlog_proof.h. */
#include "evidence/tlog_proof.h"
#include "evidence/b64_internal.h"

static const char first_line[] = "c2sp.org/tlog-proof@v1\n";

static struct str take_line(struct str *rest, uint32_t *line)
{
	size_t lf = str_find_byte(*rest, '\n', 0);
	if (lf == SIZE_MAX) return (struct str){0};
	struct str s = str_sub(*rest, 0, lf);
	*rest = str_sub(*rest, lf + 1, SIZE_MAX);
	++*line;
	return s;
}

static bool take_extra(struct str b64, struct tlog_proof *p)
{
	p->extra = malloc(BASE64_BYTES(b64.n));
	return p->extra && b64_decode(b64, p->extra, b64.n / 4 * 3, &p->extra_n);
}

bool tlog_proof_parse(struct str bytes, struct tlog_proof *ret, struct fault *f)
{
	struct tlog_proof p = {0};
	struct str rest = str_sub(bytes, sizeof first_line - 1, SIZE_MAX);
	uint32_t at = 1;
	if (!str_starts(bytes, STR(first_line))) goto bad;
	struct str line = take_line(&rest, &at);
	if (str_starts(line, STR("extra "))) {
		if (!take_extra(str_sub(line, 6, SIZE_MAX), &p)) goto bad;
		line = take_line(&rest, &at);
	}
	struct str index = str_sub(line, 6, SIZE_MAX);
	if (!str_starts(line, STR("index ")) || !str_u64(index, &p.index) || (index.n > 1 && index.p[0] == '0')) goto bad;
	for (line = take_line(&rest, &at); line.n; line = take_line(&rest, &at))
		if (p.n_path == MERKLE_MAX_PATH || !b64_exact(line, p.path[p.n_path++].b, SHA256_SIZE)) goto bad;
	if (!line.p) goto bad;
	p.note = rest;
	*ret = p;
	return true;
bad:
	tlog_proof_done(&p);
	fault_at(f, FAULT_SYNTAX, at, 1, "not a %.22s: [extra], index, hashes, an empty line, a checkpoint", first_line);
	return false;
}

void tlog_proof_done(struct tlog_proof *p)
{
	free(p->extra);
	p->extra = NULL;
}

void tlog_proof_print(const struct tlog_proof *p, struct buf *out)
{
	buf_put(out, first_line, sizeof first_line - 1);
	if (p->extra) {
		buf_lit(out, "extra ");
		buf_b64(out, p->extra, p->extra_n);
		buf_byte(out, '\n');
	}
	buf_printf(out, "index %llu\n", (unsigned long long)p->index);
	for (unsigned i = 0; i < p->n_path; i++) {
		buf_b64(out, p->path[i].b, SHA256_SIZE);
		buf_byte(out, '\n');
	}
	buf_byte(out, '\n');
	buf_str(out, p->note);
}

bool tlog_proof_holds(const struct tlog_proof *p, const struct hash *leaf, struct checkpoint *ret, struct fault *f)
{
	struct signed_note n;
	struct checkpoint c;
	if (!signed_note_parse(p->note, &n, f) || !checkpoint_parse(n.text, &c, f)) return false;
	if (!merkle_path_ok(leaf, p->index, c.size, p->path, p->n_path, &c.root)) {
		fault_set(f, FAULT_VERIFY, "the record is not at index %llu of the tree that the checkpoint names", (unsigned long long)p->index);
		return false;
	}
	if (ret) *ret = c;
	return true;
}
