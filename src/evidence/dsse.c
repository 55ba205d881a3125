/* dsse.c: see dsse.h. */
#include "evidence/dsse.h"
#include "evidence/b64_internal.h"
#include "evidence/canon.h"
#include "text/json_read.h"

void dsse_pae(struct str payload_type, struct str payload, struct buf *out)
{
	buf_lit(out, "DSSEv1 ");
	buf_u64(out, payload_type.n);
	buf_byte(out, ' ');
	buf_str(out, payload_type);
	buf_byte(out, ' ');
	buf_u64(out, payload.n);
	buf_byte(out, ' ');
	buf_str(out, payload);
}

void dsse_sign(struct str payload_type, struct str payload, const struct key_private *key, uint8_t ret[KEY_SIGNATURE_SIZE])
{
	struct buf b = {0};
	dsse_pae(payload_type, payload, &b);
	key_sign(key, b.p, b.n, ret);
	buf_done(&b);
}

static bool bad(struct fault *f, const char *what)
{
	fault_set(f, FAULT_SYNTAX, "not a DSSE envelope: %s", what);
	return false;
}

static const struct json_token *member(const struct json_tape *t, struct str text, uint32_t object, const char *name, enum json_type type)
{
	const struct json_token *v = json_get(t, text, object, str_of(name));
	return v && v->type == type ? v : NULL;
}

/* Base64 of either alphabet into the arena. */
static bool decode(struct arena *a, struct str text, const struct json_token *token, struct str *ret)
{
	struct str s = json_decode(a, text, token);
	char *p = s.p ? arena_alloc(a, BASE64_BYTES(s.n)) : NULL;
	size_t n = 0;
	if (!p || !base64_decode(s, BASE64_LENIENT, p, &n)) return false;
	*ret = (struct str){p, n};
	return true;
}

static bool parse_signature(struct arena *a, const struct json_tape *t, struct str text, uint32_t at, struct dsse_signature *ret)
{
	const struct json_token *sig = member(t, text, at, "sig", JSON_STRING), *keyid = json_get(t, text, at, STR("keyid"));
	struct str bytes;
	if (!sig || !decode(a, text, sig, &bytes)) return false;
	*ret = (struct dsse_signature){.ed25519 = bytes.n == KEY_SIGNATURE_SIZE};
	if (ret->ed25519) memcpy(ret->sig, bytes.p, bytes.n);
	if (keyid && keyid->type == JSON_STRING) ret->keyid = json_decode(a, text, keyid);
	return true;
}

static bool parse_tape(const struct json_tape *t, struct str text, struct arena *a, struct dsse *d, struct fault *f)
{
	const struct json_token *payload = member(t, text, 0, "payload", JSON_STRING), *type = member(t, text, 0, "payloadType", JSON_STRING),
		*signatures = member(t, text, 0, "signatures", JSON_ARRAY);
	if (!payload || !type || !signatures) return bad(f, "payload, payloadType and signatures are needed");
	d->payload_type = json_decode(a, text, type);
	if (!decode(a, text, payload, &d->payload)) return bad(f, "the payload is not base64");
	uint32_t array = (uint32_t)(signatures - t->v);
	for (uint32_t i = array + 1; i < t->v[array].next; i = t->v[i].next) {
		if (d->n == DSSE_MAX_SIGNATURES) {
			fault_set(f, FAULT_LIMIT, "more than %d signatures", DSSE_MAX_SIGNATURES);
			return false;
		}
		if (!parse_signature(a, t, text, i, &d->v[d->n++])) return bad(f, "a signature is not base64");
	}
	return d->n || bad(f, "nobody signed it");
}

bool dsse_parse(struct str bytes, struct arena *a, struct dsse *ret, struct fault *f)
{
	struct json_tape t = {.max_depth = 8, .max_tokens = 4096};
	struct dsse d = {0};
	if (bytes.n > DSSE_MAX_SIZE) {
		fault_set(f, FAULT_LIMIT, "an envelope larger than %d bytes", DSSE_MAX_SIZE);
		return false;
	}
	bool ok = json_read_all(&t, bytes, f) && parse_tape(&t, bytes, a, &d, f);
	json_tape_done(&t);
	if (ok) *ret = d;
	return ok;
}

void dsse_print(const struct dsse *d, struct buf *out)
{
	buf_lit(out, "{\"payload\":");
	canon_bytes(out, d->payload.p, d->payload.n);
	buf_lit(out, ",\"payloadType\":");
	canon_str(out, d->payload_type);
	buf_lit(out, ",\"signatures\":[");
	for (uint32_t i = 0; i < d->n; i++) {
		if (i) buf_byte(out, ',');
		buf_lit(out, "{\"keyid\":");
		canon_str(out, d->v[i].keyid);
		buf_lit(out, ",\"sig\":");
		canon_bytes(out, d->v[i].sig, KEY_SIGNATURE_SIZE);
		buf_byte(out, '}');
	}
	buf_lit(out, "]}");
}

bool dsse_signed_by(const struct dsse *d, const struct key_public *key)
{
	struct buf b = {0};
	bool found = false;
	dsse_pae(d->payload_type, d->payload, &b);
	for (uint32_t i = 0; i < d->n && !found; i++) found = d->v[i].ed25519 && key_verify(key, b.p, b.n, d->v[i].sig);
	buf_done(&b);
	return found;
}

bool policy_check_dsse(const struct policy *p, const struct dsse *d, struct policy_result *ret)
{
	*ret = (struct policy_result){.log_ok = true};
	for (uint32_t i = 0; i < p->n_names; i++)
		if (!p->names[i].is_group) ret->holds[i] = dsse_signed_by(d, &p->names[i].key);
	ret->quorum_ok = policy_quorum(p, ret->holds);
	return ret->quorum_ok;
}

void statement_print(const struct statement_subject *subjects, size_t n, struct str predicate_type, struct str predicate_json, struct buf *out)
{
	buf_lit(out, "{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicate\":");
	buf_str(out, predicate_json);
	buf_lit(out, ",\"predicateType\":");
	canon_str(out, predicate_type);
	buf_lit(out, ",\"subject\":[");
	for (size_t i = 0; i < n; i++) {
		if (i) buf_byte(out, ',');
		buf_lit(out, "{\"digest\":{\"sha256\":\"");
		buf_hex(out, subjects[i].sha256, 32);
		buf_lit(out, "\"},\"name\":");
		canon_str(out, subjects[i].name);
		buf_byte(out, '}');
	}
	buf_lit(out, "]}");
}

static bool bad_statement(struct fault *f, const char *what)
{
	fault_set(f, FAULT_SYNTAX, "not an in-toto Statement v1: %s", what);
	return false;
}

static bool parse_subject(const struct json_tape *t, struct str text, uint32_t at, struct arena *a, struct statement_subject *ret)
{
	const struct json_token *name = member(t, text, at, "name", JSON_STRING), *digest = member(t, text, at, "digest", JSON_OBJECT);
	const struct json_token *hex = digest ? member(t, text, (uint32_t)(digest - t->v), "sha256", JSON_STRING) : NULL;
	if (!hex || hex->length != 64) return false;
	ret->name = name ? json_decode(a, text, name) : (struct str){0};
	for (size_t i = 0; i < 32; i++) {
		uint64_t v;
		if (!str_hex64(str_sub(json_raw(text, hex), 2 * i, 2), &v)) return false;
		ret->sha256[i] = (uint8_t)v;
	}
	return true;
}

static bool parse_statement(const struct json_tape *t, struct str text, struct arena *a, struct statement_subject **ret_subjects, size_t *ret_n,
	struct str *ret_predicate_type, struct str *ret_predicate, struct fault *f)
{
	const struct json_token *type = member(t, text, 0, "_type", JSON_STRING), *subjects = member(t, text, 0, "subject", JSON_ARRAY),
		*predicate_type = member(t, text, 0, "predicateType", JSON_STRING), *predicate = member(t, text, 0, "predicate", JSON_OBJECT);
	if (!type || !str_eq(json_decode(a, text, type), STR("https://in-toto.io/Statement/v1"))) return bad_statement(f, "_type");
	if (!subjects || !predicate_type || !predicate) return bad_statement(f, "subject, predicateType and predicate are needed");
	uint32_t array = (uint32_t)(subjects - t->v);
	size_t n = 0, at = 0;
	for (uint32_t i = array + 1; i < t->v[array].next; i = t->v[i].next) n++;
	struct statement_subject *v = n ? arena_calloc(a, n, sizeof *v) : NULL;
	if (!v) return bad_statement(f, "no subject");
	for (uint32_t i = array + 1; i < t->v[array].next; i = t->v[i].next)
		if (!parse_subject(t, text, i, a, &v[at++])) return bad_statement(f, "a subject without SHA-256");
	*ret_subjects = v;
	*ret_n = n;
	*ret_predicate_type = json_decode(a, text, predicate_type);
	*ret_predicate = json_raw(text, predicate);
	return true;
}

bool statement_parse(struct str payload, struct arena *a, struct statement_subject **ret_subjects, size_t *ret_n, struct str *ret_predicate_type, struct str *ret_predicate,
	struct fault *f)
{
	struct json_tape t = {.max_depth = 32};
	bool ok = json_read_all(&t, payload, f) && parse_statement(&t, payload, a, ret_subjects, ret_n, ret_predicate_type, ret_predicate, f);
	json_tape_done(&t);
	return ok;
}
