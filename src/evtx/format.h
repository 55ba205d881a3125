/* format: numbers, times, GUIDs and SIDs as text, the way the common EVTX tools write them. Each writes to `out`, which has room
 * for EVTX_TEXT_MAX bytes, and returns the end. Any thread; the caches belong to the caller. */
#pragma once
#include "base/base.h"

enum { EVTX_TEXT_MAX = 192, /* the longest is a SID of 15 parts, */ EVTX_SID_MAX = 68 /* which has so many bytes */ };

/* How values are shown, see struct reader_options; and the date met last, and the SID met last: logs repeat them. Zero-initialised. */
struct evtx_format_cache {
	bool special;            /* any of these: */
	bool exact_times, omit_absent, whole_text, lone_surrogates;
	int64_t day;
	bool day_known;
	char date[16];
	uint8_t sid[EVTX_SID_MAX];
	uint8_t sid_n, sid_text_n;
	char sid_text[EVTX_TEXT_MAX];
};

/* 00 to 99, two digits each. */
extern const char format_pairs[201];
char *format_u64(char *out, uint64_t v);
char *format_i64(char *out, int64_t v);
/* 0x and lower-case digits without leading zeros. */
char *format_hex(char *out, uint64_t v);
/* Upper case, no braces. */
char *format_guid(char *out, const uint8_t *p);
/* YYYY-MM-DDTHH:MM:SS.ffffffZ; 0 is 1601-01-01. */
char *format_filetime(char *out, uint64_t filetime, struct evtx_format_cache *cache);
/* S-1-...; where the bytes are no SID they are written in hex. At most EVTX_SID_MAX of them. */
char *format_sid(char *out, const uint8_t *p, size_t n, struct evtx_format_cache *cache);
/* Units before the first NUL. */
size_t utf16_length(const uint8_t *p, size_t units);
