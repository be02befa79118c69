// SPDX-License-Identifier: Apache-2.0
//
// Quantised GEMM on the integer tensor cores of compute capability 8.0 and above:
// 128 × 128 outputs per block of 8 warps, 64 × 32 per warp, 64 codes of each row at a
// time, which come from memory two steps ahead. Only for g and k that are multiples
// of 32 and codes at addresses that are multiples of 16; tile.h has the rest. Products
// of codes and their sums in int32 are exact, so what the core adds first, and zeros
// after the last code, are free (FX-07).

#include "kernel.h"

enum { EDGE = 128, STEP = 64, STAGES = 3, OPERAND = EDGE * STEP }; // bytes

// Byte of 16 codes, chunk c of a row, in an operand of a stage: so turned that what 8
// lanes read or write at once lies in 8 different groups of 4 banks.
FN u32 chunk_at(u32 row, u32 c) { return row * STEP + (c ^ (row / 2 % 4)) * 16; }

// Rows and codes that a thread brings: chunk thread()%4 of row thread()/4, and of the
// row 64 further on. Rows that are not there are zeros.
typedef struct { const i8 *row[2]; int in[2]; } source;

FN source rows_of(const void *x, u64 first, u64 rows, u64 k) {
	source s;
	EACH(h, 2) {
		u64 r = first + thread() / 4 + h * 64;
		s.in[h] = r < rows;
		s.row[h] = (const i8 *)x + (s.in[h] ? r * k : 0) + thread() % 4 * 16;
	}
	return s;
}

FN void bring(shared_at to, source s, u64 k0, u64 k) {
	u32 row = thread() / 4, c = thread() % 4;
	EACH(h, 2) {
		int in = s.in[h] && k0 + c * 16 < k;
		copy16(to + chunk_at(row + h * 64, c), s.row[h] + (in ? k0 : 0), in);
	}
}

// The outputs of a thread: of each 16 × 8 product rows quad and quad+8, columns 2·pos
// and the next one.
typedef struct { u64 row, col; } corner;

FN u64 out_row(corner p, u32 i, u32 e) { return p.row + i * 16 + e / 2 * 8; }
FN u64 out_col(corner p, u32 j, u32 e) { return p.col + j * 8 + e % 2; }

// The scales of group s that a thread needs.
FN void scales(const u64 *a, const void *const *x, corner p, u64 groups, u64 s, float sx[8], float sw[8]) {
	EACH(i, 8) {
		u64 r = out_row(p, i / 2, i % 2 * 2), c = out_col(p, i / 2, i % 2);
		sx[i] = s < groups && r < a[0] ? LF(1, r * groups + s) : 0.0f;
		sw[i] = s < groups && c < a[1] ? LF(3, c * groups + s) : 0.0f;
	}
}

// Ends a group: its dots join the outputs. small: no group has more than 256 codes, so
// sums are at most 256·128² = 2²². Those are counted from the bits of 3·2²², and
// subtracting that makes them floats, exactly, in less time than a conversion.
FN void end_group(float acc[4][4][4], i32 dot[4][4][4], const float sx[8], const float sw[8], int small) {
	i32 zero = small ? 0x4b400000 : 0;
	EACH(i, 4)
		EACH(j, 4)
			EACH(e, 4) {
				float v = small ? fbits((u32)dot[i][j][e]) - fbits(0x4b400000u) : (float)dot[i][j][e];
				acc[i][j][e] = FMA(v, sx[i * 2 + e / 2] * sw[j * 2 + e % 2], acc[i][j][e]);
				dot[i][j][e] = zero;
			}
}

// 32 codes of all rows of a warp; h is which half of the stage.
FN void multiply(i32 dot[4][4][4], shared_at as, shared_at bs, u32 h) {
	u32 lane = thread() % 32, wm = thread() / 128 * 64, wn = thread() / 32 % 4 * 32;
	u32 p[4][4], q[2][4];
	EACH(i, 4) matrices(p[i], as + chunk_at(wm + i * 16 + lane % 16, h * 2 + lane / 16));
	EACH(j, 2) matrices(q[j], bs + chunk_at(wn + j * 16 + lane / 16 * 8 + lane % 8, h * 2 + lane / 8 % 2));
	EACH(i, 4)
		EACH(j, 4) mma(dot[i][j], p[i], &q[j / 2][j % 2 * 2]);
}

FN void gemm_i8_tile(const u64 *a, const void *const *x, void *y, u64 t, shared_at tiles, int small) {
	u64 m = a[0], n = a[1], k = a[2], g = a[3], groups = k / g + (k % g != 0), tn = ceil_div(n, EDGE);
	u64 m0 = t / tn * EDGE, n0 = t % tn * EDGE, end = g < k ? g : k, s = 0;
	source p = rows_of(x[0], m0, m, k), q = rows_of(x[2], n0, n, k);
	u32 lane = thread() % 32;
	corner at = {m0 + thread() / 128 * 64 + lane / 4, n0 + thread() / 32 % 4 * 32 + lane % 4 * 2};
	float acc[4][4][4], sx[8], sw[8];
	i32 dot[4][4][4];
	EACH(i, 4)
		EACH(j, 4)
			EACH(e, 4) {
				acc[i][j][e] = 0.0f;
				dot[i][j][e] = small ? 0x4b400000 : 0;
			}
	scales(a, x, at, groups, 0, sx, sw);
	EACH(b, STAGES - 1) {
		bring(tiles + b * 2 * OPERAND, p, b * STEP, k);
		bring(tiles + b * 2 * OPERAND + OPERAND, q, b * STEP, k);
		copies_end();
	}
	u32 now = 0, next = STAGES - 1;
	for (u64 k0 = 0; k0 < k; k0 += STEP) {
		copies_wait(STAGES - 2); // all but the last: this step's are there,
		barrier();               // everyone's, and everyone is done with the step before
		bring(tiles + next * 2 * OPERAND, p, k0 + (STAGES - 1) * STEP, k);
		bring(tiles + next * 2 * OPERAND + OPERAND, q, k0 + (STAGES - 1) * STEP, k);
		copies_end();
		EACH(h, 2) {
			multiply(dot, tiles + now * 2 * OPERAND, tiles + now * 2 * OPERAND + OPERAND, h);
			if (k0 + h * 32 + 32 == end) {
				end_group(acc, dot, sx, sw, small);
				end = end + g < k ? end + g : k;
				scales(a, x, at, groups, ++s, sx, sw);
			}
		}
		now = now + 1 == STAGES ? 0 : now + 1;
		next = next + 1 == STAGES ? 0 : next + 1;
	}
	EACH(i, 4)
		EACH(j, 4)
			EACH(e, 4) {
				u64 r = out_row(at, i, e), c = out_col(at, j, e);
				if (r < m && c < n) SF(r * n + c, acc[i][j][e]);
			}
	copies_wait(0);
	barrier(); // the next tile of this block writes what others may still read
}

KERNEL(gemm_i8_tensor, 256, 1) {
	ARGS;
	__shared__ __attribute__((aligned(128))) u8 tiles[STAGES * 2 * OPERAND];
	for (u64 t = first + blockx(); t < first + count; t += blocks()) {
		if (a2 <= 256 || a3 <= 256) gemm_i8_tile(a, x, y, t, shared_of(tiles), 1);
		else gemm_i8_tile(a, x, y, t, shared_of(tiles), 0);
	}
}
