#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recompute the commitment of checkpoint.json from clause CHK-01, with the few
lines of encoding and hashing of lineage_check.py. Standard library only."""
import json
import sys

sys.dont_write_bytecode = True
from lineage_check import cbor, same, sha, tree


def state(task, operator, i, root):
    return sha(cbor(["openledger/state/1", task, operator, i, root]))


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else __file__.rsplit("/", 1)[0] + "/checkpoint.json"
    with open(path) as f:
        v = json.load(f)
    task, operator = bytes.fromhex(v["task"]), bytes.fromhex(v["operator"])
    sigma = [state(task, operator, i, bytes.fromhex(r)) for i, r in enumerate(v["states"])]
    leaves = []
    for i, (trace, want) in enumerate(zip(v["traces"], v["leaves"], strict=True)):
        leaves.append(cbor([i, sigma[i], sigma[i + 1], bytes.fromhex(trace)]))
        same(f"leaf {i}", leaves[i], want)
    same("root", tree(leaves), v["root"])
    print("checkpoint.json: all leaves and the root agree")
