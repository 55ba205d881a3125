/* Fuzz target: lines of made events through all three steps of the incident room; and bytes as clue payloads. */
#include "tests/incident_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(void *context, const struct incident *i)
{
	(void)context;
	for (uint32_t k = 0; k < i->finding.n_stages; k++)
		if (i->finding.stages[k].from + i->finding.stages[k].n > i->finding.n_evidence) abort();
	if (!i->finding.n_evidence || !i->story.n) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct fake_run *r = malloc(sizeof *r);
	struct str rest = {(const char *)bytes, n};
	fake_run_init(r, 1);
	struct evidence_ref e = {.length = 1};
	incidents_feed(r->incidents, &(struct clue_record){.payload = rest, .evidence = &e, .n_evidence = 1});
	while (rest.p && r->n_lines < 200) fake_line(r, str_cut(&rest, '\n'), 1, STR("case/mx01/x.log"));
	fake_finish(r, check, NULL);
	fake_run_done(r);
	free(r);
	return 0;
}
