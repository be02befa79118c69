// SPDX-License-Identifier: Apache-2.0
//
// The threads of one block as fibers of this process: each runs until it waits,
// then the next one goes on. So kernels whose threads work together run here as
// written. Threads of a warp never run apart from each other, and memory is never
// out of order: what only a card does is not seen here.

#ifndef OL_HOST_H
#define OL_HOST_H

#include <stdlib.h>
#include <ucontext.h>

#define __shared__ static
enum { FIBERS = 256, STACK = 64 << 10 };

static struct {
	u32 me, threads, block, blocks, live;
	ucontext_t back, at[FIBERS];
	char *stack;
	int over[FIBERS];
	float passed[FIBERS];
	u32 words[FIBERS][6];
	void (*run)(void);
} grid;

static inline u32 thread(void) { return grid.me; }
static inline u32 threads(void) { return grid.threads; }
static inline u32 blockx(void) { return grid.block; }
static inline u32 blocks(void) { return grid.blocks; }

// Waits until every thread has come as far.
static void barrier(void) { swapcontext(&grid.at[grid.me], &grid.back); }

static float down(float x, int lanes) {
	u32 me = grid.me;
	grid.passed[me] = x;
	barrier();
	float v = me % 32 + (u32)lanes < 32 ? grid.passed[me + (u32)lanes] : x;
	barrier();
	return v;
}

static i32 code(u32 word, u32 i) { return (i32)(i8)(word >> (8 * i)); }

static inline i32 dot4(i32 s, u32 p, u32 q) {
	u32 d = (u32)s;
	for (u32 i = 0; i < 4; i++) d += (u32)(code(p, i) * code(q, i));
	return (i32)d;
}

// The tensor core's m16n8k32 by the layout of its operands among the lanes: lane l
// has rows l/4 and l/4+8 of A, column l/4 of B, codes 4·(l%4) and 16 further on; of
// the result columns 2·(l%4) and the next one.
static void mma(i32 d[4], const u32 p[4], const u32 q[2]) {
	u32 me = grid.me, warp = me / 32 * 32, quad = me % 32 / 4, pos = me % 4;
	for (u32 e = 0; e < 4; e++) grid.words[me][e] = p[e];
	for (u32 e = 0; e < 2; e++) grid.words[me][4 + e] = q[e];
	barrier();
	for (u32 e = 0; e < 4; e++) {
		u32 col = pos * 2 + e % 2;
		for (u32 k = 0; k < 32; k += 4)
			d[e] = dot4(d[e], grid.words[warp + quad * 4 + k % 16 / 4][e / 2 + k / 16 * 2], grid.words[warp + col * 4 + k % 16 / 4][4 + k / 16]);
	}
	barrier();
}

static void fiber(void) {
	grid.run();
	grid.over[grid.me] = 1;
	grid.live--;
	setcontext(&grid.back);
}

// Runs a kernel for all blocks of a grid, one after the other.
static void run_grid(u32 nblocks, u32 nthreads, void (*run)(void)) {
	if (!grid.stack) grid.stack = malloc((size_t)FIBERS * STACK);
	grid.threads = nthreads, grid.blocks = nblocks, grid.run = run;
	for (grid.block = 0; grid.block < nblocks; grid.block++) {
		for (u32 i = 0; i < nthreads; i++) {
			getcontext(&grid.at[i]);
			grid.at[i].uc_stack.ss_sp = grid.stack + (size_t)i * STACK;
			grid.at[i].uc_stack.ss_size = STACK;
			makecontext(&grid.at[i], fiber, 0);
			grid.over[i] = 0;
		}
		for (grid.live = nthreads; grid.live;)
			for (grid.me = 0; grid.me < nthreads; grid.me++)
				if (!grid.over[grid.me]) swapcontext(&grid.back, &grid.at[grid.me]);
	}
}

#endif
