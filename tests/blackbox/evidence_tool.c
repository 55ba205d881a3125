/* evidence_tool: the evidence room at a command line, so that programs of others can be held against it. For tests only. */
#include "base/base.h"
#include "evidence/evidence.h"
#include <stdio.h>
#include <time.h>

static void print_fault(const struct fault *f) { printf("refused: %s\n", f->text); }

static struct buf slurp(const char *path)
{
	struct buf b = {0};
	struct fault f = FAULT_INIT;
	char *p;
	size_t n;
	if (!file_slurp(path, 64 << 20, &p, &n, &f)) {
		fprintf(stderr, "%s: %s\n", path, f.text);
		exit(2);
	}
	buf_put(&b, p, n);
	free(p);
	return b;
}

/* request FILE NONCE16HEX > tsq */
static int request(char **a)
{
	struct buf b = slurp(a[0]);
	uint8_t digest[32], out[TSP_REQUEST_SIZE];
	uint64_t nonce = strtoull(a[1], NULL, 16);
	sha256_of(b.p, b.n, digest);
	tsp_request(digest, (const uint8_t *)&nonce, out);
	fwrite(out, sizeof out, 1, stdout);
	buf_done(&b);
	return 0;
}

/* check FILE TSR TSQ|- CA|- */
static int check(char **a)
{
	struct buf data = slurp(a[0]), tsr = slurp(a[1]), tsq = {0};
	uint8_t digest[32];
	struct tsp_result r;
	struct fault f = FAULT_INIT;
	if (strcmp(a[2], "-")) tsq = slurp(a[2]);
	sha256_of(data.p, data.n, digest);
	bool ok = tsp_check(buf_view(&tsr), buf_view(&tsq), digest, strcmp(a[3], "-") ? a[3] : NULL, &r, &f);
	char time[ETIME_MAX];
	if (ok) etime_print(r.time, 0, time);
	if (ok) printf("good: %s nonce %d chain %d serial %s by %s\n", time, r.has_nonce, r.chain_checked, r.serial, r.authority);
	else print_fault(&f);
	buf_done(&data), buf_done(&tsr), buf_done(&tsq);
	return !ok;
}

static struct hash *leaves_of(uint64_t n)
{
	struct hash *v = xcalloc(n + 1, sizeof *v);
	for (uint64_t i = 0; i < n; i++) {
		char text[24];
		int len = snprintf(text, sizeof text, "%llu", (unsigned long long)i);
		v[i] = merkle_leaf(text, (size_t)len);
	}
	return v;
}

static void print_hashes(const struct hash *h, unsigned n)
{
	struct buf b = {0};
	for (unsigned i = 0; i < n; i++) {
		if (i) buf_byte(&b, ' ');
		buf_hex(&b, h[i].b, 32);
	}
	printf("%.*s\n", (int)b.n, b.p);
	buf_done(&b);
}

/* trees MAX: for all n <= MAX: "root n HASH", "path n i HASHES", "consistency m n HASHES"; leaves are decimal numbers */
static int trees(char **a)
{
	uint64_t max = strtoull(a[0], NULL, 10);
	struct hash *v = leaves_of(max), out[MERKLE_MAX_PATH + 1];
	for (uint64_t n = 1; n <= max; n++) {
		struct hash root = merkle_root_of(v, n);
		printf("root %llu ", (unsigned long long)n);
		print_hashes(&root, 1);
		for (uint64_t i = 0; i < n; i++) {
			printf("path %llu %llu ", (unsigned long long)n, (unsigned long long)i);
			print_hashes(out, merkle_path(v, n, i, out));
		}
		for (uint64_t m = 1; m <= n; m++) {
			printf("consistency %llu %llu ", (unsigned long long)m, (unsigned long long)n);
			print_hashes(out, merkle_consistency(v, m, n, out));
		}
	}
	free(v);
	return 0;
}

/* note NAME SEEDBYTE SIZE > vkey line, then the signed checkpoint over SIZE leaves */
static int note(char **a)
{
	uint8_t seed[32];
	struct key_private k;
	struct fault f = FAULT_INIT;
	memset(seed, atoi(a[1]), sizeof seed);
	if (!key_from_seed(str_of(a[0]), KEY_NOTE, seed, &k, &f)) return print_fault(&f), 1;
	uint64_t n = strtoull(a[2], NULL, 10);
	struct hash *v = leaves_of(n);
	struct checkpoint c = {.origin = str_of(a[0]), .size = n, .root = merkle_root_of(v, n)};
	struct buf text = {0}, out = {0};
	checkpoint_print(&c, &text);
	key_public_print(&k.public, &out);
	buf_byte(&out, '\n');
	buf_str(&out, buf_view(&text));
	buf_byte(&out, '\n');
	signed_note_sign(buf_view(&text), &k, 0, &out);
	/* A cosignature, of a type the reader does not know: to be ignored. */
	if (!key_from_seed(STR("cosigner.example"), KEY_COSIGNER, seed, &k, &f)) return print_fault(&f), 1;
	signed_note_sign(buf_view(&text), &k, 1700000000, &out);
	fwrite(out.p, out.n, 1, stdout);
	buf_done(&text), buf_done(&out);
	free(v);
	return 0;
}

/* opens VKEY FILE: does this note of somebody else hold? */
static int opens(char **a)
{
	struct key_public k;
	struct signed_note n;
	struct fault f = FAULT_INIT;
	struct buf b = slurp(a[1]);
	bool ok = key_public_parse(str_of(a[0]), &k, &f) && signed_note_parse(buf_view(&b), &n, &f);
	if (!ok) print_fault(&f);
	else printf("%s\n", (const char *[]){"unknown", "good", "bad"}[signed_note_check(&n, &k, NULL)]);
	buf_done(&b);
	return !ok;
}

static double cpu_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* speed RECORD_SIZE: what a record tree costs, in SHA-256 passes over the same bytes; the middle of five pairs */
static int speed(char **a)
{
	size_t record = strtoul(a[0], NULL, 10), n = 64 << 20, block = 256 << 10;
	char *bytes = xmalloc(n);
	for (size_t i = 0; i < n; i++) bytes[i] = (char)(i % (record + 1) == record ? '\n' : 'a' + (int)((uint32_t)i * 2654435761u >> 28));
	double ratio[5];
	for (int round = 0; round < 5; round++) {
		struct sha256 *h = sha256_new();
		uint8_t digest[32];
		double t0 = cpu_seconds();
		for (size_t at = 0; at < n; at += block) sha256_add(h, bytes + at, block);
		sha256_end(h, digest);
		sha256_free(h);
		double t1 = cpu_seconds();
		struct leaf_store *store = leaf_store_new("/tmp", NULL);
		struct salt_stream salts;
		salt_stream_init(&salts, &(struct salt_key){{1}}, SALT_SOURCE, 1, 1, STR("x"));
		struct source_tree *t = source_tree_new(store, FRAMING_LINES, &salts);
		for (size_t at = 0; at < n; at += block) source_tree_feed(t, bytes + at, block);
		source_tree_finish(t, NULL);
		double t2 = cpu_seconds();
		ratio[round] = (t2 - t1) / (t1 - t0);
		printf("%zu-byte records: SHA-256 %.0f MB/s, tree %.0f MB/s (%.2f M records/s), %.2f passes\n", record, n / 1e6 / (t1 - t0), n / 1e6 / (t2 - t1),
			(double)source_tree_count(t) / 1e6 / (t2 - t1), ratio[round]);
		source_tree_free(t);
		leaf_store_free(store);
	}
	for (int i = 0; i < 5; i++)
		for (int j = i + 1; j < 5; j++)
			if (ratio[j] < ratio[i]) { double swap = ratio[i]; ratio[i] = ratio[j], ratio[j] = swap; }
	printf("passes %.2f\n", ratio[2]);
	free(bytes);
	return 0;
}

/* root FRAMING FILE STEP NUMBER PATH: leaves and root of the record tree under the key 07 07 07 00... */
static int root(char **a)
{
	enum framing framing;
	struct salt_key key = {{7, 7, 7}};
	struct salt_stream salts;
	struct fault f = FAULT_INIT;
	struct buf b = slurp(a[1]);
	if (!framing_parse(str_of(a[0]), &framing)) return 2;
	struct leaf_store *store = leaf_store_new(NULL, NULL);
	salt_stream_init(&salts, &key, SALT_SOURCE, (uint32_t)atoi(a[2]), strtoull(a[3], NULL, 10), str_of(a[4]));
	struct source_tree *t = source_tree_new(store, framing, &salts);
	for (size_t at = 0; at < b.n; at += 10007) source_tree_feed(t, b.p + at, b.n - at < 10007 ? b.n - at : 10007);
	if (!source_tree_finish(t, &f)) return print_fault(&f), 1;
	struct hash h = source_tree_root(t);
	printf("%llu ", (unsigned long long)source_tree_count(t));
	print_hashes(&h, 1);
	source_tree_free(t);
	leaf_store_free(store);
	buf_done(&b);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*run)(char **); int args; } commands[] = {
		{"request", request, 2}, {"check", check, 4}, {"trees", trees, 1}, {"note", note, 3}, {"opens", opens, 2}, {"speed", speed, 1}, {"root", root, 5}};
	for (size_t i = 0; argc > 1 && i < COUNT(commands); i++)
		if (!strcmp(argv[1], commands[i].name) && argc - 2 == commands[i].args) return commands[i].run(argv + 2);
	fprintf(stderr, "usage: evidence_tool request|check|trees|note|opens|speed ...\n");
	return 2;
}
