/* direct.c: see evtx_internal.h. A plan is made for a kind of event: its shape, and the templates of System and content, which say where each column stands.
 * Plans are kept by hash; what is met less often takes the place of another. */
#include "event/derived.h"
#include "evtx/narrow_internal.h"
#include "evtx/plan_internal.h"
#include "text/json_write.h"

enum { PLANS = 512, COLUMNS_MAX = 256 };
enum { DERIVED = 1, DERIVED_SOURCE = 1 << 4, DERIVED_KNOWN = 1 << 5, DERIVED_COLUMN = 1 << 8 };

/* Where a column stands. */
struct place {
	const struct leaf *leaf;     /* NULL: there is none */
	uint32_t column;
	uint32_t slot;               /* of the leaf, where it is one and nothing else; else UINT32_MAX */
	bool content;                /* of the content, not of System */
	uint32_t derived;            /* of the key of derived columns: DERIVED_SOURCE and what is said of it; DERIVED_KNOWN, DERIVED: without a value here */
	uint32_t key, n_key;         /* in `text`: fields: what is written before it, with a comma; a literal of the rest: what sift has for it */
};
/* A place in short, so that those of an event lie in a line or two: its slot, or that the place itself is to be looked at. */
struct step { uint8_t slot; bool content; };
enum { STEP_PLACE = 0xff };
struct direct_plan {
	const struct shape *shape;   /* NULL: free */
	const struct fragment *root, *content;
	const struct column_set *set;/* NULL: a plan for fields */
	struct place *places;
	struct step *steps;          /* of the places; only of a set */
	uint32_t n_raw, n, room;     /* places of the set come first, then those of the rest that may have a text */
	bool possible;
	struct buf text;
};
struct direct { struct direct_plan plans[PLANS]; };

struct direct *direct_new(void) { return xcalloc(1, sizeof(struct direct)); }

void direct_free(struct direct *d)
{
	if (!d) return;
	for (size_t i = 0; i < PLANS; i++) {
		free(d->plans[i].places);
		free(d->plans[i].steps);
		buf_done(&d->plans[i].text);
	}
	free(d);
}

static void add(struct direct_plan *p, const struct direct_view *v, uint32_t column)
{
	bool system = column < DIRECT_FIRST_LEAF;
	const struct leaf *l = system ? v->root->fragment->sys[column < SYS_COUNT ? column : SYS_TIME] : &v->leaves[column - DIRECT_FIRST_LEAF];
	p->places[p->n++] = (struct place){.leaf = l, .column = column, .slot = l ? l->slot : UINT32_MAX, .content = !system};
}

/* A column behind the leaves. With the first of them stand the leaves that they are made of, by number of their name, each with its value or with the column
 * of the set that gives it. */
static void add_derived(struct direct_plan *p, const struct direct_view *v, uint32_t column)
{
	bool first = !p->n || !p->places[p->n - 1].derived;
	for (uint32_t i = 0; first && i < v->n_leaves; i++) {
		int source = derived_source(v->leaves[i].name);
		bool known = false;
		if (source < 0) continue;
		for (uint32_t k = 0; k < p->n; k++) known |= !p->places[k].derived && p->places[k].column == DIRECT_FIRST_LEAF + i;
		add(p, v, DIRECT_FIRST_LEAF + i);
		p->places[p->n - 1].derived = known ? DERIVED_KNOWN | (uint32_t)source | (DIRECT_FIRST_LEAF + i) * DERIVED_COLUMN : DERIVED_SOURCE | (uint32_t)source;
	}
	p->places[p->n++] = (struct place){.column = column, .slot = UINT32_MAX, .derived = DERIVED_KNOWN | DERIVED_SOURCE | DERIVED};
}

static bool is_literal(const struct leaf *l)
{
	for (uint32_t i = 0; i < l->n_parts; i++)
		if (l->parts[i]->kind != X_TEXT) return false;
	return true;
}

static void plan_undecoded(struct direct_plan *p, const struct direct_view *v, uint32_t n)
{
	const struct column *columns = v->ev->shape->columns;
	const struct column_set *set = p->set;
	for (uint32_t i = 0; i < set->n && set->v[i] < v->ev->shape->n_columns; i++) {
		if (set->v[i] >= n) add_derived(p, v, set->v[i]);
		else if (!columns[set->v[i]].constant) add(p, v, set->v[i]);
	}
	p->n_raw = p->n;
	p->text.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		bool again = i == DIRECT_ALIAS_PROVIDER || i == DIRECT_ALIAS_TIME; /* they say what other columns say */
		if (again || columns[i].constant || (i < set->n_has && set->has[i])) continue;
		add(p, v, i);
		struct place *at = &p->places[p->n - 1];
		if (!at->leaf || at->leaf->silent) p->n--;
		else if (is_literal(at->leaf)) {
			at->key = (uint32_t)p->text.n;
			direct_sift_cell(v->ev, i, &p->text);
			at->n_key = (uint32_t)p->text.n - at->key;
		}
	}
	for (uint32_t i = 0; i < p->n; i++) {
		const struct place *at = &p->places[i];
		p->steps[i] = (struct step){!at->derived && at->slot < STEP_PLACE ? (uint8_t)at->slot : STEP_PLACE, at->content};
	}
}

/* Names and what is constant; not possible where a name comes twice, since its values then make a list. */
static void plan_fields(struct direct_plan *p, const struct direct_view *v, uint32_t n)
{
	const struct column *columns = v->ev->shape->columns;
	p->text.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct column *c = &columns[i];
		if (c->hidden) continue;
		p->possible &= !c->again;
		if (c->constant && c->value.kind == VALUE_ABSENT) continue;
		add(p, v, i);
		struct place *at = &p->places[p->n - 1];
		at->key = (uint32_t)p->text.n;
		buf_byte(&p->text, ',');
		json_str(&p->text, c->label.n ? c->label : c->name);
		buf_byte(&p->text, ':');
		if (c->constant) value_json(&c->value, &p->text);
		at->n_key = (uint32_t)p->text.n - at->key;
	}
}

static inline bool is_of(const struct direct_plan *p, const struct shape *shape, const struct fragment *root, const struct fragment *content, const struct column_set *set)
{
	return p->shape == shape && p->root == root && p->content == content && p->set == set;
}

/* The plan; NULL: nothing lasting is known of events like this one. */
static const struct direct_plan *plan_for(struct direct *d, const struct direct_view *v, const struct column_set *set)
{
	const struct shape *shape = v->ev->shape;
	const struct fragment *root = v->root->fragment, *content = v->content->fragment;
	uint32_t n = DIRECT_FIRST_LEAF + v->n_leaves, all = shape->n_columns;
	uint64_t hash = ((uintptr_t)shape ^ (uintptr_t)root << 7 ^ (uintptr_t)set << 13) * 0x9e3779b97f4a7c15;
	uint32_t at = (uint32_t)(hash >> 32) % PLANS;
	struct direct_plan *p = &d->plans[at];
	if (is_of(p, shape, root, content, set)) return p->possible ? p : NULL;
	if (p->shape) p = &d->plans[at ^ 1];
	if (is_of(p, shape, root, content, set)) return p->possible ? p : NULL;
	/* What stands in the batch does not last; columns beyond the leaves are put together of others, or hidden ones taken from one of them. */
	if (!root->is_template || !content->is_template || shape->id == UINT32_MAX || all < n || all > COLUMNS_MAX) return NULL;
	if (all > n && !shape->columns[n].hidden) return NULL;
	if (p->room < 2 * all + (set ? set->n : 0)) {
		p->room = 2 * all + (set ? set->n : 0);
		p->places = xrealloc(p->places, p->room * sizeof *p->places);
		p->steps = xrealloc(p->steps, p->room * sizeof *p->steps);
	}
	p->shape = shape;
	p->root = root;
	p->content = content;
	p->set = set;
	p->n = p->n_raw = 0;
	p->possible = true;
	if (set) plan_undecoded(p, v, n);
	else plan_fields(p, v, n);
	return p->possible ? p : NULL;
}

/* --- what tells an event from others --- */

/* What stands before a value's bytes: its type and length, or that there is none. No one is the beginning of another. */
#define UNDECODED_NARROW (1u << 26)  /* with type and length: a string of ASCII, a byte a unit */
#define UNDECODED_DERIVED (1u << 27)
#define UNDECODED_LITERAL (1u << 28)
#define UNDECODED_PARTS (1u << 29)
#define UNDECODED_NO_SLOT (1u << 30)
#define UNDECODED_NO_LEAF (1u << 31)

static inline void put_head(struct buf *out, uint32_t head) { buf_put(out, &head, sizeof head); }

/* Up to EVTX_PAD bytes beyond the value are read, as behind every value of a chunk there may be. */
static inline bool put_value(const struct slot *s, struct buf *out)
{
	enum { STEP = 32, SHORT = 256 };
	uint32_t head = (uint32_t)s->type << 16 | s->n;
	char *p = buf_reserve(out, sizeof head + s->n);
	size_t n = s->n, units = n / 2;
	if (s->type == EVTX_XML && n) return false; /* it names a template that stands elsewhere */
	if (s->type == EVTX_STRING && n % 2 == 0 && plain_units(s->p, units, p + sizeof head) == units) {
		head |= UNDECODED_NARROW;
		n = units;
	} else if (n > SHORT) {
		memcpy(p + sizeof head, s->p, n);
	} else {
		for (size_t i = 0; i < n; i += STEP) memcpy(p + sizeof head + i, s->p + i, STEP);
	}
	memcpy(p, &head, sizeof head);
	out->n += sizeof head + n;
	return true;
}

static bool put_leaf(const struct instance *in, const struct leaf *l, struct buf *out)
{
	if (!l || l->slot != UINT32_MAX) {
		put_head(out, l ? UNDECODED_NO_SLOT : UNDECODED_NO_LEAF);
		return true;
	}
	put_head(out, UNDECODED_PARTS | (l->n_parts & 0xffffff));
	for (uint32_t i = 0; i < l->n_parts; i++) {
		const struct xnode *x = l->parts[i];
		if (x->kind == X_ELEMENT || l->n_parts > 0xffffff) return false;
		if (x->kind == X_SLOT && x->slot >= in->n_slots) put_head(out, UNDECODED_NO_SLOT);
		else if (x->kind == X_SLOT && !put_value(&in->slots[x->slot], out)) return false;
		if (x->kind != X_TEXT) continue;
		uint64_t n = x->text.n;
		put_head(out, UNDECODED_LITERAL);
		buf_put(out, &n, sizeof n);
		buf_str(out, x->text);
	}
	return true;
}

void direct_sift_cell(struct event *ev, uint32_t column, struct buf *out)
{
	if (ev->shape->columns[column].constant) return;
	struct value *v = event_cell(ev, column), *items = v->kind == VALUE_LIST ? v->items : v;
	for (uint32_t i = 0; i < (v->kind == VALUE_LIST ? v->n : 1); i++) {
		buf_str(out, value_text(&items[i], ev->arena));
		buf_byte(out, 1);
	}
}

static bool put_place(const struct place *at, const struct instance *in, struct buf *raw)
{
	if (at->derived) put_head(raw, UNDECODED_DERIVED | at->derived);
	if (at->derived & DERIVED_KNOWN) return true;
	return at->slot < in->n_slots ? put_value(&in->slots[at->slot], raw) : put_leaf(in, at->leaf, raw);
}

static bool put_raw(const struct direct_plan *p, const struct instance *const each[2], struct buf *raw)
{
	for (uint32_t i = 0, n = p->n_raw; i < n; i++) {
		const struct step step = p->steps[i];
		const struct instance *in = each[step.content];
		if (!(step.slot != STEP_PLACE && step.slot < in->n_slots ? put_value(&in->slots[step.slot], raw) : put_place(&p->places[i], in, raw))) return false;
	}
	return true;
}

static bool put_rest(const struct direct_plan *p, const struct instance *const each[2], struct event *ev, struct buf *rest)
{
	for (uint32_t i = p->n_raw, n = p->n; i < n; i++) {
		const struct step step = p->steps[i];
		const struct instance *in = each[step.content];
		bool decode;
		if (step.slot != STEP_PLACE) {
			if (step.slot >= in->n_slots) continue;
			if (!slot_sift(&in->slots[step.slot], rest, &decode)) return false;
			if (!decode) continue;
		}
		const struct place *at = &p->places[i];
		decode = at->slot == UINT32_MAX;
		if (at->slot < in->n_slots && !slot_sift(&in->slots[at->slot], rest, &decode)) return false;
		if (!decode) continue;
		if (at->n_key) buf_put(rest, p->text.p + at->key, at->n_key);
		else direct_sift_cell(ev, at->column, rest);
	}
	return true;
}

enum sift direct_undecoded(struct direct *d, const struct direct_view *v, const struct column_set *set, struct buf *raw, struct buf *rest)
{
	const struct direct_plan *p = plan_for(d, v, set);
	const struct instance *const each[2] = {v->root, v->content};
	return p && (!raw || put_raw(p, each, raw)) && (!rest || put_rest(p, each, v->ev, rest)) ? SIFT_TELLING : SIFT_NONE;
}

/* --- all fields --- */

bool direct_fields(struct direct *d, const struct direct_view *v, struct buf *out)
{
	enum { SHORT = 32 };
	const struct direct_plan *p = v->chunk->format.special ? NULL : plan_for(d, v, NULL);
	const struct instance *const each[2] = {v->root, v->content};
	const struct column *columns = v->ev->shape->columns;
	if (!p) return false;
	size_t start = out->n;
	for (const struct place *at = p->places, *end = at + p->n; at < end; at++) {
		const struct instance *in = each[at->content];
		const struct slot *s = at->slot < in->n_slots ? &in->slots[at->slot] : NULL;
		bool constant = columns[at->column].constant, cell = !constant && (!s || s->type == EVTX_XML);
		if (!constant && !at->content && s && slot_empty(s)) continue; /* System says nothing there */
		const struct value *value = cell ? event_cell(v->ev, at->column) : NULL;
		if (cell && value->kind == VALUE_ABSENT) continue;
		char *o = buf_reserve(out, at->n_key + SHORT + EVTX_TEXT_MAX);
		/* Names are short: behind them in `text` and in `out` there is room. */
		memcpy(o, p->text.p + at->key, SHORT);
		if (at->n_key > SHORT) memcpy(o + SHORT, p->text.p + at->key + SHORT, at->n_key - SHORT);
		out->n += at->n_key;
		if (cell) value_json(value, out);
		else if (!constant) plan_put_slot(v->chunk, s, out);
	}
	if (out->n == start) buf_byte(out, '{');
	else out->p[start] = '{'; /* where the first comma was */
	buf_byte(out, '}');
	return true;
}
