#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check voucher.json, receipt.json and payout.json against CHN-02, CHN-03,
RCP-01..03, PAY-01, PAY-02, PAY-05, SHR-02, SHR-05: formats, signatures, the
money split, sum trees and claims, written again from the texts. Standard
library only, besides check.py (CBOR, Ed25519, splits) and merkle_check.py (sum
tree) beside it. Prints what it checked, or fails at the first difference."""
import json
import os
import sys

import check
import merkle_check
from check import Refused, decode, dom, encode, hamilton, is_hash, is_uint, list_of, parse_address, sha256, split, struct
from merkle_check import Bad, same

HERE = os.path.dirname(os.path.abspath(__file__))
W = 1 << 40
is_sig = lambda v: isinstance(v, bytes) and len(v) == 64
anything = lambda v: True


def need(ok, code):
    if not ok:
        raise Bad(code)


def load(name):
    with open(os.path.join(HERE, name)) as f:
        return json.load(f)


def raw(s):
    return bytes.fromhex(s.removeprefix("0x"))


def canonical(shape, b):
    """The value, or Bad enc_noncanonical."""
    try:
        v = decode(b)
    except Refused:
        raise Bad("enc_noncanonical")
    need(shape(v), "enc_noncanonical")
    return v


def account(key):
    return sha256(dom("addr", [0, key]))


def verdict(what, code, f, *args):
    try:
        f(*args)
    except Bad as e:
        same(what, e.args[0], code)
    else:
        sys.exit(f"{what}: accepted, want {code}")


# --- money splits ----------------------------------------------------------


def parts(gross, price, rates):
    """PAY-01: contributors, trainer, operator, burn, treasury, validators."""
    burn, treasury, validators, contributors, trainers = rates
    takes = (burn, treasury, validators)
    need(all(100 <= t <= 1500 for t in takes) and sum(takes) <= 2500, "rates")
    need(5000 <= contributors and contributors + trainers == 10000, "rates")
    ask, royalty = price
    need(gross == 0 or ask + royalty > 0, "price")
    need(ask + royalty < 2**64, "arith")
    rest, *top = split(gross, [10000 - sum(takes), *takes])
    roy, operator = split(rest, [royalty, ask])
    people, trainer = split(roy, [contributors, trainers])
    return [people, trainer, operator, *top]


def shares(part, weights):
    """SHR-05 with mix and calibration 1: (shares, left)."""
    need(sum(weights) <= W, "weights")
    paid = part * sum(weights) // W
    return hamilton(paid, weights), part - paid


def refund(amount, paid):
    need(sum(paid) < 2**64 and amount <= sum(paid), "arith")
    return split(amount, paid)


NAMES = ("contributors", "trainer", "operator", "burn", "treasury", "validators")
RATES = ("burn", "treasury", "validators", "contributors", "trainers")
numbers = lambda d, keys: [int(d[k]) for k in keys]


def check_payout(doc):
    for c in doc["splits"]:
        args = int(c["gross"]), numbers(c["price"], ("ask", "royalty")), numbers(c["rates"], RATES)
        if "error" in c:
            verdict(c["name"], c["error"], parts, *args)
            continue
        got = parts(*args)
        same(c["name"], got, numbers(c["split"], NAMES))
        same(c["name"], (sum(got), int(c["split"]["gross"])), (args[0], args[0]))
    for c in doc["shares"]:
        args = int(c["part"]), [int(w) for w in c["weights"]]
        if "error" in c:
            verdict(c["name"], c["error"], shares, *args)
            continue
        got, left = shares(*args)
        same(c["name"], (got, left), ([int(x) for x in c.get("shares", [])], int(c["left"])))
        same(c["name"], sum(got) + left, args[0])
    for c in doc["refunds"]:
        args = int(c["amount"]), [int(x) for x in c["paid"]]
        if "error" in c:
            verdict(c["name"], c["error"], refund, *args)
            continue
        same(c["name"], refund(*args), [int(x) for x in c["parts"]])
    return len(doc["splits"]) + len(doc["shares"]) + len(doc["refunds"])


# --- vouchers --------------------------------------------------------------

empty = lambda v: v is None or v == []
is_voucher = struct(struct(is_hash, is_hash, is_uint, is_uint, is_uint, empty, empty), is_hash, is_sig)


def voucher(b, chain, channel, ch, lane, now):
    """CHN-03: (what the voucher adds, its value)."""
    v, key, sig = s = canonical(is_voucher, b)
    cid, _, nonce, cum, expiry, cond, payword = v
    need(cond is None and payword is None and cum > 0 and expiry > 0, "enc_field")
    need(cid == channel, "chn_voucher_sig")
    need(account(key) == parse_address(ch["payer"]), "chn_voucher_sig")
    end = min(ch["expiry_ms"], ch["closing_ms"] or ch["expiry_ms"])
    need(now < end and now < expiry, "chn_window")
    need(lane is not None or ch["lanes"] < ch["max_lanes"], "chn_lane")
    at, redeemed = (lane["nonce"], int(lane["redeemed"])) if lane else (0, 0)
    need(cum > redeemed and nonce >= at, "chn_cum_low")
    need(cum - redeemed <= int(ch["deposit"]) - int(ch["paid"]), "chn_cum_over")
    need(check.verify(key, dom("voucher", chain, v), sig), "chn_voucher_sig")
    return cum - redeemed, s


def check_voucher(doc):
    chain, channel = raw(doc["chain_id"]), raw(doc["channel_id"])
    seed = raw(doc["payer_seed"])
    args = lambda c: (raw(c["bytes"]), chain, channel, c["channel"], c["lane"], c["ctime_ms"])
    for c in doc["valid"]:
        delta, (v, key, sig) = voucher(*args(c))
        t = c["voucher"]["voucher"]
        same(c["name"], delta, int(c["delta"]))
        same(c["name"], dom("voucher", chain, v), raw(c["signed"]))
        same(c["name"], (key, sig), check.sign(seed, raw(c["signed"])))
        same(c["name"], key, raw(doc["payer_key"]))
        same(c["name"], v, [raw(t["channel"]), raw(t["offer"]), t["nonce"], int(t["cum"]), t["expiry_ms"], t["cond"], t["payword"]])
        same(c["name"], (key, sig), (raw(c["voucher"]["key"]), raw(c["voucher"]["sig"])))
    for c in doc["invalid"]:
        verdict(c["name"], c["code"], voucher, *args(c))
    return len(doc["valid"]) + len(doc["invalid"])


# --- receipts and claims ---------------------------------------------------

is_text = lambda v: isinstance(v, str)
is_attr = struct(is_hash, is_uint)
is_receipt = struct(
    struct(is_hash, is_hash, is_uint, is_uint, is_hash, is_hash, is_uint, is_uint, is_uint, is_text, list_of(is_attr), is_hash), is_hash, is_sig
)
is_line = struct(is_hash, is_uint, is_uint, is_uint)


def receipt(b, chain, operator, price, rates):
    """RCP-01: (receipt, shares, left)."""
    r, key, sig = canonical(is_receipt, b)
    _, _, _, cum, _, _, units, gross, _, rule, attr, _ = r
    need(units == 1 and 0 < gross <= cum and rule == "poa/1" and len(attr) <= 16, "enc_field")
    owners, weights = [a[0] for a in attr], [a[1] for a in attr]
    need(all(a < b for a, b in zip(owners, owners[1:])), "enc_field")
    need(all(w > 0 for w in weights) and sum(weights) <= W, "enc_field")
    need(account(key) == operator and check.verify(key, dom("receipt", chain, r), sig), "enc_sig")
    need(gross == sum(price), "rcp_sum")
    return r, *shares(parts(gross, price, rates)[0], weights)


def claim(b, root, payee, first, last):
    """PAY-05: the amount of lines first to last."""
    try:
        _, amount = merkle_check.check_range(b, root)
    except Bad:
        raise Bad("rcp_range")
    before, fst, lst, after = merkle_check.cbor(b)
    lst = lst or fst
    need((fst[0], lst[0]) == (first, last), "rcp_range")
    for p, ok in ((fst, lambda a: a == payee), (lst, lambda a: a == payee), (before, lambda a: a < payee), (after, lambda a: a > payee)):
        if p is not None:
            line = canonical(is_line, p[2])
            need(line[3] == p[1] and ok(line[0]), "rcp_range")
    return amount


def check_receipt(doc):
    chain, operator, seed = raw(doc["chain_id"]), parse_address(doc["operator"]), raw(doc["operator_seed"])
    price, rates = numbers(doc["price"], ("ask", "royalty")), numbers(doc["rates"], RATES)
    book = []
    for c in doc["valid"]:
        r, got, left = receipt(raw(c["bytes"]), chain, operator, price, rates)
        t = c["receipt"]["receipt"]
        same(c["name"], (got, left), ([int(x) for x in c.get("shares", [])], int(c["left"])))
        same(c["name"], (dom("receipt", chain, r), encode(r)), (raw(c["signed"]), raw(c["leaf"])))
        same(c["name"], check.sign(seed, raw(c["signed"])), (raw(c["receipt"]["key"]), raw(c["receipt"]["sig"])))
        ids = [raw(t[k]) for k in ("offer", "channel", "req_commit", "resp_commit", "model")]
        attr = [[parse_address(a["owner"]), a["weight"]] for a in t["attr"]]
        same(c["name"], r, [ids[0], ids[1], t["nonce"], int(t["cum"]), ids[2], ids[3], t["units"], int(t["gross"]), t["time_ms"], t["rule"], attr, ids[4]])
        book.append((r[1], r[2], r, got))
    for c in doc["invalid"]:
        verdict(c["name"], c["code"], receipt, raw(c["bytes"]), chain, operator, price, rates)
    return len(doc["valid"]) + len(doc["invalid"]) + check_book(doc, sorted(book, key=lambda b: b[:2]))


def check_book(doc, book):
    """RCP-03: both sum trees over the valid receipts, and the claims."""
    lines = sorted([r[10][j][0], i, j, x] for i, (_, _, r, got) in enumerate(book) for j, x in enumerate(got))
    want = [[parse_address(l["payee"]), l["receipt"], l["attr"], int(l["amount"])] for l in doc["lines"]]
    same("lines", lines, want)
    trees = {"receipt_root": [(r[7], encode(r)) for _, _, r, _ in book], "line_root": [(l[3], encode(l)) for l in lines]}
    for name, leaves in trees.items():
        total, hash_ = merkle_check.sum_root(leaves)
        same(name, (hash_, total, len(leaves)), (raw(doc[name]["hash"]), doc[name]["sum"], doc[name]["count"]))
    root = raw(doc["line_root"]["hash"]), doc["line_root"]["sum"], doc["line_root"]["count"]
    args = lambda c: (raw(c["proof"]), root, parse_address(c["payee"]), c["first"], c["last"])
    for c in doc["claims"]:
        same(c["name"], claim(*args(c)), int(c["amount"]))
    same("claims", sum(int(c["amount"]) for c in doc["claims"]), root[1])
    for c in doc["bad_claims"]:
        verdict(c["name"], c["code"], claim, *args(c))
    return len(doc["claims"]) + len(doc["bad_claims"])


def main():
    for name, f in (("voucher.json", check_voucher), ("receipt.json", check_receipt), ("payout.json", check_payout)):
        print(f"{name}: {f(load(name))} vectors hold")


if __name__ == "__main__":
    main()
