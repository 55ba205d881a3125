/* yaml: YAML 1.1 text to trees of scalars, maps and sequences, with positions. For rules and configuration, not for logs.
 *
 * Only the syntax: a scalar stays the text that was written, with its style, because 00000429 is not the number 429
 * (yaml_type helps where a type is wanted). Stricter than YAML, each with a fault that says where: duplicate keys, keys that are
 * no scalars, merge keys (<<), aliases inside their own anchor. Aliases point to the node of their anchor: the tree may
 * share nodes, and counts as if it did not (max_nodes), so that a small text cannot become a huge tree.
 * The parser below is libyaml, of which only events are used.
 *
 * A reader and its nodes belong to one thread until reading ends; nodes are immutable afterwards. Nodes and their text live
 * in the arena given, and point nowhere else. */
#pragma once
#include "base/arena.h"
#include "base/fault.h"

enum yaml_kind { YAML_SCALAR, YAML_MAP, YAML_SEQ };
enum yaml_style { YAML_PLAIN, YAML_QUOTED /* ' or " */, YAML_BLOCK /* | or > */ };

struct yaml_pair;
struct yaml_node {
	uint8_t kind, style;   /* enum yaml_kind; enum yaml_style (scalars) */
	uint8_t height;        /* levels below it, 0 for a scalar */
	uint32_t line, column; /* 1-based, column in bytes: where it begins in the file */
	uint32_t n;            /* items or pairs */
	uint32_t size;         /* nodes in it, itself included, aliases counted as often as they occur */
	struct str tag;        /* as resolved by YAML ("tag:yaml.org,2002:str"), empty = none written */
	struct str text;       /* YAML_SCALAR: its text, valid UTF-8, NUL behind it; may hold NUL (from "\0") */
	union {
		const struct yaml_node *const *items; /* YAML_SEQ */
		const struct yaml_pair *pairs;        /* YAML_MAP, in written order */
	};
};
struct yaml_pair { const struct yaml_node *key /* a scalar */, *value; };

struct yaml_limits {
	size_t max_bytes;   /* of the whole text; 0: 16 MiB */
	uint32_t max_depth; /* 0: 64; at most 255 */
	uint32_t max_nodes; /* of one document; 0: 1,000,000 */
};

struct yaml_document {
	const struct yaml_node *root;
	struct str text; /* the document as it stands, a view of the text given: from its "---", or the end of the one before, to its end */
	uint32_t line;   /* where `text` begins */
};

struct yaml_reader;
/* `text` is UTF-8, a BOM allowed; it must outlive the reader. NULL as limits: all defaults. NULL and *f when the text is
 * too long or plainly in another encoding. */
struct yaml_reader *yaml_reader_new(struct str text, struct arena *a, const struct yaml_limits *limits, struct fault *f);
void yaml_reader_free(struct yaml_reader *r);

enum yaml_next { YAML_END, YAML_DOCUMENT, YAML_REFUSED };
/* The next document. YAML_REFUSED: it is not one, *f says why and where (FAULT_SYNTAX, FAULT_LIMIT or FAULT_UNSUPPORTED); *ret
 * then has root NULL and the text as far as known. Go on calling: what follows the next line that begins with --- is read
 * again (but not after a thousand refusals). */
enum yaml_next yaml_next(struct yaml_reader *r, struct yaml_document *ret, struct fault *f);

/* For texts with one document: its root, or NULL and *f (also when there is none, or a second one). */
const struct yaml_node *yaml_parse_one(struct str text, struct arena *a, const struct yaml_limits *limits, struct fault *f);

/* The value of a key, NULL when there is none or when `map` is NULL or no map. */
const struct yaml_node *yaml_get(const struct yaml_node *map, struct str key);

/* What a plain scalar without tag stands for. Quoted and block scalars, and what is none of these, are YAML_IS_STR.
 * Null: empty ~ null Null NULL. Bool: true True TRUE false False FALSE (YAML 1.2: not yes, no, on, off). Int: [-+]?(0|[1-9][0-9]*)
 * or 0x hex. Float: decimal with . or e, .inf, .nan. Numbers with leading zeros are text. */
enum yaml_type { YAML_IS_STR, YAML_IS_NULL, YAML_IS_BOOL, YAML_IS_INT, YAML_IS_FLOAT };
enum yaml_type yaml_type(const struct yaml_node *scalar);
