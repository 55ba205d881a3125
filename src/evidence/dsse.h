/* dsse: envelopes with several signatures over identical bytes (DSSE 1.0.2), and what is put in them here: in-toto Statements v1.
 *
 *	{"payload":BASE64,"payloadType":TYPE,"signatures":[{"keyid":HINT,"sig":BASE64},...]}
 * Signed is the pre-authentication encoding "DSSEv1" SP len(type) SP type SP len(payload) SP payload. keyid is a hint that nobody
 * trusts (here the key's vkey); what counts is which of the keys one knows accept a signature. Either base64 alphabet is read.
 * Pure functions, any thread. */
#pragma once
#include "base/arena.h"
#include "evidence/policy.h"

#define DSSE_STATEMENT_TYPE "application/vnd.in-toto+json"
enum { DSSE_MAX_SIGNATURES = 64, DSSE_MAX_SIZE = 16 << 20 };

struct dsse_signature {
	struct str keyid;
	uint8_t sig[KEY_SIGNATURE_SIZE];
	bool ed25519;             /* 64 bytes; others are of keys nobody here has */
};
struct dsse {
	struct str payload_type, payload;
	struct dsse_signature v[DSSE_MAX_SIGNATURES];
	uint32_t n;
};
void dsse_pae(struct str payload_type, struct str payload, struct buf *out);
void dsse_sign(struct str payload_type, struct str payload, const struct key_private *key, uint8_t ret[KEY_SIGNATURE_SIZE]);
/* Strings of *ret live in `a` or are views into `bytes`. FAULT_SYNTAX, FAULT_LIMIT. */
bool dsse_parse(struct str bytes, struct arena *a, struct dsse *ret, struct fault *f);
void dsse_print(const struct dsse *d, struct buf *out); /* without LF */
/* Whether any signature is this key's. */
bool dsse_signed_by(const struct dsse *d, const struct key_public *key);
/* k of n: the policy's quorum over its parties (its logs do not matter here). */
bool policy_check_dsse(const struct policy *p, const struct dsse *d, struct policy_result *ret);

/* A statement, in canonical JSON. */
struct statement_subject { struct str name; uint8_t sha256[32]; };
void statement_print(const struct statement_subject *subjects, size_t n, struct str predicate_type, struct str predicate_json, struct buf *out);
/* The payload is an in-toto Statement v1 with at least one subject, each with a SHA-256. *ret_predicate is a view: the predicate's JSON. */
bool statement_parse(struct str payload, struct arena *a, struct statement_subject **ret_subjects, size_t *ret_n, struct str *ret_predicate_type, struct str *ret_predicate,
	struct fault *f);
