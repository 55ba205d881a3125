/* fault.c: filling a fault. See fault.h. */
#include "base/fault.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static enum fault_kind fill(struct fault *f, enum fault_kind kind, uint32_t line, uint32_t column, const char *format, va_list ap)
{
	int saved = errno;
	if (!f) return kind;
	f->kind = kind;
	f->os_errno = kind == FAULT_IO ? saved : 0;
	f->line = line;
	f->column = column;
	vsnprintf(f->text, sizeof f->text, format, ap);
	if (kind == FAULT_IO && saved) {
		size_t n = strlen(f->text);
		snprintf(f->text + n, sizeof f->text - n, ": %s", strerror(saved));
	}
	return kind;
}

enum fault_kind fault_set(struct fault *f, enum fault_kind kind, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	fill(f, kind, 0, 0, format, ap);
	va_end(ap);
	return kind;
}

enum fault_kind fault_at(struct fault *f, enum fault_kind kind, uint32_t line, uint32_t column, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	fill(f, kind, line, column, format, ap);
	va_end(ap);
	return kind;
}

void fault_path(struct fault *f, struct str path)
{
	size_t room = sizeof f->path - 1;
	if (path.n <= room) {
		if (path.n) memcpy(f->path, path.p, path.n);
		f->path[path.n] = 0;
		return;
	}
	size_t half = (room - 3) / 2;
	memcpy(f->path, path.p, half);
	memcpy(f->path + half, "...", 3);
	memcpy(f->path + half + 3, path.p + path.n - half, half);
	f->path[half * 2 + 3] = 0;
}

void fault_in(struct fault *f, const char *format, ...)
{
	char prefix[sizeof f->text], old[sizeof f->text];
	va_list ap;
	va_start(ap, format);
	vsnprintf(prefix, sizeof prefix, format, ap);
	va_end(ap);
	memcpy(old, f->text, sizeof old);
	size_t n = strnlen(prefix, sizeof prefix);
	if (n > sizeof f->text / 2) n = sizeof f->text / 2;
	snprintf(f->text, sizeof f->text, "%.*s: %.*s", (int)n, prefix, (int)(sizeof f->text - n - 3), old);
}

const char *fault_word(enum fault_kind kind)
{
	static const char *const words[] = {"none", "io", "syntax", "corrupt", "limit", "unsupported", "not found", "verify", "state", "usage"};
	return (unsigned)kind < sizeof words / sizeof *words ? words[kind] : "?";
}
