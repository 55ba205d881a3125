/* journal_bytes.c: the bytes of a journal file: a window that slides over it once, and pages for what entries point back to. */
#include "read/journal_internal.h"

enum { WINDOW = 2 << 20, STEP = 256 << 10, PAGE = 64 << 10, PAGES = 160, PAGE_SLOTS = 1024 };

void journal_bytes_init(struct journal_bytes *b, struct input *in)
{
	b->in = in;
	b->window = xmalloc(WINDOW);
	b->pages = xcalloc(PAGES, sizeof *b->pages);
	b->page_of = xcalloc(PAGE_SLOTS, sizeof *b->page_of);
}

void journal_bytes_done(struct journal_bytes *b)
{
	for (uint32_t i = 0; b->pages && i < PAGES; i++) free(b->pages[i].p);
	free(b->pages);
	free(b->page_of);
	free(b->window);
	free(b->joined);
}

/* One more step of the source behind the window; the older half of it goes when it is full. */
static bool slide(struct journal_bytes *b)
{
	if (b->failed) return false;
	if (b->n + STEP > WINDOW) {
		size_t drop = WINDOW / 2;
		memmove(b->window, b->window + drop, b->n - drop);
		b->n -= drop;
		b->offset += drop;
	}
	int64_t got = input_next(b->in, b->window + b->n, STEP, NULL);
	if (got < 0) b->failed = true;
	if (got <= 0) return false;
	b->n += (size_t)got;
	return true;
}

bool journal_ahead(struct journal_bytes *b, uint64_t at, size_t n)
{
	while (at + n > b->offset + b->n)
		if (!slide(b)) return false;
	return at >= b->offset;
}

/* The page of that number, read when it is not there; the one that was not used for longest goes, nearly. */
static struct journal_page *page_at(struct journal_bytes *b, uint64_t number)
{
	uint16_t *slot = &b->page_of[number % PAGE_SLOTS];
	if (*slot && b->pages[*slot - 1].valid && b->pages[*slot - 1].number == number) {
		b->pages[*slot - 1].used = true;
		return &b->pages[*slot - 1];
	}
	struct journal_page *p = &b->pages[b->hand];
	while (p->used) {
		p->used = false;
		b->hand = (b->hand + 1) % PAGES;
		p = &b->pages[b->hand];
	}
	if (!p->p) p->p = xmalloc(PAGE);
	int64_t got = input_pread(b->in, p->p, PAGE, number * PAGE, NULL);
	p->valid = got > 0;
	p->n = got > 0 ? (uint32_t)got : 0;
	p->number = number;
	p->used = true;
	*slot = (uint16_t)(b->hand + 1);
	b->hand = (b->hand + 1) % PAGES;
	return p->valid ? p : NULL;
}

static const uint8_t *joined_at(struct journal_bytes *b, uint64_t at, size_t n)
{
	if (b->joined_cap < n) {
		free(b->joined);
		b->joined_cap = n < PAGE ? PAGE : n;
		b->joined = xmalloc(b->joined_cap);
	}
	return input_pread(b->in, b->joined, n, at, NULL) == (int64_t)n ? b->joined : NULL;
}

const uint8_t *journal_at(struct journal_bytes *b, uint64_t at, size_t n)
{
	if (n > J_UNPACKED_MAX || at > b->in->size || n > b->in->size - at) return NULL;
	if (at >= b->offset && at + n <= b->offset + b->n) return b->window + (at - b->offset);
	if (at % PAGE + n > PAGE) return joined_at(b, at, n);
	struct journal_page *p = page_at(b, at / PAGE);
	return p && at % PAGE + n <= p->n ? p->p + at % PAGE : NULL;
}
