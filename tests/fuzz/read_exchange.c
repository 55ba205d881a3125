/* Any bytes as an Exchange log: see tests/fuzz/read_fuzz.h for what must hold. */
#include "read_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return read_fuzz("exchange", data, size); }
