// SPDX-License-Identifier: Apache-2.0
//
// The arithmetic fx/1 in C: one text for the card, for the stand-in driver and for
// the tests. FX-01 … FX-07; internal/fx is the definition.

#ifndef OL_FX_H
#define OL_FX_H

typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;
typedef long long i64;

#ifdef __CUDA__
#include "prelude.h"
#define FN __device__ static inline __attribute__((always_inline))
#define FMA(x, y, z) __nvvm_fma_rn_f(x, y, z)
#define SQRT(x) __nvvm_sqrt_rn_f(x)
#else
#define FN static inline
#define FMA(x, y, z) __builtin_fmaf(x, y, z)
#define SQRT(x) __builtin_sqrtf(x)
#endif

FN float fbits(u32 b) { float x; __builtin_memcpy(&x, &b, 4); return x; }
FN u32 ubits(float x) { u32 b; __builtin_memcpy(&b, &x, 4); return b; }
FN float canon(float x) { return x != x ? fbits(0x7fc00000u) : x; }
FN float fx_abs(float x) { return fbits(ubits(x) & 0x7fffffffu); }
FN float fx_neg(float x) { return fbits(ubits(x) ^ 0x80000000u); }
FN int finite(float x) { return (ubits(x) & 0x7f800000u) != 0x7f800000u; }

FN float fx_max(float x, float y) { return x != x || y != y ? fbits(0x7fc00000u) : y > x ? y : x; }
FN float fx_min(float x, float y) { return x != x || y != y ? fbits(0x7fc00000u) : y < x ? y : x; }

// Half to even, for |x| < 2²².
FN i32 rni(float x) { return (i32)(ubits(x + fbits(0x4b400000u)) - 0x4b400000u); }

FN float fx_exp(float x) {
	if (x != x) return fbits(0x7fc00000u);
	if (x > fbits(0x42b17218u)) return fbits(0x7f800000u);
	if (x < fbits(0xc2cff1b5u)) return 0.0f;
	float t = FMA(x, fbits(0x3fb8aa3bu), fbits(0x4b400000u));
	float n = t - fbits(0x4b400000u);
	float r = FMA(n, fbits(0xbf317200u), x);
	r = FMA(n, fbits(0xb5bfbe8eu), r);
	float p = FMA(fbits(0x39506928u), r, fbits(0x3ab743cfu));
	p = FMA(p, r, fbits(0x3c088906u));
	p = FMA(p, r, fbits(0x3d2aa98cu));
	p = FMA(p, r, fbits(0x3e2aaac1u));
	p = FMA(p, r, fbits(0x3f000000u));
	p = FMA(p, r * r, r);
	p = p + 1.0f;
	i32 i = (i32)n, h = i >> 1;
	return (p * fbits((u32)(h + 127) << 23)) * fbits((u32)(i - h + 127) << 23);
}

FN float fx_log(float x) {
	if (x != x || x < 0.0f) return fbits(0x7fc00000u);
	if (x == 0.0f) return fbits(0xff800000u);
	if (x == fbits(0x7f800000u)) return x;
	i32 e = 0;
	if (ubits(x) < 0x00800000u) {
		x = x * fbits(0x4b800000u);
		e = -24;
	}
	u32 b = ubits(x);
	e += (i32)(b >> 23) - 126;
	float m = fbits((b & 0x007fffffu) | 0x3f000000u);
	if (m < fbits(0x3f3504f3u)) {
		e--;
		m = m + m;
	}
	m = m - 1.0f;
	float z = m * m;
	float p = FMA(fbits(0x3d9021bbu), m, fbits(0xbdebd1b8u));
	p = FMA(p, m, fbits(0x3def251au));
	p = FMA(p, m, fbits(0xbdfe5d4fu));
	p = FMA(p, m, fbits(0x3e11e9bfu));
	p = FMA(p, m, fbits(0xbe2aae50u));
	p = FMA(p, m, fbits(0x3e4cceacu));
	p = FMA(p, m, fbits(0xbe7ffffcu));
	p = FMA(p, m, fbits(0x3eaaaaaau));
	float y = (p * m) * z;
	y = FMA((float)e, fbits(0xb95e8083u), y);
	y = FMA(fbits(0xbf000000u), z, y);
	return FMA((float)e, fbits(0x3f318000u), m + y);
}

FN float fx_tanh(float x) {
	if (x != x) return fbits(0x7fc00000u);
	float a = fx_abs(x), y;
	if (a >= fbits(0x41104000u)) y = 1.0f;
	else if (a >= fbits(0x3f200000u)) y = 1.0f - 2.0f / (fx_exp(a + a) + 1.0f);
	else {
		float z = a * a;
		float p = FMA(fbits(0xbbbaf0eau), z, fbits(0x3ca9134eu));
		p = FMA(p, z, fbits(0xbd5c1e2du));
		p = FMA(p, z, fbits(0x3e088393u));
		p = FMA(p, z, fbits(0xbeaaaa99u));
		y = FMA(p * z, a, a);
	}
	return fbits(ubits(y) | (ubits(x) & 0x80000000u));
}

FN float fx_sigmoid(float x) {
	if (x < fbits(0xc2800000u)) return fx_exp(x);
	return 1.0f / (1.0f + fx_exp(-x));
}
FN float fx_silu(float x) { return x * fx_sigmoid(x); }
FN float fx_silu_bwd(float x, float g) {
	float s = fx_sigmoid(x);
	return (s * FMA(x, 1.0f - s, 1.0f)) * g;
}

// Philox4x32-10 (FX-06).
typedef struct { u32 w[4]; } block;

FN block philox(u64 key, u32 c0, u32 c1, u32 c2, u32 c3) {
	u32 k0 = (u32)key, k1 = (u32)(key >> 32);
	for (int r = 0; r < 10; r++) {
		u64 p = (u64)0xd2511f53u * c0, q = (u64)0xcd9e8d57u * c2;
		c0 = (u32)(q >> 32) ^ c1 ^ k0;
		c2 = (u32)(p >> 32) ^ c3 ^ k1;
		c1 = (u32)q;
		c3 = (u32)p;
		k0 += 0x9e3779b9u;
		k1 += 0xbb67ae85u;
	}
	block b = {{c0, c1, c2, c3}};
	return b;
}

FN float u01(u32 w) { return (float)(i32)(w >> 8) * fbits(0x33800000u); }

// Element x of the permutation of 0 … n−1 with seed and epoch e (FX-06).
FN u64 perm(u64 seed, u32 e, u64 n, u64 x) {
	int w = 0;
	while ((n - 1) >> w) w++;
	w = (w + 1) / 2;
	u64 mask = ((u64)1 << w) - 1;
	x %= n;
	do {
		u64 l = x >> w, r = x & mask;
		for (u32 j = 0; j < 8; j++) {
			u64 next = l ^ (philox(seed, (u32)r, j, e, 2).w[0] & mask);
			l = r;
			r = next;
		}
		x = l << w | r;
	} while (x >= n);
	return x;
}

// Scale of a group with greatest absolute value m, and the factor of its codes,
// which is 0 if they are all 0 (FX-07).
FN float quant_scale(float m, float *factor) {
	*factor = 0.0f;
	if (!finite(m)) return fbits(0x7fc00000u);
	if (m < fbits(0x0d800000u)) return 0.0f;
	*factor = 127.0f / m;
	return m / 127.0f;
}

#endif
