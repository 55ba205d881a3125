/* audit_record.c: records of Linux's audit system. See audit_internal.h and doc/formats.md, section audit log. */
#include "read/audit_internal.h"
#include "text/hex.h"
#include <arpa/inet.h>
#include <stdio.h>

static void skip(struct str *s, size_t n) { *s = str_sub(*s, n, s->n); }

/* Types as numbers, in the kernel's own lines. */
static struct str type_named(struct str type)
{
	static const struct { const char *number, *name; } types[] = {{"1300", "SYSCALL"}, {"1302", "PATH"}, {"1306", "SOCKADDR"}, {"1307", "CWD"},
		{"1309", "EXECVE"}, {"1320", "EOE"}, {"1325", "NETFILTER_CFG"}, {"1326", "SECCOMP"}, {"1327", "PROCTITLE"}, {"1334", "BPF"}, {"1400", "AVC"},
		{"1130", "SERVICE_START"}, {"1131", "SERVICE_STOP"}, {"1305", "CONFIG_CHANGE"}, {"1100", "USER_AUTH"}, {"1101", "USER_ACCT"}, {"1112", "USER_LOGIN"},
		{"1105", "USER_START"}, {"1106", "USER_END"}, {"1114", "ADD_USER"}, {"1123", "USER_CMD"}, {"1701", "ANOM_ABEND"}, {"1700", "ANOM_PROMISCUOUS"}};
	for (size_t i = 0; i < COUNT(types); i++)
		if (str_eq(type, str_of(types[i].number))) return str_of(types[i].name);
	return type;
}

/* (SECONDS.MS:SERIAL) */
static bool stamp(struct str *rest, struct audit_record *r)
{
	size_t end = str_find_byte(*rest, ')', 0);
	if (!rest->n || rest->p[0] != '(' || end == SIZE_MAX || end > 60) return false;
	struct str in = str_sub(*rest, 1, end - 1), seconds = str_cut(&in, ':'), fraction = seconds;
	struct str whole = str_cut(&fraction, '.');
	uint64_t sec, ms = 0;
	if (!str_u64(whole, &sec) || sec > INT64_MAX || (fraction.p && (fraction.n > 3 || !str_u64(fraction, &ms))) || !str_u64(in, &r->serial)) return false;
	r->time = etime_from_unix((int64_t)sec, (uint32_t)ms * 1000000, fraction.p ? 3 : 0);
	skip(rest, end + 1);
	while (rest->n && (rest->p[0] == ':' || rest->p[0] == ' ')) skip(rest, 1);
	return true;
}

/* Which fields the kernel writes in hex when they have blanks, quotes or bytes that are no ASCII. */
static bool may_be_hex(const struct audit_record *r, struct str name)
{
	static const char *const always[] = {"proctitle", "name", "exe", "comm", "cwd", "acct", "data", "cmd", "key", "path", "dir", "ocomm", "vm", "watch", "old-key"};
	if (name.n > 1 && name.p[0] == 'a' && name.p[1] >= '0' && name.p[1] <= '9') return str_eq(r->type, STR("EXECVE"));
	for (size_t i = 0; i < COUNT(always); i++)
		if (str_eq(name, str_of(always[i]))) return true;
	return false;
}

static struct str decode(struct arena *a, struct audit_record *r, struct str v, bool *ret_decoded)
{
	*ret_decoded = false;
	if (v.n < 2 || v.n % 2) return v;
	for (size_t i = 0; i < v.n; i++)
		if (!((v.p[i] >= '0' && v.p[i] <= '9') || (v.p[i] >= 'A' && v.p[i] <= 'F'))) return v;
	char *p = arena_alloc(a, v.n / 2);
	if (!p) return r->limited = true, v;
	if (!hex_decode(v, p)) return v;
	size_t n = v.n / 2;
	for (size_t i = 0; i < n; i++)
		if (!p[i]) p[i] = ' '; /* proctitle: arguments end with zeros */
	while (n && p[n - 1] == ' ') n--;
	*ret_decoded = true;
	return (struct str){p, n};
}

/* a1[0]=.. a1[1]=..: pieces of one long argument, joined under its own name. */
static bool join_piece(struct arena *a, struct audit_record *r, struct str name, struct str value)
{
	size_t open = str_find_byte(name, '[', 0);
	if (open == SIZE_MAX || !r->n) return false;
	struct str base = str_sub(name, 0, open);
	struct audit_field *last = &r->fields[r->n - 1];
	if (!str_eq(last->name, base)) return false;
	char *p = arena_alloc(a, last->value.n + value.n);
	if (!p) return r->limited = true, true;
	if (last->value.n) memcpy(p, last->value.p, last->value.n);
	if (value.n) memcpy(p + last->value.n, value.p, value.n);
	last->value = (struct str){p, last->value.n + value.n};
	last->decoded = true;
	return true;
}

static void put(struct audit_record *r, const char *name, struct str value)
{
	if (r->n == AUDIT_FIELDS_MAX || !value.p) r->limited = true;
	else r->fields[r->n++] = (struct audit_field){str_of(name), value, true};
}

/* A struct sockaddr in hex (ip(7), unix(7)) by auditd's names for its parts: saddr_fam, laddr, lport, path. The family is in the byte order of the machine. */
static void put_address(struct arena *a, struct audit_record *r, struct str hex)
{
	char bytes[128], text[INET6_ADDRSTRLEN];
	size_t n = hex.n / 2;
	if (hex.n % 2 || n < 2 || n > sizeof bytes || !hex_decode(hex, bytes)) return;
	uint8_t low = (uint8_t)bytes[0], high = (uint8_t)bytes[1], family = low ? low : high;
	if (low && high) return;
	bool four = family == 2 && n >= 8, six = family == 10 && n >= 24;
	if (four || six) {
		char port[8];
		unsigned number = (unsigned)(uint8_t)bytes[2] << 8 | (uint8_t)bytes[3];
		if (!inet_ntop(four ? AF_INET : AF_INET6, bytes + (four ? 4 : 8), text, sizeof text)) return;
		put(r, "saddr_fam", four ? STR("inet") : STR("inet6"));
		put(r, "laddr", arena_str(a, str_of(text)));
		put(r, "lport", arena_str(a, (struct str){port, (size_t)snprintf(port, sizeof port, "%u", number)}));
	} else if (family == 1 && n > 2) {
		/* A name that begins with a zero is abstract; it is shown as @name. */
		if (!bytes[2]) bytes[2] = '@';
		size_t end = 2;
		while (end < n && bytes[end]) end++;
		put(r, "saddr_fam", STR("local"));
		put(r, "path", arena_str(a, str_sub((struct str){bytes, n}, 2, end - 2)));
	}
}

static void add(struct arena *a, struct audit_record *r, struct str name, struct str value, bool quoted)
{
	bool decoded = false, address = str_eq(r->type, STR("SOCKADDR"));
	/* What auditd says of an address is what its bytes say. */
	if (address && r->n > 1 && (str_eq(name, STR("saddr_fam")) || str_eq(name, STR("laddr")) || str_eq(name, STR("lport")) || str_eq(name, STR("path"))) &&
		audit_get(r, "saddr_fam").p) return;
	if (!quoted && str_eq(value, STR("(null)"))) value = (struct str){NULL, 0};
	else if (!quoted && may_be_hex(r, name)) value = decode(a, r, value, &decoded);
	if (join_piece(a, r, name, value)) return;
	if (r->n == AUDIT_FIELDS_MAX) {
		r->limited = true;
		return;
	}
	size_t open = str_find_byte(name, '[', 0);
	if (open != SIZE_MAX && open) name = str_sub(name, 0, open);
	r->fields[r->n++] = (struct audit_field){name, value, decoded};
	if (address && str_eq(name, STR("saddr")) && value.p) put_address(a, r, value);
}

static void fields(struct str rest, struct arena *a, struct audit_record *r, bool nested)
{
	while (rest.n) {
		/* \x1d: what follows auditd added, numbers resolved to names. */
		if (rest.p[0] == ' ' || rest.p[0] == ',' || rest.p[0] == '\x1d') {
			skip(&rest, 1);
			continue;
		}
		size_t at = 0;
		while (at < rest.n && rest.p[at] != '=' && rest.p[at] != ' ' && rest.p[at] != '\x1d') at++;
		if (at >= rest.n || rest.p[at] != '=' || !at) {
			skip(&rest, at ? at : 1); /* a word: "op=adding rule" */
			continue;
		}
		struct str name = str_sub(rest, 0, at), value;
		skip(&rest, at + 1);
		char q = rest.n ? rest.p[0] : 0;
		size_t end = q == '"' || q == '\'' ? str_find_byte(rest, q, 1) : SIZE_MAX;
		if (end != SIZE_MAX) {
			value = str_sub(rest, 1, end - 1);
			skip(&rest, end + 1);
		} else {
			for (end = 0; end < rest.n && rest.p[end] != ' ' && rest.p[end] != '\x1d' && !(nested && rest.p[end] == '\'');) end++;
			value = str_sub(rest, 0, end);
			skip(&rest, end);
			q = 0;
		}
		add(a, r, name, value, q != 0);
		if (q == '\'' && !nested) fields(value, a, r, true);
	}
}

void audit_parse_body(struct str type, struct str body, struct arena *a, struct audit_record *r)
{
	r->n = 0;
	r->serial = 0;
	r->limited = false;
	r->node = (struct str){NULL, 0};
	r->time = (struct etime){0};
	r->type = type_named(type);
	fields(body, a, r, false);
}

bool audit_parse(struct str line, struct arena *a, struct audit_record *r)
{
	struct str rest = line;
	r->n = 0;
	r->limited = false;
	r->node = r->type = (struct str){NULL, 0};
	/* [   12.345678] audit: type=1326 audit(...): as the kernel says it */
	if (str_starts(rest, STR("["))) {
		size_t end = str_find(str_sub(rest, 0, 24), STR("] "), 0);
		skip(&rest, end == SIZE_MAX ? 0 : end + 2);
	}
	if (str_starts(rest, STR("audit: "))) skip(&rest, 7);
	if (str_starts(rest, STR("node="))) {
		skip(&rest, 5);
		r->node = str_cut(&rest, ' ');
	}
	if (str_starts(rest, STR("type="))) {
		skip(&rest, 5);
		r->type = type_named(str_cut(&rest, ' '));
	}
	if (str_starts(rest, STR("msg="))) skip(&rest, 4);
	if (!str_starts(rest, STR("audit("))) return false;
	skip(&rest, 5);
	if (!stamp(&rest, r)) return false;
	fields(rest, a, r, false);
	return true;
}

struct str audit_get(const struct audit_record *r, const char *name)
{
	struct str n = str_of(name);
	for (uint32_t i = 0; i < r->n; i++)
		if (str_eq(r->fields[i].name, n)) return r->fields[i].value;
	return (struct str){NULL, 0};
}

struct str audit_syscall(struct str arch, struct str number)
{
	/* x86-64, i386, aarch64. https://github.com/torvalds/linux: arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h */
	static const struct { const char *name; int16_t n[3]; } calls[] = {{"execve", {59, 11, 221}}, {"execveat", {322, 358, 281}},
		{"mknod", {133, 14, -1}}, {"mknodat", {259, 297, 33}}, {"sysinfo", {99, 116, 179}}, {"syslog", {103, 103, 116}},
		{"memfd_create", {319, 356, 279}}, {"personality", {135, 136, 92}}, {"socket", {41, 359, 198}}, {"connect", {42, 362, 203}},
		{"open", {2, 5, -1}}, {"openat", {257, 295, 56}}, {"ptrace", {101, 26, 117}}, {"init_module", {175, 128, 105}},
		{"finit_module", {313, 350, 273}}, {"delete_module", {176, 129, 106}}, {"kill", {62, 37, 129}}, {"unlink", {87, 10, -1}},
		{"unlinkat", {263, 301, 35}}, {"rename", {82, 38, -1}}, {"renameat2", {316, 353, 276}}, {"chmod", {90, 15, -1}}, {"fchmodat", {268, 306, 53}},
		{"mount", {165, 21, 40}}, {"bpf", {321, 357, 280}}, {"setuid", {105, 23, 146}}, {"bind", {49, 361, 200}}, {"accept4", {288, 364, 242}},
		{"accept", {43, -1, 202}}, {"sendto", {44, 369, 206}}, {"sendmsg", {46, 370, 211}}};
	int which = str_eq(arch, STR("c000003e")) ? 0 : str_eq(arch, STR("40000003")) ? 1 : str_eq(arch, STR("c00000b7")) ? 2 : -1;
	uint64_t n;
	if (which >= 0 && str_u64(number, &n))
		for (size_t i = 0; i < COUNT(calls); i++)
			if (calls[i].n[which] >= 0 && (uint64_t)calls[i].n[which] == n) return str_of(calls[i].name);
	return (struct str){NULL, 0};
}
