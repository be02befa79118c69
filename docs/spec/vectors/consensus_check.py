#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check header.json, vote.json, cert.json, set.json and beacon.json against CONS-02,
CONS-10, CONS-11, CONS-12, CONS-26,
CONS-31, CONS-32, CONS-35, CONS-39, CONS-40 and CONS-41, written again from the texts.
Standard library only, besides check.py (CBOR, Ed25519), bls_check.py and vrf_check.py
beside it. Prints what it checked, or the first difference."""
import json
import math
import os
import sys

import bls_check
import check
import vrf_check
from check import Refused, decode, dom, encode, sha256

HERE = os.path.dirname(os.path.abspath(__file__))
PROPOSAL, NOTARIZE, NULLIFY, FINALIZE, NOTARIZATION, NULLIFICATION, FINALIZATION, AGGREGATE, BATCH = 1, 2, 3, 4, 5, 6, 7, 8, 9
NORMAL, SEAL, CARRIER = 0, 1, 2
MAX_GAP, MAX_BATCHES, MAX_TXS, MAX_VALIDATORS = 60_000, 4_096, 1 << 20, 256


def need(ok, error="malformed"):
    if not ok:
        raise Refused(error)


def same(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: {got!r}, want {want!r}")


def rfc6962(leaves):
    if not leaves:
        return sha256(b"")
    level = [sha256(b"\0" + x) for x in leaves]
    while len(level) > 1:
        pairs = [sha256(b"\1" + a + b) for a, b in zip(level[::2], level[1::2])]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def uint(v):
    need(type(v) is int and 0 <= v < 2**64)


def raw(size=None):
    def f(v):
        need(isinstance(v, bytes) and (size is None or len(v) == size))

    return f


def array(*fields):
    def f(v):
        need(isinstance(v, list) and len(v) == len(fields))
        for x, field in zip(v, fields):
            field(x)

    return f


def many(field):
    def f(v):
        need(isinstance(v, list))
        for x in v:
            field(x)

    return f


H = raw(32)
HEADER = array(uint, H, uint, uint, uint, uint, uint, H, uint, H, uint, H, uint, uint, H, H, H, raw(), raw(), H, uint, uint)
NAMES = ("version chain epoch view height kind time parent parent_view just leader payload batches txs state receipts "
         "set next_set vrf beacon certify certified").split()
VOTE = array(uint, uint, uint, raw(), uint, raw(), raw(64))
CERT = array(uint, uint, uint, raw(), raw(), raw())
PROP = array(uint, HEADER, many(H), many(raw()), raw(64))
BATCHES = array(uint, uint, uint, uint, many(raw()), raw(64))


def read(schema, b):
    try:
        v = decode(b)
    except Refused:
        raise Refused("malformed") from None
    schema(v)
    return v


class Header:
    def __init__(self, v):
        self.v = v
        for name, x in zip(NAMES, v):
            setattr(self, name, x)
        self.hash = sha256(dom("header", v))

    def face(self):
        need(self.version == 1 and self.kind <= CARRIER and self.view > 0 and self.height > 0, "field")
        need(self.parent_view < self.view <= self.parent_view + MAX_GAP, "field")
        need(self.batches <= MAX_BATCHES and self.txs <= MAX_TXS and (self.txs == 0) == (self.batches == 0), "field")
        need(self.kind == NORMAL or self.txs == 0, "field")
        need(len(self.next_set) == (32 if self.kind == SEAL else 0), "field")
        need(len(self.vrf) in ((0,) if self.kind == CARRIER else (0, 96)) and self.certify <= 1, "field")

    def child(self, c):
        first = self.kind == SEAL and c.epoch == self.epoch + 1
        carrier = self.kind != NORMAL and not first
        need(c.parent == self.hash and c.chain == self.chain, "field")
        need(c.parent_view == (0 if first else self.view), "field")
        need(c.set == (self.next_set if first else self.set), "field")
        need(first or c.epoch == self.epoch, "field")
        need(carrier == (c.kind == CARRIER), "field")
        need(c.height == self.height + (not carrier) and c.time > self.time, "field")
        need(not carrier or (c.state, c.receipts) == (self.state, self.receipts), "field")
        need(c.certified == (c.time if c.certify else self.certified), "field")
        need(c.vrf or c.beacon == self.beacon, "field")


def header(b):
    need(len(b) <= 1024)
    return Header(read(HEADER, b))


ENTRY = array(H, H, raw(), raw(), uint)


class Set:
    """[epoch, [[address, ed25519, bls, vrf, power]…]], power descending, then address."""

    def __init__(self, b):
        try:
            self.epoch, self.entries = read(lambda v: array(uint, many(ENTRY))(v), b)
        except Refused:
            raise Refused("set") from None
        need(0 < len(self.entries) <= MAX_VALIDATORS, "set")
        need(sorted(self.entries, key=lambda e: (-e[4], e[0])) == self.entries, "set")
        self.keys = [e[1] for e in self.entries]
        self.power = [e[4] for e in self.entries]
        for i, size in ((2, 96), (3, 32)):
            need({len(e[i]) for e in self.entries} in ({0}, {size}), "set")
        need(all(len({e[i] for e in self.entries}) == len(self.entries) for i in (0, 1)), "set")
        self.bls, self.vrf = (bool(self.entries[0][i]) for i in (2, 3))
        self.total = sum(self.power)
        need(min(self.power) > 0 and self.total <= 1 << 52, "set")
        self.quorum, self.faulty = 2 * self.total // 3 + 1, (self.total - 1) // 3
        self.hash = sha256(dom("set", self.epoch, self.entries))

    def leaders(self, seed, views):
        order = sorted(range(len(self.keys)), key=lambda i: sha256(seed + self.keys[i]))
        credit = {i: 0 for i in order}
        out = []
        for _ in range(views):
            for i in order:
                credit[i] += self.power[i]
            best = max(order, key=lambda i: credit[i])  # the first of equals
            credit[best] -= self.total
            out.append(best)
        return out


def sign_bytes(chain, kind, epoch, view, block, share=b""):
    return dom("vote", chain, kind, epoch, view, block, share)


def final_bytes(chain, epoch, view, block):
    return dom("final", chain, epoch, view, block)


class Chain:
    def __init__(self, chain_id, validators):
        self.id, self.set = chain_id, validators

    def signature(self, signer, msg, sig):
        need(signer < len(self.set.keys), "not_member")
        need(check.verify(self.set.keys[signer], msg, sig), "signature")

    def certificate(self, b):
        kind, epoch, view, block, bits, sigs = read(CERT, b)
        need(kind in (NOTARIZATION, NULLIFICATION, FINALIZATION, AGGREGATE))
        need(len(block) == (0 if kind == NULLIFICATION else 32) and view > 0)
        need(0 < len(bits) <= MAX_VALIDATORS // 8)
        signers = [i for i in range(8 * len(bits)) if bits[i // 8] >> i % 8 & 1]
        need(len(sigs) == (48 if kind == AGGREGATE else 64 * len(signers)))
        need(epoch == self.set.epoch, "epoch")
        n = len(self.set.keys)
        need(len(bits) == (n + 7) // 8)
        need(all(i < n for i in signers), "not_member")
        need(sum(self.set.power[i] for i in signers) >= self.set.quorum, "quorum")
        if kind == AGGREGATE:
            bls_check.verify([self.set.entries[i][2] for i in signers], final_bytes(self.id, epoch, view, block), sigs)
            return kind, view, block
        msg = sign_bytes(self.id, kind - 3, epoch, view, block)
        for j, i in enumerate(signers):
            self.signature(i, msg, sigs[64 * j:64 * j + 64])
        return kind, view, block

    def vote(self, b):
        kind, epoch, view, block, signer, share, sig = read(VOTE, b)
        need(not share or (kind == FINALIZE and len(share) == 48))
        need(len(block) == (0 if kind == NULLIFY else 32) and view > 0)
        need(signer < MAX_VALIDATORS, "not_member")
        need(epoch == self.set.epoch, "epoch")
        self.signature(signer, sign_bytes(self.id, kind, epoch, view, block, share), sig)

    def proposal(self, b):
        _, head, digests, leaves, sig = read(PROP, b)
        h = Header(head)
        try:
            h.face()
        except Refused:
            raise Refused("malformed") from None
        need(h.leader < MAX_VALIDATORS, "not_member")
        need(len(digests) == h.batches and (not leaves or len(leaves) == h.view - h.parent_view))
        need(rfc6962(digests) == h.payload)
        need(h.chain == self.id)
        need(h.epoch == self.set.epoch, "epoch")
        need(h.set == self.set.hash)
        self.signature(h.leader, sign_bytes(self.id, PROPOSAL, h.epoch, h.view, h.hash), sig)
        need(not leaves or rfc6962(leaves) == h.just)
        for i, leaf in enumerate(leaves):
            if i or h.parent_view:
                view = read(CERT, leaf)[2]
                need(view == h.parent_view + i)
                self.certificate(leaf)
        return h.hash

    def batch(self, b):
        _, epoch, author, seq, txs, sig = read(BATCHES, b)
        need(txs and sum(map(len, txs)) <= 64 << 10)
        need(author < MAX_VALIDATORS, "not_member")
        need(epoch == self.set.epoch, "epoch")
        digest = sha256(dom("batch", self.id, epoch, author, seq, len(txs), rfc6962(txs)))
        self.signature(author, digest, sig)
        return digest

    def frame(self, b):
        need(len(b) >= 2 and b[0] >> 5 == 4 and b[1] < 24)
        kind = b[1]
        if kind == PROPOSAL:
            return self.proposal(b)
        if kind in (NOTARIZE, NULLIFY, FINALIZE):
            return self.vote(b)
        if kind == BATCH:
            return self.batch(b)
        need(kind in (NOTARIZATION, NULLIFICATION, FINALIZATION, AGGREGATE))
        self.certificate(b)

    def proof(self, x, b):
        p = read(lambda v: array(CERT, many(HEADER))(v), b)
        kind, _, block = self.certificate(encode(p[0]))
        need(kind in (FINALIZATION, AGGREGATE))
        need(x.kind != SEAL or not self.set.bls or kind == AGGREGATE, "proof")
        need(x.chain == self.id and x.epoch == self.set.epoch and x.set == self.set.hash, "proof")
        at = x.hash
        for head in p[1]:
            h = Header(head)
            need(h.parent == at, "proof")
            at = h.hash
        need(at == block, "proof")


def verdict(what, want, f, *args):
    try:
        got, error = f(*args), ""
    except Refused as r:
        got, error = None, r.args[0]
    same(what, error, want)
    return got


def u(s):
    return bytes.fromhex(s)


def check_header(doc):
    n = 0
    g = header(u(doc["genesis"]["bytes"]))
    same("genesis hash", g.hash.hex(), doc["genesis"]["hash"])
    same("genesis beacon", g.beacon, sha256(g.chain))
    for c in doc["headers"]:
        h = header(u(c["bytes"]))
        same(c["name"], h.hash.hex(), c["hash"])
        verdict(c["name"], c.get("error", ""), h.face)
        n += 1
    for c in doc["children"]:
        verdict(c["name"], c.get("error", ""), header(u(c["parent"])).child, header(u(c["bytes"])))
        n += 1
    for c in doc["refused"]:
        verdict(c["name"], c["error"], header, u(c["bytes"]))
        n += 1
    for c in doc["payload_roots"]:
        same("payload root", rfc6962([u(d) for d in c["digests"]]).hex(), c["root"])
        n += 1
    return n


def check_vote(doc):
    s = Set(u(doc["set"]))
    chain = Chain(u(doc["chain_id"]), s)
    same("set hash", s.hash.hex(), doc["set_hash"])
    same("quorum", s.quorum, doc["quorum"])
    same("leaders", s.leaders(u(doc["leader_seed"]), len(doc["leaders"])), doc["leaders"])
    same("turns", [doc["leaders"][:s.total // math.gcd(*s.power)].count(i) for i in range(len(s.power))],
         [p // math.gcd(*s.power) for p in s.power])
    for c in doc["signed"]:
        same("sign bytes", sign_bytes(chain.id, c["kind"], s.epoch, c["view"], u(c["block"])).hex(), c["sign_bytes"])
    for c in doc["frames"]:
        got = verdict(c["name"], c.get("error", ""), chain.frame, u(c["bytes"]))
        same(c["name"], got.hex() if got else "", c.get("hash", ""))
    return len(doc["signed"]) + len(doc["frames"])


def check_cert(doc):
    s = Set(u(doc["set"]))
    chain = Chain(u(doc["chain_id"]), s)
    same("quorum", s.quorum, doc["quorum"])
    for c in doc["certificates"]:
        got = verdict(c["name"], c.get("error", ""), chain.certificate, u(c["bytes"]))
        if got:
            kind, view, block = got
            args = (chain.id, s.epoch, view, block)
            want = final_bytes(*args) if kind == AGGREGATE else sign_bytes(chain.id, kind - 3, *args[1:])
            same(c["name"], want.hex(), c["sign_bytes"])
    for c in doc["finality_proofs"]:
        verdict(c["name"], c.get("error", ""), chain.proof, header(u(c["header"])), u(c["bytes"]))
    return len(doc["certificates"]) + len(doc["finality_proofs"])


def check_set(doc):
    for c in doc["sets"]:
        s = verdict(c["name"], c.get("error", ""), Set, u(c["bytes"]))
        if s:
            same(c["name"], (s.hash.hex(), s.total, s.quorum, s.faulty), (c["hash"], c["power"], c["quorum"], c["faulty"]))
            same(c["name"], (s.bls, s.vrf), (c["aggregates"], c["draws"]))
            same(c["name"], s.leaders(u(c["seed"]), len(c["leaders"])), c["leaders"])
    return len(doc["sets"])


class Rules:
    """What blocks of an epoch obey besides their parents: CONS-32, CONS-35, CONS-40."""

    def __init__(self, r):
        self.epoch, self.start, self.length, self.every, self.bls, self.vrf = (
            r[k] for k in ("epoch", "start_ms", "epoch_ms", "certify_ms", "aggregates", "draws"))

    def check(self, p, h):
        kind = NORMAL
        if p.kind != NORMAL and p.epoch == self.epoch:
            kind = CARRIER
        elif self.length and (h.time >= self.start + self.length or h.view >= 1 << 20):
            kind = SEAL
        need(h.kind == kind, "field")
        due = kind != NORMAL or h.time >= p.certified + self.every or (h.txs == 0 and p.txs > 0)
        need(h.certify == (1 if self.bls and due else 0), "field")
        if h.vrf:
            need(self.vrf and kind != CARRIER, "field")
        else:
            need(not self.vrf or kind == CARRIER or (kind != SEAL and h.height % 64), "field")


def check_beacon(doc):
    for c in doc["draws"]:
        parent, h = header(u(c["parent"])), header(u(c["bytes"]))
        alpha = dom("beacon", h.chain, h.epoch, h.view, parent.beacon)
        same(c["name"], alpha.hex(), c["alpha"])

        def beacon():
            try:
                beta = vrf_check.verify(u(c["key"]), alpha, h.vrf)
            except Refused:
                raise Refused("field") from None
            need(h.beacon == sha256(dom("random", parent.beacon, beta)), "field")

        verdict(c["name"], c.get("error", ""), beacon)
    for c in doc["rules"]:
        verdict(c["name"], c.get("error", ""), Rules(c["rules"]).check, header(u(c["parent"])), header(u(c["bytes"])))
    return len(doc["draws"]) + len(doc["rules"])


def main():
    for name, f in (("header.json", check_header), ("vote.json", check_vote), ("cert.json", check_cert),
                    ("set.json", check_set), ("beacon.json", check_beacon)):
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            print(f"{name}: {f(json.load(file))} cases hold")


if __name__ == "__main__":
    sys.exit(main())
