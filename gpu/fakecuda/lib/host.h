// SPDX-License-Identifier: Apache-2.0
//
// The threads of one block as fibers of this process: each runs until it waits,
// then the next one goes on. So kernels whose threads work together run here as
// written. Threads of a warp never run apart from each other, and memory is never
// out of order: what only a card does is not seen here.

#ifndef OL_HOST_H
#define OL_HOST_H

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __shared__ static
enum { FIBERS = 256, STACK = 64 << 10, COPIES = 64 };

typedef u8 *shared_at;

// A copy that a thread began and that is done when it waits for its group, no sooner.
typedef struct { shared_at to; const void *from; int some; u32 group; } copying;

static struct {
	u32 me, threads, block, blocks, live;
	ucontext_t back, at[FIBERS];
	char *stack;
	int over[FIBERS];
	float passed[FIBERS];
	u32 words[FIBERS][6];
	shared_at rows[FIBERS];
	copying copies[FIBERS][COPIES];
	u32 ncopies[FIBERS], groups[FIBERS];
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

static inline shared_at shared_of(void *p) { return p; }

static void copy16(shared_at to, const void *from, int some) {
	u32 me = grid.me;
	if (grid.ncopies[me] == COPIES || (u64)to % 16 || (some && (u64)from % 16)) abort();
	grid.copies[me][grid.ncopies[me]++] = (copying){to, from, some, grid.groups[me]};
}
static void copies_end(void) { grid.groups[grid.me]++; }

static void copies_wait(u32 n) {
	u32 me = grid.me, kept = 0;
	for (u32 i = 0; i < grid.ncopies[me]; i++) {
		copying c = grid.copies[me][i];
		if (c.group + n >= grid.groups[me]) grid.copies[me][kept++] = c;
		else if (c.some) memcpy(c.to, c.from, 16);
		else memset(c.to, 0, 16);
	}
	grid.ncopies[me] = kept;
}

static void matrices(u32 d[4], shared_at row) {
	u32 me = grid.me, warp = me / 32 * 32, lane = me % 32;
	if ((u64)row % 16) abort();
	grid.rows[me] = row;
	barrier();
	for (u32 i = 0; i < 4; i++) memcpy(&d[i], grid.rows[warp + i * 8 + lane / 4] + lane % 4 * 4, 4);
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
			grid.over[i] = grid.ncopies[i] = grid.groups[i] = 0;
		}
		for (grid.live = nthreads; grid.live;)
			for (grid.me = 0; grid.me < nthreads; grid.me++)
				if (!grid.over[grid.me]) swapcontext(&grid.back, &grid.at[grid.me]);
	}
}

#endif
