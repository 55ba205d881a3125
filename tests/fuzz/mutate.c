/* mutate.c: a fuzz target over random mutations of given files, without a fuzzer: bit flips, zeroed and moved sectors, cuts, shifts and
 * splices. usage: PROGRAM COUNT SEED FILE...   Output is TAP. What must hold is what the target verifies. With $EXHIBIT_LAST the input of each
 * run is first written to that file. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state;
static uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

struct file { uint8_t *p; size_t n; };

static struct file load(const char *path)
{
	struct file f = {NULL, 0};
	FILE *in = fopen(path, "rb");
	if (!in) return f;
	fseek(in, 0, SEEK_END);
	f.n = (size_t)ftell(in);
	rewind(in);
	f.p = malloc(f.n + 1);
	f.n = fread(f.p, 1, f.n, in);
	fclose(in);
	return f;
}

/* `out` has room for a block more than n. */
static size_t mutate(uint8_t *out, size_t n, const struct file *other)
{
	enum { BLOCK = 4096, CHUNK = 65536 };
	unsigned kind = (unsigned)draw(8);
	size_t at = draw(n), length = 1 + draw(kind == 5 ? CHUNK : BLOCK);
	if (length > n - at) length = n - at;
	switch (kind) {
	case 0: for (uint64_t i = 1 + draw(64); i--;) out[draw(n)] ^= (uint8_t)(1 << draw(8)); return n;
	case 1: memset(out + at / 512 * 512, 0, n - at / 512 * 512 < 512 ? n - at / 512 * 512 : 512); return n;
	case 2: return at ? at : n;
	case 3: memmove(out + at + length, out + at, n - at); return n + length;             /* shifted up */
	case 4:
	case 5: memmove(out + at, out + at + length, n - at - length); return n - length;    /* shifted down */
	case 6: at = BLOCK + (1 + at / CHUNK) * CHUNK + draw(64); return at < n ? at : n;    /* cut near the end of a chunk */
	default: {
		size_t from = draw(other->n);
		if (length > other->n - from) length = other->n - from;
		memcpy(out + at, other->p + from, length);
		return n;
	}
	}
}

static void keep(const uint8_t *p, size_t n)
{
	const char *path = getenv("EXHIBIT_LAST");
	FILE *out = path ? fopen(path, "wb") : NULL;
	if (!out) return;
	fwrite(p, 1, n, out);
	fclose(out);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100;
	int n_files = argc - 3;
	state = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1) * 0x9e3779b97f4a7c15u | 1;
	printf("1..1\n");
	if (n_files < 1) return printf("not ok 1 - no files\n"), 1;
	struct file *files = calloc((size_t)n_files, sizeof *files);
	for (int i = 0; i < n_files; i++) files[i] = load(argv[3 + i]);
	for (uint64_t i = 0; i < count; i++) {
		const struct file *f = &files[draw((uint64_t)n_files)], *other = &files[draw((uint64_t)n_files)];
		uint8_t *copy = malloc(f->n + 8 * 8192);
		size_t n = f->n;
		memcpy(copy, f->p, n);
		for (uint64_t k = 1 + draw(4); k-- && n;) n = mutate(copy, n, other);
		uint8_t *exact = malloc(n ? n : 1);
		memcpy(exact, copy, n);
		free(copy);
		keep(exact, n);
		LLVMFuzzerTestOneInput(exact, n);
		free(exact);
	}
	printf("ok 1 - %llu mutations\n", (unsigned long long)count);
	for (int i = 0; i < n_files; i++) free(files[i].p);
	free(files);
	return 0;
}
