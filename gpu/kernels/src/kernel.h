// SPDX-License-Identifier: Apache-2.0
//
// The form of every kernel: 17 parameters of 8 bytes, see kernels.cu.

#ifndef OL_KERNEL_H
#define OL_KERNEL_H
#include "prim.h"

#ifdef __CUDA__
#define ENTRY(size) extern "C" __global__ void __launch_bounds__(size)
#else
#include "host.h" // the stand-in's threads
#define ENTRY(size) static void
#endif
#define KERNEL(name, size) \
	ENTRY(size) ol_##name(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6, u64 a7, \
		const void *x0, const void *x1, const void *x2, const void *x3, const void *x4, const void *x5, void *y, u64 first, u64 count)
#define ARGS \
	const u64 a[8] = {a0, a1, a2, a3, a4, a5, a6, a7}; \
	const void *const x[6] = {x0, x1, x2, x3, x4, x5}; \
	(void)a; \
	(void)x
// A loop of few steps that is written out, so that what it indexes stays in registers.
#define EACH(i, n) _Pragma("unroll") for (u32 i = 0; i < (n); i++)

// A tile of outputs one by one, where rows are not whole words.
FN void by_element(const u64 *a, const void *const *x, void *y, u64 m0, u64 n0, u32 edge) {
	for (u32 e = thread(); e < edge * edge; e += threads()) {
		u64 r = m0 + e / edge, c = n0 + e % edge;
		if (r < a[0] && c < a[1]) k_gemm_i8(a, x, y, r * a[1] + c);
	}
}

#endif
