// SPDX-License-Identifier: Apache-2.0
//
// The form of every kernel: 17 parameters of 8 bytes, see kernels.cu.

#ifndef OL_KERNEL_H
#define OL_KERNEL_H
#include "prim.h"

#ifdef __CUDA__
#define ENTRY(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)
#else
#include "host.h" // the stand-in's threads
#define ENTRY(...) static void
#endif
// After the name: threads of a block, and blocks that must fit a multiprocessor.
#define KERNEL(name, ...) \
	ENTRY(__VA_ARGS__) ol_##name(u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6, u64 a7, \
		const void *x0, const void *x1, const void *x2, const void *x3, const void *x4, const void *x5, void *y, u64 first, u64 count)
#define ARGS \
	const u64 a[8] = {a0, a1, a2, a3, a4, a5, a6, a7}; \
	const void *const x[6] = {x0, x1, x2, x3, x4, x5}; \
	(void)a; \
	(void)x
// A loop of few steps that is written out, so that what it indexes stays in registers.
#define EACH(i, n) _Pragma("unroll") for (u32 i = 0; i < (n); i++)

#endif
