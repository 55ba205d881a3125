/* Any lines as syslog and as a service's own file, then as logins: an address is canonical or not there, every line handed back or put aside comes out by
 * the end with records that lie in the source, and its cells decode. */
#include "auth/address.h"
#include "auth/auth.h"
#include "base/base.h"
#include "read/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(struct event *ev, const struct auth_event *said, bool is, size_t size)
{
	char text[ADDRESS_MAX];
	verify(ev->n_records >= 1);
	for (uint32_t i = 0; i < ev->n_records; i++) verify(ev->records[i].offset <= size && ev->records[i].length <= size - ev->records[i].offset);
	for (uint32_t i = 0; i < ev->shape->n_columns; i++) verify(event_cell(ev, i)->kind != VALUE_UNREAD);
	if (!is) return;
	verify(said->attempts >= 1 && said->service.n);
	size_t n = said->src_ip.n ? address_canonical(said->src_ip, text) : 0;
	verify(n == said->src_ip.n && (!n || !memcmp(text, said->src_ip.p, n)));
}

static void read_as(const char *format, const struct auth *auth, struct taxonomy *taxonomy, const uint8_t *data, size_t size)
{
	size_t n;
	const struct reader_ops *const *all = read_formats(&n), *ops = NULL;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i]->format, format)) ops = all[i];
	verify(ops);
	struct reader_options none = {.zone_seconds = 0};
	struct shape_table *shapes = shape_table_new(taxonomy, 4 << 20);
	struct input in;
	struct fault f = FAULT_INIT;
	input_of_memory(&in, data, size, STR("fuzz"));
	struct reader *r = ops->open(&in, &none, &f);
	verify(r);
	struct reader_cursor *c = ops->cursor_new(r, shapes);
	struct auth_source *s = auth_source_new(auth, shapes);
	struct auth_event said;
	for (struct event *ev; (ev = ops->next(c));) {
		bool is = false;
		if ((ev = auth_source_take(s, ev, &said, &is))) touch(ev, &said, is, size);
		while ((ev = auth_source_due(s, false, &said))) touch(ev, &said, true, size);
	}
	for (struct event *ev; (ev = auth_source_due(s, true, &said));) touch(ev, &said, true, size);
	struct auth_stats stats;
	auth_source_stats(s, &stats);
	verify(stats.understood <= stats.looking);
	auth_source_free(s);
	ops->cursor_free(c);
	ops->free(r);
	shape_table_free(shapes);
	input_close(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct auth *auth; /* the data do not change: parsed once a process */
	static struct taxonomy *taxonomy;
	if (!auth) auth = auth_new(NULL);
	if (!taxonomy) taxonomy = taxonomy_new(NULL);
	verify(auth && taxonomy);
	read_as("syslog", auth, taxonomy, data, size);
	read_as("service-log", auth, taxonomy, data, size);
	return 0;
}
