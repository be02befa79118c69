#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check tx.json against TXN-01, TXN-02, FEE-01, KEY-05, ENC-02, ENC-03: the
envelope, the bounds of every kind, ids, weights and signatures, written again
from the texts. Standard library only, besides check.py beside it (CBOR and
Ed25519). Prints what it checked, or the first difference."""
import json
import os
import sys

import check
from check import Refused, dom, encode, sha256

HERE = os.path.dirname(os.path.abspath(__file__))
U62 = 1 << 62
DAY = 24 * 3600 * 1000


class Bad(Exception):
    """A refusal; the argument is its code."""


def need(ok, code="enc_field"):
    if not ok:
        raise Bad(code)


# --- field types: f(v) is "shape", "bounds" or "order" when wrong -----------

NONCANONICAL = "enc_noncanonical"


def uint(low=0, high=2**64 - 1, top=2**64 - 1):
    def f(v):
        need(isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= top, NONCANONICAL)
        return lambda: need(low <= v <= high)

    return f


def raw(size=None, low=0, high=1 << 32, code="enc_field"):
    def f(v):
        need(isinstance(v, bytes) and (size is None or len(v) == size), NONCANONICAL)
        return lambda: need(low <= len(v) <= high, code)

    return f


def word(v):
    """A 32-byte value that must not be zero."""
    raw(32)(v)
    return lambda: need(v != bytes(32))


def vote_key(v):
    raw(32)(v)
    return lambda: need(check.usable(v))


def text(limit):
    def f(v):
        need(isinstance(v, str), NONCANONICAL)
        return lambda: need(0 < len(v) <= limit and all(" " <= c <= "~" for c in v) and v.strip(" ") == v)

    return f


def string(v):
    need(isinstance(v, str), NONCANONICAL)
    return lambda: None


def exactly(want):
    def f(v):
        need(isinstance(v, type(want)) and isinstance(v, bool) == isinstance(want, bool), NONCANONICAL)
        return lambda: need(v == want)

    return f


def flag(v):
    need(isinstance(v, bool), NONCANONICAL)
    return lambda: None


def cid(code):
    def f(v):
        need(isinstance(v, bytes) and len(v) == 34 and v[0] in (0x12, 0x1E) and v[1] == 32, NONCANONICAL)
        return lambda: need(v[0] == code)

    return f


def ascending(limit):
    def f(v):
        need(isinstance(v, list), NONCANONICAL)
        for x in v:
            raw(32)(x)

        def bounds():
            need(0 < len(v) <= limit and v[0] != bytes(32))
            need(all(a < b for a, b in zip(v, v[1:])), "enc_order")

        return bounds

    return f


def record(*fields, nullable=False, extra=None):
    def f(v):
        if nullable and v is None:
            return lambda: None
        need(isinstance(v, list) and len(v) == len(fields), NONCANONICAL)
        later = [field(x) for field, x in zip(fields, v)]

        def bounds():
            if extra:
                extra(v)
            for check_bounds in later:
                check_bounds()

        return bounds

    return f


def items(field, low, high):
    def f(v):
        need(isinstance(v, list), NONCANONICAL)
        later = [field(x) for x in v]

        def bounds():
            need(low <= len(v) <= high)
            for check_bounds in later:
                check_bounds()

        return bounds

    return f


def null(v):
    """A reserved field: null, or the empty list, which is refused later."""
    need(v is None or v == [], NONCANONICAL)
    return lambda: need(v is None)


def optional(field):
    return lambda v: (lambda: None) if v is None else field(v)


def fits_train(t):
    """program.Train: model and hidden layer, step sizes, cost."""
    model, features, classes, hidden, _, batch, steps, segments, lr, _, momentum = t[:11]
    need(model in ("softmax/1", "mlp/1"))
    need(hidden == 0 if model == "softmax/1" else 1 <= hidden <= 1024)
    params = (features + 1) * classes if hidden == 0 else (features + 1) * hidden + (hidden + 1) * classes
    need(0 < lr and momentum < 0x3F800000 and 3 * params * batch * steps * segments <= 1 << 40)


def fits_learn(v):
    """decoder.Learn: the sizes of the net, adapters, memory and cost."""
    (arch, int8, (rank, _, targets)), seqs, tokens, steps, per, _, optimizer = v[:7]
    rate, warm = v[13:]
    layers, hidden, inner, heads, kv, width, vocab, positions, _, tied, *biased = arch
    need(kv <= heads and heads % kv == 0 and width % 2 == 0)
    dims = {
        "down": (hidden, inner), "gate": (inner, hidden), "up": (inner, hidden), "o": (hidden, heads * width),
        "q": (heads * width, hidden), "k": (kv * width, hidden), "v": (kv * width, hidden),
    }
    need((rank == 0) == (targets == []) and all(t in dims for t in targets) and all(a < b for a, b in zip(targets, targets[1:])))
    need(tokens <= positions and seqs * tokens <= 1 << 31 and warm <= steps and per <= steps and -(-steps // per) <= 4096)
    need(rate > 0 and optimizer in (1, 2) and not (int8 and rank == 0))

    def held(rows, cols):
        return rows * cols + 4 * rows * -(-cols // 128) if int8 else 4 * rows * cols

    size = 4 * positions * width + 4 * vocab * hidden + 4 * hidden
    if int8 or not tied:
        size += held(vocab, hidden)
    group = {"q": 0, "k": 0, "v": 0, "o": 1, "gate": 2, "up": 2, "down": 2}
    layer = 8 * hidden
    for m, (rows, cols) in dims.items():
        layer += held(rows, cols) + (4 * rows if biased[group[m]] else 0) + (4 * rank * (rows + cols) if m in targets else 0)
    need(size + layers * layer <= 1 << 32)
    products = vocab * hidden + layers * sum(r * c for r, c in dims.values())
    need(3 * (products + 2 * layers * tokens * heads * width) * tokens * seqs * steps <= 1 << 52)


def fits_ask(v):
    """decoder.Ask: what a table's answer and an evaluation leave out."""
    _, tokens, int8, most, temperature, top_p, top_k, seed = v
    drawn = temperature or top_p or top_k or seed
    need(tokens > 0 or not (int8 or most > 1 or drawn))
    need(most > 0 or not drawn)


def fits_task(p):
    kind, train, attribute, learn, ask, model, datasets, validation, price, fee = p[:10]
    need([x is not None for x in (train, attribute, learn, ask)] == [kind == 1, kind == 2, kind == 3, kind in (4, 5)])
    none = bytes(32)
    if kind < 3:
        need(model == none and validation != none)
    elif kind == 3:
        need(model != none or learn[0][2][0] == 0)
    else:
        need(model != none and (ask[3] == 0) == (kind == 4))
    need(validation not in datasets and price + fee < 2**64)


def fits_model(p):
    _, task, _, _, _, _, royalty, method, k, _ = p
    if method == "knn/1":
        need(task != bytes(32) and 1 <= k <= 256)
    else:
        need(method == "none" and k == 0 and royalty == 0)


def fits_dataset(p):
    need(p[6] > 0 or p[7] <= 64 << 20)


AMOUNT, U8, U32, ONE = uint(1), 2**8 - 1, 2**32 - 1, 0x3F800000
SHA, BLAKE = cid(0x12), cid(0x1E)
WINDOW = uint(1000, 7 * DAY)
TRAIN = record(
    text(16), uint(1, 4096), uint(2, 256), uint(0, 1024), uint(1, 1 << 24), uint(1, 4096), uint(1, 65536),
    uint(1, 4096), uint(1, 0x7F7FFFFF, U32), uint(0, 0x7F7FFFFF, U32), uint(0, 0x3F7FFFFF, U32), uint(),
    nullable=True, extra=fits_train,
)
ATTRIBUTE = record(exactly("knn/1"), uint(1, 256), flag, uint(1, 4096), uint(), nullable=True)
FLOAT = 0x7F7FFFFF
ARCH = record(
    uint(1, 256), uint(1, 65536), uint(1, 131072), uint(1, 1024), uint(1, 1024), uint(1, 512), uint(1, 1 << 20), uint(1, 131072),
    uint(top=U32), flag, flag, flag, flag,
)
NET = record(ARCH, flag, record(uint(0, 256), uint(top=U32), items(string, 0, 7)))
LEARN = record(
    NET, uint(1, 4096), uint(1, 1 << 14), uint(1, 1 << 24), uint(1), uint(), uint(), uint(0, ONE - 1, U32), uint(0, ONE - 1, U32),
    uint(0, ONE, U32), uint(0, ONE, U32), uint(0, ONE - 1, U32), uint(0, FLOAT, U32), uint(1, FLOAT, U32), uint(),
    nullable=True, extra=fits_learn,
)
ASK = record(
    uint(1, 4096), uint(0, 1 << 14), flag, uint(0, 1 << 14), uint(0, 0x42C80000, U32), uint(0, ONE, U32), uint(0, 1 << 20), uint(),
    nullable=True, extra=fits_ask,
)
VOUCHER = record(raw(32), raw(32), uint(), AMOUNT, AMOUNT, null, null)

KINDS = {
    0x0101: (2, [word, AMOUNT, raw(high=64)]),
    0x0104: (4, [word]),
    0x0201: (6, [word, AMOUNT]),
    0x0202: (9, [word, AMOUNT]),
    0x0203: (9, [word, word, AMOUNT]),
    # Whether the VRF key is a point, and both proofs, are other vectors' matter.
    0x0204: (8, [vote_key, raw(64), raw(96), raw(48), word, uint(0, 2000), AMOUNT]),
    0x0205: (2, [uint(0, 2000)]),
    0x0206: (2, []),
    0x0207: (256, [raw(low=1, high=32 << 10)]),
    0x0208: (4, [word]),
    0x020A: (2, [uint(), uint()]),
    0x0301: (6, [word, text(64), BLAKE, word, SHA, uint(1, 1 << 24), uint(0, 4096), uint(1, 1 << 36), word, AMOUNT]),
    0x0401: (4, [text(48), uint(0, 0, U8), ascending(16), uint()]),
    0x0501: (5, [text(64), raw(32), word, BLAKE, uint(1, 1 << 40), word, uint(), string, uint(), AMOUNT]),
    0x0600: (5, [uint(1, 5, U8), TRAIN, ATTRIBUTE, LEARN, ASK, raw(32), ascending(64), raw(32), AMOUNT, AMOUNT, WINDOW, WINDOW, WINDOW, WINDOW]),
    0x0601: (4, [word]),
    0x0602: (4, [word, word, uint(1, 1 << 24), word, BLAKE, uint(1, 1 << 40)]),
    0x0604: (4, [word, word]),
    0x0605: (9, [word, raw(32), raw(32), raw(32)]),
    0x0700: (5, [text(32), raw(low=1, high=64), AMOUNT]),
    0x0703: (3, [word, AMOUNT, uint(1, U62)]),
    0x0801: (5, [word, AMOUNT, uint(1, U62), uint(1, U62), uint(1, 64)]),
    0x0803: (None, [items(record(VOUCHER, raw(32), raw(64)), 1, 64)]),
    0x0804: (7, [word]),
    0x0901: (8, [uint(), word, word, AMOUNT, uint(1, 1 << 32), raw(32), uint(), uint(0, 1 << 36), text(16), AMOUNT]),
    0x0A01: (5, [word, word, uint(), uint(), lambda v: lambda: None]),
    0x1301: (4, [word, word, text(16), raw(32), uint(), uint(0, 4096), word, uint(1, 1 << 24), raw(high=2048, code="poa_params_size"), AMOUNT]),
}
EXTRA = {0x0203: lambda p: need(p[0] != p[1]), 0x0301: fits_dataset, 0x0501: fits_model, 0x0600: fits_task, 0x0A01: lambda p: need(p[2] <= p[3])}


def weight(kind, payload, size, sigs):
    writes, more = KINDS[kind][0], 0
    if kind == 0x0803:
        writes, more = 4 + 4 * len(payload[0]), 450 * len(payload[0])
    if kind == 0x0A01:
        more = 1200
    if kind == 0x0204:
        more = 32000
    if kind == 0x0207:
        more = len(payload[0]) // 64 * 200
    return 1000 + 4 * size + 200 * sigs + 600 * writes + more


def auth(v):
    """The keys and how many must sign."""
    need(isinstance(v, list) and v and v[0] in (0, 1) and not isinstance(v[0], bool), NONCANONICAL)
    if v[0] == 0:
        record(uint(), raw(32))(v)
        return [v[1]], 1
    record(uint(), uint(), items(raw(32), 0, 1 << 16))(v)
    need(1 <= v[1] <= len(v[2]) <= 16 and all(a < b for a, b in zip(v[2], v[2][1:])), NONCANONICAL)
    return v[2], v[1]


def decode(b):
    """Envelope and payload, shapes checked."""
    need(len(b) <= 64 << 10, "enc_size")
    need(len(b) >= 6 and b[0] == 0x84 and b[1] == 1 and b[2] == 0x88 and b[3] == 0x19, NONCANONICAL)
    kind = int.from_bytes(b[4:6], "big")
    need(kind in KINDS, "enc_kind")
    try:
        v = check.decode(b)
    except Refused:
        raise Bad(NONCANONICAL)
    _, body, reveal, sigs = v
    need(isinstance(body, list) and len(body) == 8, NONCANONICAL)
    for field, x in zip([uint(), raw(32), uint(), uint(), uint(), uint(), optional(raw(32))], body):
        field(x)
    bounds = record(*KINDS[kind][1])(body[7])
    items(record(uint(), uint(), raw(64)), 0, 1 << 16)(sigs)
    return v, kind, (auth(reveal) if reveal is not None else None), bounds


def verify(chain, b):
    """The transaction id, the weight; or Bad with the first refusal."""
    (_, body, reveal, sigs), kind, keys, bounds = decode(b)
    need(body[6] is None, "tx_sponsor")
    need(body[4] <= body[3])
    need(keys is not None, "tx_reveal")
    keys, threshold = keys
    need(all(check.usable(k) for k in keys), "enc_sig")
    need(sha256(dom("addr", reveal)) == body[1], "enc_sig")
    need(len(sigs) == threshold, "enc_sig")
    for i, (role, index, _) in enumerate(sigs):
        need(role != 1, "tx_sponsor")
        need(role != 2, "tx_delegate")
        need(role == 0 and index < len(keys))
        need(i == 0 or sigs[i - 1][1] < index, "enc_order")
    if kind in EXTRA:
        EXTRA[kind](body[7])
    bounds()
    for _, index, sig in sigs:
        need(check.verify(keys[index], dom("tx", chain, body), sig), "enc_sig")
    return sha256(dom("txid", chain, body)), weight(kind, body[7], len(b), len(sigs)), body, kind


def same(what, got, want):
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")


def main():
    with open(os.path.join(HERE, "tx.json")) as f:
        doc = json.load(f)
    chain = bytes.fromhex(doc["chain_id"])
    kinds = set()
    for c in doc["valid"]:
        b = bytes.fromhex(c["signed"])
        try:
            txid, w, body, kind = verify(chain, b)
        except Bad as e:
            sys.exit(f"{c['name']}: refused as {e}")
        kinds.add(kind)
        same(c["name"] + " body", encode(body).hex(), c["body"])
        same(c["name"] + " SHA-256", sha256(b).hex(), c["signed_sha256"])
        same(c["name"] + " id", "0x" + txid.hex(), c["txid"])
        same(c["name"] + " object id", "0x" + sha256(dom("id", txid, kind, 0)).hex(), c["object_id"])
        same(c["name"] + " weight", w, c["weight"])
    same("kinds", kinds, set(KINDS))
    first = doc["valid"][0]
    _, signature = check.sign(bytes.fromhex(doc["seed"]), dom("tx", chain, check.decode(bytes.fromhex(first["body"]))))
    same("signature", signature.hex(), first["signed"][-128:])
    for c in doc["invalid"]:
        try:
            verify(chain, bytes.fromhex(c["signed"]))
        except Bad as e:
            same(c["name"], e.args[0], c["code"])
        else:
            sys.exit(f"{c['name']}: accepted")
    print(f"tx.json: {len(doc['valid'])} valid of {len(kinds)} kinds, {len(doc['invalid'])} invalid")


main()
