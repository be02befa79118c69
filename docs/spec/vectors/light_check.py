#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A light client in Python: check light.json against CONS-32, CONS-39, CONS-40,
CONS-49 and STA-04. It starts from one trusted header with its validator set,
follows seals, and checks what stands at a key of the state. Standard library only,
besides the checkers beside it. Prints what it checked, or the first difference."""
import json
import os
import sys

from check import Refused, decode, encode
from consensus_check import HEADER, SEAL, Chain, Header, Set, header, need, same, u, verdict
from merkle_check import Bad, check_state_proof

HERE = os.path.dirname(os.path.abspath(__file__))


class Light:
    def __init__(self, trusted, validators):
        s = Set(validators)
        own = (s.epoch, s.hash) == (trusted.epoch, trusted.set)
        need(own or self.names(trusted, s), "light")
        self.at, self.set = trusted, s

    @staticmethod
    def names(seal, s):
        return seal.kind == SEAL and s.epoch == seal.epoch + 1 and s.hash == seal.next_set

    def final(self, h, proof):
        h.face()
        Chain(self.at.chain, self.set).proof(h, proof)

    def take(self, b):
        """One record [seal, finality proof, next set]."""
        v = decode(b)
        need(isinstance(v, list) and len(v) == 3)
        HEADER(v[0])
        seal, following = Header(v[0]), Set(v[2])
        need(seal.kind == SEAL and seal.epoch == self.set.epoch, "light")
        need(self.names(seal, following), "light")
        need(seal.epoch != self.at.epoch or seal.height > self.at.height or seal.hash == self.at.hash, "light")
        self.final(seal, encode(v[1]))
        self.at, self.set = seal, following

    def check(self, h, proof, state_proof):
        """(key, value or None) after the block before h."""
        if h.hash != self.at.hash:
            self.final(h, proof)
        try:
            return check_state_proof(state_proof, h.state)
        except Bad as e:
            raise Refused(e.args[0].replace("proof_", "state_")) from None


def main():
    with open(os.path.join(HERE, "light.json"), encoding="utf-8") as f:
        doc = json.load(f)
    n = 0
    l = Light(header(u(doc["header"])), u(doc["set"]))
    for s in doc["seals"]:
        l.take(u(s["bytes"]))
        same("epoch", l.set.epoch, s["epoch"])
        same("set", l.set.hash.hex(), s["set_hash"])
        n += 1
    for c in doc["statements"]:
        got = verdict(c["name"], c.get("error", ""), l.check, header(u(c["header"])), u(c["final"]), u(c["proof"]))
        if got:
            same(c["name"], got, (u(c["key"]), u(c["value"])))
        n += 1
    for c in doc["lies"]:
        l = Light(header(u(c["header"])), u(c["set"]))
        verdict(c["name"], c["error"], l.take, u(c["bytes"]))
        same(c["name"], l.set.epoch, c["epoch"])
        n += 1
    print(f"light.json: {n} cases hold")


if __name__ == "__main__":
    sys.exit(main())
