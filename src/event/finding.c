/* finding.c: words and order of findings. See finding.h. */
#include "event/finding.h"

static const char *const levels[LEVELS] = {"informational", "low", "medium", "high", "critical"};

const char *level_word(enum level l) { return (unsigned)l < LEVELS ? levels[l] : "?"; }

bool level_parse(struct str word, enum level *ret)
{
	for (unsigned i = 0; i < LEVELS; i++) {
		if (!str_eq(word, str_of(levels[i]))) continue;
		*ret = (enum level)i;
		return true;
	}
	return false;
}

const char *finding_kind_word(enum finding_kind k)
{
	static const char *const words[] = {"hit", "correlation", "incident", "integrity"};
	return (unsigned)k < 4 ? words[k] : "?";
}

int finding_cmp(const struct finding *a, const struct finding *b)
{
	int c = etime_cmp(a->time, b->time);
	if (c) return c;
	const struct evidence_ref *x = a->n_evidence ? a->evidence : NULL, *y = b->n_evidence ? b->evidence : NULL;
	if (x && y && x->source != y->source) return x->source < y->source ? -1 : 1;
	if (x && y && x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
	c = str_cmp(a->rule ? a->rule->id : a->title, b->rule ? b->rule->id : b->title);
	return c ? c : (int)a->kind - (int)b->kind;
}
