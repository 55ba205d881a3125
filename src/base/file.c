/* file.c: opening and reading inputs. See file.h. */
#include "base/file.h"
#include "base/alloc.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open(const char *path, struct file_id *ret_id, struct fault *f)
{
	struct stat st;
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		fault_set(f, FAULT_IO, "cannot open");
		goto failed;
	}
	if (fstat(fd, &st) < 0) {
		fault_set(f, FAULT_IO, "cannot read its size");
		goto failed;
	}
	if (!S_ISREG(st.st_mode)) {
		fault_set(f, FAULT_UNSUPPORTED, "not a regular file");
		goto failed;
	}
	*ret_id = (struct file_id){st.st_dev, st.st_ino, (uint64_t)st.st_size, st.st_mtim.tv_sec};
	return fd;
failed:
	if (f) fault_path(f, str_of(path));
	if (fd >= 0) close(fd);
	return -1;
}

int64_t file_pread(int fd, void *out, size_t n, uint64_t offset, struct fault *f)
{
	size_t done = 0;
	while (done < n) {
		ssize_t got = pread(fd, (char *)out + done, n - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) {
			fault_set(f, FAULT_IO, "cannot read at offset %llu", (unsigned long long)(offset + done));
			if (f) f->offset = offset + done;
			return -1;
		}
		if (got == 0) break;
		done += (size_t)got;
	}
	return (int64_t)done;
}

bool file_slurp(const char *path, size_t limit, char **ret, size_t *ret_n, struct fault *f)
{
	struct file_id id;
	int fd = file_open(path, &id, f);
	if (fd < 0) return false;
	char *bytes = NULL;
	int64_t n = -1;
	if (id.size > limit) {
		fault_set(f, FAULT_LIMIT, "larger than the limit of %zu bytes", limit);
	} else {
		bytes = xmalloc((size_t)id.size + 1);
		n = file_pread(fd, bytes, (size_t)id.size, 0, f);
	}
	close(fd);
	if (n < 0) {
		if (f) fault_path(f, str_of(path));
		free(bytes);
		return false;
	}
	bytes[n] = 0;
	*ret = bytes;
	*ret_n = (size_t)n;
	return true;
}
