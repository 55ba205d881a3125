/* tsp: RFC 3161 timestamps: the request, made by hand; the response, checked by OpenSSL's TS functions.
 *
 * Stamped is the SHA-256 of a note's text with its own first signature line (note.signed_part), because cosignatures come
 * later. A request is 69 bytes: version 1, SHA-256 imprint, 8-byte nonce, certReq. No network here: the user carries the
 * request to an authority and brings the response back. Any thread. */
#pragma once
#include "base/buf.h"
#include "base/etime.h"
#include "base/fault.h"

enum { TSP_REQUEST_SIZE = 69, TSP_NONCE_SIZE = 8, TSP_MAX_RESPONSE = 1 << 20 };

/* nonce: any bytes; the first is brought into 01..7f, so that DER has one form of it. */
void tsp_request(const uint8_t sha256[32], const uint8_t nonce[TSP_NONCE_SIZE], uint8_t ret[TSP_REQUEST_SIZE]);
/* The imprint and nonce of a request made by tsp_request; false for other bytes. */
bool tsp_request_parse(struct str request, uint8_t ret_sha256[32], uint8_t ret_nonce[TSP_NONCE_SIZE]);

struct tsp_result {
	struct etime time;      /* genTime */
	bool has_nonce;         /* the response has one (it was equal when a request was given) */
	bool chain_checked;     /* against the authorities given, as of `time` */
	char authority[256];    /* subject of the signing certificate, one line */
	char serial[64];        /* hex */
};
/* Checks a response: granted, version 1, SHA-256 imprint equal to `sha256`, nonce equal to the request's (when `request` is not
 * empty), signed by a certificate that it carries and that may only stamp time, named by ESSCertID(v2). With `ca_path` (PEM
 * file) also the chain up to it, as of the stamp's own time. FAULT_VERIFY and the reason in *f otherwise. */
bool tsp_check(struct str response, struct str request, const uint8_t sha256[32], const char *ca_path, struct tsp_result *ret, struct fault *f);
