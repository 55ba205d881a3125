/* full_disk: preloaded into a program, makes the disk full at its nth write to a regular file: FULL_AT=n (from 1). That write takes half of its
 * bytes when it has more than one (as a disk does that fills up), every later one none. FULL_COUNT=FILE: how many there were, at the end; those
 * writes succeed. For tests only. */
#undef _FILE_OFFSET_BITS /* both names are defined here */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long writes;
static long full_at;

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("FULL_AT");
	full_at = at ? atol(at) : 0;
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("FULL_COUNT");
	char text[32];
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;
	if (fd >= 0) syscall(SYS_write, fd, text, snprintf(text, sizeof text, "%ld\n", (long)writes)), close(fd);
}

/* How many bytes may be written: all, half, none (-1). */
static ssize_t room(int fd, size_t n)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return (ssize_t)n;
	long now = ++writes;
	if (!full_at || now < full_at) return (ssize_t)n;
	if (now == full_at && n > 1) return (ssize_t)(n / 2);
	errno = ENOSPC;
	return -1;
}

ssize_t write(int fd, const void *p, size_t n)
{
	ssize_t may = room(fd, n);
	return may < 0 ? -1 : syscall(SYS_write, fd, p, (size_t)may);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	ssize_t may = room(fd, n);
	return may < 0 ? -1 : syscall(SYS_pwrite64, fd, p, (size_t)may, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at) { return pwrite64(fd, p, n, at); }

int posix_fallocate64(int fd, off64_t at, off64_t n) { return room(fd, 1) < 0 ? ENOSPC : (int)syscall(SYS_fallocate, fd, 0, at, n); }
int posix_fallocate(int fd, off_t at, off_t n) { return posix_fallocate64(fd, at, n); }
