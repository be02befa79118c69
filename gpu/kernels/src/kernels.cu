// SPDX-License-Identifier: Apache-2.0
//
// Kernels for every card from compute capability 7.5 on. Each takes the same 17
// parameters of 8 bytes: 8 attributes, 6 inputs, the output, and which items to do:
// first … first+count−1, elements for most, blocks of the output for tiles.

#include "tile.h"

#define ELEMENT(name) \
	KERNEL(name, 256) { \
		ARGS; \
		for (u64 i = first + (u64)blockx() * 256 + thread(); i < first + count; i += (u64)blocks() * 256) k_##name(a, x, y, i); \
	}
OPS(ELEMENT)

// Independent multiply-adds in registers, a0 rounds of 32 per thread: what the units
// can do at most (PERF-01). The result is stored so that nothing is left out.
KERNEL(peak, 256) {
	ARGS;
	float v[32], p = 1.0f - (float)thread() * fbits(0x33800000u);
	EACH(i, 32) v[i] = (float)i;
	for (u64 r = 0; r < a0; r++) EACH(i, 32) v[i] = FMA(v[i], p, p);
	float s = 0.0f;
	EACH(i, 32) s = s + v[i];
	((float *)y)[(u64)blockx() * 256 + thread()] = s;
	(void)first;
	(void)count;
}
