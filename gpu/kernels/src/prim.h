// SPDX-License-Identifier: Apache-2.0
//
// Every operation as the work of one item: an output element, or where that is
// cheaper a group or a row. internal/fx/op.go states attributes and inputs; items
// says how many items there are, in the same words as kernels.go.

#ifndef OL_PRIM_H
#define OL_PRIM_H
#include "fx.h"

// a: attributes; x: inputs; y: output; i: item.
#define BODY(name) FN void k_##name(const u64 *a, const void *const *x, void *y, u64 i)
#define LF(k, i) (((const float *)x[k])[i])
#define LI(k, i) (((const i32 *)x[k])[i])
#define LB(k, i) (((const i8 *)x[k])[i])
#define SF(i, v) (((float *)y)[i] = canon(v))
#define SI(i, v) (((i32 *)y)[i] = (i32)(v))
#define SB(i, v) (((i8 *)y)[i] = (i8)(v))

enum { T_F32 = 1, T_I32, T_I8, T_F16, T_BF16 };

FN u64 at(u64 mode, u64 i, u64 cols) { return mode == 0 ? i : mode == 1 ? i / cols : mode == 2 ? i % cols : 0; }
FN u64 ceil_div(u64 n, u64 d) { return (n + d - 1) / d; }
FN u64 clip(i32 l, u64 n) { return l < 0 ? 0 : (u64)l < n ? (u64)l : n; }

// Copies element j of x to element i of y.
FN void move(u64 type, void *y, u64 i, const void *x, u64 j) {
	if (type == T_F32) ((float *)y)[i] = canon(((const float *)x)[j]);
	else if (type == T_I32) ((u32 *)y)[i] = ((const u32 *)x)[j];
	else ((u8 *)y)[i] = ((const u8 *)x)[j];
}
FN void put(u64 type, void *y, u64 i, u32 bits) {
	if (type == T_F32) ((float *)y)[i] = canon(fbits(bits));
	else if (type == T_I32) ((u32 *)y)[i] = bits;
	else ((u8 *)y)[i] = (u8)bits;
}

// Moves.
BODY(copy) { move(a[0], y, i, x[0], i); }
BODY(view) { move(a[0], y, i, x[0], i / a[4] * a[2] + a[3] + i % a[4]); }
BODY(concat) {
	u64 w = a[2] + a[3], r = i / w, c = i % w;
	if (c < a[2]) move(a[0], y, i, x[0], r * a[2] + c);
	else move(a[0], y, i, x[1], r * a[3] + c - a[2]);
}
BODY(transpose) {
	u64 rows = a[2], cols = a[3], inner = a[4];
	u64 in = i % inner, j = i / inner, r = j % rows, c = j / rows % cols, b = j / rows / cols;
	move(a[0], y, i, x[0], ((b * rows + r) * cols + c) * inner + in);
}
BODY(gather) {
	i32 r = LI(1, i / a[3]);
	if (r < 0 || (u64)r >= a[2]) put(a[0], y, i, 0);
	else move(a[0], y, i, x[0], (u64)r * a[3] + i % a[3]);
}
BODY(pick) {
	i32 c = LI(1, i);
	if (c < 0 || (u64)c >= a[2]) put(a[0], y, i, 0);
	else move(a[0], y, i, x[0], i / a[3] * a[2] + (u64)c);
}
BODY(fill) { put(a[0], y, i, (u32)a[2]); }
FN u32 word(const u64 *a, u64 i) {
	u64 b = i / 4;
	return philox(a[1], (u32)b, (u32)(b >> 32), (u32)a[2], (u32)a[3]).w[i % 4];
}
BODY(fill_u01) { SF(i, u01(word(a, i))); }
BODY(fill_sign) { SF(i, word(a, i) & 1 ? -1.0f : 1.0f); }
BODY(fill_norm) {
	float s = 0.0f;
	for (u64 b = 3 * i; b < 3 * i + 3; b++) {
		block w = philox(a[1], (u32)b, (u32)(b >> 32), (u32)a[2], (u32)a[3]);
		for (int k = 0; k < 4; k++) s = s + u01(w.w[k]);
	}
	SF(i, s - 6.0f);
}
BODY(fill_seq) { SI(i, (u32)a[2] + (u32)(i % a[1])); }
BODY(perm_rows) {
	u64 p = (u64)(u32)LI(0, 0) * a[0] + i;
	SI(i, (u32)perm(a[2], (u32)(p / a[1]), a[1], p % a[1]));
}
BODY(add_i32) { SI(i, (u32)LI(0, i) + (u32)a[1]); }
BODY(valid) { SF(i, LI(0, i) < 0 ? 0.0f : 1.0f); }
BODY(cast_f32) {
	u32 b = a[0] == T_I32 ? 0 : ((const u16 *)x[0])[i], s = b >> 15 << 31, e = b >> 10 & 31, m = b & 0x3ff;
	if (a[0] == T_I32) SF(i, (float)LI(0, i));
	else if (a[0] == T_BF16) SF(i, fbits(b << 16));
	else if (e == 31) SF(i, fbits(m ? 0x7fc00000u : s | 0x7f800000u));
	else if (e == 0) SF(i, fbits(ubits((float)m * fbits(0x33800000u)) | s));
	else SF(i, fbits(s | (e + 112) << 23 | m << 13));
}

// Elements.
#define P(k) LF(k, at(a[2 + k], i, a[1]))
BODY(add) { SF(i, P(0) + P(1)); }
BODY(sub) { SF(i, P(0) - P(1)); }
BODY(mul) { SF(i, P(0) * P(1)); }
BODY(div) { SF(i, P(0) / P(1)); }
BODY(fma) { SF(i, FMA(P(0), P(1), P(2))); }
BODY(select) { SF(i, P(0) > 0.0f ? P(1) : P(2)); }
#undef P
BODY(scale) { SF(i, LF(0, i) * fbits((u32)a[1])); }
BODY(neg) { SF(i, fx_neg(LF(0, i))); }
BODY(relu) { float v = LF(0, i); SF(i, v > 0.0f || v != v ? v : 0.0f); }
BODY(relu_bwd) { SF(i, LF(0, i) > 0.0f ? LF(1, i) : 0.0f); }
BODY(exp) { SF(i, fx_exp(LF(0, i))); }
BODY(log) { SF(i, fx_log(LF(0, i))); }
BODY(tanh) { SF(i, fx_tanh(LF(0, i))); }
BODY(tanh_bwd) { float v = LF(0, i); SF(i, FMA(-v, v, 1.0f) * LF(1, i)); }
BODY(sigmoid) { SF(i, fx_sigmoid(LF(0, i))); }
BODY(silu) { SF(i, fx_silu(LF(0, i))); }
BODY(silu_bwd) { SF(i, fx_silu_bwd(LF(0, i), LF(1, i))); }
BODY(sqrt) { SF(i, SQRT(LF(0, i))); }
BODY(rsqrt) { SF(i, 1.0f / SQRT(LF(0, i))); }
BODY(swiglu) { SF(i, fx_silu(LF(0, i)) * LF(1, i)); }
BODY(swiglu_bwd) { SF(i, fx_silu_bwd(LF(0, i), LF(1, i) * LF(2, i))); }

// Reductions: an item is one partial of red/1 (FX-04).
typedef float (*fold)(float, float);
FN float op_add(float s, float v) { return s + v; }
FN float op_sq(float s, float v) { return FMA(v, v, s); }
FN float op_max(float s, float v) { return fx_max(s, v); }

// The columns that partial i reduces: first … end−1 of row *row.
FN void red_range(const u64 *a, const void *const *x, u64 i, u64 *row, u64 *first, u64 *end) {
	u64 rows = a[1], cols = a[2], heads = a[3], nb = ceil_div(cols, 4096), n = cols;
	*row = i / nb;
	*first = i % nb * 4096;
	if (heads) n = clip(LI(1, *row / rows / heads * rows + *row % rows), cols);
	*end = n < *first ? *first : n < *first + 4096 ? n : *first + 4096;
}
FN float red_lane(const void *const *x, u64 row, u64 cols, u64 first, u64 end, u32 lane, float s, fold step) {
	for (u64 c = first + lane; c < end; c += 32) s = step(s, LF(0, row * cols + c));
	return s;
}
FN void red(const u64 *a, const void *const *x, void *y, u64 i, float absent, fold join, fold step) {
	u64 row, first, end;
	float lane[32];
	red_range(a, x, i, &row, &first, &end);
	for (u32 l = 0; l < 32; l++) lane[l] = red_lane(x, row, a[2], first, end, l, absent, step);
	for (int w = 16; w; w /= 2)
		for (int l = 0; l < w; l++) lane[l] = join(lane[l], lane[l + w]);
	SF(i, lane[0]);
}
BODY(red_sum) { red(a, x, y, i, 0.0f, op_add, op_add); }
BODY(red_sumsq) { red(a, x, y, i, 0.0f, op_add, op_sq); }
BODY(red_max) { red(a, x, y, i, fbits(0xff800000u), op_max, op_max); }
BODY(argmax) {
	u64 cols = a[1], first = 0, end = cols, best = 0;
	if (a[2]) {
		i32 b = LI(1, i);
		if (b < 0 || (u64)b >= ceil_div(cols, 4096)) { SI(i, -1); return; }
		first = (u64)b * 4096;
		end = first + 4096 < cols ? first + 4096 : cols;
	}
	float m = 0.0f;
	for (u64 c = first; c < end; c++) {
		float v = LF(0, i * cols + c);
		if (v != v) { best = c; break; }
		if (c == first || v > m) { m = v; best = c; }
	}
	SI(i, best);
}
BODY(col_chain) {
	u64 base = i / a[2] * a[1] * a[2] + i % a[2];
	float s = 0.0f;
	for (u64 r = 0; r < a[1]; r++) s = s + LF(0, base + r * a[2]);
	SF(i, s);
}
// An item is a column of one position, which sums all of its id if it is the id's
// first; the output was filled with +0 before.
BODY(scatter_chain) {
	u64 t = i / a[2], c = i % a[2];
	i32 id = LI(0, t);
	if (id < 0 || (u64)id >= a[1]) return;
	for (u64 u = 0; u < t; u++) if (LI(0, u) == id) return;
	float s = 0.0f;
	for (u64 u = t; u < a[0]; u++) if (LI(0, u) == id) s = s + LF(1, u * a[2] + c);
	SF((u64)id * a[2] + c, s);
}

// Matrices.
FN u64 gemm_limit(const u64 *a, const void *const *x, u64 b, u64 row) {
	return clip(LI(2, b / a[6] * a[1] + row), a[5] == 1 ? a[2] : a[3]);
}
BODY(gemm_nt) {
	u64 m = a[1], n = a[2], k = a[3], b = i / n / m, r = i / n % m, c = i % n, from = 0, to = k;
	if (a[5]) {
		u64 l = gemm_limit(a, x, b, r);
		if (a[5] == 1 && c >= l) { SF(i, 0.0f); return; }
		if (a[5] == 2) to = l;
		if (a[5] == 3) from = l;
	}
	float s = 0.0f;
	for (u64 j = from; j < to; j++) s = FMA(LF(0, (b * m + r) * k + j), LF(1, (b / a[4] * n + c) * k + j), s);
	SF(i, s);
}
FN void rope(const u64 *a, const void *const *x, void *y, u64 i, int back) {
	u64 d = a[2], half = d / 2, e = i % d;
	i32 p = LI(3, i / d / a[1]);
	float cos = 0.0f, sin = 0.0f;
	if (p >= 0 && (u64)p < a[3]) {
		cos = LF(1, (u64)p * half + e % half);
		sin = LF(2, (u64)p * half + e % half);
	}
	if (back) sin = fx_neg(sin);
	if (e < half) SF(i, FMA(-LF(0, i + half), sin, LF(0, i) * cos));
	else SF(i, FMA(LF(0, i - half), sin, LF(0, i) * cos));
}
BODY(rope) { rope(a, x, y, i, 0); }
BODY(rope_bwd) { rope(a, x, y, i, 1); }
BODY(xent_bwd) {
	i32 id = LI(1, i / a[1]);
	if (id < 0) { SF(i, 0.0f); return; }
	float p = LF(0, i);
	if ((u64)id == i % a[1]) p = p - 1.0f;
	SF(i, p * LF(2, at(a[2], i, a[1])));
}

// Optimizer (OP-04).
BODY(adamw_m) { float b = fbits((u32)a[1]); SF(i, FMA(b, LF(0, i), (1.0f - b) * LF(1, i))); }
BODY(adamw_v) { float b = fbits((u32)a[1]), g = LF(1, i); SF(i, FMA(b, LF(0, i), ((1.0f - b) * g) * g)); }
BODY(adamw_p) {
	float u = (LF(1, i) / (1.0f - LF(3, 0))) / (SQRT(LF(2, i) / (1.0f - LF(4, 0))) + fbits((u32)a[1]));
	float p = LF(0, i);
	SF(i, FMA(-LF(5, 0), FMA(fbits((u32)a[2]), p, u), p));
}
BODY(clip_scale) { SF(i, fx_min(1.0f, fbits((u32)a[0]) / (SQRT(LF(0, 0)) + fbits(0x358637bdu)))); }

// Integers (FX-07). An item of the two quantisations is a group.
FN float group_max(const u64 *a, const void *const *x, u64 i, u64 *from, u64 *to) {
	u64 g = a[2], n = ceil_div(a[1], g), first = i % n * g, end = first + g < a[1] ? first + g : a[1];
	float m = 0.0f;
	*from = i / n * a[1] + first;
	*to = i / n * a[1] + end;
	for (u64 c = *from; c < *to; c++) m = fx_max(m, fx_abs(LF(0, c)));
	return m;
}
BODY(quant_scale) {
	u64 from, to;
	float factor;
	SF(i, quant_scale(group_max(a, x, i, &from, &to), &factor));
}
BODY(quant_i8) {
	u64 from, to;
	float factor;
	quant_scale(group_max(a, x, i, &from, &to), &factor);
	for (u64 c = from; c < to; c++) SB(c, factor == 0.0f ? 0 : rni(LF(0, c) * factor));
}
BODY(dequant_i8) { SF(i, (float)LB(0, i) * LF(1, i / a[1] * ceil_div(a[1], a[2]) + i % a[1] / a[2])); }
BODY(gemm_i8) {
	u64 k = a[2], g = a[3], n = ceil_div(k, g), r = i / a[1], c = i % a[1];
	float s = 0.0f;
	for (u64 t = 0; t < n; t++) {
		u64 end = (t + 1) * g < k ? (t + 1) * g : k;
		u32 dot = 0; // modulo 2³²
		for (u64 j = t * g; j < end; j++) dot += (u32)((i32)LB(0, r * k + j) * LB(2, c * k + j));
		s = FMA((float)(i32)dot, LF(1, r * n + t) * LF(3, c * n + t), s);
	}
	SF(i, s);
}
BODY(dot_i8) {
	u64 p = i / a[1] * a[2], q = i % a[1] * a[2];
	u32 s = 0;
	for (u64 j = 0; j < a[2]; j++) s += (u32)((i32)LB(0, p + j) * LB(1, q + j));
	SI(i, s);
}
BODY(dist2_i8) {
	u64 p = i / a[1] * a[2], q = i % a[1] * a[2];
	u32 s = 0;
	for (u64 j = 0; j < a[2]; j++) {
		i32 d = (i32)LB(0, p + j) - LB(1, q + j);
		s += (u32)(d * d);
	}
	SI(i, s);
}
BODY(dist2_f32) {
	u64 p = i / a[1] * a[2], q = i % a[1] * a[2];
	float s = 0.0f;
	for (u64 j = 0; j < a[2]; j++) {
		float d = LF(0, p + j) - LF(1, q + j);
		s = FMA(d, d, s);
	}
	SF(i, s);
}

// Keys in ascending order: key, rank, column.
typedef struct { u32 key; i32 rank; u64 col; } sortkey;

FN u32 order_f32(u32 b) {
	if ((b & 0x7fffffffu) > 0x7f800000u) return 0xffffffffu;
	if (!(b & 0x80000000u)) return b | 0x80000000u;
	return b == 0x80000000u ? b : ~b;
}
FN sortkey key_of(const u64 *a, const void *const *x, u64 r, u64 c) {
	u32 k = ((const u32 *)x[0])[r * a[2] + c];
	sortkey s = {a[0] == T_F32 ? order_f32(k) : k ^ 0x80000000u, LI(1, c), c};
	return s;
}
FN int before(sortkey p, sortkey q) {
	return p.key != q.key ? p.key < q.key : p.rank != q.rank ? p.rank < q.rank : p.col < q.col;
}
// An item is a column, which finds its own place in its run.
BODY(sort_pairs) {
	u64 n = a[2], r = i / n, c = i % n, first = c / a[3] * a[3], end = first + a[3] < n ? first + a[3] : n, place = first;
	sortkey me = key_of(a, x, r, c);
	for (u64 j = first; j < end; j++) place += before(key_of(a, x, r, j), me);
	SI(r * n + place, c);
}
FN sortkey merge_key(const u64 *a, const void *const *x, u64 r, u64 j) {
	i32 c = LI(2, r * a[2] + j);
	return key_of(a, x, r, c < 0 || (u64)c >= a[2] ? 0 : (u64)c);
}
BODY(merge_pairs) {
	u64 n = a[2], w = a[3], r = i / n, c = i % n, first = c / (2 * w) * (2 * w);
	u64 mid = first + w < n ? first + w : n, end = first + 2 * w < n ? first + 2 * w : n, p = c - first;
	u64 lo = p - (p < end - mid ? p : end - mid), hi = p < mid - first ? p : mid - first;
	while (lo < hi) {
		u64 m = (lo + hi) / 2;
		if (before(merge_key(a, x, r, first + m), merge_key(a, x, r, mid + p - 1 - m))) lo = m + 1;
		else hi = m;
	}
	u64 s = first + lo, t = mid + p - lo;
	int left = t >= end || (s < mid && before(merge_key(a, x, r, s), merge_key(a, x, r, t)));
	SI(i, LI(2, r * n + (left ? s : t)));
}
// An item is a column, which finds how many come before it.
BODY(topk) {
	u64 n = a[1], r = i / n, c = i % n, place = 0;
	u32 me = order_f32(((const u32 *)x[0])[i]);
	for (u64 j = 0; j < n && place < a[2]; j++) {
		u32 k = order_f32(((const u32 *)x[0])[r * n + j]);
		place += k > me || (k == me && j < c);
	}
	if (place < a[2]) SI(r * a[2] + place, c);
}

// Benchmarks. An item of bench_fill is 16 bytes.
FN i8 no_min(u32 b) { i8 v = (i8)b; return v == -128 ? -127 : v; }
BODY(bench_fill) {
	block b = {{(u32)i, (u32)(i >> 32), (u32)a[2], 6}};
	for (int r = 0; r < 64; r++) b = philox(a[1], b.w[0], b.w[1], b.w[2], b.w[3]);
	for (u64 j = 0; j < 16 && 16 * i + j < a[0]; j++) SB(16 * i + j, no_min(b.w[j / 4] >> (j % 4 * 8)));
}
BODY(bench_mix) { SB(i, no_min((u32)LI(0, i) * 0x9e3779b1u >> 24)); }

// All operations, in the order of their numbers.
#define OPS(OP) \
	OP(copy) OP(view) OP(concat) OP(transpose) OP(gather) OP(pick) OP(fill) OP(fill_u01) OP(fill_norm) OP(fill_sign) \
	OP(fill_seq) OP(perm_rows) OP(add_i32) OP(valid) OP(cast_f32) OP(add) OP(sub) OP(mul) OP(div) OP(fma) OP(select) \
	OP(scale) OP(neg) OP(relu) OP(relu_bwd) OP(exp) OP(log) OP(tanh) OP(tanh_bwd) OP(sigmoid) OP(silu) OP(silu_bwd) \
	OP(sqrt) OP(rsqrt) OP(swiglu) OP(swiglu_bwd) OP(argmax) OP(col_chain) OP(scatter_chain) OP(rope) OP(rope_bwd) \
	OP(xent_bwd) OP(adamw_m) OP(adamw_v) OP(adamw_p) OP(clip_scale) OP(quant_scale) OP(quant_i8) OP(dequant_i8) \
	OP(dot_i8) OP(dist2_i8) OP(dist2_f32) OP(sort_pairs) OP(merge_pairs) OP(topk) OP(bench_fill) OP(bench_mix)
// Those that have a kernel of their own on a card, in tile.h.
#define TILED(OP) OP(red_sum) OP(red_sumsq) OP(red_max) OP(gemm_nt) OP(gemm_i8)

#endif
