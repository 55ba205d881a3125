/* replay.c: runs a fuzz target over every file of the folders and files given, in every test run; no fuzzer needed.
 * Output is TAP: one line per folder. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) return 0;
	fseek(f, 0, SEEK_END);
	long n = ftell(f);
	rewind(f);
	uint8_t *bytes = malloc(n > 0 ? (size_t)n : 1); /* exact size: a read past the end is caught */
	size_t got = bytes && n > 0 ? fread(bytes, 1, (size_t)n, f) : 0;
	fclose(f);
	LLVMFuzzerTestOneInput(bytes, got);
	free(bytes);
	return 1;
}

int main(int argc, char **argv)
{
	size_t n = 0;
	printf("1..1\n");
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st) < 0) continue;
		if (S_ISREG(st.st_mode)) {
			n += replay_file(argv[i]);
			continue;
		}
		DIR *d = opendir(argv[i]);
		for (struct dirent *e; d && (e = readdir(d));) {
			char path[4096];
			snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
			if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) n += replay_file(path);
		}
		if (d) closedir(d);
	}
	printf("%s 1 - %zu inputs replayed\n", n ? "ok" : "not ok", n);
	return n == 0;
}
