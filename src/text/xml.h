/* xml: a small pull parser for logs that are XML: elements, attributes, text, CDATA. Windows events first of all.
 *
 * Not a general XML processor: a document type is refused (so there are no entities but the five and numeric ones, and nothing
 * expands), names are compared as written, prefix included (xml_local takes it off), encodings other than UTF-8 are the caller's
 * affair. Comments, processing instructions and the XML declaration are skipped. Several outermost elements may follow each other.
 *
 * Everything handed out is a view of the text. A parser belongs to one thread, allocates nothing, and is a plain struct. */
#pragma once
#include "base/arena.h"

enum { XML_MAX_DEPTH = 64, XML_MAX_ATTRIBUTES = 64 };

struct xml_attribute { struct str name, value; /* value undecoded: see xml_decode */ };

/* Zeroed but for text (and at, final) to begin. */
struct xml {
	struct str text;
	size_t at;          /* next byte to read */
	bool final;         /* no bytes come after text */
	/* What was found last: */
	size_t start;       /* offset where it begins */
	struct str name;    /* XML_OPEN, XML_CLOSE */
	struct str chars;   /* XML_TEXT */
	bool cdata;         /* XML_TEXT: from a CDATA section: not to be decoded */
	unsigned n_attributes;
	struct xml_attribute attributes[XML_MAX_ATTRIBUTES];
	const char *reason; /* XML_BAD, XML_LIMIT: why, a static string; `start` is where */
	/* Own: */
	unsigned depth;     /* open elements */
	bool empty_tag;     /* <x/> was opened, its close comes next */
	struct str open[XML_MAX_DEPTH];
	struct { size_t from, at; bool known; } close[3]; /* where comments, CDATA and instructions end, as last searched */
};

enum xml_next {
	XML_OPEN,  /* an element begins: name, attributes */
	XML_TEXT,  /* text within an element, also blanks; one element's text may come in several pieces */
	XML_CLOSE, /* an element ends (also of <x/>) */
	XML_END,   /* the text is over and every element closed */
	XML_MORE,  /* not final, and cut off: begin again with more bytes */
	XML_BAD,   /* not well-formed, or a document type */
	XML_LIMIT  /* deeper, or more attributes, than the limits above */
};
/* The next thing. After XML_BAD, XML_LIMIT and XML_MORE the parser stays where it is. */
enum xml_next xml_next(struct xml *x);

/* Text or an attribute's value decoded: a view when there is nothing to do, else in the arena; p == NULL when it is full. Always
 * valid UTF-8. An unknown entity, or a number that is no character, is left as it is written. */
struct str xml_decode(struct arena *a, struct str s);
/* The value of an attribute of the element just opened, undecoded; p == NULL when it has none of that name. */
struct str xml_attribute(const struct xml *x, struct str name);
/* A name without its prefix. */
struct str xml_local(struct str name);

struct xml_span { size_t start, end; };
/* The next whole element of that local name (no prefix) at or behind x->at, with everything in it: for exports that hold one record
 * per element. The same x serves for a whole text, whatever happens (it remembers what it searched for in vain). XML_OPEN: found,
 * *ret is its place. XML_END: none is left. XML_MORE: not final, and one is cut off or none is left; ret->start is where the
 * bytes begin that must be given again, to a new parser. XML_BAD, XML_LIMIT: one is broken; ret->start is where it begins, ret->end
 * where the next one of that name may begin. x->at is ret->end in all cases: go on by calling again. */
enum xml_next xml_find(struct xml *x, struct str name, struct xml_span *ret);
