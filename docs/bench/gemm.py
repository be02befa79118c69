# SPDX-License-Identifier: Apache-2.0
"""A product of 1,024³ in OpenBLAS, through numpy: the peer of `go test ./gpu/cpu/kern -run '^$' -bench 'Gemm$/^1024'`.
Prints GFLOP/s of half a second. OPENBLAS_NUM_THREADS and OPENBLAS_CORETYPE (Haswell: AVX2 only) choose how. OpenBLAS may
reorder its sums; fx/1 may not.
"""
import time

import numpy as np

N = 1024
a, b, c = (np.random.rand(N, N).astype("f4") for _ in range(3))
for _ in range(5):
    np.dot(a, b.T, out=c)
start, n = time.perf_counter(), 0
while time.perf_counter() - start < 0.5:
    np.dot(a, b.T, out=c)
    n += 1
print(2 * N**3 * n / (time.perf_counter() - start) / 1e9)
