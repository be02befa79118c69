#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the vectors of this folder without any code of OpenLedger.

Everything is written again from the specifications, in plain Python 3 with the
standard library: canonical CBOR (RFC 8949 4.2.1 as narrowed by ENC-01 and
ENC-02), bech32m (BIP-350), Ed25519 (RFC 8032, verified by the rules of
ZIP-215), BLAKE3 and its tree, the exact splits and the random streams.

    python3 check.py              # all files it knows, in the script's folder
    python3 check.py -d DIR FILE  # one file in another folder
    python3 check.py --damage     # change every kind of field: each must be noticed

Exit 0 and one line per file, or exit 1 and one line per mismatch.
"""

import argparse
import base64
import copy
import functools
import hashlib
import json
import os
import re
import sys

U64 = 2**64


class Refused(Exception):
    """An input that the specification refuses; args[0] is the error class."""


# --- CBOR ------------------------------------------------------------------

MAX_BYTES, MAX_DEPTH, MAX_ARRAY = 16 << 20, 8, 65536


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for low, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 1 << 8 * size:
            return bytes([major << 5 | low]) + n.to_bytes(size, "big")
    raise ValueError(n)


def encode(v):
    """The one encoding of None, bool, int, bytes, str or list."""
    if v is None:
        return b"\xf6"
    if v is False or v is True:
        return b"\xf5" if v else b"\xf4"
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    return head(4, len(v)) + b"".join(encode(x) for x in v)


def decode(b):
    """Any value of ENC-01 within the bounds of ENC-02, or Refused."""
    if len(b) > MAX_BYTES:
        raise Refused("size")
    v, rest = item(b, 0)
    if rest:
        raise Refused("malformed")
    return v


def item(b, depth):
    if not b:
        raise Refused("malformed")
    major, low, b = b[0] >> 5, b[0] & 31, b[1:]
    if major == 7:
        if low in (20, 21, 22):
            return {20: False, 21: True, 22: None}[low], b
        raise Refused("malformed")
    if low == 31:
        raise Refused("noncanonical")
    if low > 27:
        raise Refused("malformed")
    n = low
    if low >= 24:
        size = 1 << (low - 24)
        if len(b) < size:
            raise Refused("malformed")
        n, b = int.from_bytes(b[:size], "big"), b[size:]
        if n < 24 or (size > 1 and n < 1 << 4 * size):
            raise Refused("noncanonical")
    if major == 0:
        return n, b
    if major == 1:
        if n >= 2**63:
            raise Refused("malformed")
        return -1 - n, b
    if major in (2, 3):
        if n > len(b):
            raise Refused("malformed")
        if major == 2:
            return b[:n], b[n:]
        try:
            return b[:n].decode("utf-8"), b[n:]
        except UnicodeDecodeError:
            raise Refused("malformed") from None
    if major != 4:
        raise Refused("malformed")
    if n > MAX_ARRAY or depth + 1 > MAX_DEPTH:
        raise Refused("size")
    out = []
    for _ in range(n):
        v, b = item(b, depth + 1)
        out.append(v)
    return out, b


def dom(domain, *xs):
    return encode(["openledger/" + domain + "/1", *xs])


def sha256(b):
    return hashlib.sha256(b).digest()


# Schemas of enc.json: a predicate over the decoded value.


def is_int(low, high):
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v < high


def is_bytes(v):
    return isinstance(v, bytes)


def is_text(v):
    return isinstance(v, str)


def is_bool(v):
    return isinstance(v, bool)


def is_hash(v):
    return is_bytes(v) and len(v) == 32


def list_of(what):
    return lambda v: isinstance(v, list) and all(what(x) for x in v)


def struct(*fields):
    return lambda v: isinstance(v, list) and len(v) == len(fields) and all(f(x) for f, x in zip(fields, v))


def optional(what):
    return lambda v: v is None or what(v)


is_uint = is_int(0, U64)
is_pair = struct(is_text, is_uint)
SCHEMAS = {
    "uint": is_uint,
    "uint8": is_int(0, 2**8),
    "int": is_int(-(2**63), 2**63),
    "bool": is_bool,
    "bytes": is_bytes,
    "bytes32": is_hash,
    "text": is_text,
    "list:uint": list_of(is_uint),
    "set:bytes32": list_of(is_hash),
    "set:text": list_of(is_text),
    "pair": is_pair,
    "optional": struct(optional(is_hash), optional(is_uint)),
    "record": struct(is_int(0, 2**16), is_hash, is_bytes, list_of(is_pair), is_int(-(2**63), 2**63), is_bool),
    "any": lambda v: True,
}


def decode_as(schema, b):
    v = decode(b)
    if not SCHEMAS[schema](v):
        raise Refused("malformed")
    if schema.startswith("set:"):
        parts = [encode(x) for x in v]
        if any(a >= b for a, b in zip(parts, parts[1:])):
            raise Refused("order")
    return v


def refusal(f, *args):
    """The error class with which f refuses, or None."""
    try:
        f(*args)
    except Refused as e:
        return e.args[0]
    return None


def plain(v):
    """The value as the vectors write it: integers in decimal, bytes in hex after 0x."""
    if isinstance(v, list):
        return [plain(x) for x in v]
    if is_bytes(v):
        return "0x" + v.hex()
    return str(v) if isinstance(v, int) and not is_bool(v) else v


def check_enc(doc, want):
    want(set(doc["schemas"]), set(SCHEMAS), "schemas")
    for c in doc["valid"]:
        b = bytes.fromhex(c["hex"])
        v = decode_as(c["schema"], b)
        want(encode(v), b, c["name"])
        want(plain(v), c["value"], c["name"])
    for c in doc["invalid"]:
        want(refusal(decode_as, c["schema"], bytes.fromhex(c["hex"])), c["error"], c["name"])


# --- Ed25519 under ZIP-215 -------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ZERO = (0, 1, 1, 0)


def add(a, b):
    """Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z."""
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def mul(k, a):
    r = ZERO
    while k:
        if k & 1:
            r = add(r, a)
        a, k = add(a, a), k >> 1
    return r


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def unpack(b, canonical=False):
    """The point of 32 bytes, or None. ZIP-215 takes y modulo p."""
    n = int.from_bytes(b, "little")
    sign, y = n >> 255, n & (1 << 255) - 1
    if canonical and y >= P:
        return None
    y %= P
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or (canonical and x == 0 and sign):
        return None
    if x & 1 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


def pack(a):
    z = pow(a[2], -1, P)
    x, y = a[0] * z % P, a[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = unpack(b"\x58" + b"\x66" * 31)


def scalar(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def sign(seed, msg):
    """Public key and signature, RFC 8032 section 5.1.6."""
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & (1 << 254) - 8 | 1 << 254
    pk = pack(mul(a, BASE))
    r = scalar(h[32:], msg)
    big_r = pack(mul(r, BASE))
    s = (r + scalar(big_r, pk, msg) * a) % L
    return pk, big_r + s.to_bytes(32, "little")


def verify(pk, msg, sig):
    """ZIP-215: S < L, any encodings of points, 8·S·B = 8·R + 8·k·A."""
    a, r, s = unpack(pk), unpack(sig[:32]), int.from_bytes(sig[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = scalar(sig[:32], pk, msg)
    return same(mul(8 * s, BASE), add(mul(8, r), mul(8 * k, a)))


def usable(pk):
    """A canonical point of large order."""
    a = unpack(pk, canonical=True)
    return a is not None and not same(mul(8, a), ZERO)


# --- addresses -------------------------------------------------------------

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def polymod(values):
    c = 1
    for v in values:
        top, c = c >> 25, (c & 0x1FFFFFF) << 5 ^ v
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            c ^= g if top >> i & 1 else 0
    return c


def address_text(b, hrp="open"):
    bits = "".join(f"{x:08b}" for x in b)
    bits += "0" * (-len(bits) % 5)
    five = [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)]
    low = [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]
    sum_ = polymod(low + five + [0] * 6) ^ 0x2BC830A3
    return hrp + "1" + "".join(ALPHABET[v] for v in five + [sum_ >> 5 * (5 - i) & 31 for i in range(6)])


def parse_address(text):
    """The 32 bytes, or Refused: only what address_text writes is an address."""
    if not re.fullmatch("open1[%s]{58}" % ALPHABET, text):
        raise Refused("text")
    bits = "".join(f"{ALPHABET.index(c):05b}" for c in text[5:57])
    b = bytes(int(bits[i : i + 8], 2) for i in range(0, 256, 8))
    if address_text(b) != text:
        raise Refused("text")
    return b


def decode_auth(b):
    v = decode(b)
    is_keys = list_of(is_hash)
    if isinstance(v, list) and len(v) == 2 and v[0] == 0 and not is_bool(v[0]) and is_hash(v[1]):
        return v
    if not struct(is_uint, is_uint, is_keys)(v) or v[0] != 1:
        raise Refused("malformed")
    _, t, keys = v
    if not 1 <= t <= len(keys) <= 16 or any(a >= b for a, b in zip(keys, keys[1:])):
        raise Refused("malformed")
    return v


def check_addr(doc, want):
    check_first(doc["first"], want)
    raw = lambda s: bytes.fromhex(s.removeprefix("0x"))
    for c in doc["domains"]:
        b = dom(c["domain"], *[decode(bytes.fromhex(x)) for x in c["items"]])
        want(b.hex(), c["bytes"], c["name"])
        want(sha256(b).hex(), c["sha256"], c["name"])
    for c in doc["modules"]:
        a = sha256(dom("module", c["module"]))
        want((a.hex(), address_text(a)), (c["address_hex"], c["address"]), "module " + c["module"])
    for c in doc["auths"]:
        keys = [raw(k) for k in c["keys"]]
        auth = [0, keys[0]] if c["threshold"] == 0 else [1, c["threshold"], keys]
        want(encode(auth).hex(), c["hex"], c["name"])
        want(decode_auth(bytes.fromhex(c["hex"])), auth, c["name"])
        a = sha256(dom("addr", auth))
        want((a.hex(), address_text(a)), (c["address_hex"], c["address"]), c["name"])
        want(parse_address(c["address"]), a, c["name"])
    for c in doc["invalid_auths"]:
        want(refusal(decode_auth, bytes.fromhex(c["hex"])) is not None, True, c["name"])
    for c in doc["invalid_text"]:
        want(refusal(parse_address, c["text"]), "text", c["name"])
    for c in doc["public_keys"]:
        want(usable(raw(c["public_key"])), c["usable"], c["name"])
    for c in doc["signatures"]:
        want(verify(raw(c["public_key"]), bytes.fromhex(c["message"]), raw(c["signature"])), c["valid"], c["name"])
    msg, points = doc["small_order_message"].encode(), [raw(x) for x in doc["small_order"]]
    want(len(set(points)), 14, "number of small-order encodings")
    for a in points:
        for r in points:
            want(verify(a, msg, r + bytes(32)), True, f"small order A {a.hex()} R {r.hex()}")


def check_first(c, want):
    """The first vector of ENC-06, from the seed to the signed bytes."""
    chain, to = bytes.fromhex(c["chain_id"]), b"\x22" * 32
    want((c["seed"], chain), (bytes(range(32)).hex(), b"\x11" * 32), "first: inputs")
    pk, _ = sign(bytes.fromhex(c["seed"]), b"")
    auth = [0, pk]
    sender = sha256(dom("addr", auth))
    body = [0x0101, sender, 0, 20000, 0, 100, None, [to, 1500000000, b""]]
    msg = dom("tx", chain, body)
    _, sig = sign(bytes.fromhex(c["seed"]), msg)
    signed = encode([1, body, auth, [[0, 0, sig]]])
    for key, value in {
        "public_key": "0x" + pk.hex(),
        "address_hex": sender.hex(),
        "address": address_text(sender),
        "body": encode(body).hex(),
        "sign_bytes": msg.hex(),
        "txid": sha256(dom("txid", chain, body)).hex(),
        "signature": "0x" + sig.hex(),
        "signed": signed.hex(),
        "signed_sha256": sha256(signed).hex(),
    }.items():
        want(c[key], value, "first: " + key)


# --- splits and amounts ----------------------------------------------------


def split(total, weights):
    w, c, out = sum(weights), 0, []
    if w >= U64:
        raise Refused("arith")
    for x in weights:
        out.append((total * (c + x) // w - total * c // w) if w else 0)
        c += x
    return out


def hamilton(pool, weights):
    s = sum(weights)
    if s >= U64:
        raise Refused("arith")
    if s == 0:
        return [0] * len(weights)
    out = [pool * w // s for w in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(pool * weights[i] % s), i))
    for i in order[: pool - sum(out)]:
        out[i] += 1
    return out


def mul_div(a, b, c):
    if c == 0 or a * b // c >= U64:
        raise Refused("arith")
    return a * b // c


def parse_amount(text):
    m = re.fullmatch(r"\s*(?:([0-9]+) *nOPEN|([0-9]+)(?:\.([0-9]{1,9}))? *(?:OPEN)?)\s*", text)
    if not m:
        raise Refused("amount")
    base, whole, frac = m.groups()
    v = int(base) if base else int(whole) * 10**9 + int((frac or "").ljust(9, "0"))
    if v >= U64:
        raise Refused("amount")
    return v


def check_split(doc, want):
    for kind, f in (("split", split), ("hamilton", hamilton)):
        for c in doc[kind]:
            total, weights, name = int(c["total"]), [int(w) for w in c["weights"]], kind + ": " + c["name"]
            want(refusal(f, total, weights), c.get("error"), name)
            if "error" in c:
                continue
            parts = [int(p) for p in c.get("parts", [])]
            want(parts, f(total, weights), name)
            want(sum(parts), total if sum(weights) else 0, name + ": sum")
    for c in doc["mul_div"]:
        args = [int(c[k]) for k in "abc"]
        want(refusal(mul_div, *args), c.get("error"), c["name"])
        if "error" not in c:
            want(int(c["result"]), mul_div(*args), c["name"])
    for c in doc["accumulators"]:
        acc = sum(int(a) * U64 // int(c["total_weight"]) for a in c["add"])
        want(int(c["acc_hex"], 16), acc, c["name"])
        want(len(c["acc_hex"]), 64, c["name"] + ": length")
        want(int(c["due"]), int(c["weight"]) * acc // U64, c["name"] + ": due")
    for c in doc["amounts"]:
        v = parse_amount(c["text"])
        want(int(c["base_units"]), v, c["text"])
        want(c["output"], f"{v // 10**9}.{v % 10**9:09d} OPEN", c["text"])
    for text in doc["invalid_amounts"]:
        want(refusal(parse_amount, text), "amount", f"invalid amount {text!r}")


# --- BLAKE3 and content ----------------------------------------------------

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
START, END, PARENT, ROOT = 1, 2, 4, 8
LANES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
M32 = 2**32 - 1


def compress(cv, block, counter, size, flags):
    """The first 8 words of one BLAKE3 compression."""
    m = [int.from_bytes(block[4 * i : 4 * i + 4], "little") for i in range(16)]
    v = list(cv) + list(IV[:4]) + [counter & M32, counter >> 32, size, flags]
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(LANES):
            for x, r1, r2 in ((m[2 * i], 16, 12), (m[2 * i + 1], 8, 7)):
                v[a] = (v[a] + v[b] + x) & M32
                t = v[d] ^ v[a]
                v[d] = (t >> r1 | t << 32 - r1) & M32
                v[c] = (v[c] + v[d]) & M32
                t = v[b] ^ v[c]
                v[b] = (t >> r2 | t << 32 - r2) & M32
        m = [m[i] for i in ORDER]
    return tuple(v[i] ^ v[i + 8] for i in range(8))


def words(cv):
    return b"".join(w.to_bytes(4, "little") for w in cv)


@functools.cache
def chunk(data, counter, root):
    cv, blocks = IV, max(1, (len(data) + 63) // 64)
    for i in range(blocks):
        block = data[64 * i : 64 * i + 64]
        flags = (START if i == 0 else 0) | (END | root if i == blocks - 1 else 0)
        cv = compress(cv, block.ljust(64, b"\0"), counter, len(block), flags)
    return words(cv)


@functools.cache
def parent(left, right, root=0):
    return words(compress(IV, left + right, 0, 64, PARENT | root))


def largest_power_below(n):
    return 1 << (n - 1).bit_length() - 1


def subtree(data, counter=0, root=0):
    """The chaining value of the subtree whose first chunk has this counter."""
    if len(data) <= 1024:
        return chunk(data, counter, root)
    mid = largest_power_below(len(data))
    return parent(subtree(data[:mid], counter), subtree(data[mid:], counter + mid // 1024), root)


def join(cvs, root=0):
    """The tree over sibling chaining values."""
    if len(cvs) == 1:
        return cvs[0]
    mid = largest_power_below(len(cvs))
    return parent(join(cvs[:mid]), join(cvs[mid:]), root)


UNIT, PAGE, MAX_SIZE = 65536, 1024, 1 << 40


def unit_count(size):
    return max(1, -(-size // UNIT))


def siblings(cvs, i, n):
    """The values beside the path to page i of n, lowest first."""
    if n == 1:
        return []
    mid = largest_power_below(n)
    left, right = cvs[: mid * PAGE], cvs[mid * PAGE :]
    if i < mid:
        return siblings(left, i, mid) + [join(right)]
    return siblings(right, i - mid, n - mid) + [join(left)]


def climb(cv, i, n, sibs):
    """The root over page i of n."""
    if n == 1:
        if sibs:
            raise Refused("page")
        return cv
    sides = []
    while n > 1:
        mid = largest_power_below(n)
        sides.append(i >= mid)
        i, n = (i - mid, n - mid) if i >= mid else (i, mid)
    if len(sibs) != len(sides):
        raise Refused("page")
    for k, s in enumerate(sibs):
        top = len(sides) - 1 - k
        root = ROOT if top == 0 else 0
        cv = parent(s, cv, root) if sides[top] else parent(cv, s, root)
    return cv


def check_id(b):
    if len(b) != 34 or b[0] not in (0x12, 0x1E) or b[1] != 32:
        raise Refused("id")


def id_text(b):
    return "b" + base64.b32encode(b).decode().lower().rstrip("=")


def parse_id(text):
    if not re.fullmatch("b[a-z2-7]{55}", text):
        raise Refused("id")
    b = base64.b32decode(text[1:].upper() + "=")
    check_id(b)
    if id_text(b) != text:
        raise Refused("id")
    return b


def verify_page(cid, size, b):
    try:
        page = decode(b)
    except Refused:
        raise Refused("page") from None
    if not struct(is_uint, list_of(is_hash), list_of(is_hash))(page):
        raise Refused("page")
    index, cvs, sibs = page
    if index >= 1 << 14 or not 1 <= len(cvs) <= PAGE or len(sibs) > 14:
        raise Refused("page")
    check_id(cid)
    if cid[0] != 0x1E:
        raise Refused("id")
    units = unit_count(size)
    pages = -(-units // PAGE)
    if size > MAX_SIZE or index >= pages:
        raise Refused("size")
    if len(cvs) != min(PAGE, units - index * PAGE):
        raise Refused("page")
    if climb(join(cvs, ROOT if pages == 1 else 0), index, pages, sibs) != cid[2:]:
        raise Refused("page")


def check_content(doc, want):
    for c in doc["contents"]:
        size = c["size"]
        data, name = bytes((i * i + i // 251) % 256 for i in range(size)), f"content of {size} bytes"
        cvs = []
        for i in range(unit_count(size)):
            root = ROOT if unit_count(size) == 1 else 0
            cvs.append(subtree(data[i * UNIT : (i + 1) * UNIT], i * UNIT // 1024, root))
        want(c["unit_cvs"], [cv.hex() for cv in cvs], name)
        digest = join(cvs, ROOT)
        want(c["blake3"], digest.hex(), name)
        want(parse_id(c["id"]), b"\x1e\x20" + digest, name)
        want(parse_id(c["sha256_id"]), b"\x12\x20" + sha256(data), name)
        want((id_text(parse_id(c["id"])), id_text(parse_id(c["sha256_id"]))), (c["id"], c["sha256_id"]), name)
    for c in doc["trees"]:
        check_tree(c, want)
    for c in doc["invalid_ids"]:
        f, x = (parse_id, c["text"]) if "text" in c else (check_id, bytes.fromhex(c.get("hex", "")))
        want(refusal(f, x), "id", c["name"])
    for c in doc["invalid_pages"]:
        want(refusal(verify_page, parse_id(c["id"]), c["size"], bytes.fromhex(c["hex"])), c["error"], c["name"])


def check_tree(c, want):
    n, name = c["units"], f"tree of {c['units']} units"
    cvs = [sha256(b"unit" + i.to_bytes(8, "big")) for i in range(n)]
    root = join(cvs, ROOT)
    want((c["size"], c["root"]), (n * UNIT, root.hex()), name)
    pages = -(-n // PAGE)
    want([p["index"] for p in c["pages"]], list(range(pages)), name)
    for p in c["pages"]:
        i = p["index"]
        page = cvs[i * PAGE : (i + 1) * PAGE]
        want(p["values"], len(page), f"{name}, page {i}")
        want(p["siblings"], [s.hex() for s in siblings(cvs, i, pages)], f"{name}, page {i}")
        sibs = [bytes.fromhex(s) for s in p["siblings"]]
        want(refusal(verify_page, b"\x1e\x20" + root, c["size"], encode([i, page, sibs])), None, f"{name}, page {i}")


# --- random streams --------------------------------------------------------


class Draw:
    """EXE-05: 8-byte big-endian pieces of H(dom("draw", seed, purpose, id, counter))."""

    def __init__(self, c):
        self.args = (bytes.fromhex(c["seed"]), c["purpose"], bytes.fromhex(c["id"]))
        self.counter, self.words = 0, []

    def next(self):
        if not self.words:
            h = sha256(dom("draw", *self.args, self.counter))
            self.counter += 1
            self.words = [int.from_bytes(h[i : i + 8], "big") for i in range(0, 32, 8)]
        return self.words.pop(0)

    def below(self, n):
        while (w := self.next()) >= U64 - U64 % n:
            pass
        return w % n

    def sample(self, weights, k):
        left, picks = list(weights), []
        if sum(left) >= U64:
            return []
        while len(picks) < k and sum(left) > 0:
            r, i = self.below(sum(left)), 0
            while r >= left[i]:
                r, i = r - left[i], i + 1
            picks.append(i)
            left[i] = 0
        return picks


class SplitMix:
    """ARC-04."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) % U64
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % U64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % U64
        return z ^ z >> 31

    def below(self, n):
        return self.next() * n >> 64


def check_draw(doc, want):
    for c in doc["words"]:
        d = Draw(c)
        want(c["words"], [str(d.next()) for _ in c["words"]], f"words of {c['purpose']!r}")
    for c in doc["below"]:
        d = Draw(c)
        want(c["values"], [str(d.below(int(c["bound"]))) for _ in c["values"]], "below " + c["bound"])
    for c in doc["samples"]:
        want(c["picks"], Draw(c).sample([int(w) for w in c["weights"]], c["k"]), c["name"])
    for c in doc["splitmix"]:
        s, b = SplitMix(int(c["seed"])), SplitMix(int(c["seed"]))
        want(c["words"], [str(s.next()) for _ in c["words"]], "splitmix " + c["seed"])
        want(c["below"], [str(b.below(int(c["bound"]))) for _ in c["below"]], "splitmix below " + c["seed"])
    for c in doc["shuffles"]:
        s, p = SplitMix(int(c["seed"])), list(range(c["n"]))
        for i in range(c["n"] - 1, 0, -1):
            j = s.below(i + 1)
            p[i], p[j] = p[j], p[i]
        want(c["perm"], p, f"shuffle of {c['n']}")
    for c in doc["poa_seeds"]:
        h = sha256(dom("poa", bytes.fromhex(c["seed"]), c["purpose"], int(c["index"])))
        want(c["splitmix_seed"], str(int.from_bytes(h[:8], "big")), "poa seed " + c["index"])


# --- main ------------------------------------------------------------------

CHECKS = {
    "addr.json": check_addr,
    "content.json": check_content,
    "draw.json": check_draw,
    "enc.json": check_enc,
    "split.json": check_split,
}


class Mismatch(Exception):
    """A vector that does not hold."""


def check(name, doc):
    """Checks one file; returns the number of checks and the mismatches."""
    done, bad = 0, []

    def want(got, expected, label):
        nonlocal done
        done += 1
        if got != expected:
            bad.append(f"{name}: {label}: {str(got)[:200]} is not {str(expected)[:200]}")

    try:
        CHECKS[name](doc, want)
    except Exception as e:  # a vector that cannot even be read is a mismatch
        bad.append(f"{name}: stopped by {type(e).__name__}: {e}")
    if done == 0:
        bad.append(f"{name}: nothing to check")
    return done, bad


# Fields without a result: prose, a message that any text may replace, and bytes
# that are refused after a change as well.
FREE = (
    ".about",
    ".clauses[]",
    ".name",
    ".schemas.",
    ".small_order_message",
    ".invalid_auths[].hex",
    ".invalid_text[].text",
    ".invalid_ids[].hex",
    ".invalid_ids[].text",
    ".invalid_amounts[]",
)


def leaves(v, path=""):
    """All (path, container, key) of the leaves; list indices are left out of the path."""
    pairs = v.items() if isinstance(v, dict) else enumerate(v)
    for k, x in pairs:
        here = f"{path}.{k}" if isinstance(v, dict) else path + "[]"
        if isinstance(x, (dict, list)):
            yield from leaves(x, here)
        elif not any(here.endswith(f) or (f.endswith(".") and f in here) for f in FREE):
            yield here, v, k


def wrong(x):
    """Another value of the same kind."""
    if isinstance(x, bool):
        return not x
    if isinstance(x, int):
        return x + 1
    if isinstance(x, str) and x:
        return x[:-1] + ("1" if x[-1] == "0" else "0")
    return "0"


def unnoticed(name, doc):
    """Kinds of field whose damage passes. All leaves of a kind change together."""

    def want(got, expected, label):
        if got != expected:
            raise Mismatch(label)

    for path in sorted({p for p, _, _ in leaves(doc)}):
        other = copy.deepcopy(doc)
        for p, box, key in list(leaves(other)):
            if p == path:
                box[key] = wrong(box[key])
        try:
            CHECKS[name](other, want)
        except Exception:
            continue
        yield path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-d", "--dir", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--damage", action="store_true", help="expect every kind of changed field to be noticed")
    parser.add_argument("files", nargs="*", metavar="FILE", help="one of " + " ".join(CHECKS))
    args = parser.parse_args()
    failed = False
    for name in args.files or sorted(CHECKS):
        if name not in CHECKS:
            parser.error(f"{name} is not one of {' '.join(CHECKS)}")
        with open(os.path.join(args.dir, name), encoding="utf-8") as f:
            doc = json.load(f)
        if args.damage:
            kinds = len({p for p, _, _ in leaves(doc)})
            bad = [f"{name}: damage at {path} passes" for path in unnoticed(name, doc)]
            good = f"{name}: damage at {kinds} kinds of field is noticed"
        else:
            done, bad = check(name, doc)
            good = f"{name}: {done} checks"
        print("\n".join(bad) or good)
        failed = failed or bool(bad)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
