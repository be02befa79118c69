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
