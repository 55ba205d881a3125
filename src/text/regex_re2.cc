// regex_re2.cc: the shim around RE2, a C++ library. See regex_internal.h. Exceptions (bad_alloc) end here.
#include "text/regex_internal.h"
#include <new>
#include <re2/re2.h>

struct regex_re2 {
	RE2 re;
	regex_re2(const re2::StringPiece &pattern, const RE2::Options &options) : re(pattern, options) {}
};

extern "C" struct regex_re2 *regex_re2_new(const char *pattern, size_t n, int64_t max_memory, bool *ret_too_large)
{
	*ret_too_large = false;
	try {
		RE2::Options options(RE2::Quiet);
		options.set_max_mem(max_memory);
		options.set_never_capture(true);
		regex_re2 *re = new regex_re2(re2::StringPiece(pattern, n), options);
		if (re->re.ok()) return re;
		*ret_too_large = re->re.error_code() == RE2::ErrorPatternTooLarge;
		delete re;
	} catch (...) {
	}
	return nullptr;
}

extern "C" void regex_re2_free(struct regex_re2 *re) { delete re; }

extern "C" int regex_re2_match(const struct regex_re2 *re, const char *text, size_t n)
{
	try {
		return re->re.Match(re2::StringPiece(text, n), 0, n, RE2::UNANCHORED, nullptr, 0);
	} catch (...) {
		return -1;
	}
}
