/* SPDX-License-Identifier: Apache-2.0
 *
 * Reference text of fx/1 in C, on the machine's own fmaf. It prints result
 * bits, 4 bytes each in the machine's order, for the tests to compare.
 *
 *   fx fma SEED COUNT     COUNT triples of the generator below
 *   fx NAME START COUNT STEP   inputs START, START+STEP, ... mod 2^32
 *   fx NAME START COUNT STEP BLOCK   one digest, 8 bytes, of each BLOCK results
 *
 *   fx dexp|dlog SEED COUNT    COUNT results of fx/1d, 8 bytes each
 *
 * NAME is exp, log, tanh, sigmoid, silu, rsqrt, sqrt, fromint (an int32 to
 * binary32), rni (|x| < 2^22 to int32) or f16 (16 bits to binary32).
 *
 * Build: cc -O2 -std=c11 -ffp-contract=off -march=native fx.c -lm
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float f(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }
static uint32_t bits(float x) { uint32_t u; memcpy(&u, &x, 4); return x != x ? 0x7fc00000u : u; }

static uint64_t state;
static uint64_t next(void) {
	uint64_t z = (state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* triple i: random, near cancellation, far apart, short mantissas (exact ties
 * and subnormal results), a product on a midpoint with an addend far below the
 * bits of binary64, and an addend on a binary32 with a product just less than
 * half a unit of it. The last two need the round to odd. */
static void triple(uint64_t i, uint32_t *x, uint32_t *y, uint32_t *z) {
	uint64_t u = next(), v = next();
	uint32_t a = (uint32_t)u, b = (uint32_t)(u >> 32), c = (uint32_t)v, d = (uint32_t)(v >> 32);
	uint32_t e = d % 81 - 40; /* an exponent, modulo 2^32 */
	switch (i % 6) {
	case 0:
		*x = a, *y = b, *z = c;
		break;
	case 1:
		*x = a, *y = b, *z = (bits(f(a) * f(b)) ^ 0x80000000u) + (c & 7) - 3;
		break;
	case 2:
		*x = a, *y = b, *z = bits(f(a) * f(b)) + (c % 60 - 30) * 0x800000u;
		break;
	case 3:
		*x = a & 0xfffff000u, *y = b & 0xfff00000u;
		if (d & 1) {
			*z = c & 0x80ffffffu;
			*y = 0x3f000000u - (*x & 0x7f800000u) + ((d >> 18) << 9);
		} else {
			*z = bits(f(*x) * f(*y)) + (c % 60 - 30) * 0x800000u + (d >> 30);
		}
		break;
	case 4:
		*x = bits((float)((a & 0x3fffffu) | 0x400001u)) + e * 0x800000u;
		*y = bits((float)((b & 3) + 3)) ^ (b & 0x80000000u);
		*z = (c & 0x807fffffu) | (127 + e - 29 - d % 30) << 23;
		break;
	default:
		a = (a & 7) + 1;
		*x = (0x3f800000u + a) ^ (b & 0x80000000u), *y = 0x3f800000u - 2 * a;
		*z = (c & 0x807fffffu) | (127 + e) << 23;
		if (b & 1) {
			*z &= 0x807fffffu, *x -= 75 * 0x800000u, *y -= 75 * 0x800000u;
		} else {
			*y += (e - 24) * 0x800000u;
		}
	}
}

static float fx_exp(float x) {
	if (x != x) return f(0x7fc00000);
	if (x > f(0x42b17218)) return f(0x7f800000);
	if (x < f(0xc2cff1b5)) return 0;
	float n = fmaf(x, f(0x3fb8aa3b), f(0x4b400000)) - f(0x4b400000);
	float r = fmaf(n, -f(0x35bfbe8e), fmaf(n, -f(0x3f317200), x));
	static const uint32_t c[] = {0x3ab743cf, 0x3c088906, 0x3d2aa98c, 0x3e2aaac1, 0x3f000000};
	float p = f(0x39506928);
	for (int k = 0; k < 5; k++) p = fmaf(p, r, f(c[k]));
	p = fmaf(p, r * r, r) + 1;
	int i = (int)n, h = i >> 1;
	return (p * f((uint32_t)(h + 127) << 23)) * f((uint32_t)(i - h + 127) << 23);
}

static float fx_log(float x) {
	if (x != x || x < 0) return f(0x7fc00000);
	if (x == 0) return f(0xff800000);
	if (x == f(0x7f800000)) return x;
	int e = 0;
	float m = frexpf(x, &e); /* exact, subnormals too */
	if (m < f(0x3f3504f3)) e--, m = m + m;
	m = m - 1;
	float z = m * m, p = f(0x3d9021bb);
	static const uint32_t c[] = {0xbdebd1b8, 0x3def251a, 0xbdfe5d4f, 0x3e11e9bf, 0xbe2aae50, 0x3e4cceac, 0xbe7ffffc, 0x3eaaaaaa};
	for (int k = 0; k < 8; k++) p = fmaf(p, m, f(c[k]));
	float y = fmaf((float)e, f(0xb95e8083), (p * m) * z);
	y = fmaf(-0.5f, z, y);
	return fmaf((float)e, f(0x3f318000), m + y);
}

static float fx_tanh(float x) {
	if (x != x) return f(0x7fc00000);
	float a = fabsf(x), y;
	if (a >= f(0x41104000)) y = 1;
	else if (a >= f(0x3f200000)) y = 1 - 2 / (fx_exp(a + a) + 1);
	else {
		float z = a * a, p = f(0xbbbaf0ea);
		static const uint32_t c[] = {0x3ca9134e, 0xbd5c1e2d, 0x3e088393, 0xbeaaaa99};
		for (int k = 0; k < 4; k++) p = fmaf(p, z, f(c[k]));
		y = fmaf(p * z, a, a);
	}
	return copysignf(y, x);
}

static float fx_sigmoid(float x) { return x < f(0xc2800000) ? fx_exp(x) : 1 / (1 + fx_exp(-x)); }

static float fx_silu(float x) { return x * fx_sigmoid(x); }

static float fx_rsqrt(float x) { return 1 / sqrtf(x); }

static float fx_sqrt(float x) { return sqrtf(x); }

static float fx_fromint(float x) {
	int32_t i;
	memcpy(&i, &x, 4);
	return (float)i;
}

static float fx_rni(float x) {
	uint32_t i = fabsf(x) < 4194304 ? (uint32_t)(int32_t)rintf(x) : 0;
	return f(i & 0x7fffff); /* the low bits: no pattern here is a NaN */
}

static float fx_f16(float x) {
	uint16_t h = (uint16_t)bits(x);
	int e = h >> 10 & 31, m = h & 1023;
	float y = e == 31 ? (m ? f(0x7fc00000) : f(0x7f800000)) : e ? ldexpf(m + 1024, e - 25) : ldexpf(m, -24);
	return h >> 15 ? -y : y;
}

static double g(uint64_t u) { double x; memcpy(&x, &u, 8); return x; }

/* fx/1d with coefficients as quotients, which the compiler rounds. */
static double fx_dexp(double x) {
	if (x != x) return g(0x7ff8000000000000u);
	if (x > 709.782712893384) return INFINITY;
	if (x < -745.1332191019412) return 0;
	double n = fma(x, 0x1.71547652b82fep0, 0x1.8p52) - 0x1.8p52;
	double r = fma(n, -0x1.a39ef35793c76p-33, fma(n, -0x1.62e42fee0p-1, x));
	double p = 1.0 / 6227020800.0, k = 13, c = 6227020800.0;
	for (; k > 2; k--) c /= k, p = fma(p, r, 1.0 / c);
	p = fma(p, r * r, r) + 1;
	int i = (int)n, h = i >> 1;
	return ldexp(1, i - h) * (ldexp(1, h) * p);
}

static double fx_dlog(double x) {
	if (x != x || x < 0) return g(0x7ff8000000000000u);
	if (x == 0) return -INFINITY;
	if (isinf(x)) return x;
	int e;
	double m = frexp(x, &e);
	if (m < 0x1.6a09e667f3bcdp-1) e--, m += m;
	double f = m - 1, s = f / (2 + f), z = s * s, p = 2.0 / 23;
	for (int k = 21; k >= 3; k -= 2) p = fma(p, z, 2.0 / k);
	double half = 0.5 * (f * f), rest = p * z, y = s * (half + rest);
	return fma(e, 0x1.62e42fee0p-1, f - (half - fma(e, 0x1.a39ef35793c76p-33, y)));
}

static const struct {
	const char *name;
	float (*fn)(float);
} table[] = {
	{"exp", fx_exp}, {"log", fx_log}, {"tanh", fx_tanh}, {"sigmoid", fx_sigmoid}, {"silu", fx_silu},
	{"rsqrt", fx_rsqrt}, {"sqrt", fx_sqrt}, {"fromint", fx_fromint}, {"rni", fx_rni}, {"f16", fx_f16},
};

static void put(uint32_t u) { fwrite(&u, 4, 1, stdout); }

int main(int argc, char **argv) {
	if (argc < 4) return 2;
	uint64_t from = strtoull(argv[2], 0, 10), n = strtoull(argv[3], 0, 10);
	uint64_t step = argc > 4 ? strtoull(argv[4], 0, 10) : 1, block = argc > 5 ? strtoull(argv[5], 0, 10) : 0;
	if (!strcmp(argv[1], "fma")) {
		uint64_t h = 0;
		state = from;
		block = argc > 4 ? strtoull(argv[4], 0, 10) : 0;
		for (uint64_t i = 0; i < n; i++) {
			uint32_t x, y, z;
			triple(i, &x, &y, &z);
			uint32_t u = bits(fmaf(f(x), f(y), f(z)));
			if (!block) put(u);
			else if (h = (h ^ u) * 0x100000001b3u, (i + 1) % block == 0) fwrite(&h, 8, 1, stdout), h = 0;
		}
		return 0;
	}
	if (!strcmp(argv[1], "dexp") || !strcmp(argv[1], "dlog")) {
		state = from;
		for (uint64_t i = 0; i < n; i++) {
			uint64_t u = next();
			double y = argv[1][1] == 'l' ? fx_dlog(g(u)) : fx_dexp(g((u & 0x800fffffffffffffu) | (983 + (u >> 52) % 51) << 52));
			if (y != y) y = g(0x7ff8000000000000u);
			fwrite(&y, 8, 1, stdout);
		}
		return 0;
	}
	for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
		if (strcmp(argv[1], table[t].name)) continue;
		uint64_t h = 0;
		for (uint64_t i = 0; i < n; i++) {
			uint32_t u = bits(table[t].fn(f((uint32_t)(from + i * step))));
			if (!block) put(u);
			else if (h = (h ^ u) * 0x100000001b3u, (i + 1) % block == 0) fwrite(&h, 8, 1, stdout), h = 0;
		}
		return 0;
	}
	return 2;
}
