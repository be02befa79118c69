#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check bls.json against CONS-12, written again from the texts: BLS12-381 with
its compressed points, the hash to G1 of RFC 9380, KeyGen and the equation of
draft-irtf-cfrg-bls-signature-05, the pairing by its definition. Standard
library only, besides check.py beside it. Slow, plain, not for secrets. Prints
what it checked, or the first difference.

    python3 bls_check.py [FILE]
"""
import functools
import hmac
import json
import os
import sys

from check import Refused, dom, sha256

P = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
R = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
U = 0xD201000000010000  # minus the parameter of the curve
SIGN = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"
POP = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_"

# --- Fp2 = Fp[i], i² = -1, as pairs; Fp as the pair with 0 behind ------------------


def fadd(a, b):
    return (a[0] + b[0]) % P, (a[1] + b[1]) % P


def fsub(a, b):
    return (a[0] - b[0]) % P, (a[1] - b[1]) % P


def fmul(a, b):
    return (a[0] * b[0] - a[1] * b[1]) % P, (a[0] * b[1] + a[1] * b[0]) % P


def finv(a):
    n = pow(a[0] * a[0] + a[1] * a[1], -1, P)
    return a[0] * n % P, -a[1] * n % P


def fpow(a, n):
    out = (1, 0)
    for bit in bin(n)[2:]:
        out = fmul(out, out)
        if bit == "1":
            out = fmul(out, a)
    return out


def root(n):
    """A square root in Fp, or None."""
    r = pow(n, (P + 1) // 4, P)
    return r if r * r % P == n % P else None


def froot(a):
    """A square root in Fp2, or None: (x + yi)² = a, so x² is (a0 ± |a|)/2."""
    if a[1] == 0:
        r = root(a[0])
        return (r, 0) if r is not None else (0, root(-a[0]))
    norm = root(a[0] * a[0] + a[1] * a[1])
    if norm is None:
        return None
    half = pow(2, -1, P)
    x = root((a[0] + norm) * half)
    if x is None:
        x = root((a[0] - norm) * half)
    y = a[1] * half * pow(x, -1, P) % P
    return x, y


# --- points, affine; None is the identity -------------------------------------------

B1, B2 = (4, 0), (4, 4)
G1 = ((0x17F1D3A73197D7942695638C4FA9AC0FC3688C4F9774B905A14E3A3F171BAC586C55E83FF97A1AEFFB3AF00ADB22C6BB, 0),
      (0x08B3F481E3AAA0F1A09E30ED741D8AE4FCF5E095D5D00AF600DB18CB2C04B3EDD03CC744A2888AE40CAA232946C5E7E1, 0))


def slope(a, b):
    if a == b:
        return fmul(fmul((3, 0), fmul(a[0], a[0])), finv(fadd(a[1], a[1])))
    return fmul(fsub(b[1], a[1]), finv(fsub(b[0], a[0])))


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] != b[1] or a[1] == (0, 0)):
        return None
    m = slope(a, b)
    x = fsub(fsub(fmul(m, m), a[0]), b[0])
    return x, fsub(fmul(m, fsub(a[0], x)), a[1])


def neg(a):
    return a and (a[0], fsub((0, 0), a[1]))


def mul(k, a):
    out = None
    for bit in bin(k)[2:]:
        out = add(out, out)
        if bit == "1":
            out = add(out, a)
    return out


def larger(y):
    """The sign of appendix A of the draft: the imaginary part decides first."""
    return (y[1] or y[0]) > P // 2


@functools.cache
def unpack(b, size, error):
    """A canonical compressed point of the group of order R, not the identity."""
    def need(ok):
        if not ok:
            raise Refused(error)

    need(len(b) == size and b[0] >> 7 == 1 and not b[0] >> 6 & 1)
    b0 = bytes([b[0] & 31]) + b[1:]
    x = tuple(int.from_bytes(b0[i:i + 48], "big") for i in range(size - 48, -1, -48)) + (0,) * (size == 48)
    need(max(x) < P)
    y = froot(fadd(fmul(x, fmul(x, x)), B1 if size == 48 else B2))
    need(y is not None and y[1] is not None and (size == 96 or y[1] == 0))
    if larger(y) != bool(b[0] >> 5 & 1):
        y = fsub((0, 0), y)
    need(mul(R, (x, y)) is None)
    return x, y


def pack(a, size):
    b = b"".join(a[0][i].to_bytes(48, "big") for i in range(size // 48 - 1, -1, -1))
    return bytes([b[0] | 0x80 | 0x20 * larger(a[1])]) + b[1:]


# The known generator of G2, in compressed form.
G2 = unpack(bytes.fromhex(
    "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"), 96, "g2")

# --- pairing: Fp12 = Fp2[w], w⁶ = 1 + i, as 6 coefficients -----------------------------


W_P2 = fpow((1, 1), (P * P - 1) // 6)


def tmul(a, b):
    """The product in Fp12. Entries of None are zero."""
    re, im = [0] * 11, [0] * 11
    for i, x in enumerate(a):
        if x is None:
            continue
        x0, x1 = x
        for j, y in enumerate(b):
            if y is not None:
                y0, y1 = y
                re[i + j] += x0 * y0 - x1 * y1
                im[i + j] += x0 * y1 + x1 * y0
    for k in range(10, 5, -1):  # w⁶ = 1 + i
        re[k - 6] += re[k] - im[k]
        im[k - 6] += re[k] + im[k]
    return [(re[k] % P, im[k] % P) for k in range(6)]


def line(t, q, p):
    """w³ times the line through t and q of the twist, untwisted by (x/w², y/w³), at p
    of G1. The final power takes w³ away, as every factor of a smaller field."""
    m = slope(t, q)
    return [fsub(fmul(m, t[0]), t[1]), None, fmul(fsub((0, 0), m), p[0]), p[1], None, None]


def miller(p, q):
    """f of the loop over U. The curve's parameter is -U, which turns every pairing
    into its inverse: a product is 1 with it iff it is 1 without."""
    f, t = [(1, 0)] + [(0, 0)] * 5, q
    for bit in bin(U)[3:]:
        f, t = tmul(tmul(f, f), line(t, t, p)), add(t, t)
        if bit == "1":
            f, t = tmul(f, line(t, q, p)), add(t, q)
    return f


def is_one(f):
    """Whether f^((p¹²-1)/r) = 1. With g = f^((p⁶+1)/r) that is g^(p⁶) = g, and the
    p⁶-th power turns w into -w. p⁶+1 = (p²+1)(p⁴-p²+1), and the p²-th power turns w
    into w·(1+i)^((p²-1)/6), a factor of Fp."""
    q, rest = divmod(P**4 - P**2 + 1, R)
    assert rest == 0
    f = tmul(f, [fmul(c, fpow(W_P2, k)) for k, c in enumerate(f)])
    g = f
    for bit in bin(q)[3:]:
        g = tmul(g, g)
        if bit == "1":
            g = tmul(g, f)
    return g[1] == g[3] == g[5] == (0, 0)


def equation(h, key, sig):
    """e(h, key) = e(sig, g2)."""
    return is_one(tmul(miller(h, key), miller(neg(sig), G2)))


# --- hash to G1 -----------------------------------------------------------------------

A11 = 0x144698A3B8E9433D693A02C96D4982B0EA985383EE66A8D8E8981AEFD881AC98936F8DA0E0F97F5CF428082D584C1D
B11 = 0x12E2908D11688030018B12E8753EEE3B2016C1F0F24F4070A0B9C14FCEF35EF55A23215A316CEAA5D1CC48E98E172BE0
# RFC 9380 appendix E.2, coefficients from the constant term up.
X_NUM = """
11a05f2b1e833340b809101dd99815856b303e88a2d7005ff2627b56cdb4e2c85610c2d5f2e62d6eaeac1662734649b7
17294ed3e943ab2f0588bab22147a81c7c17e75b2f6a8417f565e33c70d1e86b4838f2a6f318c356e834eef1b3cb83bb
0d54005db97678ec1d1048c5d10a9a1bce032473295983e56878e501ec68e25c958c3e3d2a09729fe0179f9dac9edcb0
1778e7166fcc6db74e0609d307e55412d7f5e4656a8dbf25f1b33289f1b330835336e25ce3107193c5b388641d9b6861
0e99726a3199f4436642b4b3e4118e5499db995a1257fb3f086eeb65982fac18985a286f301e77c451154ce9ac8895d9
1630c3250d7313ff01d1201bf7a74ab5db3cb17dd952799b9ed3ab9097e68f90a0870d2dcae73d19cd13c1c66f652983
0d6ed6553fe44d296a3726c38ae652bfb11586264f0f8ce19008e218f9c86b2a8da25128c1052ecaddd7f225a139ed84
17b81e7701abdbe2e8743884d1117e53356de5ab275b4db1a682c62ef0f2753339b7c8f8c8f475af9ccb5618e3f0c88e
080d3cf1f9a78fc47b90b33563be990dc43b756ce79f5574a2c596c928c5d1de4fa295f296b74e956d71986a8497e317
169b1f8e1bcfa7c42e0c37515d138f22dd2ecb803a0c5c99676314baf4bb1b7fa3190b2edc0327797f241067be390c9e
10321da079ce07e272d8ec09d2565b0dfa7dccdde6787f96d50af36003b14866f69b771f8c285decca67df3f1605fb7b
06e08c248e260e70bd1e962381edee3d31d79d7e22c837bc23c0bf1bc24c6b68c24b1b80b64d391fa9c8ba2e8ba2d229
""".split()
X_DEN = """
08ca8d548cff19ae18b2e62f4bd3fa6f01d5ef4ba35b48ba9c9588617fc8ac62b558d681be343df8993cf9fa40d21b1c
12561a5deb559c4348b4711298e536367041e8ca0cf0800c0126c2588c48bf5713daa8846cb026e9e5c8276ec82b3bff
0b2962fe57a3225e8137e629bff2991f6f89416f5a718cd1fca64e00b11aceacd6a3d0967c94fedcfcc239ba5cb83e19
03425581a58ae2fec83aafef7c40eb545b08243f16b1655154cca8abc28d6fd04976d5243eecf5c4130de8938dc62cd8
13a8e162022914a80a6f1d5f43e7a07dffdfc759a12062bb8d6b44e833b306da9bd29ba81f35781d539d395b3532a21e
0e7355f8e4e667b955390f7f0506c6e9395735e9ce9cad4d0a43bcef24b8982f7400d24bc4228f11c02df9a29f6304a5
0772caacf16936190f3e0c63e0596721570f5799af53a1894e2e073062aede9cea73b3538f0de06cec2574496ee84a3a
14a7ac2a9d64a8b230b3f5b074cf01996e7f63c21bca68a81996e1cdf9822c580fa5b9489d11e2d311f7d99bbdcc5a5e
0a10ecf6ada54f825e920b3dafc7a3cce07f8d1d7161366b74100da67f39883503826692abba43704776ec3a79a1d641
095fc13ab9e92ad4476d6e3eb3a56680f682b4ee96f7d03776df533978f31c1593174e4b4b7865002d6384d168ecdd0a
1
""".split()
Y_NUM = """
090d97c81ba24ee0259d1f094980dcfa11ad138e48a869522b52af6c956543d3cd0c7aee9b3ba3c2be9845719707bb33
134996a104ee5811d51036d776fb46831223e96c254f383d0f906343eb67ad34d6c56711962fa8bfe097e75a2e41c696
00cc786baa966e66f4a384c86a3b49942552e2d658a31ce2c344be4b91400da7d26d521628b00523b8dfe240c72de1f6
01f86376e8981c217898751ad8746757d42aa7b90eeb791c09e4a3ec03251cf9de405aba9ec61deca6355c77b0e5f4cb
08cc03fdefe0ff135caf4fe2a21529c4195536fbe3ce50b879833fd221351adc2ee7f8dc099040a841b6daecf2e8fedb
16603fca40634b6a2211e11db8f0a6a074a7d0d4afadb7bd76505c3d3ad5544e203f6326c95a807299b23ab13633a5f0
04ab0b9bcfac1bbcb2c977d027796b3ce75bb8ca2be184cb5231413c4d634f3747a87ac2460f415ec961f8855fe9d6f2
0987c8d5333ab86fde9926bd2ca6c674170a05bfe3bdd81ffd038da6c26c842642f64550fedfe935a15e4ca31870fb29
09fc4018bd96684be88c9e221e4da1bb8f3abd16679dc26c1e8b6e6a1f20cabe69d65201c78607a360370e577bdba587
0e1bba7a1186bdb5223abde7ada14a23c42a0ca7915af6fe06985e7ed1e4d43b9b3f7055dd4eba6f2bafaaebca731c30
19713e47937cd1be0dfd0b8f1d43fb93cd2fcbcb6caf493fd1183e416389e61031bf3a5cce3fbafce813711ad011c132
18b46a908f36f6deb918c143fed2edcc523559b8aaf0c2462e6bfe7f911f643249d9cdf41b44d606ce07c8a4d0074d8e
0b182cac101b9399d155096004f53f447aa7b12a3426b08ec02710e807b4633f06c851c1919211f20d4c04f00b971ef8
0245a394ad1eca9b72fc00ae7be315dc757b3b080d4c158013e6632d3c40659cc6cf90ad1c232a6442d9d3f5db980133
05c129645e44cf1102a159f748c4a3fc5e673d81d7e86568d9ab0f5d396a7ce46ba1049b6579afb7866b1e715475224b
15e6be4e990f03ce4ea50b3b42df2eb5cb181d8f84965a3957add4fa95af01b2b665027efec01c7704b456be69c8b604
""".split()
Y_DEN = """
16112c4c3a9c98b252181140fad0eae9601a6de578980be6eec3232b5be72e7a07f3688ef60c206d01479253b03663c1
1962d75c2381201e1a0cbd6c43c348b885c84ff731c4d59ca4a10356f453e01f78a4260763529e3532f6102c2e49a03d
058df3306640da276faaae7d6e8eb15778c4855551ae7f310c35a5dd279cd2eca6757cd636f96f891e2538b53dbf67f2
16b7d288798e5395f20d23bf89edb4d1d115c5dbddbcd30e123da489e726af41727364f2c28297ada8d26d98445f5416
0be0e079545f43e4b00cc912f8228ddcc6d19c9f0f69bbb0542eda0fc9dec916a20b15dc0fd2ededda39142311a5001d
08d9e5297186db2d9fb266eaac783182b70152c65550d881c5ecd87b6f0f5a6449f38db9dfa9cce202c6477faaf9b7ac
166007c08a99db2fc3ba8734ace9824b5eecfdfa8d0cf8ef5dd365bc400a0051d5fa9c01a58b1fb93d1a1399126a775c
16a3ef08be3ea7ea03bcddfabba6ff6ee5a4375efa1f4fd7feb34fd206357132b920f5b00801dee460ee415a15812ed9
1866c8ed336c61231a1be54fd1d74cc4f9fb0ce4c6af5920abc5750c4bf39b4852cfe2f7bb9248836b233d9d55535d4a
167a55cda70a6e1cea820597d94a84903216f763e13d87bb5308592e7ea7d4fbc7385ea3d529b35e346ef48bb8913f55
04d2f259eea405bd48f010a01ad2911d9c6dd039bb61a6290e591b36e636a5c871a5c29f4f83060400f8b49cba8f6aa8
0accbb67481d033ff5852c1e48c50c477f94ff8aefce42d28c0f9a88cea7913516f968986f7ebbea9684b529e2561092
0ad6b9514c767fe3c3613144b45f1496543346d98adf02267d5ceef9a00d9b8693000763e3b90ac11e99b138573345cc
02660400eb2e4f3b628bdd0d53cd76f2bf565b94e72927c1cb748df27942480e420517bd8714cc80d1fadc1326ed06f7
0e0fa1d816ddc03e6b24255e0d7819c171c40f65e273b853324efcd6356caa205ca2f570f13497804415473a1d634b8f
1
""".split()


def expand(msg, tag, size):
    tag += bytes([len(tag)])
    b0 = sha256(bytes(64) + msg + size.to_bytes(2, "big") + b"\0" + tag)
    b, out = bytes(32), b""
    for i in range(size // 32):
        b = sha256(bytes(x ^ y for x, y in zip(b0, b)) + bytes([i + 1]) + tag) if i else sha256(b0 + b"\1" + tag)
        out += b
    return out


def poly(coefficients, x):
    out = 0
    for c in reversed(coefficients):
        out = (out * x + int(c, 16)) % P
    return out


def to_curve(u):
    """RFC 9380 section 6.6.2 with Z = 11, then the 11-isogeny."""
    z = 11 * u * u % P
    d = (z * z + z) % P
    x = -B11 * pow(A11, -1, P) * (1 + pow(d, -1, P)) % P if d else B11 * pow(11 * A11, -1, P) % P
    y = root(x**3 + A11 * x + B11)
    if y is None:
        x = z * x % P
        y = root(x**3 + A11 * x + B11)
    if y & 1 != u & 1:
        y = P - y
    new = poly(X_NUM, x) * pow(poly(X_DEN, x), -1, P) % P
    y = y * poly(Y_NUM, x) * pow(poly(Y_DEN, x), -1, P) % P
    assert (y * y - new**3 - 4) % P == 0
    return (new, 0), (y, 0)


@functools.cache
def to_point(msg, tag=SIGN):
    b = expand(msg, tag, 128)
    q = [to_curve(int.from_bytes(b[i:i + 64], "big") % P) for i in (0, 64)]
    return mul(U + 1, add(*q))


# --- the scheme -------------------------------------------------------------------------


def keygen(seed):
    salt, sk = b"BLS-SIG-KEYGEN-SALT-", 0
    while sk == 0:
        salt = sha256(salt)
        prk = hmac.digest(salt, seed + b"\0", "sha256")
        okm, t = b"", b""
        for i in (1, 2):
            t = hmac.digest(prk, t + b"\0\x30" + bytes([i]), "sha256")
            okm += t
        sk = int.from_bytes(okm[:48], "big") % R
    return sk


def verify(publics, msg, sig, tag=SIGN):
    points = [unpack(p, 96, "key") for p in publics]
    s = unpack(sig, 48, "signature")
    apk = None
    for p in points:
        apk = add(apk, p)
    if apk is None or not equation(to_point(msg, tag), apk, s):
        raise Refused("signature")


def same(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: {got!r}, want {want!r}")


def known():
    """Constants of EIP-2333 (test case 1) and RFC 9380 (J.9.1), and the pairing's two
    properties, so that a mistake above is not shared."""
    same("KeyGen", keygen(bytes.fromhex("3141592653589793238462643383279502884197169399375105820974944592")),
         29757020647961307431480504535336562678282505419141012933316116377660817309383)
    h = to_point(b"", b"QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_")
    same("hash to G1", (h[0][0], h[1][0]), (
        0x052926ADD2207B76CA4FA57A8734416C8DC95E24501772C814278700EED6D1E4E8CF62D9C09DB0FAC349612B759E79A1,
        0x08BA738453BFED09CB546DBB0783DBB3A5F1F566ED67BB6BE0E8C67E2E81A4CC68EE29813BB7994998F3EAE0C9C6A265))
    same("bilinear", equation(mul(6, G1), mul(7, G2), mul(42, G1)), True)
    same("not degenerate", equation(mul(6, G1), mul(7, G2), mul(43, G1)), False)


def verdict(what, want, f, *args):
    try:
        f(*args)
        got = ""
    except Refused as r:
        got = r.args[0]
    same(what, got, want)


def u(s):
    return bytes.fromhex(s.removeprefix("0x"))


def check(doc):
    known()
    secret = {}
    for k in doc["keys"]:
        seed = sha256(dom("bls-key", u(k["vote_seed"])))
        same("derived seed", seed.hex(), k["seed"])
        sk = keygen(seed)
        same("secret scalar", sk.to_bytes(32, "big").hex(), k["scalar"])
        pk = pack(mul(sk, G2), 96)
        same("public key", pk.hex(), k["public"])
        same("proof of possession", pack(mul(sk, to_point(pk, POP)), 48).hex(), k["possession"])
        secret[k["public"]] = sk
    f = doc["final"]
    msg = dom("final", u(f["chain_id"]), f["epoch"], f["view"], u(f["block"]))
    same("message of a share", msg.hex(), f["message"])
    for c in doc["signatures"] + doc["possessions"]:
        tag, m = (SIGN, u(c["message"])) if "message" in c else (POP, u(c["public"]))
        verdict(c["name"], c.get("error", ""), verify, [u(c["public"])], m, u(c["signature"]), tag)
        if not c.get("error"):
            same(c["name"] + ", made again", pack(mul(secret[c["public"]], to_point(m, tag)), 48).hex(), c["signature"])
    for c in doc["aggregates"]:
        publics = [u(doc["keys"][i]["public"]) for i in c["signers"]]
        verdict(c["name"], c.get("error", ""), verify, publics, u(c["message"]), u(c["signature"]))
    n = [len(doc[k]) for k in ("keys", "signatures", "possessions", "aggregates")]
    assert min(n) > 1
    return sum(n)


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "bls.json")
    with open(name, encoding="utf-8") as file:
        print(f"bls.json: {check(json.load(file))} cases hold")


if __name__ == "__main__":
    sys.exit(main())
