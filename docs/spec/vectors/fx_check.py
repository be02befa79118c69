#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recompute fx.json from the clauses FX-01..08 with exact fractions.

Standard library only. A value is the 32 bits of a binary32; every operation is
computed exactly and rounded once, so nothing here depends on a machine's
floating point unit. Prints what it checked, or the first difference.
"""
import json
import struct
import sys
from decimal import Decimal, getcontext
from fractions import Fraction
from math import frexp, isqrt, ulp

NAN, INF, NINF, NZERO = 0x7FC00000, 0x7F800000, 0xFF800000, 0x80000000
ONE, TWO = 0x3F800000, 0x40000000


def is_nan(u):
    return u & 0x7FFFFFFF > INF


def is_inf(u):
    return u & 0x7FFFFFFF == INF


def val(u):
    """The exact value of finite bits."""
    e, m = u >> 23 & 255, u & 0x7FFFFF
    x = Fraction(m | 0x800000) * Fraction(2) ** (e - 150) if e else Fraction(m) / 2**149
    return -x if u >> 31 else x


def rnd(x, zero=0):
    """Round a fraction to nearest even; an exact zero gets the bits `zero`."""
    if x == 0:
        return zero
    sign, x = (NZERO, -x) if x < 0 else (0, x)
    e = x.numerator.bit_length() - x.denominator.bit_length()
    if Fraction(2) ** e > x:
        e -= 1  # 2^e <= x < 2^(e+1)
    e = max(e, -126)
    q = x / Fraction(2) ** (e - 23)
    n, rest = divmod(q.numerator, q.denominator)
    if 2 * rest > q.denominator or (2 * rest == q.denominator and n & 1):
        n += 1
    bits = n if e == -126 else n + ((e + 126) << 23)  # the carry moves the exponent
    return sign | min(bits, INF)


def fma(x, y, z):
    if is_nan(x) or is_nan(y) or is_nan(z):
        return NAN
    sign = (x ^ y) & NZERO
    if is_inf(x) or is_inf(y):
        if x & 0x7FFFFFFF == 0 or y & 0x7FFFFFFF == 0:
            return NAN
        if is_inf(z) and z != sign | INF:
            return NAN
        return sign | INF
    if is_inf(z):
        return z
    p = val(x) * val(y)
    zero = sign if p == 0 and val(z) == 0 and sign == z & NZERO else 0
    return rnd(p + val(z), zero)


def mul(x, y):
    return fma(x, y, (x ^ y) & NZERO)


def add(x, y):
    return fma(x, ONE, y)


def neg(x):
    return NAN if is_nan(x) else x ^ NZERO


def sub(x, y):
    return add(x, neg(y))


def div(x, y):
    if is_nan(x) or is_nan(y):
        return NAN
    sign = (x ^ y) & NZERO
    xz, yz = x & 0x7FFFFFFF == 0, y & 0x7FFFFFFF == 0
    if (xz and yz) or (is_inf(x) and is_inf(y)):
        return NAN
    if xz or is_inf(y):
        return sign
    if yz or is_inf(x):
        return sign | INF
    return rnd(val(x) / val(y))


def sqrt(x):
    if is_nan(x) or (x >> 31 and x != NZERO):
        return NAN
    if x & 0x7FFFFFFF == 0 or is_inf(x):
        return x
    v = val(x) * 2**320
    n = isqrt(v.numerator)  # v is an integer; one sticky bit below decides ties
    return rnd(Fraction(2 * n + (n * n != v.numerator), 2**161))


def less(x, y):
    if is_nan(x) or is_nan(y):
        return False
    k = lambda u: -(u & 0x7FFFFFFF) if u >> 31 else u
    return k(x) < k(y)


def fmax(x, y):
    return NAN if is_nan(x) or is_nan(y) else y if less(x, y) else x


def poly(p, x, coeff):
    for c in coeff:
        p = fma(p, x, c)
    return p


def exp(x):
    if is_nan(x):
        return NAN
    if less(0x42B17218, x):
        return INF
    if less(x, 0xC2CFF1B5):
        return 0
    n = sub(fma(x, 0x3FB8AA3B, 0x4B400000), 0x4B400000)
    r = fma(n, neg(0x35BFBE8E), fma(n, neg(0x3F317200), x))
    p = poly(0x39506928, r, [0x3AB743CF, 0x3C088906, 0x3D2AA98C, 0x3E2AAAC1, 0x3F000000])
    p = add(fma(p, mul(r, r), r), ONE)
    i = int(val(n))
    h = i >> 1
    return mul(mul(p, (h + 127) << 23), (i - h + 127) << 23)


def log(x):
    if is_nan(x) or less(x, 0):
        return NAN
    if x & 0x7FFFFFFF == 0:
        return NINF
    if x == INF:
        return INF
    e = 0
    if x < 0x00800000:
        x, e = mul(x, 0x4B800000), -24
    e += (x >> 23) - 126
    m = x & 0x7FFFFF | 0x3F000000
    if less(m, 0x3F3504F3):
        e, m = e - 1, add(m, m)
    m = sub(m, ONE)
    z = mul(m, m)
    p = poly(0x3D9021BB, m, [0xBDEBD1B8, 0x3DEF251A, 0xBDFE5D4F, 0x3E11E9BF, 0xBE2AAE50, 0x3E4CCEAC, 0xBE7FFFFC, 0x3EAAAAAA])
    e = rnd(Fraction(e))
    y = fma(e, 0xB95E8083, mul(mul(p, m), z))
    y = fma(0xBF000000, z, y)
    return fma(e, 0x3F318000, add(m, y))


def tanh(x):
    if is_nan(x):
        return NAN
    a = x & 0x7FFFFFFF
    if a >= 0x41104000:
        y = ONE
    elif a >= 0x3F200000:
        y = sub(ONE, div(TWO, add(exp(add(a, a)), ONE)))
    else:
        z = mul(a, a)
        p = poly(0xBBBAF0EA, z, [0x3CA9134E, 0xBD5C1E2D, 0x3E088393, 0xBEAAAA99])
        y = fma(mul(p, z), a, a)
    return y | x & NZERO


def sigmoid(x):
    if is_nan(x):
        return NAN
    if less(x, 0xC2800000):
        return exp(x)
    return div(ONE, add(ONE, exp(neg(x))))


def silu(x):
    return mul(x, sigmoid(x))


def rsqrt(x):
    return div(ONE, sqrt(x))


FUNCTIONS = {"exp": exp, "log": log, "tanh": tanh, "sigmoid": sigmoid, "silu": silu, "rsqrt": rsqrt}


def red(x, absent, step, join):
    """FX-04: 32 lanes by index, then a tree; partials of 4,096."""
    if len(x) > 4096:
        parts = [red(x[i : i + 4096], absent, step, join) for i in range(0, len(x), 4096)]
        return red(parts, absent, join, join)
    lane = [absent] * 32
    for i, v in enumerate(x):
        lane[i % 32] = step(lane[i % 32], v)
    w = 16
    while w:
        for l in range(w):
            lane[l] = join(lane[l], lane[l + w])
        w //= 2
    return lane[0]


def argmax(x):
    best = -1
    for i, v in enumerate(x):
        if is_nan(v):
            return i
        if best < 0 or less(x[best], v):
            best = i
    return best


def philox(key, ctr):
    k0, k1 = key
    c0, c1, c2, c3 = ctr
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = b >> 32 ^ c1 ^ k0, b & 0xFFFFFFFF, a >> 32 ^ c3 ^ k1, a & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return [c0, c1, c2, c3]


def halves(n):
    return n & 0xFFFFFFFF, n >> 32


def word(seed, stream, purpose, i):
    return philox(halves(seed), [*halves(i // 4), stream, purpose])[i % 4]


def u01(s, i):
    return rnd(Fraction(word(*s, i) >> 8, 2**24))


def normal(s, i):
    acc = 0
    for k in range(12):
        acc = add(acc, u01(s, 12 * i + k))
    return sub(acc, 0x40C00000)


def perm(seed, e, n, x):
    even = 0
    while 2**even < n:
        even += 2
    w = even // 2
    while True:
        l, r = x >> w, x % 2**w
        for j in range(8):
            l, r = r, l ^ philox(halves(seed), [r, j, e, 2])[0] % 2**w
        x = l * 2**w + r
        if x < n:
            return x


def float64(x):
    """Round a fraction, or pass a Python float, to binary64; int/int is correctly rounded in Python."""
    try:
        return x.numerator / x.denominator if isinstance(x, Fraction) else x
    except OverflowError:
        return float("inf") if x > 0 else float("-inf")


def fma64(x, y, z):
    """Finite arguments only; a zero result of unequal signs is +0, as everywhere below."""
    return float64(Fraction(x) * Fraction(y) + Fraction(z))


def exp64(x):
    if x != x or x > 709.782712893384 or x < -745.1332191019412:
        return x if x != x else float("inf") if x > 0 else 0.0
    n = fma64(x, float.fromhex("0x1.71547652b82fep0"), 1.5 * 2**52) - 1.5 * 2**52
    r = fma64(n, -float.fromhex("0x1.a39ef35793c76p-33"), fma64(n, -float.fromhex("0x1.62e42feep-1"), x))
    p, fact = 1 / 6227020800, 6227020800
    for k in range(13, 2, -1):
        fact //= k
        p = fma64(p, r, 1 / fact)
    p = fma64(p, r * r, r) + 1
    return float64(Fraction(p) * Fraction(2) ** int(n))


def log64(x):
    if x != x or x < 0 or x == float("inf"):
        return x if x > 0 else float("nan")
    if x == 0:
        return float("-inf")
    m, e = frexp(x)
    if m < float.fromhex("0x1.6a09e667f3bcdp-1"):
        m, e = 2 * m, e - 1
    f = m - 1
    s = f / (2 + f)
    z = s * s
    p = 2 / 23
    for k in range(21, 2, -2):
        p = fma64(p, z, 2 / k)
    half = 0.5 * (f * f)
    y = s * (half + p * z)
    return fma64(e, float.fromhex("0x1.62e42feep-1"), f - (half - fma64(e, float.fromhex("0x1.a39ef35793c76p-33"), y)))


def check_double(cases, same):
    """FX-08, and its distance from the true values, by 60 decimal digits."""
    getcontext().prec = 60
    worst = {"exp": 0, "log": 0}
    for name, f in ("exp", exp64), ("log", log64):
        for x, want in cases[name]:
            a, w = (struct.unpack(">d", bytes.fromhex(h))[0] for h in (x, want))
            got = f(a)
            same(f"{name}64({x})", "7ff8000000000000" if got != got else struct.pack(">d", got).hex(), want)
            if w == w and abs(w) not in (0, float("inf")) and abs(w) > 1e-300:
                true = Decimal(a).exp() if name == "exp" else Decimal(a).ln()
                if true:
                    worst[name] = max(worst[name], abs(Decimal(w) - true) / Decimal(ulp(w)))
    if worst["exp"] > 1.5 or worst["log"] > 1:
        sys.exit(f"fx/1d is off by {worst}")
    for c in cases["chains"]:
        x, y = ([struct.unpack(">d", bytes.fromhex(h))[0] for h in c[k]] for k in "xy")
        acc, d = 0.0, 0.0
        for p, q in zip(x, y):
            acc, d = fma64(p, q, acc), (p - q) * (p - q) + d
        same("dot64", struct.pack(">d", acc).hex(), c["dot"])
        same("dist2", struct.pack(">d", d).hex(), c["dist2"])


def check(v):
    count = 0

    def same(what, got, want):
        nonlocal count
        count += 1
        if got != want:
            sys.exit(f"{what}: the vectors say {want}, exact arithmetic gives {got}")

    h = lambda u: f"{u:08x}"
    for x, y, z, want in v["fma"]:
        same(f"fma({x}, {y}, {z})", h(fma(int(x, 16), int(y, 16), int(z, 16))), want)
    for name, cases in v["functions"].items():
        for x, want in cases:
            same(f"{name}({x})", h(FUNCTIONS[name](int(x, 16))), want)
    for c in v["red"]:
        x = [sub(u01((c["seed"], 0, 6), i), 0x3F000000) for i in range(c["count"])]
        what = f"{c['count']} values of seed {c['seed']}: "
        same(what + "sum", h(red(x, 0, add, add)), c["sum"])
        same(what + "sumsq", h(red(x, 0, lambda a, b: fma(b, b, a), add)), c["sumsq"])
        same(what + "max", h(red(x, NINF, fmax, fmax)), c["max"])
        acc = 0
        for t in x:
            acc = add(acc, t)
        same(what + "chain", h(acc), c["chain"])
        same(what + "argmax", argmax(x), c["argmax"])
    for c in v["philox"]:
        same(f"philox {c['key']} {c['counter']}", philox(c["key"], c["counter"]), c["output"])
    for c in v["streams"]:
        s = (int(c["seed"]), c["stream"], c["purpose"])
        for i, want in enumerate(c["u01"]):
            same(f"u01 {i} of {s}", h(u01(s, i)), want)
        for i, want in enumerate(c["normal"]):
            same(f"normal {i} of {s}", h(normal(s, i)), want)
        for i, want in enumerate(c["sign"]):
            same(f"sign {i} of {s}", h(0xBF800000 if word(*s, i) & 1 else ONE), want)
    for c in v["perm"]:
        for x, want in enumerate(c["first"]):
            same(f"perm {x} of {c['n']}", str(perm(int(c["seed"]), c["epoch"], int(c["n"]), x)), want)
    check_double(v["double"], same)
    return count


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else __file__.rsplit("/", 1)[0] + "/fx.json"
    with open(path) as f:
        print(f"fx.json: {check(json.load(f))} values agree")
