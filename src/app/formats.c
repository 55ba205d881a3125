/* formats.c: see formats.h. A new format gets its line in read/read.c; here the rooms' tables are put together, once. */
#include "app/formats.h"
#include "base/base.h"
#include "evtx/evtx.h"
#include "read/read.h"
#include <pthread.h>
#include <stdio.h>

static const struct reader_ops *all[64];
static size_t n_all;
static char words[1000];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void put_together(void)
{
	size_t n, at = 0;
	const struct reader_ops *const *others = read_formats(&n);
	verify(n < COUNT(all));
	all[n_all++] = &evtx_reader_ops;
	for (size_t i = 0; i < n; i++) all[n_all++] = others[i];
	for (size_t i = 0; i < n_all && at < sizeof words; i++) at += (size_t)snprintf(words + at, sizeof words - at, "%s%s", i ? ", " : "", all[i]->format);
}

const struct reader_ops *const *formats_all(size_t *ret_n)
{
	pthread_once(&once, put_together);
	*ret_n = n_all;
	return all;
}

bool formats_known(struct str word)
{
	size_t n;
	const struct reader_ops *const *formats = formats_all(&n);
	for (size_t i = 0; i < n; i++)
		if (str_eq(word, str_of(formats[i]->format))) return true;
	return false;
}

const char *formats_words(void)
{
	pthread_once(&once, put_together);
	return words;
}
