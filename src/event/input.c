/* input.c: the bytes of a source, hashed as they pass. See reader.h. */
#include "event/reader.h"
#include "base/file.h"
#include <unistd.h>

bool input_open(struct input *in, const char *path, struct str shown_as, struct fault *f)
{
	struct file_id id;
	int fd = file_open(path, &id, f);
	if (fd < 0) return false;
	*in = (struct input){.path = shown_as, .size = id.size, .mtime_sec = id.mtime_sec, .fd = fd};
	return true;
}

void input_of_memory(struct input *in, const void *bytes, size_t n, struct str shown_as)
{
	*in = (struct input){.path = shown_as, .size = n, .fd = -1, .memory = bytes};
}

void input_of_fd(struct input *in, int fd, uint64_t size, struct str shown_as)
{
	*in = (struct input){.path = shown_as, .size = size, .fd = fd};
}

int64_t input_pread(struct input *in, void *out, size_t n, uint64_t offset, struct fault *f)
{
	if (in->fd >= 0) return file_pread(in->fd, out, n, offset, f);
	if (offset >= in->size) return 0;
	if (n > in->size - offset) n = (size_t)(in->size - offset);
	memcpy(out, (const char *)in->memory + offset, n);
	return (int64_t)n;
}

static int64_t next(struct input *in, void *out, size_t n, bool kept, struct fault *f)
{
	/* A file that grows while it is read ends where it ended when it was opened. */
	if (n > in->size - in->at) n = (size_t)(in->size - in->at);
	input_settle(in);
	int64_t got = input_pread(in, out, n, in->at, f);
	if (got <= 0) return got;
	if (!in->unhashed) {
		if (!in->sha) in->sha = sha256_new();
		if (kept && in->alone) sha256_add_later(in->sha, out, (size_t)got);
		else sha256_add(in->sha, out, (size_t)got);
	}
	if (in->tap) in->tap(in->tap_arg, out, (size_t)got);
	in->at += (uint64_t)got;
	return got;
}

int64_t input_next(struct input *in, void *out, size_t n, struct fault *f) { return next(in, out, n, false, f); }
int64_t input_next_kept(struct input *in, void *out, size_t n, struct fault *f) { return next(in, out, n, true, f); }
void input_settle(struct input *in) { if (in->alone && in->sha) sha256_settle(in->sha); }

void input_unhashed(struct input *in)
{
	sha256_free(in->sha);
	in->sha = NULL;
	in->unhashed = true;
}

bool input_finish(struct input *in, uint8_t ret[SHA256_SIZE], struct fault *f)
{
	enum { BLOCK = 256 << 10 };
	char *block = in->at < in->size ? xmalloc(BLOCK) : NULL;
	int64_t got = 1;
	while (in->at < in->size && got > 0) got = input_next(in, block, BLOCK, f);
	free(block);
	if (got < 0) return false;
	if (in->at < in->size) {
		fault_set(f, FAULT_CORRUPT, "became shorter while it was read: %llu of %llu bytes", (unsigned long long)in->at, (unsigned long long)in->size);
		return false;
	}
	if (!in->sha) in->sha = sha256_new();
	sha256_end(in->sha, ret);
	return true;
}

void input_close(struct input *in)
{
	sha256_free(in->sha);
	in->sha = NULL;
	if (in->fd >= 0) close(in->fd);
	in->fd = -1;
}
