/* fault: why something could not be done, filled once by the innermost function that knows.
 *
 * A kind is one reaction of the caller; the text says the rest. Below app/ nobody prints a fault: it is passed up.
 * Damage in a log is not a fault (it is data, see event/); a fault means "cannot go on at all with this".
 * Form in which app/ prints it: path:line:column: text. */
#pragma once
#include "base/str.h"

enum fault_kind {
	FAULT_NONE,
	FAULT_IO,          /* the system refused: os_errno is set */
	FAULT_SYNTAX,      /* text does not follow its grammar: line and column are set */
	FAULT_CORRUPT,     /* bytes are not what their format demands, and nothing can be saved */
	FAULT_LIMIT,       /* a stated limit was reached */
	FAULT_UNSUPPORTED, /* legal, but not handled here */
	FAULT_NOT_FOUND,
	FAULT_VERIFY,      /* a hash, proof or signature does not hold */
	FAULT_STATE,       /* called in the wrong order or with contradicting arguments */
	FAULT_USAGE        /* what the user asked for makes no sense */
};

struct fault {
	enum fault_kind kind;
	int os_errno;        /* 0 unless kind is FAULT_IO */
	uint32_t line;       /* 1-based; 0 when it does not apply */
	uint32_t column;     /* 1-based, in bytes; 0 when it does not apply */
	uint64_t offset;     /* byte offset in the input, UINT64_MAX when it does not apply */
	char path[256];      /* cut in the middle when longer; empty when it does not apply */
	char text[512];      /* a whole sentence without full stop: what; what was expected; what to do */
};

#define FAULT_INIT ((struct fault){.offset = UINT64_MAX})

/* Fills *f (f may be NULL) and returns `kind`, so that `return fault_set(f, FAULT_SYNTAX, "...")` works.
 * Keeps an already set path. errno is taken for FAULT_IO. */
enum fault_kind fault_set(struct fault *f, enum fault_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with a position in a text. */
enum fault_kind fault_at(struct fault *f, enum fault_kind kind, uint32_t line, uint32_t column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void fault_path(struct fault *f, struct str path);
/* Puts "prefix: " before the text that stands there. */
void fault_in(struct fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Stable lower-case word: "io", "syntax", ... */
const char *fault_word(enum fault_kind kind);
