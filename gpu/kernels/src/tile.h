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

// GEMM: 128 × 128 outputs per block of 256 threads, 32 × 64 per warp, 8 × 8 per
// thread, 8 terms of the chain at a time, the next 8 fetched while these are added.
// k ascends and is never padded or split (FX-03). Two blocks fit a multiprocessor
// (128 registers a thread): one adds while the other waits.
enum { TILE = 128, DEPTH = 8, PITCH = TILE + 4 };

typedef float stage[DEPTH][PITCH];
typedef struct { u32 b, m0, n0; } tile_at; // dimensions are below 2³¹

FN tile_at gemm_tile(const u64 *a, u64 t) {
	u64 tm = ceil_div(a[1], TILE), tn = ceil_div(a[2], TILE);
	tile_at p = {(u32)(t / (tm * tn)), (u32)(t / tn % tm * TILE), (u32)(t % tn * TILE)};
	return p;
}

// The terms from … to−1 of k that any output of a tile has: with limits, a part of
// all. from is a multiple of DEPTH. Each lane looks at 4 rows; range is shared.
FN void gemm_range(const u64 *a, const void *const *x, tile_at p, u32 side, u32 *range, u32 *from, u32 *to) {
	u32 low = (u32)a[3], high = 0;
	EACH(i, TILE / 32) {
		u64 row = p.m0 + thread() % 32 + i * 32;
		u32 l = (u32)gemm_limit(a, x, p.b, row < a[1] ? row : a[1] - 1);
		low = l < low ? l : low;
		high = l > high ? l : high;
	}
	for (int w = 16; w; w /= 2) {
		u32 l = ubits(down(fbits(low), w)), h = ubits(down(fbits(high), w));
		low = l < low ? l : low;
		high = h > high ? h : high;
	}
	if (thread() == 0) {
		range[0] = low;
		range[1] = high;
	}
	barrier();
	*from = side == 3 ? range[0] / DEPTH * DEPTH : 0;
	*to = side == 2 ? range[1] : side == 1 && p.n0 >= range[1] ? 0 : (u32)a[3];
}

// Four neighbouring terms of a row of each operand, in one load where rows are whole
// fours. What lies outside stays as it was and is never used.
typedef float four __attribute__((vector_size(16)));

FN void fetch(four *av, four *bv, const float *arow, const float *brow, u32 k0, u32 k, int fours) {
	if (fours) {
		if (k0 >= k) return;
		*av = *(const four *)(arow + k0);
		*bv = *(const four *)(brow + k0);
		return;
	}
	EACH(q, 4) if (k0 + q < k) {
		(*av)[q] = arow[k0 + q];
		(*bv)[q] = brow[k0 + q];
	}
}

// What a thread works at: the first row and column of its outputs in the tile, 4 more
// of each 16 rows and 32 columns further. The 4 × 8 lanes of a warp read 16 and 32
// neighbouring words of a stage, each bank once.
typedef struct { u32 row, col; } place_of;

FN place_of gemm_place(u32 me) {
	place_of p = {me / 64 * 32 + me % 32 / 8 * 4, me / 32 % 2 * 64 + me % 8 * 4};
	return p;
}
FN u32 gemm_row(u32 i) { return i % 4 + i / 4 * 16; }
FN u32 gemm_col(u32 j) { return j % 4 + j / 4 * 32; }

// One term for all outputs of a thread; with limits only for the rows that have it.
FN void gemm_term(float acc[8][8], const float *ad, const float *bd, place_of at, u32 k, const u32 *limit, u32 side) {
	four u[2], v[2];
	EACH(i, 2) {
		u[i] = *(const four *)(ad + at.row + i * 16);
		v[i] = *(const four *)(bd + at.col + i * 32);
	}
	EACH(i, 8) {
		if ((side == 2 && k >= limit[i]) || (side == 3 && k < limit[i])) continue;
		EACH(j, 8) acc[i][j] = FMA(u[i / 4][i % 4], v[j / 4][j % 4], acc[i][j]);
	}
}

FN void gemm_store(const u64 *a, const void *const *x, void *y, tile_at p, place_of at, u32 side, float acc[8][8]) {
	u64 m = a[1], n = a[2];
	int fours = n % 4 == 0 && (u64)y % 16 == 0;
	EACH(i, 8) {
		u64 row = p.m0 + at.row + gemm_row(i);
		if (row >= m) continue;
		u64 end = side == 1 ? gemm_limit(a, x, p.b, row) : n;
		EACH(h, 2) {
			u64 col = p.n0 + at.col + h * 32, to = (p.b * m + row) * n + col;
			four v;
			EACH(q, 4) v[q] = col + q < end ? canon(acc[i][h * 4 + q]) : 0.0f;
			if (fours && col < n) *(four *)((float *)y + to) = v;
			else EACH(q, 4) if (col + q < n) ((float *)y)[to + q] = v[q];
		}
	}
}

// side is the attribute limit, known when this is compiled.
FN void gemm(const u64 *a, const void *const *x, void *y, u64 t, u32 side, stage *as, stage *bs, u32 *range) {
	tile_at p = gemm_tile(a, t);
	u64 m = a[1], n = a[2];
	u32 k = (u32)a[3], from = 0, to = k, limit[8];
	if (side) gemm_range(a, x, p, side, range, &from, &to);
	u32 load_row = thread() / 2, load_k = thread() % 2 * 4;
	u64 ar = p.m0 + load_row, br = p.n0 + load_row; // a row that is not there is read as the last
	const float *arow = (const float *)x[0] + (p.b * m + (ar < m ? ar : m - 1)) * k;
	const float *brow = (const float *)x[1] + (p.b / a[4] * n + (br < n ? br : n - 1)) * k;
	int fours = k % 4 == 0 && (u64)x[0] % 16 == 0 && (u64)x[1] % 16 == 0;
	place_of at = gemm_place(thread());
	float acc[8][8];
	EACH(i, 8) {
		u64 row = p.m0 + at.row + gemm_row(i);
		if (side > 1) limit[i] = row < m ? (u32)gemm_limit(a, x, p.b, row) : 0;
		EACH(j, 8) acc[i][j] = 0.0f;
	}
	four av = {0.0f, 0.0f, 0.0f, 0.0f}, bv = av;
	fetch(&av, &bv, arow, brow, from + load_k, k, fours);
	u32 half = 0;
	for (u32 k0 = from; k0 < to; k0 += DEPTH, half ^= 1) {
		EACH(q, 4) {
			as[half][load_k + q][load_row] = av[q];
			bs[half][load_k + q][load_row] = bv[q];
		}
		barrier();
		fetch(&av, &bv, arow, brow, k0 + DEPTH + load_k, k, fours);
		if (to - k0 >= DEPTH) {
			EACH(d, DEPTH) gemm_term(acc, as[half][d], bs[half][d], at, k0 + d, limit, side);
		} else {
			for (u32 d = 0; d < to - k0; d++) gemm_term(acc, as[half][d], bs[half][d], at, k0 + d, limit, side);
		}
	}
	gemm_store(a, x, y, p, at, side, acc);
	barrier(); // the next tile of this block writes what others may still read
}

#define GEMM(side) \
	ARGS; \
	__shared__ __attribute__((aligned(16))) stage as[2], bs[2]; \
	__shared__ u32 range[2]; \
	for (u64 t = first + blockx(); t < first + count; t += blocks()) gemm(a, x, y, t, side, as, bs, range)

KERNEL(gemm_nt, 256, 2) { GEMM(0); }
KERNEL(gemm_nbelow, 256) { GEMM(1); }
KERNEL(gemm_kbelow, 256) { GEMM(2); }
KERNEL(gemm_kfrom, 256) { GEMM(3); }

// GEMM of at most 8 rows, as the steps of a language model are: the weights are read
// once and nothing else takes time. 32 columns per block of 4 warps, 128 terms at a
// time, the next 128 on their way; a lane has a column, a warp 2 rows.
enum { FEW = 8, COLS = 32, RUN = 128, STRIDE = RUN + 4 };

typedef struct { float a[FEW][RUN], b[COLS][STRIDE]; } thin_stage;

FN four fetch_row(const float *rows, u64 row, u64 nrows, u32 k0, u32 k, int fours) {
	four v = {0.0f, 0.0f, 0.0f, 0.0f};
	const float *at = rows + (row < nrows ? row : nrows - 1) * k;
	if (fours && k0 < k) return *(const four *)(at + k0);
	EACH(q, 4) if (k0 + q < k) v[q] = at[k0 + q];
	return v;
}

// Terms d … n−1 of a stage for one output.
FN float thin_chain(float s, const float *p, const float *w, u32 d, u32 n) {
	_Pragma("unroll 8") for (; d + 4 <= n; d += 4) {
		four u = *(const four *)(p + d), z = *(const four *)(w + d);
		EACH(e, 4) s = FMA(u[e], z[e], s);
	}
	for (; d < n; d++) s = FMA(p[d], w[d], s);
	return s;
}

FN void thin(const u64 *a, const void *const *x, void *y, u64 t, thin_stage *stages) {
	u64 m = a[1], n = a[2], tn = ceil_div(n, COLS), b = t / tn, n0 = t % tn * COLS;
	u32 k = (u32)a[3], warp = thread() / 32, lane = thread() % 32, half = 0, to = k, end[2];
	const float *arows = (const float *)x[0] + b * m * k, *brows = (const float *)x[1] + b / a[4] * n * k;
	int fours = k % 4 == 0 && (u64)x[0] % 16 == 0 && (u64)x[1] % 16 == 0;
	if (a[5] == 2) {
		to = 0;
		for (u64 row = 0; row < m; row++) {
			u32 l = (u32)gemm_limit(a, x, b, row);
			to = l > to ? l : to;
		}
	}
	EACH(i, 2) {
		u64 row = warp * 2 + i;
		end[i] = row >= m ? 0 : a[5] == 2 ? (u32)gemm_limit(a, x, b, row) : k;
	}
	float acc[2] = {0.0f, 0.0f};
	four av[2], bv[8];
	EACH(i, 2) av[i] = fetch_row(arows, warp * 2 + i, m, lane * 4, k, fours);
	EACH(i, 8) bv[i] = fetch_row(brows, n0 + i * 4 + warp, n, lane * 4, k, fours);
	for (u32 k0 = 0; k0 < to; k0 += RUN, half ^= 1) {
		thin_stage *s = &stages[half];
		EACH(i, 2) *(four *)&s->a[warp * 2 + i][lane * 4] = av[i];
		EACH(i, 8) *(four *)&s->b[i * 4 + warp][lane * 4] = bv[i];
		barrier();
		u32 next = k0 + RUN + lane * 4;
		if (k0 + RUN < to) {
			EACH(i, 2) av[i] = fetch_row(arows, warp * 2 + i, m, next, k, fours);
			EACH(i, 8) bv[i] = fetch_row(brows, n0 + i * 4 + warp, n, next, k, fours);
		}
		u32 have[2], d = 0;
		EACH(i, 2) have[i] = end[i] <= k0 ? 0 : end[i] - k0 < RUN ? end[i] - k0 : RUN;
		u32 both = have[0] < have[1] ? have[0] : have[1];
		const float *p = s->a[warp * 2], *q = s->a[warp * 2 + 1], *w = s->b[lane];
		_Pragma("unroll 8") for (; d + 4 <= both; d += 4) {
			four u = *(const four *)(p + d), v = *(const four *)(q + d), z = *(const four *)(w + d);
			EACH(e, 4) {
				acc[0] = FMA(u[e], z[e], acc[0]);
				acc[1] = FMA(v[e], z[e], acc[1]);
			}
		}
		acc[0] = thin_chain(acc[0], p, w, d, have[0]);
		acc[1] = thin_chain(acc[1], q, w, d, have[1]);
	}
	EACH(i, 2) {
		u64 row = warp * 2 + i, col = n0 + lane;
		if (row >= m || col >= n) continue;
		u64 last = a[5] == 1 ? gemm_limit(a, x, b, row) : n;
		SF((b * m + row) * n + col, col < last ? acc[i] : 0.0f);
	}
	barrier(); // the next columns of this block are written where others may still read
}
KERNEL(gemm_thin, 128) {
	ARGS;
	__shared__ __attribute__((aligned(16))) thin_stage stages[2];
	for (u64 t = first + blockx(); t < first + count; t += blocks()) thin(a, x, y, t, stages);
}

// The same for codes: 512 of them at a time. Only for k and g that are multiples of 16
// and codes at addresses that are.
typedef u32 word4 __attribute__((vector_size(16)));
typedef struct { u32 a[FEW][RUN], b[COLS][STRIDE]; } thin_codes;

FN word4 fetch_codes(const void *rows, u64 row, u64 nrows, u32 w, u32 words) {
	word4 v = {0, 0, 0, 0};
	if (w < words) v = *(const word4 *)((const u32 *)rows + (row < nrows ? row : nrows - 1) * words + w);
	return v;
}

// What the dots of group s of column col are multiplied by, for two rows.
FN void thin_scales(const u64 *a, const void *const *x, u64 row, u64 col, u64 groups, u64 s, float f[2]) {
	float w = col < a[1] && s < groups ? LF(3, col * groups + s) : 0.0f;
	EACH(i, 2) f[i] = row + i < a[0] && s < groups ? LF(1, (row + i) * groups + s) * w : 0.0f;
}

FN void thin_dot(i32 dot[2], const u32 *p, const u32 *q, const u32 *w) {
	word4 u = *(const word4 *)p, v = *(const word4 *)q, z = *(const word4 *)w;
	EACH(e, 4) {
		dot[0] = dot4(dot[0], u[e], z[e]);
		dot[1] = dot4(dot[1], v[e], z[e]);
	}
}

FN void thin_i8(const u64 *a, const void *const *x, void *y, u64 t, thin_codes *stages) {
	u64 m = a[0], n = a[1], groups = ceil_div(a[2], a[3]), n0 = t * COLS, group = 0;
	u32 words = (u32)(a[2] / 4), size = a[3] < a[2] ? (u32)(a[3] / 4) : words, left = size, half = 0;
	u32 warp = thread() / 32, lane = thread() % 32;
	float acc[2] = {0.0f, 0.0f}, scale[2];
	i32 dot[2] = {0, 0};
	word4 av[2], bv[8];
	EACH(i, 2) av[i] = fetch_codes(x[0], warp * 2 + i, m, lane * 4, words);
	EACH(i, 8) bv[i] = fetch_codes(x[2], n0 + i * 4 + warp, n, lane * 4, words);
	thin_scales(a, x, warp * 2, n0 + lane, groups, 0, scale);
	for (u32 w0 = 0; w0 < words; w0 += RUN, half ^= 1) {
		thin_codes *s = &stages[half];
		EACH(i, 2) *(word4 *)&s->a[warp * 2 + i][lane * 4] = av[i];
		EACH(i, 8) *(word4 *)&s->b[i * 4 + warp][lane * 4] = bv[i];
		barrier();
		u32 next = w0 + RUN + lane * 4;
		EACH(i, 2) av[i] = fetch_codes(x[0], warp * 2 + i, m, next, words);
		EACH(i, 8) bv[i] = fetch_codes(x[2], n0 + i * 4 + warp, n, next, words);
		if (warp * 2 >= m) continue;
		u32 have = words - w0 < RUN ? words - w0 : RUN;
		const u32 *p = s->a[warp * 2], *q = s->a[warp * 2 + 1], *w = s->b[lane];
		for (u32 d = 0; d < have;) {
			u32 end = have - d < left ? have : d + left;
			left -= end - d;
			for (; d + 16 <= end; d += 16) EACH(c, 4) thin_dot(dot, p + d + c * 4, q + d + c * 4, w + d + c * 4);
			for (; d < end; d += 4) thin_dot(dot, p + d, q + d, w + d);
			if (left > 0) continue;
			EACH(i, 2) {
				acc[i] = FMA((float)dot[i], scale[i], acc[i]);
				dot[i] = 0;
			}
			u32 rest = words - w0 - end;
			left = rest < size ? rest : size;
			thin_scales(a, x, warp * 2, n0 + lane, groups, ++group, scale);
		}
	}
	EACH(i, 2) if (warp * 2 + i < m && n0 + lane < n) SF((warp * 2 + i) * n + n0 + lane, acc[i]);
	barrier(); // the next columns of this block are written where others may still read
}
KERNEL(gemm_i8_thin, 128) {
	ARGS;
	__shared__ __attribute__((aligned(16))) thin_codes stages[2];
	for (u64 t = first + blockx(); t < first + count; t += blocks()) thin_i8(a, x, y, t, stages);
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
		if (!words) { // one by one
			for (u32 e = me; e < QTILE * QTILE; e += 256) {
				u64 r = m0 + e / QTILE, c = n0 + e % QTILE;
				if (r < m && c < n) k_gemm_i8(a, x, y, r * n + c);
			}
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
