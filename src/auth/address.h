/* address: what of a word in a log is an IP address. Pure. */
#pragma once
#include "base/str.h"

enum { ADDRESS_MAX = 46 };
/* The canonical text of the address in `word`, into out[ADDRESS_MAX]; 0: it is none (a name, "-", anything else). Taken off: brackets, a port behind
 * an IPv4 address or brackets, a zone (%eth0), ::ffff: before IPv4. RFC 5952. */
size_t address_canonical(struct str word, char *out);
