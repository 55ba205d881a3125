/* cpu: which instruction set the fast paths may use, decided once.
 * EXHIBIT_CPU=plain|sse4|avx2|avx512 in the environment lowers the choice (never raises it), so that tests force every path. */
#pragma once
#include <stdbool.h>

enum cpu_level { CPU_PLAIN, CPU_SSE4, CPU_AVX2, CPU_AVX512 };
/* VPCLMULQDQ, which some processors of level CPU_AVX2 have as well. */
extern bool cpu_vpclmul_in_force;
/* The level in force. CPU_SSE4 implies SSE4.2 and PCLMUL, CPU_AVX2 also BMI2, CPU_AVX512
 * (F, BW, DQ, VL, VBMI, VBMI2) also VPCLMULQDQ: what servers from Ice Lake and Zen 4 on have. Any thread. */
static inline enum cpu_level cpu_level(void)
{
	extern enum cpu_level cpu_level_in_force; /* set before main */
	return cpu_level_in_force;
}
