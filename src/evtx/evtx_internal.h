/* evtx_internal: binary XML as trees and slots, shared by the files of the room. */
#pragma once
#include "base/base.h"
#include "event/event.h"
#include "evtx/format.h"

enum {
	EVTX_FILE_HEADER = 4096, EVTX_FILE_HEADER_USED = 128, EVTX_CHUNK = 65536, EVTX_CHUNK_HEADER = 512, EVTX_RECORD_HEAD = 24, EVTX_RECORD_MIN = 32,
	EVTX_PAD = 64,          /* readable bytes behind a chunk buffer */
	EVTX_WHERE = 1024,      /* a power of two: buckets for the templates of a chunk */
	EVTX_DEPTH = 32,        /* nested elements and values */
	EVTX_EXPANDED_MAX = 1 << 20, /* bytes of definitions and values that one record may show, those shown twice counted twice */
	EVTX_PLACES_MAX = 2 * EVTX_CHUNK / EVTX_RECORD_MIN + 1, /* records in a chunk, and in what was put into it */
	EVTX_NODES_MAX = 100000, EVTX_SLOTS_MAX = 16384, EVTX_TEMPLATES_MAX = 65536
};

/* Value types ([MS-EVEN6] 2.2.17 BinXmlValueType). */
enum evtx_type {
	EVTX_NULL = 0x00, EVTX_STRING = 0x01, EVTX_ANSI = 0x02, EVTX_INT8 = 0x03, EVTX_UINT8 = 0x04, EVTX_INT16 = 0x05, EVTX_UINT16 = 0x06,
	EVTX_INT32 = 0x07, EVTX_UINT32 = 0x08, EVTX_INT64 = 0x09, EVTX_UINT64 = 0x0a, EVTX_FLOAT = 0x0b, EVTX_DOUBLE = 0x0c, EVTX_BOOL = 0x0d,
	EVTX_BINARY = 0x0e, EVTX_GUID = 0x0f, EVTX_SIZE = 0x10, EVTX_FILETIME = 0x11, EVTX_SYSTEMTIME = 0x12, EVTX_SID = 0x13,
	EVTX_HEX32 = 0x14, EVTX_HEX64 = 0x15, EVTX_XML = 0x21, EVTX_ARRAY = 0x80
};

/* A substitution value: bytes of the chunk. */
struct slot {
	const uint8_t *p;
	uint16_t n;
	uint8_t type;
};

enum xnode_kind { X_ELEMENT, X_TEXT, X_SLOT };
enum { XNODE_NO_DEPENDENCY = 0xffff };
/* One node of a fragment. Children in document order. */
struct xnode {
	uint8_t kind;
	bool optional;               /* X_SLOT */
	uint16_t slot;               /* X_SLOT; X_ELEMENT: the value its presence depends on, or XNODE_NO_DEPENDENCY */
	struct str text;             /* X_ELEMENT: name; X_TEXT: UTF-8 text */
	const struct xattr *attrs;   /* X_ELEMENT */
	uint32_t n_attrs, n_children;
	const struct xnode *const *children;
};
/* An attribute: its name and its value's parts (X_TEXT, X_SLOT). */
struct xattr {
	struct str name;
	const struct xnode *const *parts;
	uint32_t n_parts;
};

/* A place that holds a value: attribute or element content, as parts. */
struct leaf {
	struct str name, label;
	const struct xnode *const *parts;
	uint32_t n_parts;
	uint32_t slot;               /* where it is one slot and nothing else; else UINT32_MAX */
	bool silent;                 /* literal text in which no letter tells (event/sift.h) */
};

enum sys_field {
	SYS_PROVIDER, SYS_PROVIDER_GUID, SYS_SOURCE_NAME, SYS_EVENT_ID, SYS_QUALIFIERS, SYS_VERSION, SYS_LEVEL, SYS_TASK, SYS_OPCODE, SYS_KEYWORDS,
	SYS_TIME, SYS_RECORD_ID, SYS_ACTIVITY, SYS_RELATED, SYS_PROCESS, SYS_THREAD, SYS_CHANNEL, SYS_COMPUTER, SYS_USER, SYS_COUNT
};

enum { NO_SYS_SLOT = 0xffff };
/* A fragment (the body of a template, or an element stream in a record), read once. Immutable. */
struct fragment {
	const struct xnode *root;    /* an element */
	uint8_t guid[16];            /* of the template; zero for element streams */
	uint64_t hash;               /* of what a template says */
	bool is_template;
	uint32_t bytes;              /* of its tokens */
	uint32_t max_refs;           /* how often the value that is shown most is shown */
	uint32_t content_refs;       /* how often the content's slot is */
	const struct leaf *sys[SYS_COUNT]; /* NULL: absent. Only where the root is Event/System */
	uint16_t sys_at[SYS_COUNT];  /* its slot, where it is one and nothing else; else NO_SYS_SLOT */
	const struct xnode *content; /* EventData's or UserData's element in the root, or the slot that holds it; NULL */
	bool has_system;
	const struct leaf *leaves;   /* content leaves, when this fragment is content */
	uint32_t n_leaves;
	/* The shape met last with this content: most logs repeat. */
	const struct shape *last_shape;
	const struct fragment *last_root;
	uint32_t last_event_id;      /* raw bytes of the slots that name them; the shape met last holds while they are the same */
	uint32_t last_alike;         /* event.alike, while last_computer holds too; 0: none */
	uint16_t last_provider_n, last_channel_n, last_computer_n;
	uint8_t last_computer_type;
	uint8_t last_provider[128], last_channel[128], last_computer[128];
	const struct json_plan *plans[4];       /* of this content below the roots met: plan.c */
	const struct fragment *plan_roots[4];
	uint32_t n_plans;
	struct lane_table *lane;                /* of this root: lane.c */
	uint32_t unlearned;                     /* records of this content that no variant knew */
};

/* A fragment with its values. */
struct instance {
	struct fragment *fragment;
	const struct slot *slots;
	uint32_t n_slots;
};

/* A template read for the first time: its id, and the chunk offset of its definition. */
struct fresh_template { uint64_t chunk; uint32_t id, def; int32_t shift; bool sure; }; /* chunk: where in the file it lies, since it may be told of when another one is read */

struct template_store;           /* GUID -> fragment, per cursor */

/* Texts that records repeat: SIDs by their bytes, times by their day. */
struct lane_cache {
	struct { uint64_t day; char text[16]; } days[8]; /* since 1601, 0 = none yet; "YYYY-MM-DDT with the quote */
	struct { uint8_t n, text_n; uint8_t sid[72]; char text[EVTX_TEXT_MAX]; } sids[16];
};

/* A cursor's working state while it reads one chunk. */
struct evtx_chunk {
	const uint8_t *p;            /* EVTX_CHUNK bytes (or less at the end of a file) and EVTX_PAD readable behind */
	uint32_t n;
	bool sure;                   /* its checksums hold: a template's GUID then says truly which it is */
	struct template_store *store;
	struct arena *arena;         /* the batch */
	/* Templates met in this chunk, by the offset of their definition: where[hash] is an index in seen, plus one. */
	struct { uint32_t def, id, size; struct fragment *fragment; } seen[128];
	uint8_t where[EVTX_WHERE];
	uint32_t n_seen;
	uint32_t nodes;              /* made for the current record; bounded */
	uint64_t expanded;           /* bytes shown of it so far; bounded */
	struct evtx_format_cache format;
	const char *why;             /* reason of the last failure, static */
	bool lost;                   /* the last failure: a template that is not where it should be */
	uint64_t offset;             /* of the chunk in the file */
	int32_t shift;               /* how far what was read last stands behind where offsets say, for bytes were put in or lost; 0 in sound chunks */
	int32_t shift_kept;          /* what it was when the record at hand had been read: what is asked of the event must not change how the next one is read */
	int32_t shift_shown;         /* what it was before its content was read: what is shown of the event is read again from there on */
	bool showing;                /* the record at hand was read: what is asked of the event, and in which order, must not change how others are read */
	/* Where templates may still be found when they are lost here; NULL: nowhere, and the record fails. Then a stand-in by the usual
	 * layout of System is taken when it finds none. */
	struct fragment *(*find_template)(void *arg, uint32_t id);
	void *find_arg;
	VEC(struct fresh_template) fresh; /* templates read for the first time by this cursor, in this chunk */
	struct range contexts[16];   /* template definitions the current record uses, chunk-relative */
	uint32_t n_contexts;
	struct lane_cache lane;
};

/* Forgets what was met in the chunk before. */
static inline void chunk_forget(struct evtx_chunk *c)
{
	memset(c->where, 0, sizeof c->where);
	c->n_seen = 0;
	c->shift = c->shift_kept = 0;
}
static inline uint32_t chunk_bucket(uint32_t def) { return def * 0x9e3779b1u >> 22; }
/* The template met in this chunk at that offset under that id, or NULL. Also notes it as a context of the record. */
static inline struct fragment *chunk_seen(struct evtx_chunk *c, uint32_t def, uint32_t id)
{
	uint32_t at = chunk_bucket(def);
	for (uint8_t i; (i = c->where[at]); at = (at + 1) & (EVTX_WHERE - 1)) {
		if (c->seen[i - 1].def != def) continue;
		if (c->seen[i - 1].id != id) return NULL;
		if (c->n_contexts < COUNT(c->contexts)) c->contexts[c->n_contexts++] = (struct range){def, 24 + (uint64_t)c->seen[i - 1].size};
		return c->seen[i - 1].fragment;
	}
	return NULL;
}

struct template_store *template_store_new(void);
void template_store_free(struct template_store *s);

/* binxml.c: the fragment or template instance at `at` (chunk offset) up to `end`. False: c->why says why. */
bool binxml_instance(struct evtx_chunk *c, uint32_t at, uint32_t end, unsigned depth, struct instance *ret);
/* Whether the bytes [from, to) of the chunk lie within one value, that is no XML itself, of the instance that stands in [at, end): whatever they look like, they are its text or
 * its data. Says no where the instance cannot be read. */
bool binxml_value_holds(const struct evtx_chunk *c, uint32_t at, uint32_t end, uint32_t from, uint32_t to, unsigned depth);

/* The template whose definition stands at chunk offset `def`; NULL: it is lost or cannot be read. */
struct fragment *binxml_template(struct evtx_chunk *c, uint32_t def, uint32_t id);
/* seek.c: parts of a log by their bytes alone. All give `end` or `n` when there is none. */
/* The size of a whole record at p, 0 when there is none: magic, a plausible size, and its copy at the end. */
static inline uint32_t record_size(const uint8_t *p, uint32_t left)
{
	if (left < EVTX_RECORD_MIN || le32_at(p) != 0x00002a2a) return 0;
	uint32_t size = le32_at(p + 4);
	return size >= EVTX_RECORD_MIN && size <= left && le32_at(p + size - 4) == size ? size : 0;
}
/* Whether a record's content begins as Windows begins it. */
static inline bool begins_xml(const uint8_t *record) { return !memcmp(record + EVTX_RECORD_HEAD, "\x0f\1\1", 3); }
/* The first whole record at or after `at`. Damage may have moved what follows, so every byte may begin one. */
uint32_t seek_record(const uint8_t *p, uint32_t at, uint32_t end);
/* The first chunk from `at` on: its magic, and the size that it gives for its header. */
uint32_t seek_chunk(const uint8_t *p, uint32_t at, uint32_t end);
/* Whether the checksums of a whole chunk hold: of its header, of its records; whether it has some, and both do. */
bool chunk_header_holds(const uint8_t *p);
bool chunk_records_hold(const uint8_t *p);
bool chunk_holds(const uint8_t *p, uint32_t n);
/* Where the records of a block end as its header says, when that can be believed of a block of its size; else n. `holds`: as chunk_holds. */
uint32_t records_end(const uint8_t *p, uint32_t n, bool holds);
/* The records of a block that are read as such, one after the other: before that end, and behind it while they go on without a gap. `at`, `size`: the one at hand. */
struct told { const uint8_t *p; uint32_t n, end, at, size, next; bool holds; };
struct told told_in(const uint8_t *p, uint32_t n);
bool told_next(struct told *t);
/* Where the first record begins that the end of the block tears. For places without chunks, where nothing says how records lie. */
uint32_t seek_torn(const uint8_t *p, uint32_t n);
/* The first offset from `at` on where something looks like a definition of a template that ends within the `n` bytes. */
uint32_t seek_definition(const uint8_t *p, uint32_t n, uint32_t at);
/* Whether a file that begins so holds a log: a chunk's head or a whole record stands in it. */
bool seek_log_in(struct str head);
/* Whether a chunk's head with a whole record behind it stands in it, in bytes that are no text: whatever it begins with, that was written over a log. */
bool seek_whole_chunk(struct str head);

/* copies.c: records that stand in a log twice, byte for byte. A span: the record ids of one block of a file. */
struct record_place { uint32_t at, size; bool carved, loose; }; /* loose: it does not belong to the chunk that its block begins with */
struct span { uint64_t offset, low, high; uint32_t n; };
struct spans { VEC(struct span) v; uint64_t low, high; }; /* in file order */
enum { SPANS_LOOKED_AT = 8, SPANS_BACK = 8192, SPAN_HEAD = 40 };
/* The ids that the head of a chunk names. False: it is none, or they cannot be. */
bool span_in_head(const uint8_t head[SPAN_HEAD], struct span *s);
/* The ids of a block, as its header says, or else its records. */
struct span span_of(const uint8_t *p, uint32_t n, uint64_t offset);
/* True: some of its ids were met before. */
bool spans_add(struct spans *s, struct span span);
/* The ids of places that are not stale, in order, into ret[n]. Returns how many. */
uint32_t places_ids(const uint8_t *p, const struct record_place *places, uint32_t n, uint64_t *ret);
/* The nearest before `offset` that have some of the ids; with `nearest` also the one right before it, of which stale copies may be left whatever its header
 * names. Returns how many. */
uint32_t spans_before(const struct spans *s, uint64_t offset, const uint64_t *ids, uint32_t n_ids, bool nearest, struct span ret[SPANS_LOOKED_AT]);
/* Compares `places` of the block `p` with one another, and with the records of other blocks. Free it. */
struct copies *copies_new(const uint8_t *p, const struct record_place *places, uint32_t n);
void copies_compare(struct copies *c, const uint8_t *p, uint32_t n);
bool copies_has(const struct copies *c, uint32_t place);

/* lost.c: a fragment to read values by when the template is lost: the layout that Windows uses for System (`root`), or a list of
 * unnamed Data. In the batch. NULL when it is full. */
struct fragment *lost_fragment(struct evtx_chunk *c, uint32_t n_slots, bool root);
/* lost.c: an event of which only the record's head can be read: its id and time. In the batch. NULL when it is full. */
struct fragment *bare_fragment(struct evtx_chunk *c, uint64_t record_id, uint64_t filetime);
/* binxml.c: finds System, content and leaves of a fragment. */
void fragment_understand(struct fragment *f, struct arena *a);

/* value.c: a slot as a value with text; what a pattern is compared with. */
void slot_value(const struct slot *s, struct arena *a, struct evtx_format_cache *cache, struct value *ret);
/* The text of parts with the instance's values joined; a single slot keeps its native type. `c` resolves nested XML (as text). */
void parts_value(struct evtx_chunk *c, const struct instance *in, const struct xnode *const *parts, uint32_t n, struct value *ret);
/* Cuts the next item off an array; false at its end. */
bool slot_next_item(struct slot *rest, struct slot *item);
/* Whether the slot holds nothing to show: NULL type, or an empty text. */
bool slot_empty(const struct slot *s);

/* sift.c: whether a leaf is literal text in which no letter tells. */
bool leaf_is_silent(const struct leaf *l);
/* Appends what leaves have for event_ops.sift, with a joint behind each; `each` (some NULL) or a `row` of them, from number `from` on. Returns the number of
 * the first that must be decoded for it, n when there is none, SIFT_NOT when there is no sift text at all. */
#define SIFT_NOT UINT32_MAX
uint32_t instance_sift(const struct instance *in, const struct leaf *const *each, const struct leaf *row, uint32_t from, uint32_t n, struct buf *out);

/* direct.c: what is taken from the slots of events without decoding cells, by plans made once for each kind of event. One cursor's. */
struct direct;
struct direct_view {
	struct event *ev;
	struct evtx_chunk *chunk;
	const struct instance *root, *content;
	const struct leaf *leaves;       /* the columns behind the first DIRECT_FIRST_LEAF */
	uint32_t n_leaves;
};
enum { DIRECT_ALIAS_PROVIDER = SYS_COUNT, DIRECT_ALIAS_TIME, DIRECT_FIRST_LEAF };
struct direct *direct_new(void);
void direct_free(struct direct *d);
/* As event_ops.undecoded and event_ops.fields. */
enum sift direct_undecoded(struct direct *d, const struct direct_view *v, const struct column_set *set, struct buf *raw, struct buf *rest);
bool direct_fields(struct direct *d, const struct direct_view *v, struct buf *out);
/* The texts of a cell, decoded, as event_ops.sift has them. */
void direct_sift_cell(struct event *ev, uint32_t column, struct buf *out);

/* json.c: the whole event in the shape the common tools agree on, by walking its trees: right for everything, slow. */
void evtx_json(struct evtx_chunk *c, const struct instance *root, struct buf *out);
/* xml.c: the whole event as XML, as Windows shows it. */
void evtx_xml(struct evtx_chunk *c, const struct instance *root, struct buf *out);
/* The fragment in a slot as XML; nothing when it cannot be read. */
void evtx_xml_slot(struct evtx_chunk *c, const struct slot *s, struct buf *out);
/* One element of it as a value. */
void evtx_json_element(struct evtx_chunk *c, const struct instance *in, const struct xnode *e, struct buf *out);
/* plan.c: the same bytes by a plan compiled once for the pair of templates; falls back to the walk where there is none. `content`
 * is the nested fragment, or the root itself. */
void evtx_json_fast(struct evtx_chunk *c, const struct instance *root, const struct instance *content, struct buf *out);
/* The arena in which templates and what is compiled from them live. */
struct arena *template_store_arena(struct template_store *s);
