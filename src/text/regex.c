/* regex.c: which engine a pattern gets, and matching. See regex.h.
 *
 * PCRE2 counts its match limit anew for each start position, so on a long text the limit alone bounds nothing. Automatic
 * callouts measure the work instead: each step of the pattern and each character passed over costs one. */
#include "text/regex.h"
#include "base/alloc.h"
#include "text/regex_internal.h"
#include "text/utf.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	RE2_MEMORY = 512 << 10, RE2_MORE_MEMORY = 32 << 20, /* program and automaton of one regex; the second when the first is too small */
	WORK = 10000000, WORK_PER_BYTE = 256,             /* of one match in PCRE2; about 50 ms */
	DEPTH_LIMIT = 50000, HEAP_LIMIT_KIB = 16 << 10
};

struct regex {
	struct regex_re2 *re2; /* NULL: PCRE2 */
	pcre2_code *code;
	bool all;              /* dot is any character: for facts.run */
	struct regex_facts facts;
};

static struct regex_re2 *try_re2(struct str pattern, unsigned flags, struct fault *f, bool *ret_too_deep)
{
	struct buf dialect = {0};
	struct regex_re2 *re = NULL;
	*ret_too_deep = !regex_translate(pattern, flags, &dialect);
	if (*ret_too_deep) {
		fault_set(f, FAULT_LIMIT, "the regular expression nests more than %d groups", REGEX_MAX_NESTING);
	} else {
		bool too_large;
		re = regex_re2_new(dialect.p, dialect.n, RE2_MEMORY, &too_large);
		if (!re && too_large) re = regex_re2_new(dialect.p, dialect.n, RE2_MORE_MEMORY, &too_large);
	}
	buf_done(&dialect);
	return re;
}

static pcre2_code *try_pcre2(struct str pattern, unsigned flags, struct fault *f)
{
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_ALT_CIRCUMFLEX | PCRE2_AUTO_CALLOUT;
	if (flags & REGEX_NOCASE) options |= PCRE2_CASELESS;
	if (flags & REGEX_MULTILINE) options |= PCRE2_MULTILINE;
	if (flags & REGEX_DOTALL) options |= PCRE2_DOTALL;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	verify(context);
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	int error;
	size_t at;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)(pattern.n ? pattern.p : ""), pattern.n, options, &error, &at, context);
	pcre2_compile_context_free(context);
	if (!code) {
		unsigned char why[160] = "";
		pcre2_get_error_message(error, why, sizeof why);
		fault_set(f, FAULT_SYNTAX, "bad regular expression at its byte %zu: %s", at, (const char *)why);
		if (f) f->offset = at;
	}
	return code;
}

struct regex *regex_compile(struct str pattern, unsigned flags, struct fault *f)
{
	if (pattern.n > REGEX_MAX_PATTERN) {
		fault_set(f, FAULT_LIMIT, "the regular expression has %zu bytes, more than %d", pattern.n, REGEX_MAX_PATTERN);
		return NULL;
	}
	size_t valid = utf8_valid_prefix(pattern, NULL);
	if (valid != pattern.n) {
		fault_set(f, FAULT_SYNTAX, "the regular expression is not UTF-8 at its byte %zu", valid);
		if (f) f->offset = valid;
		return NULL;
	}
	bool too_deep;
	struct regex *re = xcalloc(1, sizeof *re);
	re->re2 = try_re2(pattern, flags, f, &too_deep);
	if (flags & REGEX_BACKTRACK) {
		regex_re2_free(re->re2);
		re->re2 = NULL;
	}
	if (!re->re2 && !too_deep) re->code = try_pcre2(pattern, flags, f);
	if (!re->re2 && !re->code) {
		regex_free(re);
		return NULL;
	}
	regex_study(pattern, &re->facts);
	re->all = flags & REGEX_DOTALL;
	if (flags & REGEX_BACKTRACK) re->facts.run = re->facts.min_chars = 0; /* the engine alone */
	return re;
}

void regex_free(struct regex *re)
{
	if (!re) return;
	regex_re2_free(re->re2);
	pcre2_code_free(re->code);
	free(re);
}

struct work {
	uint64_t left;
	size_t at;
};

static int count_work(pcre2_callout_block *block, void *data)
{
	struct work *w = data;
	size_t passed = block->current_position > w->at ? block->current_position - w->at : w->at - block->current_position;
	w->at = block->current_position;
	if (passed >= w->left) return PCRE2_ERROR_MATCHLIMIT;
	w->left -= passed + 1;
	return 0;
}

static enum regex_match backtrack(const struct regex *re, struct str s)
{
	struct work work = {WORK + (uint64_t)s.n * WORK_PER_BYTE, 0};
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	int got = PCRE2_ERROR_NOMEMORY;
	if (data && context) {
		pcre2_set_depth_limit(context, DEPTH_LIMIT);
		pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
		pcre2_set_callout(context, count_work, &work);
		got = pcre2_match(re->code, (PCRE2_SPTR)(s.n ? s.p : ""), s.n, 0, 0, data, context);
	}
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	return got >= 0 ? MATCH_YES : got == PCRE2_ERROR_NOMATCH ? MATCH_NO : MATCH_UNDECIDED;
}

/* Is there a run of so many characters without LF (or at all)? RE2 needs an automaton of that many states for it. */
static bool has_run(struct str s, uint32_t times, bool all)
{
	uint32_t n = 0;
	const char *p = s.p, *end = s.n ? p + s.n : p;
	while (p < end && n < times) {
		uint32_t c = utf8_step(&p, end);
		n = c == UTF8_BAD || (c == '\n' && !all) ? 0 : n + 1;
	}
	return n >= times;
}

enum regex_match regex_match(const struct regex *re, struct str s)
{
	if (s.n < re->facts.min_chars) return MATCH_NO;
	if (re->facts.run) return has_run(s, re->facts.run, re->all) ? MATCH_YES : MATCH_NO;
	if (!re->re2) return backtrack(re, s);
	int got = regex_re2_match(re->re2, s.n ? s.p : "", s.n);
	return got < 0 ? MATCH_UNDECIDED : got ? MATCH_YES : MATCH_NO;
}

enum regex_engine regex_engine(const struct regex *re) { return re->facts.run ? REGEX_RUN : re->re2 ? REGEX_RE2 : REGEX_PCRE2; }
struct str regex_literal(const struct regex *re) { return (struct str){re->facts.literal, re->facts.n_literal}; }
