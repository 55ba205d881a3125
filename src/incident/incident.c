/* incident.c: plan, worker state and phase two. See incident.h.
 *
 * The analysers are not in yet: no event is a clue, no incident comes out. The calls stand, so that the pipeline can be wired. */
#include "incident/incident_internal.h"
#include "base/alloc.h"

struct incident_plan {
	bool native;
	uint8_t sha256[SHA256_SIZE];
};
struct analyser {
	const struct incident_plan *plan;
};
struct incidents {
	const struct incident_plan *plan;
};

struct incident_plan *incident_plan_new(struct fault *f)
{
	(void)f;
	struct incident_plan *p = xcalloc(1, sizeof *p);
	p->native = true;
	return p;
}

void incident_plan_free(struct incident_plan *p) { free(p); }
void incident_plan_native(struct incident_plan *p, bool enabled) { p->native = enabled; }
const uint8_t *incident_plan_sha256(const struct incident_plan *p) { return p->sha256; }

bool incident_plan_baseline(struct incident_plan *p, const char *path, struct fault *f)
{
	(void)p, (void)path;
	fault_set(f, FAULT_UNSUPPORTED, "baselines cannot be added yet");
	return false;
}

const struct rule_info *incident_plan_rules(const struct incident_plan *p, uint32_t *ret_n)
{
	(void)p;
	*ret_n = 0;
	return NULL;
}

struct analyser *analyser_new(const struct incident_plan *p, size_t max_bytes)
{
	(void)max_bytes;
	struct analyser *a = xcalloc(1, sizeof *a);
	a->plan = p;
	return a;
}

void analyser_free(struct analyser *a) { free(a); }

const struct clue *analyser_event(struct analyser *a, struct event *ev, uint32_t source, struct str path,
	const struct rule_info *const *hits, uint32_t n_hits)
{
	(void)a, (void)ev, (void)source, (void)path, (void)hits, (void)n_hits;
	return NULL;
}

struct incidents *incidents_new(const struct incident_plan *p, size_t max_bytes)
{
	(void)max_bytes;
	struct incidents *s = xcalloc(1, sizeof *s);
	s->plan = p;
	return s;
}

void incidents_free(struct incidents *s) { free(s); }
void incidents_merge(struct incidents *s, const struct analyser *a) { (void)s, (void)a; }

void incidents_source(struct incidents *s, uint32_t source, struct str path, struct str format, const struct source_report *report)
{
	(void)s, (void)source, (void)path, (void)format, (void)report;
}

void incidents_feed(struct incidents *s, const struct clue_record *r) { (void)s, (void)r; }
void incidents_finding(struct incidents *s, const struct finding *f) { (void)s, (void)f; }

void incidents_finish(struct incidents *s, void (*report)(void *context, const struct incident *i), void *context)
{
	(void)s, (void)report, (void)context;
}

const struct scope_row *incidents_scope(const struct incidents *s, uint32_t *ret_n)
{
	(void)s;
	*ret_n = 0;
	return NULL;
}
