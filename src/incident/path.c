/* path.c: addresses and files of web servers: which script they name, and whether Exchange ships it. See incident_internal.h. */
#include "incident/incident_internal.h"

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static bool same_nocase(const char *p, const char *needle, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lower(p[i]) != lower(needle[i])) return false;
	return true;
}

/* Goes by the needle's first character that is no letter, which has one form and is rare in text, best one that is no '-' either, of which identifiers
 * are full; by the first character else. */
size_t find_nocase(struct str s, const char *needle)
{
	size_t n = strlen(needle), anchor = 0;
	if (n > s.n) return SIZE_MAX;
	while (anchor < n && ((lower(needle[anchor]) >= 'a' && lower(needle[anchor]) <= 'z') || needle[anchor] == '-')) anchor++;
	if (anchor < n) {
		const char *at = s.p + anchor, *end = s.p + s.n - (n - anchor) + 1;
		while (at < end && (at = memchr(at, needle[anchor], (size_t)(end - at)))) {
			if (same_nocase(at - anchor, needle, n)) return (size_t)(at - anchor - s.p);
			at++;
		}
		return SIZE_MAX;
	}
	char a = lower(needle[0]), b = (char)(a - 32);
	for (size_t i = 0; i + n <= s.n; i++)
		if ((s.p[i] == a || s.p[i] == b) && same_nocase(s.p + i, needle, n)) return i;
	return SIZE_MAX;
}

bool starts_nocase(struct str s, const char *prefix)
{
	if (!s.n || lower(s.p[0]) != lower(prefix[0])) return !prefix[0];
	size_t n = strlen(prefix);
	return s.n >= n && str_eq_nocase((struct str){s.p, n}, (struct str){prefix, n});
}

bool ends_nocase(struct str s, const char *suffix)
{
	size_t n = strlen(suffix);
	return s.n >= n && str_eq_nocase((struct str){s.p + s.n - n, n}, (struct str){suffix, n});
}

struct str lower_str(struct arena *a, struct str s)
{
	struct str out = arena_str(a, s);
	for (size_t i = 0; out.p && i < out.n; i++) ((char *)(uintptr_t)out.p)[i] = lower(out.p[i]);
	return out;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}

/* %u0061, which IIS takes for %61, and %uff41, a wide letter that it takes for the same: the ASCII character meant, else -1. */
static int unicode_escape(struct str s)
{
	int v = 0;
	if (s.n < 6 || s.p[0] != '%' || (s.p[1] != 'u' && s.p[1] != 'U')) return -1;
	for (size_t i = 2; i < 6; i++) {
		int digit = hex_digit(s.p[i]);
		if (digit < 0) return -1;
		v = v * 16 + digit;
	}
	if (v > 0xff00 && v < 0xff5f) v -= 0xfee0;
	return v < 0x80 ? v : -1;
}

size_t path_decode(struct str s, char *out, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n && n < max; i++) {
		int letter = unicode_escape(str_sub(s, i, 6));
		if (letter >= 0) {
			out[n++] = (char)letter;
			i += 5;
			continue;
		}
		int high = s.p[i] == '%' && i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;
		if (low >= 0) {
			out[n++] = (char)(high * 16 + low);
			i += 2;
		} else {
			out[n++] = s.p[i];
		}
	}
	return n;
}

/* Bytes of a character that is written longer than it need be (C0 AF and E0 80 AF for '/'), which lenient decoders take: how many, 0: none. */
static size_t overlong(struct str s, char *ret)
{
	const uint8_t *b = (const uint8_t *)s.p;
	size_t n = s.n >= 2 && (b[0] & 0xfe) == 0xc0 ? 2 : s.n >= 3 && b[0] == 0xe0 && (b[1] & 0xfe) == 0x80 ? 3 : 0;
	if (!n || (b[n - 1] & 0xc0) != 0x80) return 0;
	*ret = (char)((b[n - 2] & 1) << 6 | (b[n - 1] & 0x3f));
	return n;
}

/* The last part of a path before `n`, taken out: where it begins. */
static size_t without_last(const char *p, size_t n)
{
	while (n && p[n - 1] != '/') n--;
	return n;
}

size_t uri_plain(struct str s, char *out, size_t max)
{
	enum { ROUNDS = 4 };
	size_t n = s.n < max ? s.n : max, k = 0;
	if (n) memcpy(out, s.p, n);
	for (int i = 0; i < ROUNDS && n && memchr(out, '%', n); i++) n = path_decode((struct str){out, n}, out, n);
	for (size_t i = 0; i < n; i++) { /* in place: what is written is never ahead of what is read */
		size_t longer = overlong((struct str){out + i, n - i}, &out[k]);
		char c = longer ? out[k] : out[i];
		if (longer) i += longer - 1;
		if (c == '\\') c = '/';
		if (c == '/' && k && out[k - 1] == '/') continue;
		out[k++] = c;
		if (c != '/') continue;
		if (k >= 3 && !memcmp(out + k - 3, "/./", 3)) k -= 2;
		else if (k >= 4 && !memcmp(out + k - 4, "/../", 4)) k = without_last(out, k - 4);
	}
	return k;
}

/* Endings of files that a web server runs. */
static const char *const endings[] = {".aspx", ".ashx", ".asmx", ".asp", ".svc", ".php", ".phtml", ".jsp", ".jspx", ".cer", ".asa", ".cfm"};

/* The length of an ending at s[at], when a path may end there. */
static size_t ending_at(struct str s, size_t at)
{
	for (size_t i = 0; i < COUNT(endings); i++) {
		size_t n = strlen(endings[i]);
		if (s.n - at < n || memcmp(s.p + at, endings[i], n)) continue;
		if (at + n == s.n || s.p[at + n] == '/' || s.p[at + n] == ';' || s.p[at + n] == '\0' || s.p[at + n] == ' ') return n;
	}
	return 0;
}

/* "15.1.2176" and its like: the folder of one version. */
static bool is_version(struct str part)
{
	unsigned dots = 0;
	for (size_t i = 0; i < part.n; i++) {
		if (part.p[i] == '.') dots++;
		else if (part.p[i] < '0' || part.p[i] > '9') return false;
	}
	return dots >= 2;
}

/* A mailbox ("/owa/bob@example.org/"), or the session of a client without cookies ("/(S(x1y2))/"), which stand in a path before its folders. */
static bool is_passing(struct str part)
{
	return str_find_byte(part, '@', 0) != SIZE_MAX || (part.n > 3 && part.p[0] == '(' && part.p[2] == '(');
}

/* Takes version folders, empty parts, what only passes by, and "." out. */
static void tidy(struct script_path *p)
{
	struct str rest = {p->text, p->n};
	char out[PATH_MAX_BYTES];
	size_t n = 0;
	while (rest.p) {
		struct str part = str_cut(&rest, '/');
		if (!part.n || str_eq(part, STR(".")) || (rest.p && (is_version(part) || is_passing(part)))) continue;
		out[n++] = '/';
		p->base = n;
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	memcpy(p->text, out, n);
	p->n = n;
}

/* Most addresses name no script; those are told from the first letter of their endings. */
static bool may_name_script(struct str stem)
{
	if (str_find_byte(stem, '%', 0) != SIZE_MAX) return true;
	for (size_t dot = str_find_byte(stem, '.', 0); dot != SIZE_MAX && dot + 3 < stem.n + 1; dot = str_find_byte(stem, '.', dot + 1)) {
		char a = dot + 1 < stem.n ? lower(stem.p[dot + 1]) : 0, b = dot + 2 < stem.n ? lower(stem.p[dot + 2]) : 0;
		if ((a == 'a' && b == 's') || (a == 'p' && b == 'h') || (a == 'j' && b == 's') || (a == 's' && b == 'v') || (a == 'c' && (b == 'e' || b == 'f'))) return true;
	}
	return false;
}

bool path_script(struct str stem, struct script_path *ret)
{
	if (!may_name_script(stem)) return false;
	char text[PATH_MAX_BYTES - 2];
	size_t n = path_decode(stem, text, sizeof text);
	for (size_t i = 0; i < n; i++) text[i] = text[i] == '\\' ? '/' : lower(text[i]);
	struct str whole = {text, n};
	for (size_t dot = str_find_byte(whole, '.', 0); dot != SIZE_MAX; dot = str_find_byte(whole, '.', dot + 1)) {
		size_t length = ending_at(whole, dot);
		if (!length) continue;
		memcpy(ret->text, text, dot + length);
		ret->n = dot + length;
		ret->base = 0;
		tidy(ret);
		return ret->n > length + 1;
	}
	return false;
}

bool path_of_file(struct str file, struct script_path *ret)
{
	static const char *const roots[] = {"\\FrontEnd\\HttpProxy\\", "\\inetpub\\wwwroot\\", "\\ClientAccess\\"};
	for (size_t i = 0; i < COUNT(roots); i++) {
		size_t at = find_nocase(file, roots[i]);
		if (at == SIZE_MAX && starts_nocase(file, roots[i] + 1)) at = 0;
		else if (at == SIZE_MAX) continue;
		else at++;
		return path_script(str_sub(file, at + strlen(roots[i]) - 2, SIZE_MAX), ret);
	}
	return false;
}

bool path_in_exchange(const struct script_path *p)
{
	static const char *const folders[] = {"/owa/", "/ecp/", "/aspnet_client/", "/ews/", "/oab/", "/autodiscover/", "/mapi/", "/rpc/",
		"/microsoft-server-activesync/", "/powershell/"};
	for (size_t i = 0; i < COUNT(folders); i++)
		if (starts_nocase(path_str(p), folders[i])) return true;
	return false;
}

bool path_shipped(const struct incident_plan *plan, const struct script_path *p)
{
	return map_get(&plan->scripts, path_str(p)) != NULL;
}

enum { FAR = 4 };

/* Edits between two names, at most FAR. */
static unsigned distance(struct str a, struct str b)
{
	enum { LONGEST = 64 };
	if (a.n > LONGEST || b.n > LONGEST || (a.n > b.n ? a.n - b.n : b.n - a.n) >= FAR) return FAR;
	unsigned row[LONGEST + 1];
	for (size_t j = 0; j <= b.n; j++) row[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned corner = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned change = corner + (a.p[i - 1] != b.p[j - 1]), least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
			corner = row[j];
			row[j] = change < least ? change : least;
		}
	}
	return row[b.n] < FAR ? row[b.n] : FAR;
}

bool path_near_shipped(const struct incident_plan *plan, const struct script_path *p)
{
	struct str base = path_base(p);
	for (uint32_t i = 0; i < plan->pages.n; i++) {
		struct str known = plan->pages.entries[i].key;
		size_t slash = str_find_byte(known, '/', 0);
		struct str name = str_sub(known, slash + 1, SIZE_MAX);
		if (name.n >= 9 && distance(base, name) <= (name.n >= 20 ? 3 : 2)) return true;
	}
	return false;
}
