/* extend.c: an event's shape with the columns of event/auth.h behind its own. */
#include "auth/auth_internal.h"
#include "base/buf.h"

const char *auth_outcome_word(enum auth_outcome o)
{
	static const char *const words[] = {[AUTH_FAILURE] = "failure", [AUTH_SUCCESS] = "success", [AUTH_PROBE] = "probe"};
	return words[o];
}

void auth_columns(enum auth_outcome outcome, struct column ret[AUTH_COLUMNS])
{
	static const char *const names[AUTH_COLUMNS] = {"auth.outcome", "auth.src_ip", "auth.user", "auth.service", "auth.attempts"};
	for (unsigned i = 0; i < AUTH_COLUMNS; i++) ret[i] = (struct column){.name = str_of(names[i])};
	ret[AUTH_OUTCOME].constant = true;
	ret[AUTH_OUTCOME].value = value_str(str_of(auth_outcome_word(outcome)));
}

static inline void set_text(struct value *ret, struct str s)
{
	if (s.n) value_set_str(ret, s);
	else *ret = (struct value){.kind = VALUE_ABSENT};
}

void auth_values(const struct auth_event *a, struct value ret[AUTH_COLUMNS])
{
	set_text(&ret[AUTH_SRC_IP], a->src_ip);
	set_text(&ret[AUTH_USER], a->user);
	set_text(&ret[AUTH_SERVICE], a->service);
	ret[AUTH_ATTEMPTS] = value_int(a->attempts);
	if (a->attempts == 1) { /* mostly */
		ret[AUTH_ATTEMPTS].has_text = true;
		ret[AUTH_ATTEMPTS].text = STR("1");
	}
}

/* The base's log sources, and that of its product's logins. */
static struct logsource_binding *bindings_of(const struct shape *base, uint32_t *ret_n)
{
	struct logsource_binding *v = xcalloc(base->n_bindings + 1, sizeof *v);
	if (base->n_bindings) memcpy(v, base->bindings, base->n_bindings * sizeof *v);
	v[base->n_bindings] = (struct logsource_binding){.ls = {.category = STR("authentication")}};
	for (uint32_t i = 0; i < base->n_bindings && !v[base->n_bindings].ls.product.n; i++) v[base->n_bindings].ls.product = base->bindings[i].ls.product;
	*ret_n = base->n_bindings + 1;
	return v;
}

const struct shape *extended_shape(struct shape_table *t, const struct shape *base, enum auth_outcome outcome, const struct shape **kept)
{
	if (*kept || base->id == UINT32_MAX) return *kept;
	struct buf key = {0};
	struct shape spec = *base;
	struct column *columns = xcalloc(base->n_columns + AUTH_COLUMNS, sizeof *columns);
	memcpy(columns, base->columns, base->n_columns * sizeof *columns);
	auth_columns(outcome, columns + base->n_columns);
	for (uint32_t i = 0; i < AUTH_COLUMNS; i++) columns[base->n_columns + i].covered = true;
	struct logsource_binding *bindings = bindings_of(base, &spec.n_bindings);
	spec.columns = columns;
	spec.n_columns += AUTH_COLUMNS;
	spec.bindings = bindings;
	buf_printf(&key, "authentication %u %s", base->id, auth_outcome_word(outcome));
	*kept = shape_table_find(t, buf_view(&key));
	if (!*kept) *kept = shape_table_add(t, buf_view(&key), &spec);
	buf_done(&key);
	free(columns);
	free(bindings);
	return *kept;
}
