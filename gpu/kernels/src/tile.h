// SPDX-License-Identifier: Apache-2.0
//
// Operations that a card does by many threads together. The order in which one
// output's terms are added is that of prim.h; only who computes which output, and
// when, is chosen here.

#include "kernel.h"

// A warp per partial: lane l of the warp is lane l of red/1.
FN void warp_red(const u64 *a, const void *const *x, void *y, u64 first_item, u64 count, float absent, fold join, fold step) {
	u32 lane = thread() % 32;
	for (u64 i = (u64)blockx() * (threads() / 32) + thread() / 32; i < count; i += (u64)blocks() * (threads() / 32)) {
		u64 row, first, end;
		red_range(a, x, first_item + i, &row, &first, &end);
		float s = red_lane(x, row, a[2], first, end, lane, absent, step);
		for (int w = 16; w; w /= 2) s = join(s, down(s, w));
		if (lane == 0) SF(first_item + i, s);
	}
}
KERNEL(red_sum, 256) { ARGS; warp_red(a, x, y, first, count, 0.0f, op_add, op_add); }
KERNEL(red_sumsq, 256) { ARGS; warp_red(a, x, y, first, count, 0.0f, op_add, op_sq); }
KERNEL(red_max, 256) { ARGS; warp_red(a, x, y, first, count, fbits(0xff800000u), op_max, op_max); }

// GEMM: 128 × 128 outputs per block of 256 threads, 8 × 8 per thread, 8 terms of
// the chain at a time, the next 8 fetched while these are added. k ascends and is
// never padded or split (FX-03).
enum { TILE = 128, DEPTH = 8, PITCH = TILE + 4 };

typedef struct { u64 b, m0, n0; } tile_at;

FN tile_at gemm_tile(const u64 *a, u64 t) {
	u64 tm = ceil_div(a[1], TILE), tn = ceil_div(a[2], TILE);
	tile_at p = {t / (tm * tn), t / tn % tm * TILE, t % tn * TILE};
	return p;
}

// Four neighbouring terms of one row, in one load where rows are whole fours; what
// lies outside is never used.
typedef float four __attribute__((vector_size(16)));

FN four fetch(const float *row, u64 k0, u64 k, int inside, int fours) {
	four v = {0.0f, 0.0f, 0.0f, 0.0f};
	if (!inside) return v;
	if (fours) return k0 < k ? *(const four *)(row + k0) : v;
	EACH(q, 4) if (k0 + q < k) v[q] = row[k0 + q];
	return v;
}

// With limits on k (KBelow, KFrom) each of the thread's 8 rows has its own range.
FN void gemm(const u64 *a, const void *const *x, void *y, u64 t, int limits, float as[2][DEPTH][PITCH], float bs[2][DEPTH][PITCH]) {
	tile_at p = gemm_tile(a, t);
	u64 m = a[1], n = a[2], k = a[3];
	u32 me = thread(), load_row = me / 2, load_k = me % 2 * 4, ty = me / 16 * 4, tx = me % 16 * 4;
	const float *arow = (const float *)x[0] + (p.b * m + p.m0 + load_row) * k;
	const float *brow = (const float *)x[1] + (p.b / a[4] * n + p.n0 + load_row) * k;
	int a_in = p.m0 + load_row < m, b_in = p.n0 + load_row < n;
	int fours = k % 4 == 0 && (u64)x[0] % 16 == 0 && (u64)x[1] % 16 == 0;
	float acc[8][8];
	u64 from[8], to[8];
	EACH(i, 8) {
		u64 row = p.m0 + ty + i % 4 + i / 4 * 64;
		from[i] = 0;
		to[i] = k;
		if (limits && row < m) {
			u64 l = gemm_limit(a, x, p.b, row);
			if (a[5] == 2) to[i] = l;
			if (a[5] == 3) from[i] = l;
		}
		EACH(j, 8) acc[i][j] = 0.0f;
	}
	four av = fetch(arow, load_k, k, a_in, fours), bv = fetch(brow, load_k, k, b_in, fours);
	u32 half = 0;
	for (u64 k0 = 0; k0 < k; k0 += DEPTH, half ^= 1) {
		EACH(q, 4) {
			as[half][load_k + q][load_row] = av[q];
			bs[half][load_k + q][load_row] = bv[q];
		}
		barrier();
		if (k0 + DEPTH < k) {
			av = fetch(arow, k0 + DEPTH + load_k, k, a_in, fours);
			bv = fetch(brow, k0 + DEPTH + load_k, k, b_in, fours);
		}
		u32 depth = k - k0 < DEPTH ? (u32)(k - k0) : DEPTH;
		EACH(d, DEPTH) {
			if (d >= depth) break;
			four u[2], v[2];
			EACH(i, 2) {
				u[i] = *(const four *)&as[half][d][ty + i * 64];
				v[i] = *(const four *)&bs[half][d][tx + i * 64];
			}
			EACH(i, 8) {
				if (limits && (k0 + d < from[i] || k0 + d >= to[i])) continue;
				EACH(j, 8) acc[i][j] = FMA(u[i / 4][i % 4], v[j / 4][j % 4], acc[i][j]);
			}
		}
	}
	EACH(i, 8) {
		u64 row = p.m0 + ty + i % 4 + i / 4 * 64;
		if (row >= m) continue;
		u64 end = a[5] == 1 ? gemm_limit(a, x, p.b, row) : n;
		EACH(j, 8) {
			u64 col = p.n0 + tx + j % 4 + j / 4 * 64;
			if (col < n) SF((p.b * m + row) * n + col, col < end ? acc[i][j] : 0.0f);
		}
	}
	barrier(); // the next tile of this block writes what others may still read
}
KERNEL(gemm_nt, 256) {
	ARGS;
	__shared__ __attribute__((aligned(16))) float as[2][DEPTH][PITCH], bs[2][DEPTH][PITCH];
	for (u64 t = first + blockx(); t < first + count; t += blocks()) {
		if (a5 >= 2) gemm(a, x, y, t, 1, as, bs);
		else gemm(a, x, y, t, 0, as, bs);
	}
}

// Quantised GEMM: 32 × 32 outputs per block of 256 threads, 2 × 2 per thread, dots
// of one group by four codes at a time where rows and groups are whole words.
// Sums of int32 are exact, so their order is free; groups ascend (FX-07).
enum { QTILE = 32, WORDS = 32, QPITCH = WORDS + 1 }; // words of one group step

KERNEL(gemm_i8, 256) {
	ARGS;
	__shared__ u32 as[QTILE][QPITCH], bs[QTILE][QPITCH];
	u64 m = a0, n = a1, k = a2, g = a3, groups = ceil_div(k, g), tn = ceil_div(n, QTILE);
	u32 me = thread(), ty = me / 16 * 2, tx = me % 16 * 2;
	int words = k % 4 == 0 && g % 4 == 0 && (u64)x0 % 4 == 0 && (u64)x2 % 4 == 0;
	for (u64 t = first + blockx(); t < first + count; t += blocks()) {
		u64 m0 = t / tn * QTILE, n0 = t % tn * QTILE;
		if (!words) {
			by_element(a, x, y, m0, n0, QTILE);
			continue;
		}
		float acc[2][2] = {{0.0f, 0.0f}, {0.0f, 0.0f}};
		const u32 *pa = (const u32 *)x0, *pb = (const u32 *)x2;
		for (u64 s = 0; s < groups; s++) {
			u64 w0 = s * g / 4, w1 = (s + 1) * g < k ? (s + 1) * g / 4 : k / 4;
			i32 dot[2][2] = {{0, 0}, {0, 0}};
			for (u64 w = w0; w < w1; w += WORDS) {
				for (u32 e = me; e < QTILE * WORDS; e += 256) {
					u64 r = e / WORDS, at = w + e % WORDS;
					as[r][e % WORDS] = m0 + r < m && at < w1 ? pa[(m0 + r) * (k / 4) + at] : 0;
					bs[r][e % WORDS] = n0 + r < n && at < w1 ? pb[(n0 + r) * (k / 4) + at] : 0;
				}
				barrier();
				for (u32 q = 0; q < WORDS; q++)
					EACH(i, 2)
						EACH(j, 2) dot[i][j] = dot4(dot[i][j], as[ty + i][q], bs[tx + j][q]);
				barrier();
			}
			EACH(i, 2)
				EACH(j, 2)
					if (m0 + ty + i < m && n0 + tx + j < n)
						acc[i][j] = FMA((float)dot[i][j], LF(1, (m0 + ty + i) * groups + s) * LF(3, (n0 + tx + j) * groups + s), acc[i][j]);
		}
		EACH(i, 2)
			EACH(j, 2)
				if (m0 + ty + i < m && n0 + tx + j < n) SF((m0 + ty + i) * n + n0 + tx + j, acc[i][j]);
	}
}
