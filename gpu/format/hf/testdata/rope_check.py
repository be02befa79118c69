#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recompute entries of RoPE tables with 100 decimal digits. Standard library only.

Reads a list of cases from standard input, each {theta, half, scaling, factor,
low, high, original, at: [[position, i]…]} with numbers as binary32 bits, and
prints for each case the list of [cos bits, sin bits]. No step is shared with the
Go code: powers by exp and ln, angles reduced by 2 pi from Gauss and Legendre.
"""
import json
import struct
import sys
from decimal import Decimal as D, getcontext
from fractions import Fraction

getcontext().prec = 100


def compute_pi():
    a, b, t, p = D(1), 1 / D(2).sqrt(), D("0.25"), D(1)
    for _ in range(9):
        a, b, t, p = (a + b) / 2, (a * b).sqrt(), t - p * ((a - b) / 2) ** 2, 2 * p
    return (a + b) ** 2 / (4 * t)


PI = compute_pi()


def value(bits):
    return D(struct.unpack("<f", struct.pack("<I", bits))[0])


def series(x, first):
    term, total, k = (D(1), D(1), 0) if first == 0 else (x, x, 1)
    while abs(term) > D(10) ** -95:
        k += 2
        term = -term * x * x / (k * (k - 1))
        total += term
    return total


def bits(d):
    """The binary32 nearest to d, by fractions."""
    x = Fraction(d)
    if x == 0:
        return 0
    sign, x = (1 << 31, -x) if x < 0 else (0, x)
    e = max(x.numerator.bit_length() - x.denominator.bit_length(), -126)
    while e > -126 and Fraction(2) ** e > x:
        e -= 1
    n, rest = divmod(x / Fraction(2) ** (e - 23), 1)
    n += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and n & 1)
    return sign | (n if e == -126 else n + ((e + 126) << 23))


def frequency(c, i):
    f = (value(c["theta"]).ln() * -i / c["half"]).exp() if i else D(1)
    if c["scaling"] == 0:
        return f
    factor = value(c["factor"])
    if c["scaling"] == 1:
        return f / factor
    low, high, length = value(c["low"]), value(c["high"]), 2 * PI / f
    if length < c["original"] / high:
        return f
    if length > c["original"] / low:
        return f / factor
    smooth = (c["original"] / length - low) / (high - low)
    return (1 - smooth) * f / factor + smooth * f


for c in json.load(sys.stdin):
    out = []
    for p, i in c["at"]:
        x = p * frequency(c, i) % (2 * PI)
        out.append([bits(series(x, 0)), bits(series(x, 1))])
    print(json.dumps(out))
