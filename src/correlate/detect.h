/* detect: the native detectors of password guessing over authentication events (event/auth.h): what the rest of the program needs to
 * know of them. doc/brute-force.md says what each does. They run inside a correlator (correlate_options.detectors) whose rule set holds the
 * rule `rule_feeds_detectors` tells, and see the events this rule matches; their findings are correlations with rules of their own. */
#pragma once
#include "event/finding.h"
#include "base/fault.h"

/* rule_index of a detector's finding: this, plus its place in detector_rules. */
#define DETECTOR_RULE 0xC0000000u
/* The one whose findings tell what was done in sessions. */
#define DETECTOR_OF_ENTRIES "0c0e8c0e-6f0b-4bb1-9a8e-5d6f2b6e1b06"
/* The detectors' rules, by number; static, any thread. */
const struct rule_info *detector_rules(uint32_t *ret_n);

/* Sources that are normal: the house's own scanners, gateways, service accounts' machines. Text: a line each, an address or network
 * (192.0.2.7, 10.0.0.0/8, 2001:db8::/32), blanks, and the reason; '#' begins a comment. Immutable, any thread. */
struct known_sources;
/* NULL and *f (with the line) when a line is wrong. The text is copied. `path` is what a fault names. */
struct known_sources *known_sources_new(struct str text, struct str path, struct fault *f);
void known_sources_free(struct known_sources *k);

struct detect_stats {
	uint64_t attempts;   /* seen */
	uint64_t listed;     /* of them from sources that are listed as normal */
	uint64_t nowhere;    /* without an address */
	uint64_t evicted;    /* origins, accounts and habits dropped for memory */
	uint64_t early;      /* judged before their time, because the queue was full */
	uint64_t unopened;   /* findings there was no room for */
	uint64_t early_closed; /* handed out while they went on, for memory */
	uint64_t unjudged;   /* forgotten before, for memory */
	size_t memory_peak;
};
