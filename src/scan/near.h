/* near: a slot for what was met with a shape and a host, so that hosts that take turns cost no look-up in a map. What stands in the slot is compared
 * with shape and host in full before it is used; a hash that collides costs the look-up. There are two for every hash, this one and its neighbour
 * near_other: what is met last stands in this one. Pure; any thread. */
#pragma once
#include "base/str.h"

enum { NEAR_SLOTS = 1024 };

static inline uint32_t near_slot(const void *shape, struct str host)
{
	uint64_t a = host.n, b = 0;
	if (host.n >= 8) {
		memcpy(&a, host.p, 8);
		memcpy(&b, host.p + host.n - 8, 8);
	} else {
		for (size_t i = 0; i < host.n; i++) b = b << 8 | (uint8_t)host.p[i];
	}
	a = (a ^ (uintptr_t)shape >> 4) * 0x9e3779b97f4a7c15 ^ b;
	return (uint32_t)(a * 0xd6e8feb86659fd93 >> 48) & (NEAR_SLOTS - 1);
}
static inline uint32_t near_other(uint32_t slot) { return slot ^ 1; }
