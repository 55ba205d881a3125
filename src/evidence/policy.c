/* policy.c: see policy.h. */
#include "evidence/policy.h"
#include "base/alloc.h"

static struct str take_word(struct str *rest)
{
	while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\t')) *rest = str_sub(*rest, 1, SIZE_MAX);
	size_t n = 0;
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t') n++;
	struct str word = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n, SIZE_MAX);
	return word;
}

static int32_t find_name(const struct policy *p, struct str name)
{
	for (uint32_t i = 0; i < p->n_names; i++)
		if (str_eq(p->names[i].name, name)) return (int32_t)i;
	return -1;
}

struct parser {
	struct policy *p;
	struct fault *f;
	uint32_t line;
	bool quorum_seen;
};

static bool bad(struct parser *s, const char *what, struct str word)
{
	fault_at(s->f, FAULT_SYNTAX, s->line, 1, "%s '%.*s'", what, STR_FMT(word));
	return false;
}

static bool key_at(struct parser *s, struct str word, struct key_public *ret)
{
	struct fault inner = FAULT_INIT;
	if (key_public_parse(word, ret, &inner)) return true;
	fault_at(s->f, inner.kind, s->line, 1, "%s: '%.*s'", inner.text, STR_FMT(word));
	return false;
}

static bool url_or_end(struct parser *s, struct str *rest)
{
	(void)take_word(rest);
	struct str more = take_word(rest);
	return more.n ? bad(s, "unexpected", more) : true;
}

static bool parse_log(struct parser *s, struct str *rest)
{
	struct policy *p = s->p;
	struct key_public key;
	struct str word = take_word(rest);
	if (!key_at(s, word, &key)) return false;
	for (uint32_t i = 0; i < p->n_logs; i++)
		if (!memcmp(p->logs[i].key, key.key, sizeof key.key)) return bad(s, "the same log key twice:", word);
	if (p->n_logs == POLICY_MAX_LOGS) return bad(s, "too many logs at", word);
	p->logs[p->n_logs++] = key;
	return url_or_end(s, rest);
}

static struct policy_name *new_name(struct parser *s, struct str name)
{
	struct policy *p = s->p;
	if (!name.n || str_eq(name, STR("none")) || find_name(p, name) >= 0) {
		bad(s, "this name is missing, taken or reserved:", name);
		return NULL;
	}
	if (p->n_names == POLICY_MAX_NAMES) {
		bad(s, "too many names at", name);
		return NULL;
	}
	p->names[p->n_names] = (struct policy_name){.name = name};
	return &p->names[p->n_names];
}

static bool parse_witness(struct parser *s, struct str *rest)
{
	struct policy *p = s->p;
	struct policy_name *n = new_name(s, take_word(rest));
	struct str word = take_word(rest);
	if (!n || !key_at(s, word, &n->key)) return false;
	for (uint32_t i = 0; i < p->n_names; i++)
		if (!p->names[i].is_group && !memcmp(p->names[i].key.key, n->key.key, sizeof n->key.key)) return bad(s, "the same witness key twice:", word);
	p->n_names++;
	return url_or_end(s, rest);
}

static bool parse_group(struct parser *s, struct str *rest)
{
	struct policy *p = s->p;
	struct policy_name *n = new_name(s, take_word(rest));
	struct str how = take_word(rest);
	uint64_t k = 0;
	if (!n) return false;
	n->is_group = true;
	for (struct str word = take_word(rest); word.n; word = take_word(rest)) {
		int32_t member = find_name(p, word);
		if (member < 0) return bad(s, "no witness or group above is named", word);
		if (p->names[member].in_group) return bad(s, "already member of a group:", word);
		p->names[member].in_group = true;
		n->members[n->n_members++] = (uint16_t)member;
	}
	if (str_eq(how, STR("all"))) k = n->n_members;
	else if (str_eq(how, STR("any"))) k = 1;
	else if (!str_u64(how, &k)) return bad(s, "all, any or a number expected, not", how);
	if (k < 1 || k > n->n_members) return bad(s, "the threshold does not fit the number of members:", how);
	n->threshold = (uint32_t)k;
	p->n_names++;
	return true;
}

static bool parse_quorum(struct parser *s, struct str *rest)
{
	struct str word = take_word(rest), more = take_word(rest);
	if (s->quorum_seen) return bad(s, "a second quorum:", word);
	s->quorum_seen = true;
	s->p->quorum = str_eq(word, STR("none")) ? -1 : find_name(s->p, word);
	if (s->p->quorum < 0 && !str_eq(word, STR("none"))) return bad(s, "no witness or group above is named", word);
	return more.n ? bad(s, "unexpected", more) : true;
}

static bool parse_line(struct parser *s, struct str rest)
{
	for (size_t i = 0; i < rest.n; i++) {
		unsigned char c = (unsigned char)rest.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f) return bad(s, "a control byte in", rest);
	}
	struct str word = take_word(&rest);
	if (!word.n || word.p[0] == '#') return true;
	if (str_eq(word, STR("log"))) return parse_log(s, &rest);
	if (str_eq(word, STR("witness"))) return parse_witness(s, &rest);
	if (str_eq(word, STR("group"))) return parse_group(s, &rest);
	if (str_eq(word, STR("quorum"))) return parse_quorum(s, &rest);
	return bad(s, "log, witness, group or quorum expected, not", word);
}

bool policy_parse(struct str text, struct policy *ret, struct fault *f)
{
	struct policy p = {.quorum = -1, .names = xcalloc(POLICY_MAX_NAMES, sizeof *p.names)};
	struct parser s = {&p, f, 0, false};
	bool ok = true;
	struct str rest = text;
	while (ok && rest.n) {
		size_t lf = str_find_byte(rest, '\n', 0);
		struct str line = str_sub(rest, 0, lf);
		rest = lf == SIZE_MAX ? (struct str){0} : str_sub(rest, lf + 1, SIZE_MAX);
		s.line++;
		ok = parse_line(&s, line);
	}
	if (ok && !s.quorum_seen) {
		s.line++;
		ok = bad(&s, "no quorum line before the end", (struct str){0});
	}
	if (ok) *ret = p;
	else policy_done(&p);
	return ok;
}

void policy_done(struct policy *p)
{
	free(p->names);
	p->names = NULL;
	p->n_names = 0;
}

bool policy_quorum(const struct policy *p, bool *holds)
{
	for (uint32_t i = 0; i < p->n_names; i++) {
		const struct policy_name *n = &p->names[i];
		if (!n->is_group) continue;
		uint32_t count = 0;
		for (uint16_t m = 0; m < n->n_members; m++) count += holds[n->members[m]];
		holds[i] = count >= n->threshold;
	}
	return p->quorum < 0 || holds[p->quorum];
}

/* The origin is the log key's name, or lies below it: one key seals many cases, each with an origin of its own. */
static bool origin_of(struct str text, const char *name)
{
	size_t lf = str_find_byte(text, '\n', 0), n = strlen(name);
	struct str origin = str_sub(text, 0, lf);
	return str_starts(origin, str_of(name)) && (origin.n == n || origin.p[n] == '/');
}

bool policy_check_note(const struct policy *p, const struct signed_note *n, struct policy_result *ret)
{
	*ret = (struct policy_result){.log_ok = p->n_logs == 0};
	for (uint32_t i = 0; i < p->n_logs; i++) {
		enum signed_note_verdict v = signed_note_check(n, &p->logs[i], NULL);
		ret->bad |= v == NOTE_BAD;
		ret->log_ok |= v == NOTE_GOOD && origin_of(n->text, p->logs[i].name);
	}
	for (uint32_t i = 0; i < p->n_names; i++) {
		if (p->names[i].is_group) continue;
		enum signed_note_verdict v = signed_note_check(n, &p->names[i].key, NULL);
		ret->bad |= v == NOTE_BAD;
		ret->holds[i] = v == NOTE_GOOD;
	}
	ret->quorum_ok = policy_quorum(p, ret->holds);
	return ret->log_ok && ret->quorum_ok && !ret->bad;
}
