/* journal_internal: what the files of the systemd journal reader share. Offsets and numbers of the format: systemd's public description
 * JOURNAL_FILE_FORMAT; summed up in doc/formats.md, section Journal. */
#pragma once
#include "base/cursor.h"
#include "base/map.h"
#include "read/text_internal.h"

enum journal_type { J_UNUSED, J_DATA, J_FIELD, J_ENTRY, J_DATA_HASH_TABLE, J_FIELD_HASH_TABLE, J_ENTRY_ARRAY, J_TAG, J_TYPES };
/* Flags of the file; flags of a DATA object. */
enum { J_KEYED = 4, J_COMPACT = 16, J_INCOMPATIBLE = 31, J_SEALED = 1 };
enum { J_XZ = 1, J_LZ4 = 2, J_ZSTD = 4 };
enum {
	J_HEAD = 16, J_HEADER_MIN = 208, J_HEADER_MAX = 4096,
	J_ENTRY_HEAD = 64,
	J_HASHED_MAX = 4 << 20,      /* payloads beyond are not hashed; it is noted */
	J_UNPACKED_MAX = 16 << 20,   /* of a compressed payload; what is longer is cut */
	J_NAME_MAX = 64,             /* of a field */
	J_ITEMS_MAX = 4096,          /* of an entry */
	J_FIELDS_MAX = 4096          /* names in a file */
};

/* The file header, as far as it is used. Nothing in it is trusted beyond what is needed to read objects. */
struct journal_header {
	bool sound, compact, keyed, sealed;
	uint8_t state;               /* 0 offline, 1 online, 2 archived */
	uint8_t file_id[16];         /* key of the hashes when keyed */
	uint32_t incompatible;
	uint64_t size;               /* of the header: the first object stands there, at a multiple of 8 */
	uint64_t n_objects, n_entries;
};
/* From the first bytes of the file; what is not sound is guessed, and `sound` is false. */
void journal_header_read(struct str head, struct journal_header *ret);

/* journal_hash.c: the format's hash of a payload: SipHash-2-4 keyed by the file's id, or lookup3. */
uint64_t journal_lookup3(const void *bytes, size_t n);
uint64_t journal_hash(const struct journal_header *h, const void *bytes, size_t n);

static inline uint32_t journal_data_head(const struct journal_header *h) { return h->compact ? 72 : 64; }
static inline uint32_t journal_item_size(const struct journal_header *h) { return h->compact ? 4 : 16; }
/* Whether 16 bytes are the head of an object that may stand at `at` of a file of `size` bytes. */
bool journal_head_ok(const struct journal_header *h, const uint8_t *p, uint64_t at, uint64_t size);

/* --- bytes (journal_bytes.c): a window that slides over the source and hashes it; pages for what lies outside ------------------- */

struct journal_page { uint64_t number; uint8_t *p; uint32_t n; bool used, valid; };
struct journal_bytes {
	struct input *in;
	uint8_t *window;
	size_t n;
	uint64_t offset;             /* of window[0] */
	bool failed;
	struct journal_page *pages;
	uint16_t *page_of;           /* hash of page number -> index + 1 */
	uint32_t hand;
	uint8_t *joined;             /* bytes that no page holds whole */
	size_t joined_cap;
};
void journal_bytes_init(struct journal_bytes *b, struct input *in);
void journal_bytes_done(struct journal_bytes *b);
/* Slides the window until it holds [at, at + n), at most J_AHEAD bytes; false at the end of the source or on a read error. */
enum { J_AHEAD = 64 << 10 };
bool journal_ahead(struct journal_bytes *b, uint64_t at, size_t n);
/* n bytes at `at`, until the next call; NULL when the source has not that many there or n is beyond J_UNPACKED_MAX. */
const uint8_t *journal_at(struct journal_bytes *b, uint64_t at, size_t n);

/* --- data objects (journal_data.c) ------------------------------------------------------------------------------------------- */

/* What is known of a DATA object. */
struct datum {
	uint64_t offset;             /* of the object; 0: free slot */
	uint64_t size;               /* of the object */
	uint64_t xor_hash;           /* its part of an entry's hash */
	uint32_t field;              /* index of the field's name; UINT32_MAX: cannot be read */
	uint16_t name;               /* bytes of the name */
	uint8_t flags;               /* compression */
	bool hashed;                 /* xor_hash is known */
};
struct field { struct str name; uint64_t mark; };

struct journal_unpack;
struct journal_data {
	struct datum *slots;
	struct map names;            /* of fields */
	VEC(struct field) fields;
	struct buf plain;            /* of the payload unpacked last */
	struct journal_unpack *unpack;
};
struct journal;
void journal_data_init(struct journal_data *d);
void journal_data_done(struct journal_data *d);
/* The object at `offset`; field == UINT32_MAX when there is no DATA object that can be read. Until the next call. */
const struct datum *journal_datum(struct journal *j, uint64_t offset);
/* The payload, unpacked and cut at J_UNPACKED_MAX (*ret_cut). A view until the next call of any function here; p == NULL: unreadable. */
struct str journal_payload(struct journal *j, uint64_t offset, uint64_t size, uint8_t flags, bool *ret_cut);

struct journal {
	struct journal_header h;
	struct journal_bytes bytes;
	struct journal_data data;
};
