/* file: inputs opened read-only and read with pread; never mapped, never modified. Any thread may read at once. */
#pragma once
#include "base/fault.h"

struct file_id { uint64_t device, inode, size; int64_t mtime_sec; };

/* Opens a regular file read-only (O_NOFOLLOW is not set: links are followed; devices, FIFOs and folders are refused).
 * Returns the descriptor, or -1 and fills *f. */
int file_open(const char *path, struct file_id *ret_id, struct fault *f);
/* Reads n bytes at offset unless the file ends; returns the bytes read (short only at the end), or -1 and fills *f. */
int64_t file_pread(int fd, void *out, size_t n, uint64_t offset, struct fault *f);
/* The whole file into *ret (malloc'd, NUL behind it, free() it), refused above `limit` bytes. False and *f on failure. */
bool file_slurp(const char *path, size_t limit, char **ret, size_t *ret_n, struct fault *f);
