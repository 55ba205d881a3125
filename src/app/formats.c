/* formats.c: see formats.h. Add a format's line here when its reader exists. */
#include "app/formats.h"
#include "evtx/evtx.h"
#include <stdio.h>

static const struct reader_ops *const all[] = {
	&evtx_reader_ops,
};

const struct reader_ops *const *formats_all(size_t *ret_n)
{
	*ret_n = COUNT(all);
	return all;
}

bool formats_known(struct str word)
{
	for (size_t i = 0; i < COUNT(all); i++)
		if (str_eq(word, str_of(all[i]->format))) return true;
	return false;
}

const char *formats_words(void)
{
	static char words[1000];
	size_t n = 0;
	for (size_t i = 0; i < COUNT(all) && n < sizeof words; i++) n += (size_t)snprintf(words + n, sizeof words - n, "%s%s", i ? ", " : "", all[i]->format);
	return words;
}
