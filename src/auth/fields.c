/* fields.c: events with fields: src/auth/data/fields.txt read, and an event held against it. */
#include "auth/auth_internal.h"

static bool outcome_of(struct str word, enum auth_outcome *ret)
{
	static const char *const words[] = {"failure", "success", "probe"};
	for (unsigned i = 0; i < COUNT(words); i++) {
		if (!str_eq(word, str_of(words[i]))) continue;
		*ret = (enum auth_outcome)i;
		return true;
	}
	return false;
}

/* "a|b|c"; "-": none. */
static const struct str *list_of(struct arena *a, struct str text, uint32_t *ret_n)
{
	uint32_t n = 1;
	*ret_n = 0;
	if (str_eq(text, STR("-"))) return NULL;
	for (size_t i = 0; i < text.n; i++) n += text.p[i] == '|';
	struct str *v = arena_calloc(a, n, sizeof *v);
	while (v && text.p) v[(*ret_n)++] = arena_str(a, str_cut(&text, '|'));
	return v;
}

static const char *add_conditions(struct mappings *m, struct str rest, struct mapping *x)
{
	struct condition v[8];
	while (rest.p) {
		struct str cell = str_cut(&rest, '\t'), values = cell, field = str_cut(&values, '=');
		if (!cell.n) continue;
		if (!values.p || !field.n) return "a condition is FIELD=VALUE or FIELD!=VALUE";
		if (x->n_conditions == COUNT(v)) return "more than 8 conditions";
		struct condition *c = &v[x->n_conditions++];
		*c = (struct condition){.negated = field.p[field.n - 1] == '!'};
		c->field = arena_str(&m->arena, str_sub(field, 0, field.n - c->negated));
		c->values = list_of(&m->arena, values, &c->n);
	}
	struct condition *kept = arena_calloc(&m->arena, x->n_conditions, sizeof *kept);
	if (!kept) return "too many lines";
	memcpy(kept, v, x->n_conditions * sizeof *v);
	x->conditions = kept;
	return NULL;
}

static const char *add_line(void *arg, struct str line)
{
	struct mappings *m = arg;
	struct mapping x = {.event_id = -1};
	struct str rest = line, word = str_cut(&rest, '\t'), name = str_cut(&rest, '\t');
	bool event = str_eq(word, STR("event"));
	uint64_t id = 0;
	if (!event && !str_eq(word, STR("format"))) return "no word of the language";
	*(event ? &x.channel : &x.format) = arena_str(&m->arena, name);
	if (event && !str_u64(str_cut(&rest, '\t'), &id)) return "an event has a number";
	if (event) x.event_id = (int64_t)id;
	if (!outcome_of(str_cut(&rest, '\t'), &x.outcome)) return "the outcome is failure, success or probe";
	x.service = arena_str(&m->arena, str_cut(&rest, '\t'));
	x.users = list_of(&m->arena, str_cut(&rest, '\t'), &x.n_users);
	if (!rest.p) return "columns are missing";
	x.addresses = list_of(&m->arena, str_cut(&rest, '\t'), &x.n_addresses);
	const char *wrong = add_conditions(m, rest, &x);
	if (!wrong) vec_push(&m->v, x);
	return wrong;
}

bool mappings_add(struct mappings *m, struct str file, struct str name, struct fault *f) { return data_lines(file, name, add_line, m, f); }

void mappings_done(struct mappings *m)
{
	vec_free(&m->v);
	arena_done(&m->arena);
}

static struct str text_at(struct event *ev, int32_t column)
{
	struct value *v = column >= 0 ? event_cell(ev, (uint32_t)column) : NULL;
	if (v && v->kind == VALUE_LIST && v->n) v = &v->items[0];
	return v && v->kind != VALUE_ABSENT && v->kind != VALUE_NULL && v->kind != VALUE_LIST ? value_text(v, ev->arena) : (struct str){"", 0};
}

static struct str text_of(struct event *ev, struct str field) { return text_at(ev, shape_column(ev->shape, field)); }

/* They begin with different letters. */
static bool differ_at_once(struct str a, struct str b) { return a.n && b.n && (a.p[0] ^ b.p[0]) & ~0x20; }

static bool holds(const struct condition *c, struct str text)
{
	for (uint32_t i = 0; i < c->n; i++) {
		struct str wanted = c->values[i];
		if (differ_at_once(wanted, text) && wanted.p[0] != '*') continue;
		bool open = wanted.n && wanted.p[wanted.n - 1] == '*';
		struct str begin = open ? str_sub(text, 0, wanted.n - 1) : text;
		if (str_eq_nocase(begin, open ? str_sub(wanted, 0, wanted.n - 1) : wanted)) return !c->negated;
	}
	return c->negated && text.n;
}

const struct mapping *mapping_of(const struct auth_kind *k, struct event *ev)
{
	struct str field = k->asked, text = text_at(ev, k->asked_column); /* mostly all candidates ask the same field first */
	for (uint32_t i = 0; i < k->n_mappings; i++) {
		const struct mapping *m = k->mappings[i];
		bool all = true;
		for (uint32_t at = 0; all && at < m->n_conditions; at++) {
			const struct condition *c = &m->conditions[at];
			all = holds(c, str_eq(field, c->field) ? text : text_of(ev, c->field));
		}
		if (all) return m;
	}
	return NULL;
}

struct str mapping_text(struct event *ev, const struct str *fields, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct str s = text_of(ev, fields[i]);
		if (s.n && !str_eq(s, STR("-"))) return s;
	}
	return (struct str){"", 0};
}
