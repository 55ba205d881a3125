/* incident_internal: what the files of the room share. Outside it, see incident.h. */
#pragma once
#include "base/alloc.h"
#include "base/map.h"
#include "incident/incident.h"

/* Compiled in by tools/embed: scripts.txt, native.txt, logs.txt, actions.txt. */
struct incident_data {
	const char *name;
	const unsigned char *bytes;
	size_t n;
};
extern const struct incident_data incident_data[];
extern const size_t incident_data_count;

enum log_kind {
	LOG_NONE, LOG_IIS, LOG_HTTPPROXY, LOG_ECP, LOG_MANAGEMENT, LOG_RPS_CMDLET, LOG_RPS_HTTP, LOG_SECURITY, LOG_SYSMON, LOG_APPLICATION,
	LOG_OAB, LOG_EWS, LOG_TRACKING, LOG_AUDIT, LOG_WEB, LOG_OTHER
};
enum { LOGS = LOG_OTHER + 1 };
/* "iis", "httpproxy", ...: the words of data/logs.txt and of the scope table. */
const char *log_word(enum log_kind k);

/* --- plan.c --- */

enum native_rule {
	NATIVE_SSRF, NATIVE_SESSION, NATIVE_ENUMERATION, NATIVE_WRITTEN, NATIVE_TOKEN, NATIVE_HIDDEN, NATIVE_ENCODED, NATIVE_PAGE, NATIVE_COMPILED, NATIVE_DROPPED,
	NATIVE_RULES
};
struct log_text { struct str name, unknown; };  /* of data/logs.txt; empty name: not listed */
struct action_text { enum stage from; struct str server, text; };

struct incident_plan {
	struct arena arena;
	bool native;
	struct rule_info rules[NATIVE_RULES];
	struct map scripts;        /* "/owa/auth/logon.aspx", lower case: shipped, or added by the user */
	struct map pages;          /* "owa/logon.aspx": application and base name of the same */
	struct log_text logs[LOGS];
	VEC(struct action_text) actions;
	uint8_t sha256[SHA256_SIZE];
};
/* A line of a data file: pieces between tabs. False at the end. Comments and blank lines are skipped. */
struct data_line { struct str piece[6]; uint32_t n; struct str whole; };
bool data_next(struct str *rest, struct data_line *ret);

/* --- path.c: addresses and files of web servers --- */

enum { PATH_MAX_BYTES = 300 };
struct script_path {
	char text[PATH_MAX_BYTES]; /* lower case, percent-decoded once, '/' only, no version folders, cut behind the script's ending */
	size_t n;
	size_t base;               /* where its last part begins */
};
/* The script that an address names: its path up to and including an ending of script files. False when it names none. */
bool path_script(struct str stem, struct script_path *ret);
/* The same for a file of a web root: "...\FrontEnd\HttpProxy\owa\auth\x.aspx" -> "/owa/auth/x.aspx". */
bool path_of_file(struct str file, struct script_path *ret);
/* Under one of Exchange's virtual directories, or /aspnet_client, where nothing is shipped. */
bool path_in_exchange(const struct script_path *p);
bool path_shipped(const struct incident_plan *plan, const struct script_path *p);
/* The name resembles one that is shipped: at most two edits, three in a long name. */
bool path_near_shipped(const struct incident_plan *plan, const struct script_path *p);
static inline struct str path_str(const struct script_path *p) { return (struct str){p->text, p->n}; }
static inline struct str path_base(const struct script_path *p) { return (struct str){p->text + p->base, p->n - p->base}; }
/* Percent-decodes s into out, which may be s.p (%61, and %u0061 and %uff41 of IIS; at most max bytes, cut there); wrong escapes stay as they are. Returns the length. */
size_t path_decode(struct str s, char *out, size_t max);
/* An address as its server takes it in the end: escapes undone as often as they were made (four times at most), characters written too long made short,
 * '\\' to '/', "//", "/./" and "/x/../" taken out, also behind a '?'. At most max bytes. Returns the length. `out` may not be s.p. */
size_t uri_plain(struct str s, char *out, size_t max);
/* Offset of needle in s without regard to ASCII case, or SIZE_MAX. */
size_t find_nocase(struct str s, const char *needle);
static inline bool has_nocase(struct str s, const char *needle) { return find_nocase(s, needle) != SIZE_MAX; }
bool starts_nocase(struct str s, const char *prefix);
bool ends_nocase(struct str s, const char *suffix);
struct str lower_str(struct arena *a, struct str s);

/* --- anchor.c: what a forged routing cookie reached --- */

struct anchor {
	enum stage stage;
	char reason[160];
};
/* Looks at AnchorMailbox and BackEndCookie of a HttpProxy row. False when neither is of the forged form. */
bool anchor_look(struct str anchor_mailbox, struct str cookie, uint32_t status, struct anchor *ret);

/* --- token.c: decodings that Sigma cannot say --- */

struct cat_token {
	char name[128], sid[96];
	uint32_t groups;
	bool forged;               /* the built-in administrator's SID under another name */
};
/* The X-Rps-CAT of an address's query. False when there is none or it cannot be read. */
bool token_look(struct str query, struct cat_token *ret);
/* A query written in EBCDIC (IBM037): decoded into out[max]; 0 when it does not decode to an Exchange path. */
size_t ebcdic_look(struct str query, char *out, size_t max);

/* --- trace.c: a clue's payload --- */

enum trace_kind { TRACE_MARK, TRACE_PROBE, TRACE_PAGE, TRACE_MAIL };
enum trace_flags {
	TRACE_OPENS = 1,            /* may begin an incident by itself; else it only joins one */
	TRACE_POST = 2, TRACE_REFERER = 4, TRACE_TOOL_AGENT = 8 /* the user agent is a tool's, or empty */, TRACE_QUERY = 16, TRACE_CODE = 32,
	TRACE_USER = 64, TRACE_EXCHANGE = 128 /* a page in Exchange's folders */, TRACE_ANSWERED = 512, TRACE_FILE = 1024 /* `page` comes from a file name */,
	TRACE_TOKEN = 2048,        /* the request carried a token of remote PowerShell */
	TRACE_ECHO = 4096,         /* the same request as another mark's, in another log */
	TRACE_BROWSER = 8192,      /* the user agent is a browser's, as it says */
	TRACE_PUT = 16384          /* the request made the file */
};
struct trace {
	uint8_t kind, stage, log, level;
	uint16_t flags, status;
	uint32_t bytes;            /* of the answer; 0 where it is not logged */
	struct etime time;         /* the event's own, corrected where it carries a better one */
	struct str server;         /* short name, lower case; "@10.0.0.5" where the log names only its address, "#folder" where not even that */
	struct str campaign;       /* "any" when the clue does not tell */
	struct str ip, agent, request, canary, page, user, reason, shown;
};
void trace_pack(const struct trace *n, struct buf *b);
/* Views into `payload`. False when it was not packed by trace_pack. */
bool trace_unpack(struct str payload, struct trace *ret);

/* --- lens.c: where an event of a shape has what --- */

enum lens_field {
	F_METHOD, F_STEM, F_QUERY, F_STATUS, F_AGENT, F_CLIENT, F_USER, F_REFERER, F_HOST, F_PORT, F_ADDRESS, F_ANCHOR, F_COOKIE, F_REQUEST,
	F_FILE, F_IMAGE, F_PARENT, F_COMMAND, F_UTC, F_TEXT, F_MINOR, F_BUILD, F_GENERIC, F_BYTES, F_FORWARDED, F_EVENT, F_SOURCE, F_SENDER,
	F_RECIPIENT, F_RELATED, F_DIRECTION,
	LENS_FIELDS
};
struct lens {
	const struct shape *shape;
	enum log_kind log;
	uint32_t cover, cover_day;  /* the coverage entry and day of the last event */
	uint32_t cover_source;
	uint32_t cover_alike;       /* event.alike of events that name cover_host; 0: none is known */
	char minute[17];            /* how F_UTC began that was read last, up to the seconds; where minute_sec is not 0 */
	int64_t minute_sec;
	int32_t column[LENS_FIELDS];
	char cover_host[64];
	size_t cover_host_n;
};
void lens_make(const struct shape *s, struct lens *ret);
/* Text of a field, empty when absent. In ev->arena. */
struct str lens_text(const struct lens *l, struct event *ev, enum lens_field f);
uint32_t lens_status(const struct lens *l, struct event *ev);
/* "SRV.example.org" -> "srv"; an address stays. Into out[64]. */
struct str server_short(struct str host, char out[64]);

/* --- calendar.c: which server has which log on which days --- */

enum { SITE_BITS = 4096 };
struct calendar_day { int32_t day; uint32_t events; };
struct calendar_row {
	enum log_kind log;
	struct str server;         /* short name, "@address" or "#folder" */
	uint32_t minor, build;     /* the newest version its lines name */
	uint32_t source;           /* one of its sources, to name it by folder */
	struct etime first, last;
	uint64_t events;
	VEC(struct calendar_day) days;
	uint8_t clients[SITE_BITS / 8]; /* a bit for each client's hash: how many there are, about */
};
/* How many clients the row's server has, about. */
uint32_t calendar_clients(const struct calendar_row *e);
/* A source whose events are labelled with another time than the UTC that Sysmon's events carry: label minus UTC. */
struct shift {
	uint32_t source;
	int64_t least, most;       /* minutes */
	uint64_t n;
};
struct calendar {
	struct arena arena;
	struct map index;          /* log and server -> number in v */
	VEC(struct calendar_row) v;
	VEC(struct shift) shifts;
	uint64_t refused;
};
void calendar_init(struct calendar *c, size_t max_bytes);
void calendar_done(struct calendar *c);
/* The entry of a log of a server, made when new; UINT32_MAX when the budget is used up. */
uint32_t calendar_row(struct calendar *c, enum log_kind log, struct str server, uint32_t source);
void calendar_count(struct calendar *c, uint32_t entry, struct etime t, uint64_t n);
void calendar_shift(struct calendar *c, uint32_t source, int64_t minutes, uint64_t n);
/* The minutes that all times of a source are off by; 0 when they are not, or not all alike. */
int64_t calendar_shift_of(const struct calendar *c, uint32_t source);
void calendar_add(struct calendar *to, const struct calendar *from);

/* --- crowd.c: how many different things belong to a key, about --- */

/* The most that are told apart: clients of a path, paths of a client, refused scripts of a client. */
enum { FEW_CLIENTS = 16, FEW_PATHS = 3, FEW_REFUSED = 7 };
struct crowd;
struct crowd *crowd_new(unsigned few);
void crowd_free(struct crowd *s);
uint64_t crowd_hash(struct str s);
/* Counts a member of a key, both by crowd_hash. False when the key is known to have more than `few`. */
bool crowd_add(struct crowd *s, uint64_t key, uint64_t member);
/* How many, at most few + 1. */
unsigned crowd_count(const struct crowd *s, uint64_t key);
/* Both made with the same `few`. */
void crowd_merge(struct crowd *to, const struct crowd *from);
/* What is counted of a web server's requests. NULL until the first one. */
struct crowds { struct crowd *clients /* of a script that is not shipped */, *paths /* of a client */, *refused /* scripts that a client asked for in vain */; };
void crowds_make(struct crowds *c);
void crowds_done(struct crowds *c);
void crowds_merge(struct crowds *to, const struct crowds *from);

/* --- analyse.c --- */

struct analyser {
	const struct incident_plan *plan;
	VEC(struct lens *) lenses; /* by shape id */
	struct lens spare;         /* of a shape outside the table */
	struct calendar calendar;
	struct crowds crowds;
	struct buf payload;
	struct clue clue;
};

/* --- state.c: phase two --- */

struct mark {
	struct trace trace;          /* strings in the state's arena */
	uint32_t evidence, n_evidence; /* range in the state's pool */
	uint32_t source;
	uint32_t server;           /* number in servers, after resolving */
	uint32_t chain;            /* union-find parent, then chain number */
};
enum { SOME = 24 };            /* evidence kept at each end of a long row */
struct row_evidence {          /* the first and the last of many */
	VEC(struct evidence_ref) first;
	struct evidence_ref last[8];
	uint32_t n_last;
	uint64_t n;
};
struct prober {
	struct str server, ip, agent, reason, campaign;
	uint32_t source, resolved;
	struct etime first, last;
	struct row_evidence evidence;
	uint32_t names;            /* distinct pages asked for */
	enum log_kind log;
};
enum { PAGE_CLIENTS = FEW_CLIENTS, PAGE_CALLS = 400, PAGE_SIZES = 12 };
struct page_call { int64_t sec; uint32_t client; /* PAGE_CLIENTS: one of many */ };
struct page_client { struct str ip; uint32_t answered, posts; uint16_t flags; /* of all its requests */ };
struct page_log {              /* what one kind of log says of a page */
	uint64_t answered, refused, posts, gets;
	uint16_t flags;            /* trace_flags of all answered requests */
	bool plain;                /* a request by a user agent that is no tool's */
	struct etime first, last, gone; /* gone: refused after it had been answered */
	struct page_client clients[PAGE_CLIENTS];
	uint32_t n_clients;        /* PAGE_CLIENTS + 1: more */
	int32_t days[64];
	uint32_t n_days;
	uint32_t sizes[PAGE_SIZES], n_sizes; /* different lengths of answers to POST */
	VEC(struct page_call) calls; /* the first PAGE_CALLS that were answered */
	struct row_evidence evidence;
};
struct page {
	struct str server, path, base;
	uint32_t source, resolved;
	bool exchange;
	struct page_log iis, proxy;
	int score;
	bool peculiar;             /* one of the signs that honest pages do not have */
	char why[500];
	bool shell, written;
};
struct source_line { uint32_t id; struct str path, format; };
struct server {
	struct str name;
	bool named;                /* by a log itself, not only by folder or address */
	bool told;                 /* in an incident */
};
struct proxy_row { uint8_t stage; struct str ip; };
enum { MAIL_EVIDENCE = 5 };
struct mail {                  /* messages of message tracking, counted */
	bool sent_on;              /* of `user` to `target`; else sent from `ip` */
	struct str server, ip, user, target;
	uint32_t source, n_evidence;
	uint64_t n;
	struct etime first, last;
	struct evidence_ref evidence[MAIL_EVIDENCE], context;
};
struct refusal { struct str server; int64_t sec; };
struct alias { struct str raw; uint32_t source, server; };

struct incidents {
	const struct incident_plan *plan;
	struct arena arena;        /* what is kept of clues: the budget */
	struct arena words;        /* sentences of the incidents */
	struct calendar calendar;
	struct crowds crowds;
	VEC(struct source_line) sources;
	VEC(struct mark) marks;
	VEC(struct evidence_ref) pool;
	VEC(struct prober) probers;
	VEC(struct page) pages;
	struct map visits;         /* address -> pages outside Exchange's folders that it asked for once or twice */
	struct map prober_index, page_index, alias_index, request_index;
	struct map request_rows;   /* request -> number in proxy_rows */
	VEC(struct proxy_row) proxy_rows; /* clues of HttpProxy */
	VEC(struct mail) mails;
	struct map mail_index;
	uint64_t mails_left;       /* rows for which there was no room */
	VEC(struct refusal) refusals; /* errors that call a view state wrongly signed */
	VEC(struct alias) aliases; /* raw server names as they came */
	VEC(struct server) servers;
	VEC(struct scope_row) scope;
	uint64_t dropped;          /* clues for which there was no room */
};
struct str keep_str(struct incidents *s, struct str t);
struct str tell_str(struct incidents *s, struct str t);
bool same_evidence(const struct evidence_ref *a, const struct evidence_ref *b);
void row_add(struct row_evidence *r, const struct evidence_ref *e, uint32_t n);
void row_done(struct row_evidence *r);
void page_log_done(struct page_log *l);
static inline const struct page_log *log_of_page(const struct page *p) { return p->iis.answered ? &p->iis : &p->proxy; }

/* --- resolve.c --- */
void resolve_servers(struct incidents *s);
/* The server of a raw name; only after resolve_servers. */
uint32_t alias_server(const struct incidents *s, struct str raw);
void add_alias(struct incidents *s, struct str raw, uint32_t source);
struct str path_of_source(const struct incidents *s, uint32_t source);
bool server_is_exchange(const struct incidents *s, uint32_t server);
/* --- page.c --- */
void judge_pages(struct incidents *s);
/* --- join.c: marks to chains --- */
struct chain {
	uint32_t server;
	enum stage stage;
	struct etime first, last;
	struct str campaign;
	VEC(uint32_t) marks;       /* of the state's list, by time */
	VEC(uint32_t) pages, probers; /* probers: addresses of this chain that also probed */
	VEC(uint32_t) scanners;    /* addresses that only probed, told in the server's worst chain */
	VEC(struct str) attackers; /* addresses, by first appearance */
	uint64_t more_attackers;   /* of probes only: addresses beyond those */
	bool probes_only;
};
struct chains { VEC(struct chain) v; };
void join_chains(struct incidents *s, struct chains *ret);
void chains_done(struct chains *c);
/* --- scope.c --- */
void make_scope(struct incidents *s);
/* What cannot be known about a chain, one sentence each, into the state's arena. */
struct sentences { VEC(struct str) v; };
/* The chain's server runs Exchange, by its logs or by the campaign. */
bool exchange_server(const struct incidents *s, const struct chain *c);
void find_unknowns(struct incidents *s, const struct chain *c, struct sentences *ret);
/* --- track.c: message tracking --- */
/* Whether a row may matter; fills what it says. `client`: who sent it, "" when from inside. */
bool track_look(const struct lens *l, struct event *ev, struct str client, struct trace *n);
void track_feed(struct incidents *s, const struct trace *t, const struct clue_record *r);
/* Adds to a chain what message tracking has of it. After all else has joined. */
void track_join(struct incidents *s, struct chain *c);
/* --- tell.c: a chain as an incident; story.c: the same for people --- */
enum { REASONS = 4 };
struct reason { struct str text; uint64_t n; bool echo; };
struct told {                  /* what happened at one stage */
	struct etime first, last;
	struct reason reasons[REASONS];
	uint32_t n_reasons;
	uint64_t more;             /* reasons beyond those */
	uint64_t n;                /* clues */
	struct row_evidence evidence;
};
struct indicator { const char *type; struct str value; enum stage stage; };
/* "high", "medium", "low". */
const char *indicator_confidence(const struct indicator *x);
struct happening {             /* an entry of the timeline */
	struct etime time;
	enum stage stage;
	enum log_kind log;
	struct str what, ip, detail;
	uint64_t n;
	bool echo;
	uint32_t order;
};
struct teller {
	struct incidents *s;
	const struct chain *c;
	struct told stage[STAGES];
	VEC(struct evidence_ref) evidence;
	struct finding_stage stages[STAGES];
	uint32_t n_stages;
	struct buf extra, story, json[STAGES];
	struct sentences unknown;
	VEC(struct str) scanners;
	VEC(struct indicator) indicators; /* the highest stage first */
	VEC(struct happening) timeline;   /* by time */
	struct map seen;
};
/* Advice by the stage reached and the kind of server. */
bool advised(const struct teller *w, const struct action_text *a);
/* Appends the story to w->story, when all else of it is there. */
void story_make(struct teller *w, struct str title);
void tell_chain(struct incidents *s, const struct chain *c, void (*report)(void *, const struct incident *), void *context);
