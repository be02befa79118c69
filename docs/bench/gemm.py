#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fx/1 matrix product beside OpenBLAS (through numpy), interleaved, same threads.

Not part of the gate. Run it alone on the machine:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy==2.4.6
    go test -c -o /tmp/kern.test ./gpu/cpu/kern
    /tmp/venv/bin/python docs/bench/gemm.py /tmp/kern.test

Each line: the median of PAIRS pairs of runs of about half a second each, fx/1 then
OpenBLAS, and the ratio of the medians. OpenBLAS may reorder its sums; fx/1 may not.
"""
import os, re, statistics, subprocess, sys

PAIRS, N = 5, 1024

OPPONENT = f"""
import numpy as np, time
a = np.random.rand({N},{N}).astype('f4'); b = np.random.rand({N},{N}).astype('f4'); c = np.empty(({N},{N}), 'f4')
for _ in range(5): np.dot(a, b.T, out=c)
t, n = time.perf_counter(), 0
while time.perf_counter()-t < 0.4: np.dot(a, b.T, out=c); n += 1
print(2*{N}**3*n/(time.perf_counter()-t)/1e9)
"""


def ours(binary, path, threads):
    out = subprocess.run([binary, "-test.run=^$", "-test.benchtime=0.4s",
                          f"-test.bench=^BenchmarkGemm$/^{N}x{N}x{N}$/^{path}$/^threads={threads}$"],
                         capture_output=True, text=True, check=True).stdout
    return float(re.search(r"([\d.]+) GFLOP/s", out)[1]), float(re.search(r"([\d.]+) of_peak", out)[1])


def theirs(core, threads):
    env = dict(os.environ, OPENBLAS_NUM_THREADS=str(threads))
    if core:
        env["OPENBLAS_CORETYPE"] = core
    return float(subprocess.run([sys.executable, "-c", OPPONENT], env=env, capture_output=True, text=True, check=True).stdout)


def main(binary):
    import numpy
    print("numpy", numpy.__version__, "load", os.getloadavg()[0])
    print("| path | threads | fx/1 GFLOP/s | of FMA peak | OpenBLAS GFLOP/s | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for path, core in (("avx512", ""), ("avx2", "Haswell")):
        for threads in sorted({1, os.cpu_count()}):
            runs = [(ours(binary, path, threads), theirs(core, threads)) for _ in range(PAIRS)]
            us, peak = (statistics.median(r[0][i] for r in runs) for i in (0, 1))
            them = statistics.median(r[1] for r in runs)
            print(f"| {path} | {threads} | {us:.1f} | {peak:.2f} | {them:.1f} | {us/them:.2f} |", flush=True)


main(sys.argv[1])
