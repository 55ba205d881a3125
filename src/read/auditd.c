/* auditd.c: the audit log of Linux. See doc/formats.md, section audit log; records are taken apart by audit_record.c.
 *
 * Every record is an event of its own: that is what rules are written for (`type: EXECVE` with a0, `type: PATH` with name). Records of one
 * serial are joined besides: SYSCALL and EXECVE, when the record after them comes (CWD, as a rule), are the start of a program; SYSCALL and
 * a PATH that was created are a file; SYSCALL connect, sendto, sendmsg or accept and SOCKADDR are a connection. The joined event cites all records it is made of, first the one that completed it: so events stay in
 * the order of the file. What is kept for joining is bounded: JOIN_SLOTS serials, JOIN_TEXT bytes each. */
#include "read/audit_internal.h"
#include "read/read_internal.h"
#include "read/text_internal.h"
#include "text/utf.h"

enum { JOIN_SLOTS = 64, JOIN_TEXT = 64 << 10, HEAD = 3 }; /* HEAD: host, type, serial before the record's own fields */
enum joined_column { J_HOST, J_IMAGE, J_COMMAND, J_DIRECTORY, J_TARGET, J_USER, J_AUID, J_PID, J_PPID, J_SESSION, J_TTY, J_KEY, J_SUCCESS, J_EXIT,
	J_SERIAL, J_INITIATED, J_TO, J_TO_PORT, J_FROM, J_FROM_PORT, J_COLUMNS };
static const char *const joined_names[J_COLUMNS] = {"host", "Image", "CommandLine", "CurrentDirectory", "TargetFilename", "User", "auid", "ProcessId",
	"ParentProcessId", "ses", "tty", "key", "success", "exit", "serial", "Initiated", "DestinationIp", "DestinationPort", "SourceIp", "SourcePort"};

struct slot {
	uint64_t serial, used;
	struct etime time;
	bool busy, has_call, has_args, told;
	enum direction { NOWHERE, OUT, IN } direction; /* of the connection that the call makes */
	struct buf text;                  /* all that is kept of it */
	struct { size_t at, n; bool set; } part[J_COLUMNS];
	struct record_ref call, args, directory;
};
enum joined { JOINED_NONE, JOINED_PROCESS, JOINED_FILE, JOINED_CONNECTION, JOINED_KINDS };

struct own {
	struct audit_record record;
	struct slot slots[JOIN_SLOTS];
	uint64_t clock, untold;
	uint32_t met_last;                /* slot of the record before, mostly of this one too */
	enum joined pending;
	struct slot *of;                  /* of the joined event, pending or handed out */
	struct line line;                 /* the line handed out last */
	struct record_ref refs[4];
	struct str target;                /* of a file event, in the batch or the window */
	struct str address, port;         /* of a connection, in the batch */
	struct str added;                 /* SYSCALL by number; p == NULL: none, or the record has it */
	struct buf key, last_key;
	const struct shape *last_shape, *joined[JOINED_KINDS];
	struct shape spec, joined_spec[JOINED_KINDS];
	bool noted;
};

static struct own *own(struct reader *r) { return r->own; }

/* --- a record's event --- */

static void decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	struct own *o = own(r);
	struct audit_record *a = &o->record;
	struct str s = {NULL, 0};
	if (column == 0) s = a->node;
	else if (column == 1) s = a->type;
	else if (column == 2) {
		*ret = value_uint(a->serial);
		return;
	} else if (column - HEAD < a->n) {
		s = a->fields[column - HEAD].value;
		if (!s.p) {
			*ret = (struct value){.kind = VALUE_NULL};
			return;
		}
	} else {
		s = o->added;
	}
	*ret = s.p ? value_str(text_clean(r, s)) : (struct value){.kind = VALUE_ABSENT};
	if (ret->kind == VALUE_STR && column >= HEAD && column - HEAD < a->n && a->fields[column - HEAD].decoded) {
		struct str clean = utf8_clean(&r->arena, s); /* hex may hold any bytes */
		*ret = value_str(clean.p ? clean : STR(""));
	}
}

static const struct event_ops ops = {decode, NULL, NULL, NULL};

static struct shape *spec_of(struct reader *r)
{
	struct own *o = own(r);
	const struct audit_record *a = &o->record;
	struct column *columns = arena_calloc(&r->arena, HEAD + a->n + 1, sizeof *columns);
	if (!columns) return NULL;
	columns[0] = (struct column){.name = STR("host"), .covered = true};
	columns[1] = (struct column){.name = STR("type"), .covered = true};
	columns[2] = (struct column){.name = STR("serial"), .covered = true};
	for (uint32_t i = 0; i < a->n; i++) columns[HEAD + i] = (struct column){.name = text_clean(r, a->fields[i].name), .covered = !a->fields[i].decoded};
	columns[HEAD + a->n] = (struct column){.name = STR("SYSCALL"), .hidden = true};
	o->spec = (struct shape){.n_columns = HEAD + a->n + (o->added.p != NULL), .columns = columns, .format = STR("auditd"), .event_id = -1, .host_column = 0};
	o->spec.bindings = text_bindings(r, STR("auditd"), &o->spec.n_bindings);
	return &o->spec;
}

static const struct shape *shape_of(struct reader *r)
{
	struct own *o = own(r);
	const struct audit_record *a = &o->record;
	o->key.n = 0;
	buf_lit(&o->key, "auditd\n");
	for (uint32_t i = 0; i < a->n; i++) {
		buf_str(&o->key, a->fields[i].name);
		buf_byte(&o->key, a->fields[i].decoded ? '\1' : '\0');
	}
	buf_byte(&o->key, o->added.p ? '+' : '-');
	if (o->last_shape && str_eq(buf_view(&o->key), buf_view(&o->last_key))) return o->last_shape;
	const struct shape *s = shape_table_find(r->shapes, buf_view(&o->key));
	struct shape *spec = s ? NULL : spec_of(r);
	if (spec) s = text_shape(r, buf_view(&o->key), spec);
	if (s && s != spec) {
		o->last_key.n = 0;
		buf_str(&o->last_key, buf_view(&o->key));
		o->last_shape = s;
	}
	return s;
}

/* --- joining --- */

static struct str part(const struct slot *s, enum joined_column c)
{
	return s->part[c].set ? (struct str){s->text.p ? s->text.p + s->part[c].at : "", s->part[c].n} : (struct str){NULL, 0};
}

static struct slot *slot_of(struct own *o, bool make)
{
	const struct audit_record *a = &o->record;
	struct slot *oldest = &o->slots[0], *last = &o->slots[o->met_last];
	if (last->busy && last->serial == a->serial && !etime_cmp(last->time, a->time) && str_eq(part(last, J_HOST), a->node)) return last;
	for (size_t i = 0; i < JOIN_SLOTS; i++) {
		struct slot *s = &o->slots[i];
		if (s->busy && s->serial == a->serial && !etime_cmp(s->time, a->time) && str_eq(part(s, J_HOST), a->node)) return o->met_last = (uint32_t)i, s;
		if (!s->busy || (oldest->busy && s->used < oldest->used)) oldest = s;
	}
	if (!make) return NULL;
	o->untold += oldest->busy && oldest->has_args && !oldest->told;
	o->met_last = (uint32_t)(oldest - o->slots);
	oldest->text.n = 0;
	struct buf text = oldest->text;
	*oldest = (struct slot){.serial = a->serial, .time = a->time, .busy = true, .text = text};
	return oldest;
}

static void keep(struct reader *r, struct slot *s, enum joined_column c, struct str v)
{
	if (!v.p || s->part[c].set) return;
	if (v.n > JOIN_TEXT - s->text.n) {
		v.n = JOIN_TEXT - s->text.n;
		r->report.limited++;
	}
	s->part[c].at = s->text.n;
	s->part[c].n = v.n;
	s->part[c].set = true;
	buf_str(&s->text, v);
}

/* Whose address a SOCKADDR of the call is: that of whom is called, or of who calls. bind names its own. */
static enum direction direction_of(struct str call)
{
	if (str_eq(call, STR("connect")) || str_eq(call, STR("sendto")) || str_eq(call, STR("sendmsg"))) return OUT;
	return str_eq(call, STR("accept")) || str_eq(call, STR("accept4")) ? IN : NOWHERE;
}

static void keep_call(struct reader *r, struct slot *s)
{
	const struct audit_record *a = &own(r)->record;
	static const struct { enum joined_column c; const char *name; } parts[] = {{J_IMAGE, "exe"}, {J_USER, "UID"}, {J_USER, "uid"}, {J_AUID, "auid"},
		{J_PID, "pid"}, {J_PPID, "ppid"}, {J_SESSION, "ses"}, {J_TTY, "tty"}, {J_KEY, "key"}, {J_SUCCESS, "success"}, {J_EXIT, "exit"}};
	keep(r, s, J_HOST, a->node);
	for (size_t i = 0; i < COUNT(parts); i++) keep(r, s, parts[i].c, audit_get(a, parts[i].name));
	s->has_call = true;
	s->direction = direction_of(own(r)->added.p ? own(r)->added : audit_get(a, "SYSCALL"));
}

/* a0, a1, ... with blanks between. */
static void keep_args(struct reader *r, struct slot *s)
{
	const struct audit_record *a = &own(r)->record;
	size_t at = s->text.n;
	for (uint32_t i = 0; i < a->n; i++) {
		struct str name = a->fields[i].name, v = a->fields[i].value;
		if (name.n < 2 || name.p[0] != 'a' || name.p[1] < '0' || name.p[1] > '9' || str_ends(name, STR("_len")) || !v.p) continue;
		if (v.n + 1 > JOIN_TEXT - s->text.n) {
			r->report.limited++;
			break;
		}
		if (s->text.n > at) buf_byte(&s->text, ' ');
		buf_str(&s->text, v);
	}
	s->part[J_COMMAND] = (typeof(s->part[0])){at, s->text.n - at, true};
	s->has_args = true;
}

/* What the record adds to its serial; sets o->pending when an event is complete. */
static void join(struct reader *r, const struct line *line)
{
	struct own *o = own(r);
	const struct audit_record *a = &o->record;
	struct str type = a->type;
	struct record_ref ref = {.offset = line->offset, .length = line->length, .line = line->number};
	bool call = str_eq(type, STR("SYSCALL"));
	struct slot *s = slot_of(o, call);
	o->pending = JOINED_NONE;
	if (!s) return;
	s->used = ++o->clock;
	if (call) {
		if (s->has_call) return;
		s->call = ref;
		keep_call(r, s);
	} else if (str_eq(type, STR("EXECVE"))) {
		if (s->has_args) return;
		s->args = ref;
		keep_args(r, s);
	} else {
		if (str_eq(type, STR("CWD")) && !s->part[J_DIRECTORY].set) {
			s->directory = ref;
			keep(r, s, J_DIRECTORY, audit_get(a, "cwd"));
		}
		o->of = s;
		if (s->has_args && s->has_call && !s->told) {
			s->told = true;
			o->pending = JOINED_PROCESS;
		} else if (str_eq(type, STR("PATH")) && str_eq(audit_get(a, "nametype"), STR("CREATE")) && audit_get(a, "name").n) {
			o->pending = JOINED_FILE;
		} else if (s->direction && str_eq(type, STR("SOCKADDR")) && audit_get(a, "lport").p) {
			o->pending = JOINED_CONNECTION;
		}
		if (str_eq(type, STR("EOE")) && !o->pending) s->busy = false;
	}
}

static struct str joined_cell(struct own *o, enum joined_column column)
{
	bool out = o->of->direction == OUT;
	struct str none = {NULL, 0};
	switch (column) {
	case J_TARGET: return o->target;
	case J_INITIATED: return !o->address.p ? none : out ? STR("true") : STR("false");
	case J_TO: return out ? o->address : none;
	case J_TO_PORT: return out ? o->port : none;
	case J_FROM: return out ? none : o->address;
	case J_FROM_PORT: return out ? none : o->port;
	default: return part(o->of, column);
	}
}

static void joined_decode(struct event *ev, uint32_t column, struct value *ret)
{
	struct reader *r = (struct reader *)ev->impl;
	struct own *o = own(r);
	if (column == J_SERIAL) {
		*ret = value_uint(o->of->serial);
		return;
	}
	struct str s = joined_cell(o, column);
	if (s.p) s = utf8_clean(&r->arena, s);
	*ret = s.p ? value_str(s) : (struct value){.kind = VALUE_ABSENT};
}

static const struct event_ops joined_ops = {joined_decode, NULL, NULL, NULL};

static const struct shape *joined_shape(struct reader *r, enum joined kind)
{
	static const char *const formats[JOINED_KINDS] = {"", "auditd-process", "auditd-file", "auditd-network"};
	struct own *o = own(r);
	struct str format = str_of(formats[kind]);
	if (o->joined[kind]) return o->joined[kind];
	o->joined[kind] = shape_table_find(r->shapes, format);
	if (o->joined[kind]) return o->joined[kind];
	struct column *columns = arena_calloc(&r->keep, J_COLUMNS, sizeof *columns);
	verify(columns);
	for (uint32_t i = 0; i < J_COLUMNS; i++) columns[i] = (struct column){.name = str_of(joined_names[i])};
	o->joined_spec[kind] = (struct shape){.n_columns = J_COLUMNS, .columns = columns, .format = format, .event_id = -1, .host_column = J_HOST};
	o->joined_spec[kind].bindings = text_bindings(r, format, &o->joined_spec[kind].n_bindings);
	return o->joined[kind] = text_shape(r, format, &o->joined_spec[kind]);
}

/* name, below the directory where it is relative. */
static struct str absolute(struct reader *r, struct str directory, struct str name)
{
	if (!directory.n || (name.n && name.p[0] == '/')) return name;
	char *p = arena_alloc(&r->arena, directory.n + name.n + 1);
	if (!p) return name;
	memcpy(p, directory.p, directory.n);
	size_t n = directory.n;
	if (p[n - 1] != '/') p[n++] = '/';
	memcpy(p + n, name.p, name.n);
	return (struct str){p, n + name.n};
}

/* The joined event that the line handed out last completed. Its bytes are accounted for already. */
static void hand_out_joined(struct reader *r)
{
	struct own *o = own(r);
	enum joined kind = o->pending;
	const struct line *l = &o->line;
	struct slot *s = o->of;
	uint32_t n = 0;
	o->pending = JOINED_NONE;
	o->target = o->address = o->port = (struct str){NULL, 0};
	/* The batch was reset: what was decoded of the record is decoded again. */
	if (kind != JOINED_PROCESS && audit_parse(l->text, &r->arena, &o->record)) {
		if (kind == JOINED_FILE) o->target = absolute(r, part(s, J_DIRECTORY), audit_get(&o->record, "name"));
		else o->address = audit_get(&o->record, "laddr"), o->port = audit_get(&o->record, "lport");
	}
	text_event(r, joined_shape(r, kind), &joined_ops, s->time, l->offset, l->length, 0, l->number, NULL);
	r->report.n_records--;
	o->refs[n++] = r->record;
	o->refs[n++] = s->call;
	if (kind == JOINED_PROCESS) o->refs[n++] = s->args;
	else if (kind == JOINED_FILE && s->part[J_DIRECTORY].set) o->refs[n++] = s->directory;
	r->event.records = o->refs;
	r->event.n_records = n;
}

static bool take(struct reader *r, const struct line *line)
{
	struct own *o = own(r);
	struct audit_record *a = &o->record;
	if (!audit_parse(line->text, &r->arena, a) || !a->type.n) return false;
	o->line = *line;
	o->added = (struct str){NULL, 0};
	if (str_eq(a->type, STR("SYSCALL")) && !audit_get(a, "SYSCALL").p) o->added = audit_syscall(audit_get(a, "arch"), audit_get(a, "syscall"));
	join(r, line);
	const struct shape *s = shape_of(r);
	if (!s) return false;
	text_line_event(r, s, &ops, a->time, line);
	if (a->limited) {
		r->event.flags |= EVENT_LIMITED;
		r->report.limited++;
	}
	return true;
}

static bool next(struct reader *r)
{
	struct own *o = own(r);
	struct line line;
	if (o->pending) {
		hand_out_joined(r);
		return true;
	}
	while (lines_next(&r->lines, &line)) {
		if (!str_trim(line.text).n || str_eq(str_trim(line.text), STR("----"))) report_slack(&r->report, line.offset, line.size);
		else if (take(r, &line)) return true;
		else text_damage(r, &line, line.ended ? "no record of the audit system" : "line cut off");
		o->pending = JOINED_NONE;
		arena_reset(&r->arena);
	}
	for (size_t i = 0; i < JOIN_SLOTS; i++) o->untold += o->slots[i].busy && o->slots[i].has_args && o->slots[i].has_call && !o->slots[i].told;
	if (o->untold && !o->noted) report_note(&r->report, 0, "%llu program starts lack the records after EXECVE: not joined", (unsigned long long)o->untold);
	o->noted = true;
	return false;
}

static void end(struct reader *r)
{
	struct own *o = own(r);
	for (size_t i = 0; i < JOIN_SLOTS; i++) buf_done(&o->slots[i].text);
	buf_done(&o->key);
	buf_done(&o->last_key);
}

static const struct text_format format = {"auditd", sizeof(struct own), NULL, next, end, NULL};

static int sniff(struct str head, uint64_t size, struct str path)
{
	char *scratch;
	struct str rest = lines_head(head, &scratch);
	int good = 0, bad = 0;
	(void)path;
	for (int i = 0; i < 40 && rest.p; i++) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		if (!line.n || (!rest.p && head.n < size) || line.p[0] == '#' || str_eq(line, STR("----"))) continue;
		bool node = str_starts(line, STR("node=")) && str_find(line, STR(" type="), 0) != SIZE_MAX;
		bool is = (node || str_starts(line, STR("type="))) && str_find(line, STR(" msg=audit("), 0) != SIZE_MAX;
		good += is;
		bad += !is;
	}
	free(scratch);
	return good > bad ? 95 : good * 4 > bad && good ? 45 : 0;
}

static struct reader *open(struct input *in, const struct reader_options *o, struct fault *f) { return text_open(&format, in, o, f); }

const struct reader_ops read_auditd_ops = {.format = "auditd", .what = "audit log of Linux",
	.mark = "lines of type=TYPE msg=audit(TIME:SERIAL):", .sniff = sniff, .open = open, TEXT_READER_REST};
