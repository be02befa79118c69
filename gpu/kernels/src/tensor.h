// SPDX-License-Identifier: Apache-2.0
//
// Quantised GEMM on the integer tensor cores of compute capability 8.0 and above:
// 64 × 64 outputs per block of 4 warps, 32 × 32 per warp. Only for g and k that are
// multiples of 32; tile.h has the rest. Products of codes and their sums in
// int32 are exact, so what the core adds first is free (FX-07).

#include "kernel.h"

enum { EDGE = 64, STEP = 32, ROW = STEP / 4 + 4 }; // a row of 32 codes in words, spread over the banks

KERNEL(gemm_i8_tensor, 128) {
	ARGS;
	__shared__ u32 as[EDGE][ROW], bs[EDGE][ROW];
	u64 m = a0, n = a1, k = a2, g = a3, groups = k / g + (k % g != 0), tn = ceil_div(n, EDGE);
	u32 me = thread(), warp = me / 32, lane = me % 32, quad = lane / 4, pos = lane % 4;
	u32 wm = warp / 2 * 32, wn = warp % 2 * 32;
	for (u64 t = first + blockx(); t < first + count; t += blocks()) {
		u64 m0 = t / tn * EDGE, n0 = t % tn * EDGE;
		if (((u64)x0 | (u64)x2) % 4) {
			by_element(a, x, y, m0, n0, EDGE);
			continue;
		}
		float acc[2][4][4];
		i32 dot[2][4][4];
		EACH(i, 2)
			EACH(j, 4)
				EACH(e, 4) {
					acc[i][j][e] = 0.0f;
					dot[i][j][e] = 0;
				}
		for (u64 k0 = 0; k0 < k; k0 += STEP) {
			for (u32 e = me; e < EDGE * 8; e += 128) {
				u64 r = e / 8, w = k0 / 4 + e % 8;
				as[r][e % 8] = m0 + r < m ? ((const u32 *)x0)[(m0 + r) * (k / 4) + w] : 0;
				bs[r][e % 8] = n0 + r < n ? ((const u32 *)x2)[(n0 + r) * (k / 4) + w] : 0;
			}
			barrier();
			u32 p[2][4], q[4][2];
			EACH(i, 2)
				EACH(e, 4) p[i][e] = as[wm + i * 16 + quad + e % 2 * 8][pos + e / 2 * 4];
			EACH(j, 4)
				EACH(e, 2) q[j][e] = bs[wn + j * 8 + quad][pos + e * 4];
			EACH(i, 2)
				EACH(j, 4) mma(dot[i][j], p[i], q[j]);
			barrier();
			if ((k0 + STEP) % g && k0 + STEP < k) continue;
			u64 s = k0 / g; // the group that ends here
			EACH(i, 2)
				EACH(j, 4)
					EACH(e, 4) {
						u64 r = m0 + wm + i * 16 + quad + e / 2 * 8, c = n0 + wn + j * 8 + pos * 2 + e % 2;
						if (r < m && c < n) acc[i][j][e] = FMA((float)dot[i][j][e], LF(1, r * groups + s) * LF(3, c * groups + s), acc[i][j][e]);
						dot[i][j][e] = 0;
					}
		}
		EACH(i, 2)
			EACH(j, 4)
				EACH(e, 4) {
					u64 r = m0 + wm + i * 16 + quad + e / 2 * 8, c = n0 + wn + j * 8 + pos * 2 + e % 2;
					if (r < m && c < n) SF(r * n + c, acc[i][j][e]);
				}
	}
}
