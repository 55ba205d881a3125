/* formats: the table of every format the program reads, put together from the rooms evtx/ and read/. */
#pragma once
#include "event/reader.h"

const struct reader_ops *const *formats_all(size_t *ret_n);
bool formats_known(struct str word);
/* "evtx, iis-w3c, ...": for messages. Static. */
const char *formats_words(void);
