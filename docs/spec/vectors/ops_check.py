#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recompute ops.json: every operation of OP-02 with exact fractions.

Written from the table in docs/spec/compute.md and the comments of the constants,
one function per operation on whole tensors (the program computes single
elements). Standard library and fx_check.py only.
"""
import json
import sys
from fractions import Fraction

from fx_check import (NAN, NINF, ONE, NZERO, add, argmax, div, exp, fma, fmax, is_nan, less, log, mul, neg, normal, perm, philox, halves,
                      red, rnd, sigmoid, silu, sqrt, sub, tanh, u01, val, word)

F32, I32, I8, F16, BF16 = 1, 2, 3, 4, 5
LINE = 4096


def canon(u):
    return NAN if is_nan(u) else u


def i32(u):
    return u - 2**32 if u >> 31 else u


def u32(i):
    return i % 2**32


def moved(t, u):
    return canon(u) if t == F32 else u


def integer(i):
    return rnd(Fraction(i))


def rsqrt(x):
    return div(ONE, sqrt(x))


def chunks(x, n):
    return [x[i : i + n] for i in range(0, len(x), n)]


def spread(rows, cols, mode, x):
    return [x[[r * cols + c, r, c, 0][mode]] for r in range(rows) for c in range(cols)]


def mixed(f):
    def op(a, *x):
        rows, cols = a[0], a[1]
        return [f(*v) for v in zip(*(spread(rows, cols, m, t) for m, t in zip(a[2:], x)))]
    return op


def each(f):
    return lambda a, *x: [f(*v) for v in zip(*x)]


def select(c, a, b):
    return canon(a) if less(0, c) else canon(b)


def relu(x):
    return canon(x) if is_nan(x) or less(0, x) else 0


def relu_bwd(x, g):
    return canon(g) if less(0, x) else 0


def silu_bwd(x, g):
    s = sigmoid(x)
    return mul(mul(s, fma(x, sub(ONE, s), ONE)), g)


def view(a, x):
    t, rows, n, first, width = a
    return [moved(t, u) for row in chunks(x, n) for u in row[first : first + width]]


def concat(a, x, y):
    t, rows, m, n = a
    return [moved(t, u) for p, q in zip(chunks(x, m), chunks(y, n)) for u in p + q]


def transpose(a, x):
    t, batch, rows, cols, inner = a
    out = []
    for block in chunks(x, rows * cols * inner):
        for c in range(cols):
            for r in range(rows):
                at = (r * cols + c) * inner
                out += [moved(t, u) for u in block[at : at + inner]]
    return out


def gather(a, x, idx):
    t, n, rows, cols = a
    table = chunks(x, cols)
    return [moved(t, u) for i in idx for u in (table[i32(i)] if 0 <= i32(i) < rows else [0] * cols)]


def pick(a, x, idx):
    t, rows, cols, n = a
    return [moved(t, row[i32(i)]) if 0 <= i32(i) < cols else 0 for row, p in zip(chunks(x, cols), chunks(idx, n)) for i in p]


def fill(a):
    t, n, bits = a
    return [{F32: canon(bits), I32: bits, I8: u32((bits + 128) % 256 - 128)}[t]] * n


def perm_rows(a, step):
    n, records, seed = a
    return [perm(seed, (step[0] * n + r) // records % 2**32, records, (step[0] * n + r) % records) for r in range(n)]


def cast(a, x):
    def one(u):
        if a[0] == I32:
            return integer(i32(u))
        if a[0] == BF16:
            return canon(u << 16)
        s, e, m = (u >> 15) << 31, u >> 10 & 31, u & 1023
        if e == 31:
            return NAN if m else s | 0x7F800000
        v = Fraction(m + (1024 if e else 0)) * Fraction(2) ** (max(e, 1) - 25)
        return s | rnd(v)
    return [one(u) for u in x]


def limit(lim, batch, heads, rows, cols):
    """How many columns count in each row of each batch."""
    if not heads:
        return [cols] * (batch * rows)
    return [min(max(i32(lim[b // heads * rows + r]), 0), cols) for b in range(batch) for r in range(rows)]


def reduction(absent, step, join):
    def op(a, x, lim=None):
        batch, rows, cols, heads = a
        out = []
        for row, n in zip(chunks(x, cols), limit(lim, batch, heads, rows, cols)):
            for first in range(0, cols, LINE):
                out.append(red(row[first : max(first, min(first + LINE, n))], absent, step, join))
        return out
    return op


def op_argmax(a, x, blk=None):
    rows, cols, block = a
    out = []
    for r, row in enumerate(chunks(x, cols)):
        b = i32(blk[r]) if block else 0
        part = row[b * LINE : (b + 1) * LINE] if block and b >= 0 else [] if block else row
        out.append(u32(b * LINE + argmax(part) if part else -1))
    return out


def total(x):
    acc = 0
    for v in x:
        acc = add(acc, v)
    return acc


def col_chain(a, x):
    batch, rows, cols = a
    return [total(block[c::cols]) for block in chunks(x, rows * cols) for c in range(cols)]


def scatter_chain(a, ids, g):
    tokens, rows, cols = a
    return [total(g[t * cols + c] for t in range(tokens) if i32(ids[t]) == v) for v in range(rows) for c in range(cols)]


def gemm(a, x, y, lim=None):
    batch, m, n, k, group, kind, heads = a
    out = []
    ends = limit(lim, batch, heads, m, n if kind == 1 else k)
    for b in range(batch):
        for i in range(m):
            end, row = ends[b * m + i], x[(b * m + i) * k :][:k]
            for j in range(n):
                col, acc = y[(b // group * n + j) * k :][:k], 0
                lo, hi = [(0, k), (0, k if j < end else 0), (0, end), (end, k)][kind]
                for t in range(lo, hi):
                    acc = fma(row[t], col[t], acc)
                out.append(acc)
    return out


def rope(back):
    def op(a, x, cos, sin, pos):
        tokens, heads, d, positions = a
        out, half = [], d // 2
        for t in range(tokens):
            p = i32(pos[t])
            c = cos[p * half :][:half] if 0 <= p < positions else [0] * half
            s = sin[p * half :][:half] if 0 <= p < positions else [0] * half
            s = [neg(v) for v in s] if back else s
            for h in range(heads):
                v = x[(t * heads + h) * d :][:d]
                out += [fma(neg(v[i + half]), s[i], mul(v[i], c[i])) for i in range(half)]
                out += [fma(v[i], s[i], mul(v[i + half], c[i])) for i in range(half)]
        return out
    return op


def xent_bwd(a, p, ids, g):
    rows, cols, mode = a
    g = spread(rows, cols, mode, g)
    out = []
    for i, u in enumerate(p):
        y = i32(ids[i // cols])
        out.append(0 if y < 0 else mul(sub(u, ONE if y == i % cols else 0), g[i]))
    return out


def adamw_p(a, p, m, v, b1, b2, lr):
    n, eps, wd = a
    out = []
    for x, y, z in zip(p, m, v):
        u = div(div(y, sub(ONE, b1[0])), add(sqrt(div(z, sub(ONE, b2[0]))), eps))
        out.append(fma(neg(lr[0]), fma(wd, x, u), x))
    return out


def clip_scale(a, s):
    q = div(a[0], add(sqrt(s[0]), 0x358637BD))
    return [NAN if is_nan(q) else q if less(q, ONE) else ONE]


def quantised(a, x):
    """Scale and codes of each group of each row."""
    rows, k, g = a
    for row in chunks(x, k):
        for group in chunks(row, g):
            top = 0
            for u in group:
                top = fmax(top, NAN if is_nan(u) else u & ~NZERO)
            if is_nan(top) or top == 0x7F800000:
                yield NAN, [0] * len(group)
            elif less(top, 0x0D800000):
                yield 0, [0] * len(group)
            else:
                inv = div(0x42FE0000, top)
                yield div(top, 0x42FE0000), [u32(round(val(mul(u, inv)))) for u in group]  # Fraction rounds half to even


def gemm_i8(a, xq, xs, wq, ws):
    m, n, k, g = a
    s = -(-k // g)
    out = []
    for i in range(m):
        for j in range(n):
            acc = 0
            for t in range(s):
                at = range(t * g, min(t * g + g, k))
                dot = sum(i32(xq[i * k + c]) * i32(wq[j * k + c]) for c in at)
                acc = fma(integer(dot), mul(xs[i * s + t], ws[j * s + t]), acc)
            out.append(acc)
    return out


def pairs(f):
    def op(a, x, y):
        m, n, k = a
        return [f(x[i * k :][:k], y[j * k :][:k]) for i in range(m) for j in range(n)]
    return op


def dist2(x, y):
    acc = 0
    for p, q in zip(x, y):
        d = sub(p, q)
        acc = fma(d, d, acc)
    return acc


def key(t, u):
    if t == I32:
        return i32(u)
    return (1, 0) if is_nan(u) else (0, float("inf") if u == 0x7F800000 else float("-inf") if u == NINF else val(u))


def sort_pairs(a, keys, rank, width=None):
    t, rows, n, w = a
    out = []
    for row in chunks(keys, n):
        for run in chunks(list(range(n)), width or w):
            out += sorted(run, key=lambda c: (key(t, row[c]), i32(rank[c]), c))
    return out


def topk(a, x):
    rows, n, k = a
    out = []
    for row in chunks(x, n):
        order = sorted(range(n), key=lambda c: key(F32, row[c]), reverse=True)  # stable: reverse keeps equals in order
        out += order[:k]
    return out


def bench_fill(a):
    n, seed, stream = a
    out = []
    for w in range(-(-n // 16)):
        ctr = [*halves(w), stream, 6]
        for _ in range(64):
            ctr = philox(halves(seed), ctr)
        out += [max((c >> s & 255) - 256 * (c >> s & 128 != 0), -127) for c in ctr for s in (0, 8, 16, 24)]
    return [u32(i) for i in out[:n]]


def bench_mix(a, y):
    out = []
    for u in y:
        b = u * 0x9E3779B1 % 2**32 >> 24
        out.append(u32(max(b - 256 * (b > 127), -127)))
    return out


OPS = {
    "copy": lambda a, x: [moved(a[0], u) for u in x], "view": view, "concat": concat, "transpose": transpose, "gather": gather, "pick": pick,
    "fill": fill,
    "fill_u01": lambda a: [u01((a[1], a[2], a[3]), i) for i in range(a[0])],
    "fill_norm": lambda a: [normal((a[1], a[2], a[3]), i) for i in range(a[0])],
    "fill_sign": lambda a: [ONE | (word(a[1], a[2], a[3], i) & 1) << 31 for i in range(a[0])],
    "fill_seq": lambda a: [u32(a[2] + i % a[1]) for i in range(a[0])],
    "perm_rows": perm_rows,
    "add_i32": lambda a, x: [u32(u + a[1]) for u in x],
    "valid": lambda a, x: [0 if u >> 31 else ONE for u in x],
    "cast_f32": cast,
    "add": mixed(add), "sub": mixed(sub), "mul": mixed(mul), "div": mixed(div), "fma": mixed(fma), "select": mixed(select),
    "scale": lambda a, x: [mul(u, a[1]) for u in x],
    "neg": each(neg), "relu": each(relu), "relu_bwd": each(relu_bwd), "exp": each(exp), "log": each(log), "tanh": each(tanh),
    "tanh_bwd": each(lambda y, g: mul(fma(neg(y), y, ONE), g)),
    "sigmoid": each(sigmoid), "silu": each(silu), "silu_bwd": each(silu_bwd), "sqrt": each(sqrt), "rsqrt": each(rsqrt),
    "swiglu": each(lambda a, b: mul(silu(a), b)), "swiglu_bwd": each(lambda a, b, g: silu_bwd(a, mul(b, g))),
    "red_sum": reduction(0, add, add), "red_sumsq": reduction(0, lambda s, x: fma(x, x, s), add), "red_max": reduction(NINF, fmax, fmax),
    "argmax": op_argmax, "col_chain": col_chain, "scatter_chain": scatter_chain,
    "gemm_nt": gemm, "rope": rope(False), "rope_bwd": rope(True), "xent_bwd": xent_bwd,
    "adamw_m": lambda a, m, g: [fma(a[1], x, mul(sub(ONE, a[1]), y)) for x, y in zip(m, g)],
    "adamw_v": lambda a, v, g: [fma(a[1], x, mul(mul(sub(ONE, a[1]), y), y)) for x, y in zip(v, g)],
    "adamw_p": adamw_p, "clip_scale": clip_scale,
    "quant_scale": lambda a, x: [s for s, _ in quantised(a, x)],
    "quant_i8": lambda a, x: [q for _, codes in quantised(a, x) for q in codes],
    "dequant_i8": lambda a, q, s: [mul(integer(i32(u)), s[i // a[1] * -(-a[1] // a[2]) + i % a[1] // a[2]]) for i, u in enumerate(q)],
    "gemm_i8": gemm_i8,
    "dot_i8": pairs(lambda x, y: u32(sum(i32(p) * i32(q) for p, q in zip(x, y)))),
    "dist2_i8": pairs(lambda x, y: u32(sum((i32(p) - i32(q)) ** 2 for p, q in zip(x, y)))),
    "dist2_f32": pairs(dist2),
    "sort_pairs": sort_pairs, "merge_pairs": lambda a, keys, rank, order: sort_pairs(a, keys, rank, 2 * a[3]), "topk": topk,
    "bench_fill": bench_fill, "bench_mix": bench_mix,
}


def check(v):
    count, seen = 0, set()
    for c in v["cases"]:
        seen.add(c["op"])
        attrs = [int(a) for a in c["attrs"]]
        got = OPS[c["op"]](attrs, *([int(h, 16) for h in t] for t in c["in"]))
        want = [int(h, 16) for h in c["out"]]
        if got != want:
            at = next((i for i, (p, q) in enumerate(zip(got, want)) if p != q), min(len(got), len(want)))
            sys.exit(f"{c['op']} {attrs}: element {at} is {want[at:][:1]}, exact arithmetic gives {got[at:][:1]} ({len(want)} and {len(got)} elements)")
        count += len(want)
    if seen != set(OPS):
        sys.exit(f"operations without a case: {set(OPS) - seen}, unknown: {seen - set(OPS)}")
    return len(seen), count


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else __file__.rsplit("/", 1)[0] + "/ops.json"
    with open(path) as f:
        print("ops.json: %d operations, %d elements agree" % check(json.load(f)))
