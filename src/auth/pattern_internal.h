/* pattern: the lines of the service files, compiled, and a message held against them.
 *
 *	service NAME                      what follows is about this service (auth.service)
 *	program NAME...                   its messages come from these programs of syslog; '*': from any
 *	format NAME...                    its messages are those of this format of the readers
 *	file                              its messages also stand in files of its own, behind a time alone (the readers' format service-log)
 *	forks                             a process of it serves one connection: lines of a process id belong together
 *	word TEXT                         a message of it that holds this looks like a login: for coverage
 *	failure|success|probe PATTERN     the message is an attempt with that outcome
 *	announce PATTERN                  it is a failure if nothing of the connection says more
 *	restate PATTERN                   it says again what a line before it said: joined, not counted
 *	close PATTERN                     the connection has ended
 *	peer PATTERN                      it has begun: whose it is, for lines that do not say
 * PATTERN is the whole message: text that stands there as written, {{a|b|}} for either of a, b and nothing, and
 *	<addr>      letters, digits and . : % _ - or an address in brackets; a name has no address
 *	<int>       decimal digits          <attempts>  the same: how many tries it stands for
 *	<word>      one or more bytes but blanks
 *	<name>      one or more bytes but '|': the name, in logs whose columns are parted so
 *	<conn>      letters and digits: the connection the line belongs to, where a process serves many
 *	<user>      any bytes, also none; the name
 *	<any>       any bytes, also none
 * What stands before the first <user> or <any> is read from the left, what stands behind the last from the right; what stands between two of them
 * is taken at its first place. Where such a part holds the address, it must stand in the rest of the message nowhere else with another
 * one: else there is no address. So a message costs time in proportion to its length times the number of its service's patterns that
 * begin like it. Pure; any thread. */
#pragma once
#include "base/alloc.h"
#include "base/arena.h"
#include "base/fault.h"
#include "base/map.h"
#include "event/auth.h"

enum element_kind { ELEMENT_TEXT, ELEMENT_ADDR, ELEMENT_INT, ELEMENT_ATTEMPTS, ELEMENT_WORD, ELEMENT_NAME, ELEMENT_CONN, ELEMENT_USER, ELEMENT_ANY };
enum { ELEMENT_KINDS = ELEMENT_ANY + 1 };
struct element {
	enum element_kind kind;
	struct str text;
	uint64_t end, end_mask;        /* of a text: its last eight bytes, the last highest, of those there are */
	/* Of a token: what follows it, or stands before it, is no text or one whose byte next to it the class does not have. Then the token is
	 * all there is of the class. */
	bool left_run, right_run;
};

enum pattern_kind { PATTERN_FAILURE, PATTERN_SUCCESS, PATTERN_PROBE, PATTERN_ANNOUNCE, PATTERN_RESTATE, PATTERN_CLOSE, PATTERN_PEER };
struct pattern {
	enum pattern_kind kind;
	const struct element *elements;
	uint32_t n, first_wild, last_wild; /* of the elements; first_wild == n: none */
	struct str service;                /* its name */
};
/* What a service's patterns begin with, up to their first wild element, as a tree, so that what several have in common is looked at once: texts byte by
 * byte, tokens as a whole. */
struct node {
	uint64_t bytes, mask;          /* of a text: its first eight, of those there are */
	struct str text;               /* that leads here; empty: a token does */
	const struct element *token;
	struct str beyond;             /* the text that it must meet, where it is no run */
	const struct node *texts, *tokens, *behind; /* the nodes behind this one: [texts, tokens), of which a message has one at most, and [tokens, behind) */
	uint32_t first, end;           /* the patterns that begin with this alone: [first, end) of the places */
};
/* A pattern in the tree, and what a message must have to be it: the bytes that it ends with, eight under a mask, or that stand before a token that it ends
 * with; a byte between wild elements, 0: none. */
struct place { uint64_t end, mask; uint32_t pattern; enum element_kind last; /* ELEMENT_TEXT: no token */ char holds; };
/* Words looked for in one pass: the pairs of bytes near their beginnings as bits, then the words. */
struct words { VEC(struct str) v; uint64_t *pairs; size_t step; };
struct service {
	struct str name;
	bool any_program, forks, file;
	VEC(struct pattern) patterns;
	struct words words;
	/* Made by patterns_end. */
	const struct node *nodes;      /* [0]: nothing stands before the wild element */
	const struct place *places;    /* by node, then in the order of the patterns */
	uint16_t by_byte[256];         /* the node of a text behind the first one, by its first byte; 0: none */
};
struct patterns {
	struct arena arena;
	VEC(struct service) services;
	struct map programs, formats;      /* name -> index in services */
	VEC(uint32_t) any;                 /* services of any program */
	struct words any_words;            /* the words of all of these */
	struct service files;              /* the patterns of all services with files of their own */
};
/* Gives each line of a data file that is neither blank nor a comment to `add`, which says what is wrong with it or NULL; false and *f (line) at the first. */
bool data_lines(struct str file, struct str name, const char *(*add)(void *arg, struct str line), void *arg, struct fault *f);
/* Adds the lines of a file. False and *f (line, column) when one is not of the language. */
bool patterns_add(struct patterns *p, struct str file, struct str name, struct fault *f);
/* After the last file, before the first message. False and *f: no room. */
bool patterns_end(struct patterns *p, struct fault *f);
void patterns_done(struct patterns *p);

struct pattern_match {
	enum pattern_kind kind;
	struct str service;     /* whose pattern it is */
	struct str conn;        /* p == NULL: not there */
	struct str addr, user;  /* views of the message; p == NULL: not there, or two readings differ */
	uint64_t attempts;      /* 0: the pattern does not say */
	bool contested;         /* two readings differ: nothing else that was read out of the message may stand in for the address */
};
/* The first pattern of the service that the message is; without address and user when another of its patterns reads another address. */
bool service_match(const struct service *s, struct str message, struct pattern_match *ret);
/* Whether one of the words is in the text. */
bool words_in(const struct words *w, struct str text);
bool pattern_match(const struct pattern *p, struct str message, struct pattern_match *ret);
