/* tsp.c: see tsp.h. */
#include "evidence/tsp.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>

/* SEQUENCE { INTEGER 1, SEQUENCE { SEQUENCE { OID sha256, NULL }, OCTET STRING }, INTEGER nonce, BOOLEAN TRUE } */
static const uint8_t head[] = {0x30, 0x43, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
	0x01, 0x05, 0x00, 0x04, 0x20};
static const uint8_t nonce_head[] = {0x02, 0x08}, tail[] = {0x01, 0x01, 0xff};
_Static_assert(sizeof head + 32 + sizeof nonce_head + TSP_NONCE_SIZE + sizeof tail == TSP_REQUEST_SIZE, "the parts are the whole");

void tsp_request(const uint8_t sha256[32], const uint8_t nonce[TSP_NONCE_SIZE], uint8_t ret[TSP_REQUEST_SIZE])
{
	uint8_t *p = ret;
	memcpy(p, head, sizeof head);
	p += sizeof head;
	memcpy(p, sha256, 32);
	p += 32;
	memcpy(p, nonce_head, sizeof nonce_head);
	p += sizeof nonce_head;
	memcpy(p, nonce, TSP_NONCE_SIZE);
	p[0] &= 0x7f;
	if (!p[0]) p[0] = 1;
	memcpy(p + TSP_NONCE_SIZE, tail, sizeof tail);
}

bool tsp_request_parse(struct str request, uint8_t ret_sha256[32], uint8_t ret_nonce[TSP_NONCE_SIZE])
{
	const uint8_t *p = (const uint8_t *)request.p;
	if (request.n != TSP_REQUEST_SIZE || memcmp(p, head, sizeof head) || memcmp(p + sizeof head + 32, nonce_head, sizeof nonce_head) ||
		memcmp(p + TSP_REQUEST_SIZE - sizeof tail, tail, sizeof tail)) return false;
	memcpy(ret_sha256, p + sizeof head, 32);
	memcpy(ret_nonce, p + sizeof head + 32 + sizeof nonce_head, TSP_NONCE_SIZE);
	return true;
}

static bool refuse(struct fault *f, const char *what)
{
	unsigned long e = ERR_peek_last_error();
	const char *why = e ? ERR_reason_error_string(e) : NULL;
	fault_set(f, FAULT_VERIFY, "timestamp: %s%s%s", what, why ? ": " : "", why ? why : "");
	ERR_clear_error();
	return false;
}

static bool check_status(TS_RESP *resp, struct fault *f)
{
	long status = ASN1_INTEGER_get(TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(resp)));
	if ((status != 0 && status != 1) || !TS_RESP_get_token(resp) || !TS_RESP_get_tst_info(resp)) return refuse(f, "the authority did not grant it");
	return true;
}

static bool check_imprint(TS_TST_INFO *info, const uint8_t sha256[32], struct fault *f)
{
	TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(info);
	const ASN1_OBJECT *algorithm = NULL;
	X509_ALGOR_get0(&algorithm, NULL, NULL, TS_MSG_IMPRINT_get_algo(imprint));
	ASN1_OCTET_STRING *message = TS_MSG_IMPRINT_get_msg(imprint);
	if (TS_TST_INFO_get_version(info) != 1) return refuse(f, "version 1 expected");
	if (OBJ_obj2nid(algorithm) != NID_sha256 || ASN1_STRING_length(message) != 32 || memcmp(ASN1_STRING_get0_data(message), sha256, 32))
		return refuse(f, "it stamps other bytes");
	return true;
}

static bool check_nonce(TS_TST_INFO *info, struct str request, const uint8_t sha256[32], struct tsp_result *ret, struct fault *f)
{
	uint8_t imprint[32], nonce[TSP_NONCE_SIZE];
	const ASN1_INTEGER *got = TS_TST_INFO_get_nonce(info);
	ret->has_nonce = got != NULL;
	if (!request.n) return true;
	if (!tsp_request_parse(request, imprint, nonce) || memcmp(imprint, sha256, 32)) return refuse(f, "the request kept beside it is not the one for these bytes");
	if (!got || ASN1_STRING_length(got) != TSP_NONCE_SIZE || memcmp(ASN1_STRING_get0_data(got), nonce, TSP_NONCE_SIZE))
		return refuse(f, "it answers another request");
	return true;
}

static bool take_time(TS_TST_INFO *info, struct etime *ret)
{
	struct tm tm;
	const ASN1_GENERALIZEDTIME *t = TS_TST_INFO_get_time(info);
	if (!t || !ASN1_TIME_to_tm(t, &tm)) return false;
	struct civil c = {tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday, (unsigned)tm.tm_hour, (unsigned)tm.tm_min, (unsigned)tm.tm_sec};
	return etime_from_civil(&c, 0, 0, ret);
}

/* The certificate that signed the token: carried by it, with the one critical purpose. */
static X509 *signer_of(PKCS7 *token)
{
	STACK_OF(X509) *signers = PKCS7_get0_signers(token, NULL, 0);
	X509 *cert = signers && sk_X509_num(signers) == 1 ? sk_X509_value(signers, 0) : NULL;
	sk_X509_free(signers);
	return cert && X509_check_purpose(cert, X509_PURPOSE_TIMESTAMP_SIGN, 0) == 1 ? cert : NULL;
}

/* Signature, version, imprint and ESSCertID by OpenSSL. Without authorities the signer's own certificate is the anchor, so
 * that everything but the chain is checked. */
static bool check_signature(TS_RESP *resp, X509 *signer, const uint8_t sha256[32], const char *ca_path, struct etime at, struct fault *f)
{
	X509_STORE *store = X509_STORE_new();
	TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
	bool ok = store && ctx;
	if (ok && ca_path && X509_STORE_load_file(store, ca_path) != 1) {
		refuse(f, "cannot read the authorities' certificates");
		fault_path(f ? f : &(struct fault){0}, str_of(ca_path));
		ok = false;
	} else if (ok) {
		X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
		/* A stamp must still hold when the certificates have run out: the chain is judged as of the time it states. */
		X509_VERIFY_PARAM_set_time(param, (time_t)at.sec);
		if (!ca_path) {
			X509_STORE_add_cert(store, signer);
			X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
		}
		TS_VERIFY_CTX_set_flags(ctx, TS_VFY_VERSION | TS_VFY_IMPRINT | TS_VFY_SIGNATURE);
		TS_VERIFY_CTX_set_store(ctx, store);
		store = NULL; /* the context's now */
		unsigned char *copy = OPENSSL_memdup(sha256, 32);
		TS_VERIFY_CTX_set_imprint(ctx, copy, 32);
		ok = TS_RESP_verify_response(ctx, resp) == 1;
		if (!ok) refuse(f, "its signature does not hold");
	}
	TS_VERIFY_CTX_free(ctx);
	X509_STORE_free(store);
	return ok;
}

static void describe(X509 *signer, TS_TST_INFO *info, struct tsp_result *ret)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *text = NULL;
	if (b && X509_NAME_print_ex(b, X509_get_subject_name(signer), 0, XN_FLAG_RFC2253) >= 0) {
		long n = BIO_get_mem_data(b, &text);
		size_t room = sizeof ret->authority - 1, take = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
		memcpy(ret->authority, text, take);
	}
	BIO_free(b);
	BIGNUM *serial = ASN1_INTEGER_to_BN(TS_TST_INFO_get_serial(info), NULL);
	char *hex = serial ? BN_bn2hex(serial) : NULL;
	if (hex) strncat(ret->serial, hex, sizeof ret->serial - 1);
	OPENSSL_free(hex);
	BN_free(serial);
}

bool tsp_check(struct str response, struct str request, const uint8_t sha256[32], const char *ca_path, struct tsp_result *ret, struct fault *f)
{
	struct tsp_result r = {0};
	const unsigned char *p = (const unsigned char *)response.p;
	if (!response.n || response.n > TSP_MAX_RESPONSE) return refuse(f, "empty or too large");
	TS_RESP *resp = d2i_TS_RESP(NULL, &p, (long)response.n);
	bool ok = resp && (const char *)p == response.p + response.n;
	if (!ok) refuse(f, "not an RFC 3161 response");
	ok = ok && check_status(resp, f);
	TS_TST_INFO *info = ok ? TS_RESP_get_tst_info(resp) : NULL;
	X509 *signer = ok ? signer_of(TS_RESP_get_token(resp)) : NULL;
	if (ok && !signer) ok = refuse(f, "no certificate in it that may only stamp time");
	if (ok && !take_time(info, &r.time)) ok = refuse(f, "its time cannot be read");
	ok = ok && check_imprint(info, sha256, f) && check_nonce(info, request, sha256, &r, f) && check_signature(resp, signer, sha256, ca_path, r.time, f);
	if (ok) {
		r.chain_checked = ca_path != NULL;
		describe(signer, info, &r);
		*ret = r;
	}
	TS_RESP_free(resp);
	ERR_clear_error();
	return ok;
}
