/* pattern_part: what the two ways of holding a message against patterns share: one pattern, element by element (pattern_plain.c), which says what is
 * right; all patterns of a service at once (pattern_tree.c). Pure; any thread. */
#pragma once
#include "auth/pattern_internal.h"

enum { PATTERN_TOKENS = 4 /* that say something */ };

/* Which bytes a token may hold, a bit for each kind of element. */
enum { IN_WORD = 1 << ELEMENT_WORD | 1 << ELEMENT_NAME, IN_ADDR = IN_WORD | 1 << ELEMENT_ADDR, IN_CONN = IN_ADDR | 1 << ELEMENT_CONN,
	IN_INT = IN_CONN | 1 << ELEMENT_INT | 1 << ELEMENT_ATTEMPTS };
extern const uint16_t pattern_classes[256];
static inline bool pattern_in_class(enum element_kind kind, char c) { return pattern_classes[(uint8_t)c] >> kind & 1; }

/* A token that is kept. */
static inline bool pattern_says(enum element_kind kind) { return kind == ELEMENT_ADDR || kind == ELEMENT_CONN || kind == ELEMENT_NAME || kind == ELEMENT_ATTEMPTS; }
static inline bool pattern_is_wild(const struct element *e) { return e->kind == ELEMENT_USER || e->kind == ELEMENT_ANY; }
static inline struct str pattern_text_before(const struct pattern *p, uint32_t i) { return i ? p->elements[i - 1].text : (struct str){"", 0}; }
static inline struct str pattern_text_behind(const struct pattern *p, uint32_t i) { return i + 1 < p->n ? p->elements[i + 1].text : (struct str){"", 0}; }

/* False: the number is none that can be meant. */
static inline bool pattern_keep(enum element_kind kind, struct str token, struct pattern_match *m)
{
	if (kind == ELEMENT_ADDR) m->addr = token;
	if (kind == ELEMENT_CONN) m->conn = token;
	if (kind == ELEMENT_NAME) m->user = token;
	return kind != ELEMENT_ATTEMPTS || (str_u64(token, &m->attempts) && m->attempts <= 100000);
}

/* How long the token e at s[at] is, 0: there is none. `behind`: the text that must follow it, so that a class does not swallow it: "1.2.3.4:" is an
 * address and a colon. */
size_t pattern_left_token(const struct element *e, struct str behind, struct str s, size_t at);
/* The same for a token that ends at s[end]. */
size_t pattern_right_token(const struct element *e, struct str before, struct str s, size_t end);
/* What stands between the wild elements, of which there is one, in s[from..to): each at its first place; what the wild ones hold is between. */
bool pattern_between(const struct pattern *p, struct str s, size_t from, size_t to, struct pattern_match *m);

/* pattern_tree.c: false: no room. */
bool tree_of_service(struct arena *a, struct service *s);
