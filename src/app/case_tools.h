/* case_tools: what the commands around cases share: who is at work, policies and keys from files, the originals of sources. */
#pragma once
#include "app/app.h"
#include "verify/verify.h"

/* Who does what now: a row of the custody log. Strings live until the process ends. `note` may be NULL. */
struct case_step_info case_step_now(const char *action, const char *note);
/* Where temporary files go: $TMPDIR, or /tmp. */
const char *case_temp_dir(void);

/* The case of a command that reads; prints the fault. */
bool case_open_shown(const char *path, struct case_file *ret);
/* The whole of a small file; prints the fault. free() it. */
bool case_slurp_shown(const char *path, char **ret, size_t *ret_n);
/* Writes a file ('-': standard output), never over an existing one unless `replace`; prints the fault. */
bool case_write_shown(const char *path, struct str bytes, bool replace);

/* The originals below a folder: sources by the paths the case cites, members of archives included. */
struct case_originals {
	struct verify_sources sources; /* .arg is this struct */
	const char *folder;
	struct salt_key key;
};
/* key_path NULL: the key beside the case if it is there, else none. Prints the fault. */
bool case_originals_init(struct case_originals *o, const char *folder, const char *case_path, const char *key_path);
/* Where the file (for members, their container: member >= 0) of a source cited by that path lies now. False: not there. */
bool case_original_path(const struct case_originals *o, struct str path, int64_t member, char out[4096]);
/* Opens one source by the path cited, below `folder` (NULL: as it stands). False and *f. */
bool case_original_open(const char *folder, struct str path, int64_t member, struct input *ret, struct fault *f);
