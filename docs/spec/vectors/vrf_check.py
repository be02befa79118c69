#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check vrf.json against CONS-34, written again from the text: ristretto255 of
RFC 9496, its hashes of RFC 9380 appendix B and RFC 9497, the proof of equal
logarithms. Standard library only, besides check.py beside it (CBOR, and the
Edwards curve under the group). Prints what it checked, or the first difference.

    python3 vrf_check.py [FILE]
"""
import hashlib
import json
import os
import sys

from check import BASE, D, L, P, Refused, add, dom, mul, sha256

ROOT = pow(2, (P - 1) // 4, P)  # of -1
ROOT = min(ROOT, P - ROOT, key=lambda x: x & 1)
TAG = b"openledger/vrf/1"


def ratio_root(u, v):
    """(was u/v a square, the non-negative root of u/v or of i·u/v): SQRT_RATIO_M1."""
    w = u * pow(v, -1, P) % P if v % P else 0
    square = w == 0 or pow(w, (P - 1) // 2, P) == 1
    if not square:
        w = w * ROOT % P
    r = pow(w, (P + 3) // 8, P)
    if r * r % P != w:
        r = r * ROOT % P
    assert r * r % P == w
    if v % P == 0:
        square = u % P == 0
    return square, (r if r & 1 == 0 else P - r)


A_MINUS_D = ratio_root(1, -1 - D)[1]
AD_MINUS_ONE = ratio_root(-D - 1, 1)[1]
AD_MINUS_ONE = AD_MINUS_ONE if AD_MINUS_ONE & 1 else P - AD_MINUS_ONE  # RFC 9496 names the odd root


def need(ok, error):
    if not ok:
        raise Refused(error)


def unpack(b, error):
    """RFC 9496 section 4.3.1, and the identity refused."""
    s = int.from_bytes(b, "little")
    need(len(b) == 32 and s < P and s & 1 == 0 and s != 0, error)
    u1, u2 = 1 - s * s, 1 + s * s
    v = (-D * u1 * u1 - u2 * u2) % P
    square, root = ratio_root(1, v * u2 * u2)
    dx = root * u2 % P
    dy = root * dx * v % P
    x = 2 * s * dx % P
    x = x if x & 1 == 0 else P - x
    y = u1 * dy % P
    t = x * y % P
    need(square and t & 1 == 0 and y != 0, error)
    return x, y, 1, t


def pack(p):
    """RFC 9496 section 4.3.2."""
    x, y, z, t = p
    u1, u2 = (z + y) * (z - y) % P, x * y % P
    root = ratio_root(1, u1 * u2 * u2)[1]
    d1, d2 = root * u1 % P, root * u2 % P
    zi = d1 * d2 * t % P
    d = d2
    if t * zi % P & 1:
        x, y, d = y * ROOT % P, x * ROOT % P, d1 * A_MINUS_D % P
    if x * zi % P & 1:
        y = -y
    s = d * (z - y) % P
    return (s if s & 1 == 0 else P - s).to_bytes(32, "little")


def elligator(b):
    """RFC 9496 section 4.3.4, MAP."""
    t = (int.from_bytes(b, "little") & (1 << 255) - 1) % P
    r = ROOT * t * t % P
    u = (r + 1) * (1 - D * D) % P
    v = (-1 - r * D) * (r + D) % P
    square, s = ratio_root(u, v)
    c = -1
    if not square:
        s, c = s * t % P, r
        s = s if s & 1 else P - s  # the negative
        s %= P
    n = (c * (r - 1) * (D - 1) * (D - 1) - v) % P
    w0, w1, w2, w3 = 2 * s * v % P, n * AD_MINUS_ONE % P, (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def expand(msg, tag, size=64):
    """expand_message_xmd of RFC 9380 with SHA-512, one block."""
    tag += bytes([len(tag)])
    b0 = hashlib.sha512(bytes(128) + msg + size.to_bytes(2, "big") + b"\0" + tag).digest()
    return hashlib.sha512(b0 + b"\1" + tag).digest()


def to_point(msg, tag):
    u = expand(msg, tag)
    return add(elligator(u[:32]), elligator(u[32:]))


def to_scalar(msg, tag):
    return int.from_bytes(expand(msg, tag), "little") % L


def long(b):
    return len(b).to_bytes(2, "big") + b


def weight(x, h, gamma):
    seed = sha256(long(x) + long(b"Seed-" + TAG))
    return to_scalar(long(seed) + b"\0\0" + long(h) + long(gamma) + b"Composite", b"HashToScalar-" + TAG)


def challenge(*points):
    return to_scalar(b"".join(long(pack(p)) for p in points) + b"Challenge", b"HashToScalar-" + TAG)


def output(gamma):
    return hashlib.sha512(b"openledger/vrf/out/1" + gamma).digest()[:32]


def prove(x, alpha):
    pk = pack(mul(x, BASE))
    h = to_point(pk + alpha, b"openledger/vrf/h2c/1")
    gamma = mul(x, h)
    m = mul(weight(pk, pack(h), pack(gamma)), h)
    r = to_scalar(x.to_bytes(32, "little") + alpha, b"openledger/vrf/nonce/1")
    c = challenge(BASE, mul(x, BASE), m, mul(x, m), mul(r, BASE), mul(r, m))
    return pack(gamma) + c.to_bytes(32, "little") + ((r - c * x) % L).to_bytes(32, "little")


def verify(pk, alpha, proof):
    x = unpack(pk, "key")
    need(len(proof) == 96, "proof")
    gamma = unpack(proof[:32], "proof")
    c, s = (int.from_bytes(proof[i:i + 32], "little") for i in (32, 64))
    need(c < L and s < L, "proof")
    h = to_point(pk + alpha, b"openledger/vrf/h2c/1")
    d = weight(pk, pack(h), proof[:32])
    m, z = mul(d, h), mul(d, gamma)
    need(c == challenge(BASE, x, m, z, add(mul(s, BASE), mul(c, x)), add(mul(s, m), mul(c, z))), "proof")
    return output(proof[:32])


def same(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: {got!r}, want {want!r}")


def known():
    """Constants of RFC 9496 appendices A.1 and A.3, so that a mistake above is not shared."""
    same("generator", pack(BASE).hex(), "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
    same("5 times it", pack(mul(5, BASE)).hex(), "e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e")
    u = hashlib.sha512(b"Ristretto is traditionally a short shot of espresso coffee").digest()
    same("one-way map", pack(add(elligator(u[:32]), elligator(u[32:]))).hex(),
         "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46")


def check(doc):
    known()
    keys = doc["keys"]
    for k in keys:
        seed = sha256(dom("vrf-key", bytes.fromhex(k["vote_seed"])))
        same("derived seed", seed.hex(), k["seed"])
        k["x"] = to_scalar(seed, b"openledger/vrf/key/1")
        same("scalar", k["x"].to_bytes(32, "little").hex(), k["scalar"])
        same("public key", pack(mul(k["x"], BASE)).hex(), k["public"])
    for c in doc["proofs"]:
        pk, alpha, proof = (bytes.fromhex(c[f]) for f in ("public", "alpha", "proof"))
        try:
            beta, error = verify(pk, alpha, proof).hex(), ""
        except Refused as r:
            beta, error = "", r.args[0]
        same(c["name"], (beta, error), (c.get("output", ""), c.get("error", "")))
        if not error:
            x = next(k["x"] for k in keys if k["public"] == c["public"])
            same(c["name"] + ", made again", prove(x, alpha).hex(), c["proof"])
    assert len(keys) > 1 and len(doc["proofs"]) > 1
    return len(keys) + len(doc["proofs"])


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "vrf.json")
    with open(name, encoding="utf-8") as file:
        print(f"vrf.json: {check(json.load(file))} cases hold")


if __name__ == "__main__":
    sys.exit(main())
