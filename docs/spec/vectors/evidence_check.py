#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judge evidence.json by CONS-54, CONS-10, CONS-12, CONS-21, CONS-31 and CONS-41, written
again from the texts. Standard library only, besides consensus_check.py, bls_check.py and
check.py beside it. Prints what it checked, or the first difference. An argument is
another file to check."""
import json
import os
import sys

import bls_check
import check
from check import Refused, dom, sha256
from consensus_check import (CARRIER, FINALIZE, H, HEADER, HERE, NORMAL, NOTARIZE, NULLIFICATION, NULLIFY, PROPOSAL, SEAL,
                             Chain, Header, Set, array, final_bytes, many, need, raw, read, same, sign_bytes, u, uint, verdict)

NAMES = ["", "DoubleNotarize", "DoubleFinalize", "NullifyFinalize", "NotarizeFinalize", "DoublePropose", "UnjustifiedVote", "BadShare", "BadBatch"]
BAD_FACE, BAD_LEAF, BAD_LINK, BAD_LEADER = 1, 2, 3, 4
MAX_BYTES = 32 << 10
HALF = array(uint, raw(), raw(), raw(), raw())
PAIR = array(uint, uint, uint, HALF, HALF)
UNJUST = array(uint, uint, uint, HALF, HEADER, uint, uint, raw(), many(H), lambda v: v is None or HEADER(v))
SHARE = array(uint, uint, uint, HALF)
BATCH = array(uint, uint, uint, uint, uint, H, raw(64), uint, raw(), many(H))


def on_path(root, leaf, index, n, path):
    """RFC 9162, 2.1.3.2."""
    need(index < n)
    f, s, r = index, n - 1, sha256(b"\0" + leaf)
    for p in path:
        need(s > 0)
        if f & 1 or f == s:
            r = sha256(b"\1" + p + r)
            while not f & 1 and f:
                f, s = f >> 1, s >> 1
        else:
            r = sha256(b"\1" + r + p)
        f, s = f >> 1, s >> 1
    need(s == 0 and r == root)


class Half:
    def __init__(self, v):
        self.kind, self.block, self.bits, self.sigs, self.share = v
        self.sum = len(self.sigs) == 48
        self.who = [i for i in range(8 * len(self.bits)) if self.bits[i // 8] >> i % 8 & 1]
        need(PROPOSAL <= self.kind <= FINALIZE and len(self.block) == (0 if self.kind == NULLIFY else 32))
        need(0 < len(self.bits) <= 32 and self.who and (self.kind == FINALIZE or not self.sum))
        need(not self.share or (len(self.share) == 48 and self.kind == FINALIZE and len(self.who) == 1 and not self.sum))
        need(self.sum or len(self.sigs) == 64 * len(self.who))

    def verify(self, court, view):
        validators = court.set
        need(len(self.bits) == (len(validators.keys) + 7) // 8 and self.who[-1] < len(validators.keys))
        if self.sum:
            need(validators.bls)
            try:
                bls_check.verify([validators.entries[i][2] for i in self.who], final_bytes(court.chain, validators.epoch, view, self.block), self.sigs)
            except Refused:
                raise Refused("signature") from None
            return
        msg = sign_bytes(court.chain, self.kind, validators.epoch, view, self.block, self.share)
        for k, i in enumerate(self.who):
            need(check.verify(validators.keys[i], msg, self.sigs[64 * k:64 * k + 64]), "signature")


def excludes(a, b):
    """The kind that two halves show, None if they may stand together or stand in the other order."""
    kinds = (a.kind, b.kind)
    if kinds == (NULLIFY, FINALIZE):
        return 3
    if kinds == (NOTARIZE, FINALIZE):
        return 4 if a.block != b.block else None
    if a.kind == b.kind and a.block < b.block:
        return {NOTARIZE: 1, FINALIZE: 2, PROPOSAL: 5}.get(a.kind)
    return None


class Court:
    def __init__(self, doc, validators):
        self.chain, self.seed, self.bad, self.set = u(doc["chain_id"]), u(doc["leader_seed"]), u(doc["bad_tx"]), validators

    def judge(self, b):
        """(kind, view, guilty) of what convicts."""
        need(2 <= len(b) <= MAX_BYTES and b[0] >> 5 == 4 and 1 <= b[1] <= 8)
        judge, schema = self.table(b[1])
        return judge(read(schema, b))

    def table(self, kind):
        return {6: (self.unjust, UNJUST), 7: (self.share, SHARE), 8: (self.batch, BATCH)}.get(kind, (self.pair, PAIR))

    def epoch(self, e):
        need(e == self.set.epoch, "epoch")

    def pair(self, v):
        kind, epoch, view, a, b = v[0], v[1], v[2], Half(v[3]), Half(v[4])
        need(view > 0 and excludes(a, b) == kind)
        both = [i for i in a.who if i in b.who]
        need(both and all(x.sum or x.who == both for x in (a, b)))
        self.epoch(epoch)
        a.verify(self, view)
        b.verify(self, view)
        return kind, view, both

    def share(self, v):
        kind, epoch, view, vote = v[0], v[1], v[2], Half(v[3])
        need(view > 0 and vote.share)
        self.epoch(epoch)
        vote.verify(self, view)
        if self.set.bls:
            try:
                bls_check.verify([self.set.entries[vote.who[0]][2]], final_bytes(self.chain, epoch, view, vote.block), vote.share)
            except Refused:
                return kind, view, vote.who
            raise Refused("no_fault")
        return kind, view, vote.who

    def batch(self, v):
        kind, epoch, author, seq, n, root, sig, index, tx, path = v
        need(author < 256 and index < n and len(path) <= 64)
        self.epoch(epoch)
        need(author < len(self.set.keys))
        need(check.verify(self.set.keys[author], sha256(dom("batch", self.chain, epoch, author, seq, n, root)), sig), "signature")
        on_path(root, tx, index, n, path)
        need(tx == self.bad, "no_fault")
        return kind, 0, [author]

    def unjust(self, v):
        kind, epoch, view, votes, h, fault, index, leaf, path, parent = v
        votes, h = Half(votes), Header(h)
        need(votes.kind in (NOTARIZE, FINALIZE) and BAD_FACE <= fault <= BAD_LEADER and len(path) <= 16)
        need(fault == BAD_LEAF or not (index or leaf or path))
        need((parent is not None) == (fault == BAD_LINK))
        self.epoch(epoch)
        need(h.hash == votes.block)
        votes.verify(self, view)
        if fault == BAD_FACE:
            lawful = self.face(view, h)
        elif fault == BAD_LEAF:
            need(self.face(view, h))
            on_path(h.just, leaf, index, h.view - h.parent_view, path)
            lawful = self.place(h, index, leaf)
        elif fault == BAD_LINK:
            p = Header(parent)
            need(self.face(view, h) and p.hash == h.parent)
            try:
                p.child(h)  # the vectors hold no VRF
                lawful = True
            except Refused:
                lawful = False
        else:
            lawful = h.view == 0 or self.set.leaders(self.seed, h.view)[h.view - 1] == h.leader
        need(not lawful, "no_fault")
        return kind, view, votes.who

    def face(self, view, h):
        try:
            h.face()
        except Refused:
            return False
        s = self.set
        draws = s.vrf and h.kind != CARRIER
        return ((h.chain, h.epoch, h.view, h.set) == (self.chain, s.epoch, view, s.hash) and h.leader < len(s.keys)
                and h.certify <= s.bls and (h.kind == NORMAL or h.certify == s.bls)
                and (not h.vrf or draws) and (h.vrf or not draws or not (h.kind == SEAL or h.height % 64 == 0)))

    def place(self, h, index, leaf):
        if index == 0 and h.parent_view == 0:
            return h.epoch > 0 or not leaf
        try:
            kind, view, block = Chain(self.chain, self.set).certificate(leaf)
        except Refused:
            return False
        if view != h.parent_view + index:
            return False
        return kind != NULLIFICATION and block == h.parent if index == 0 else kind == NULLIFICATION


def main(path):
    with open(path, encoding="utf-8") as file:
        doc = json.load(file)
    n = 0
    for s in doc["sets"]:
        court = Court(doc, Set(u(s["set"])))
        for c in s["evidence"]:
            got = verdict(c["name"], c.get("error", ""), court.judge, u(c["bytes"]))
            if got:
                kind, view, who = got
                same(c["name"], (NAMES[kind], "jail" if kind >= 7 else "slash", view, who), (c["kind"], c["class"], c.get("view", 0), c["guilty"]))
            n += 1
    print(f"evidence.json: {n} cases hold")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "evidence.json")))
