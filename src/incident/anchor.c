/* anchor.c: what a forged routing cookie reached (CVE-2021-26855). See incident_internal.h.
 *
 * Exchange's front end takes the back end's address from a cookie. A forged one shows in HttpProxy's AnchorMailbox as
 * "ServerInfo~a]@host:444/path?query#", where the honest log has "Sid~", "MailboxGuid~", "Smtp~". What was reached is decided by
 * the path, not by the host: a chain that names localhost is one all the same. Success is decided by the status;
 * proxyLogon.ecp says "session opened" with 241. */
#include <stdio.h>
#include "incident/incident_internal.h"

struct target { struct str path, query; };

/* Path and query of the address behind "ServerInfo~" or "Server~". */
static bool target_of(struct str s, const char *prefix, char *decoded, size_t max, struct target *ret)
{
	if (!starts_nocase(s, prefix)) return false;
	struct str whole = {decoded, uri_plain(str_sub(s, strlen(prefix), SIZE_MAX), decoded, max)};
	size_t slash = str_find_byte(whole, '/', 0);
	if (slash == SIZE_MAX) return false;
	whole = str_sub(whole, slash, SIZE_MAX);
	size_t end = str_find_byte(whole, '?', 0);
	ret->path = str_sub(whole, 0, end);
	ret->query = end == SIZE_MAX ? STR("") : str_sub(whole, end + 1, SIZE_MAX);
	return true;
}

static bool reset_of_directory(struct str query)
{
	size_t at = find_nocase(query, "schema=Reset");
	return at != SIZE_MAX && has_nocase(str_sub(query, at, SIZE_MAX), "VirtualDirectory");
}

static enum stage stage_of(const struct target *t, uint32_t status)
{
	static const char *const mail[] = {"/mapi/", "/ews/", "/rpc/", "/oab/", "/microsoft-server-activesync"};
	if (starts_nocase(t->path, "/ecp/proxylogon.ecp")) return status == 241 ? STAGE_SESSION : STAGE_PROBE;
	if (status != 200 && status != 241) return STAGE_PROBE;
	if (has_nocase(t->path, "/DDIService.svc/SetObject")) return reset_of_directory(t->query) ? STAGE_WRITTEN : STAGE_ENUMERATION;
	if (has_nocase(t->path, "/DDIService.svc/")) return STAGE_ENUMERATION;
	if (starts_nocase(t->path, "/powershell")) return STAGE_SESSION;
	for (size_t i = 0; i < COUNT(mail); i++)
		if (starts_nocase(t->path, mail[i])) return STAGE_SSRF;
	return STAGE_PROBE;
}

bool anchor_look(struct str anchor_mailbox, struct str cookie, uint32_t status, struct anchor *ret)
{
	char decoded[600];
	struct target t;
	if (!target_of(anchor_mailbox, "ServerInfo~", decoded, sizeof decoded, &t)) {
		/* The form in which the cookie itself is logged: "Server~host/path~version". Honest ones have no slash. */
		if (!target_of(cookie, "Server~", decoded, sizeof decoded, &t)) return false;
	}
	ret->stage = stage_of(&t, status);
	struct str path = t.path;
	if (path.n && path.p[path.n - 1] == '#') path.n--;
	snprintf(ret->reason, sizeof ret->reason, "%u at %.*s%s through a forged routing cookie", status, STR_FMT(str_sub(path, 0, 80)),
		reset_of_directory(t.query) ? " (reset of a virtual directory)" : "");
	return true;
}
