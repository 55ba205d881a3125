/* archive: archives and compressed files as sources of sources: zip, 7z, tar, and gzip, bzip2, xz, zstd around one file or a tar.
 *
 * A walk goes through one container and hands out its members one by one, those of archives within it included, as `struct input`
 * like any file. A member is named container!/path ("evidence.zip!/dir/u_ex210302.log", "a.tar.gz!/b.zip!/c.log"; a compressed
 * file's one member by its name without the ending), numbered by its place among all entries, for names may repeat, and
 * cited with the outermost container's SHA-256. Small members are in memory, others in unlinked files.
 *
 * Nothing is written but these, no program is run, links and devices are only named. What cannot be taken out is named with its
 * reason: encrypted members, damage, whatever lies beyond the limits. By libarchive, with nothing but the formats above enabled.
 * A walk belongs to one thread; a member to whoever got it, and any thread may release it. The walk must outlive its members. */
#pragma once
#include "event/reader.h"

struct archive_limits {
	unsigned depth;       /* archives within one another; 0: 4 */
	uint32_t entries;     /* names in all of them; 0: 1,000,000 */
	uint32_t ratio;       /* all that is taken out may be so many times the outermost container's size, 0: 1,000, and */
	uint64_t free_bytes;  /* so many bytes more; 0: 4 GiB */
	uint64_t spill;       /* bytes in unlinked files at any one time; 0: 64 GiB */
	size_t memory;        /* members up to this size stay in memory; 0: 4 MiB */
	const char *temp_dir; /* for the others; NULL: none may be made, and such members are named as not read */
};

/* "zip", "7z", "tar", "gzip", "bzip2", "xz", "zstd" by the first ARCHIVE_HEAD bytes (or all there are), else NULL; NULL also for documents
 * that are zip files inside, and for event logs whose head was overwritten by a container's. */
enum { ARCHIVE_HEAD = 4096 + 44 };
const char *archive_kind(struct str head);

struct archive_walk;
struct archive_member {
	struct input input;   /* open; size and path are set, mtime_sec is what the archive says */
	uint32_t index;       /* its number among all entries of the container in their order, those of archives within it counted where they stand, from 0 */
	void *memory;         /* own */
	char *name;
	uint64_t spilled;
	struct archive_walk *walk;
};
/* What could not be taken out. Views, until the next call. */
struct archive_unread {
	struct str path, reason; /* reason: a NUL follows */
	bool is_log;          /* it may have been one: false for links, devices */
};
enum archive_got { ARCHIVE_GOT_MEMBER, ARCHIVE_GOT_UNREAD, ARCHIVE_GOT_END };

/* Begins at `container` (borrowed; not read by others meanwhile): hashes it as a whole first. NULL and *f when it cannot be read, or is
 * no container. */
struct archive_walk *archive_walk_new(struct input *container, const struct archive_limits *limits, struct fault *f);
void archive_walk_free(struct archive_walk *w);
/* The next member (*member, to be released by archive_member_done), or the next name that could not be taken out (*unread), or the end. */
enum archive_got archive_walk_next(struct archive_walk *w, struct archive_member *member, struct archive_unread *unread);
void archive_member_done(struct archive_member *m);
/* SHA-256 of the outermost container. */
const uint8_t *archive_walk_sha256(const struct archive_walk *w);
uint64_t archive_walk_entries(const struct archive_walk *w);

/* Writes the bytes of one member, as named in findings ("evidence.zip!/a/b.log"), through `put` (false stops). `index`: which one when the
 * name repeats, -1: the first. False and *f on failure: FAULT_NOT_FOUND when there is no such member. */
bool archive_cat(const char *container_path, struct str member_path, int64_t index, const struct archive_limits *limits,
	bool (*put)(void *arg, const void *bytes, size_t n), void *arg, struct fault *f);
