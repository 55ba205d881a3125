/* crc32: CRC-32 (IEEE 802.3, as in zlib and EVTX), PCLMUL where the processor has it, tables elsewhere.
 * crc starts at 0 and may be continued over several calls. Any thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

uint32_t crc32_of(uint32_t crc, const void *bytes, size_t n);
/* The plain reference, always present; tests hold the fast one against it. */
uint32_t crc32_plain(uint32_t crc, const void *bytes, size_t n);
