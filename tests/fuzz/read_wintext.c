/* Any bytes as this format: see tests/fuzz/read_fuzz.h for what must hold. */
#include "read_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return read_fuzz("wintext", data, size); }
