/* stage.c: the words of the stages. See incident.h. */
#include "incident/incident_internal.h"

static const char *const words[STAGES] = {
	"none", "probe", "ssrf", "session", "enumeration", "written", "used", "commands", "persistence", "cleanup"
};

const char *stage_word(enum stage s) { return (unsigned)s < STAGES ? words[s] : "?"; }

bool stage_parse(struct str word, enum stage *ret)
{
	for (unsigned i = 1; i < STAGES; i++) {
		if (!str_eq(word, str_of(words[i]))) continue;
		*ret = (enum stage)i;
		return true;
	}
	return false;
}
