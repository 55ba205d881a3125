/* What made a rule hold is told of an event that was met before as of one that is new: also where a rule holds whatever stands in a column that is shown. */
#include "match/match.h"
#include "tests/check.h"

enum { FIELDS = 5, EVENTS = 4000, MAX = 8 };
static const char *const names[FIELDS] = {"Image", "CommandLine", "User", "Description", "EventID"};

static const char rules[] =
	"title: two parts\nlogsource: {product: windows}\nlevel: low\ndetection:\n"
	"  a: {Image|endswith: ['\\cmd.exe', 'A.exe', 'b.exe']}\n  b: {CommandLine|contains: ['x', 'y', 'zz']}\n  condition: a and b\n"
	"---\ntitle: holds always, and shows what it did not ask\nlogsource: {product: windows}\nlevel: low\ndetection:\n"
	"  a: {Description|contains: ['y', 'z']}\n  b: {EventID: 1}\n  condition: a or b\n"
	"---\ntitle: one refers to another\nlogsource: {product: windows}\nlevel: low\ndetection:\n"
	"  a: {User|fieldref: Image}\n  b: {User: null}\n  condition: a or b\n"
	"---\ntitle: not\nlogsource: {product: windows}\nlevel: low\ndetection:\n"
	"  a: {CommandLine|contains: x}\n  b: {Image|endswith: b.exe}\n  condition: b and not a\n";

struct bench {
	struct rule_set *rules;
	struct plan *plan[2];
	struct matcher *m[2];          /* one remembers, one does not */
	struct column columns[FIELDS];
	struct logsource_binding binding;
	struct shape shape;
	struct value given[FIELDS], cells[FIELDS];
	struct record_ref record;
	struct arena arena;
	struct event ev;
};

static void decode(struct event *ev, uint32_t column, struct value *ret) { *ret = ((const struct bench *)ev->impl)->given[column]; }

static void put(const struct value *v, struct buf *out)
{
	buf_put(out, &v->kind, sizeof v->kind);
	if (v->kind == VALUE_STR) buf_str(out, v->text);
	buf_byte(out, 1);
}

static enum sift undecoded(struct event *ev, const struct column_set *set, struct buf *raw, struct buf *rest)
{
	const struct bench *b = ev->impl;
	for (uint32_t i = 0; raw && i < set->n; i++) put(&b->given[set->v[i]], raw);
	for (uint32_t i = 0; rest && i < FIELDS; i++)
		if ((i >= set->n_has || !set->has[i]) && b->given[i].kind == VALUE_STR) buf_str(rest, b->given[i].text), buf_byte(rest, 1);
	return SIFT_TELLING;
}

static const struct event_ops ops = {.decode = decode, .undecoded = undecoded};

static void bench_open(struct bench *b)
{
	*b = (struct bench){.rules = rule_set_new()};
	rule_set_add_text(b->rules, str_of(rules), STR("text"));
	rule_set_finish(b->rules);
	NEED(rule_set_count(b->rules) == 4);
	for (int i = 0; i < 2; i++) {
		b->plan[i] = plan_new(b->rules, &(struct plan_options){.forgetful = i == 1}, NULL);
		b->m[i] = matcher_new(b->plan[i]);
	}
	for (int i = 0; i < FIELDS; i++) b->columns[i] = (struct column){.name = str_of(names[i]), .next = -1};
	b->columns[FIELDS - 1].constant = true;
	b->columns[FIELDS - 1].value = (struct value){.kind = VALUE_INT, .i = 1};
	b->binding.ls = (struct logsource){STR("windows"), {"", 0}, {"", 0}};
	b->shape = (struct shape){.columns = b->columns, .n_columns = FIELDS, .bindings = &b->binding, .n_bindings = 1, .format = STR("test"), .event_id = 1, .host_column = -1};
	arena_init(&b->arena, 1u << 26);
	b->ev = (struct event){.cells = b->cells, .arena = &b->arena, .ops = &ops, .impl = b, .records = &b->record, .n_records = 1};
}

static void bench_close(struct bench *b)
{
	for (int i = 0; i < 2; i++) {
		matcher_free(b->m[i]);
		plan_free(b->plan[i]);
	}
	rule_set_free(b->rules);
	arena_done(&b->arena);
}

/* All hits of the event with their details, as text. */
static void tell(struct bench *b, int which, struct shape *shape, struct buf *out)
{
	const struct hit *hits;
	struct match_detail details[MAX];
	for (int i = 0; i < FIELDS; i++) b->cells[i].kind = VALUE_UNREAD;
	b->ev.shape = shape;
	uint32_t n = matcher_run(b->m[which], &b->ev, &hits);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = matcher_details(b->m[which], &hits[i], &b->ev, details, MAX);
		buf_str(out, hits[i].rule->info.title);
		for (uint32_t j = 0; j < k; j++) buf_printf(out, " %.*s=%.*s~%.*s", STR_FMT(details[j].field), STR_FMT(details[j].value), STR_FMT(details[j].pattern));
		buf_byte(out, '\n');
	}
}

static uint32_t random_below(uint64_t *x, uint32_t n)
{
	*x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
	return (uint32_t)(*x >> 33) % n;
}

TEST(details_are_the_same_of_what_was_met_before)
{
	static const char *const texts[] = {"C:\\cmd.exe", "A.exe", "C:\\b.exe", "x y", "y", "zz", "", "A.EXE"};
	struct bench b;
	struct shape shapes[2];
	struct buf told[2] = {{0}, {0}};
	uint64_t x = 88172645463325252;
	uint32_t many = 0;
	bench_open(&b);
	for (int i = 0; i < 2; i++) shapes[i] = b.shape; /* each matcher keeps what it knows of a shape in it */
	for (uint32_t i = 0; i < EVENTS; i++) {
		for (int k = 0; k < FIELDS - 1; k++) {
			uint32_t which = random_below(&x, COUNT(texts) + 1);
			b.given[k] = which < COUNT(texts) ? value_str(str_of(texts[which])) : (struct value){.kind = VALUE_NULL};
		}
		for (int k = 0; k < 2; k++) {
			told[k].n = 0;
			tell(&b, k, &shapes[k], &told[k]);
		}
		CHECK(str_eq(buf_view(&told[0]), buf_view(&told[1])));
		many += told[0].n > 60;
	}
	CHECK(many > EVENTS / 2);
	for (int k = 0; k < 2; k++) buf_done(&told[k]);
	bench_close(&b);
}

TEST_MAIN
