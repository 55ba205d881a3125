/* cpu.c: the processor's level, capped by EXHIBIT_CPU. See cpu.h. */
#include "base/cpu.h"
#include <stdlib.h>
#include <string.h>

enum cpu_level cpu_level_in_force;
bool cpu_vpclmul_in_force;

/* Before main, so that asking costs one load. */
__attribute__((constructor)) static void choose(void)
{
	enum cpu_level level = CPU_PLAIN;
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) level = CPU_SSE4;
	if (level == CPU_SSE4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) level = CPU_AVX2;
	if (level == CPU_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
		__builtin_cpu_supports("vpclmulqdq"))
		level = CPU_AVX512;
#endif
	const char *cap = getenv("EXHIBIT_CPU");
	if (cap) {
		enum cpu_level wanted = !strcmp(cap, "plain") ? CPU_PLAIN : !strcmp(cap, "sse4") ? CPU_SSE4 : !strcmp(cap, "avx2") ? CPU_AVX2 : CPU_AVX512;
		if (wanted < level) level = wanted;
	}
	cpu_level_in_force = level;
#if defined(__x86_64__)
	cpu_vpclmul_in_force = level >= CPU_AVX2 && __builtin_cpu_supports("vpclmulqdq");
#endif
}
