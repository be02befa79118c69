#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tensor engine against the limits of the machine, and beside other programs (PERF-01).

    make bench                                  no peers: of the multiply-add peak, of reading memory, of one product, same run
    make bench-peers PEERS="openblas torch llama.cpp" PYTHON=venv/bin/python3
    python3 docs/bench/peers.py --peers torch --threads 1 --pairs 5

Each pair is our program, then the peer, same threads, each in a process of its own; printed are the medians and the median of
the pairs' ratios with the smallest and the largest. Run it alone on the machine; the load is printed. A peer that is not
installed is left out, with the command that installs it.
"""
import argparse, importlib.metadata, json, os, re, statistics, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.path.join(ROOT, "bin", "bench")  # what is built and written here
PEERS = {  # name: package, version, how to install it
    "openblas": ("numpy", "2.4.6", "pip install numpy==2.4.6"),
    "torch": ("torch", "2.15.0", "pip install torch==2.15.0 numpy==2.4.6"),
    "llama.cpp": ("llama-cpp-python", "0.3.36", "CMAKE_ARGS=-DGGML_NATIVE=ON pip install llama-cpp-python==0.3.36 gguf==0.19.0"),
}
NOTES, FUSED, ONLY = [], [], [""]


def sh(*command, threads=None, folder=".", **env):
    """Runs a command with so many threads, in a folder of the tree, and returns what it prints."""
    if threads:
        env |= {k: str(threads) for k in ("GOMAXPROCS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    r = subprocess.run(command, cwd=os.path.join(ROOT, folder), env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if r.returncode:
        sys.exit(f"{' '.join(command)[:200]}\n{r.stdout[-2000:]}{r.stderr[-2000:]}")
    return r.stdout


def bench(package, name, threads, time="1s"):
    """Runs one benchmark of a package and returns its metrics by unit; None if this processor has no such path."""
    out = sh(os.path.join(BIN, package.replace("/", "-")), "-test.run=^$", "-test.bench=" + name, "-test.benchtime=" + time, threads=threads, folder=package)
    rows = re.findall(r"^Benchmark\S+\s+\d+\s+(.*)$", out, re.M)
    if len(rows) > 1:
        sys.exit(f"{package}: {len(rows)} benchmarks match {name}\n{out}")
    return rows and {unit: float(value) for value, unit in re.findall(r"([\d.]+) (\S+)", rows[0])}


def build(*packages):
    os.makedirs(BIN, exist_ok=True)
    for p in packages:
        at = os.path.join(BIN, p.replace("/", "-"))
        sh("go", *(("build",) if p.startswith("cmd/") else ("test", "-c")), "-o", at, "./" + p, CGO_ENABLED="0")


def paths():
    """The vector paths of this processor, best first."""
    out = sh(os.path.join(BIN, "gpu-cpu-kern"), "-test.run=^$", "-test.bench=^BenchmarkRed$/^max$", "-test.benchtime=1x", folder="gpu/cpu/kern")
    return [p for p in ("avx512", "avx2") if "max/" + p in out]


def row(what, threads, figure, against, ratio, target=None, spread=""):
    verdict = "" if target is None else f"≥ {target} {'met' if ratio >= target else '**missed**'}"
    print(f"| {what} | {threads} | {figure} | {against} | {ratio:.2f}{spread} | {verdict} |", flush=True)


def head():
    print(f"load {os.getloadavg()[0]:.2f}\n\n| what | threads | figure | against | ratio | target |\n| --- | ---: | ---: | --- | ---: | --- |", flush=True)


# --- alone: what the machine allows, measured in the same run


def alone(threads):
    build("gpu/cpu/kern", "gpu/tune", "gpu/lm")
    head()
    for t in threads:
        for path in paths():
            m = bench("gpu/cpu/kern", f"^BenchmarkGemm$/^1024x1024x1024$/^{path}$/^threads={t}$", 0)
            row(f"fx/1 product of 1,024³, {path}", t, f"{m['GFLOP/s']:.0f} GFLOP/s", "multiply-adds on registers", m["of_peak"], 0.75 if path == "avx512" else None)
        read = bench("gpu/cpu/kern", f"^BenchmarkRead$/^threads={t}$", 0)["GB/s"]
        for name, what in ("Gemm", "fx/1"), ("GemmI8", "fx/int8"):
            m = bench("gpu/cpu/kern", f"^Benchmark{name}$/^1x4096x4096$/^{(paths() or ['none'])[0]}$/^threads={t}$", 0)
            if m:
                row(f"{what} product 1×4,096×4,096", t, f"{m['GB/s_of_B']:.1f} GB/s", f"reading memory, {read:.1f} GB/s", m["GB/s_of_B"] / read)
        m = bench("gpu/tune", "^BenchmarkStep$", t, "6x")
        row("training step, 9.2 M weights", t, f"{m['tokens/s']:.0f} tokens/s", "a product of 1,024³", m["of_gemm"])
        for name, what, target in ("fx1", "fx/1", 0.8), ("int8", "fx/int8", 0.7):
            m = bench("gpu/lm", f"^BenchmarkDecode$/^{name}$", t)
            row(f"decoding, 97 M weights, {what}", t, f"{m['tokens/s']:.1f} tokens/s", f"reading the weights at {m['GB/s']:.1f} GB/s", m["of_bandwidth"], target)


# --- beside others


def beside(what, unit, threads, pairs, ours, theirs, peer, target=None):
    """One row: pairs of rates, ours first."""
    if not re.search(ONLY[0], what):
        return False
    runs = [(ours(), theirs()) for _ in range(pairs)]
    ratios = sorted(o / t for o, t in runs)
    us, them = (statistics.median(r[i] for r in runs) for i in (0, 1))
    row(what, threads, f"{us:.1f} {unit}", f"{peer} {them:.1f}", statistics.median(ratios), target, f" ({ratios[0]:.2f}–{ratios[-1]:.2f})")
    return True


def openblas(threads, pairs):
    build("gpu/cpu/kern")
    for t in threads:
        for path in paths():
            core = {"OPENBLAS_CORETYPE": "Haswell"} if path == "avx2" else {}
            beside(f"fx/1 product of 1,024³, {path}", "GFLOP/s", t, pairs,
                   lambda: bench("gpu/cpu/kern", f"^BenchmarkGemm$/^1024x1024x1024$/^{path}$/^threads={t}$", 0, "0.5s")["GFLOP/s"],
                   lambda: float(sh(sys.executable, HERE + "/gemm.py", threads=t, **core)), "OpenBLAS", 0.95 if path == "avx512" else 0.85)


def torch(threads, pairs):
    build("gpu/tune", "gpu/train")
    for t in threads:
        beside("training step, 9.2 M weights", "steps/s", t, pairs,
               lambda: bench("gpu/tune", "^BenchmarkStep$", t, "6x")["tokens/s"] / 512,
               lambda: 1e3 / float(re.search(r"median ([\d.]+) ms", sh(sys.executable, HERE + "/step.py", "--threads", str(t), *FUSED, threads=t))[1]), "PyTorch", 0.8)
        for name, hidden, target in ("mlp", 32, 3), ("wide", 1024, None):
            beside(f"training, 64 → {hidden:,} → 10", "rows/ms", t, pairs,
                   lambda: 1e6 / bench("gpu/train", f"^BenchmarkRun$/^{name}$/^plain=false$", t, "3x")["ns/row"],
                   lambda: 1e6 / float(sh(sys.executable, HERE + "/mlp.py", str(t), str(hidden), *FUSED, threads=t)), "PyTorch", target)


def llama(threads, pairs):
    build("cmd/openledger")
    if not os.path.exists(BIN + "/decode/q8_0.gguf"):
        sh(sys.executable, HERE + "/decode.py", "make", BIN + "/decode")
    from decode import PROMPT
    most, said = 64, {}

    def generate(t, *flags):
        out = json.loads(sh(BIN + "/cmd-openledger", "generate", "--model", BIN + "/decode/model", "--prompt", "".join(f"<{i}>" for i in PROMPT),
                            "--device", "cpu", "--max-tokens", str(most), "--context", "512", "--output", "json", *flags, threads=t))
        said["ours"] = out["tokens"]
        return out["tokens_per_second"]

    def peer(t, file):
        out = json.loads(sh(sys.executable, HERE + "/decode.py", "run", f"{BIN}/decode/{file}.gguf", str(t), str(most), threads=t))
        said["theirs"] = out["tokens"]
        return out["tokens_per_second"]

    for t in threads:
        for what, flags, file, target in ("fx/1", (), "f32", 0.8), ("fx/int8", ("--int8",), "q8_0", 0.7):
            ran = beside(f"decoding, 97 M weights, {what}", "tokens/s", t, pairs, lambda: generate(t, *flags), lambda: peer(t, file), "llama.cpp " + file.upper(), target)
            if ran and file == "f32":  # the same model, then
                same = next((i for i, (o, p) in enumerate(zip(said["ours"], said["theirs"])) if o != p), most)
                NOTES.append(f"fx/1 and llama.cpp F32, {t} threads: the first {same} of {most} greedy tokens are equal")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--peers", nargs="*", default=[], metavar="PEER", help=f"any of: {' '.join(PEERS)}; none: the machine's own limits")
    p.add_argument("--threads", nargs="*", type=int, default=sorted({1, os.cpu_count()}))
    p.add_argument("--pairs", type=int, default=5)
    p.add_argument("--only", default="", metavar="REGEXP", help="the rows beside peers whose first column matches")
    p.add_argument("--fused", action="store_true", help="PyTorch with its fused optimizers, which are not its default")
    a = p.parse_args()
    FUSED.extend(["--fused"] * a.fused)
    ONLY[0] = a.only
    if not a.peers:
        return alone(a.threads)
    found = {}
    for name in a.peers:
        if name not in PEERS:
            p.error(f"no peer {name!r}: use {', '.join(PEERS)}")
        package, version, install = PEERS[name]
        try:
            found[name] = importlib.metadata.version(package)
            print(f"{name}: {package} {found[name]}" + ("" if found[name].startswith(version) else f", where {version} is what the report has: {install}"))
        except importlib.metadata.PackageNotFoundError:
            print(f"{name}: not installed for {sys.executable}, left out. In a venv: {install}")
    if not found:
        sys.exit(1)
    head()
    for name in found:
        {"openblas": openblas, "torch": torch, "llama.cpp": llama}[name](a.threads, a.pairs)
    print("", *NOTES, f"load {os.getloadavg()[0]:.2f}", sep="\n")


if __name__ == "__main__":
    main()
