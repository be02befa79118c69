#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recompute the results, segments and roots of ask.json from clauses TASK-01 and
CHK-01, and the root of its package from TNS-06, with the encoding and hashing of
lineage_check.py and the BLAKE3 of check.py. Standard library only."""
import json
import struct
import sys

sys.dont_write_bytecode = True
from check import ROOT, subtree
from lineage_check import cbor, same, sha, tree


def blake3(b):
    return subtree(b, 0, ROOT)


def state(task, operator, i, root):
    return sha(cbor(["openledger/state/1", task, operator, i, root]))


def truth(x):
    return b"\xf5" if x else b"\xf4"


def items(results):
    """One CBOR item [form, result] per row."""
    out = [b"\x82\x01" + cbor([a["label"], a["logits"]]) for a in results.get("answers", [])]
    out += [b"\x82\x02\x82" + truth(j["right"]) + cbor(j["loss"]) for j in results.get("judged", [])]
    out += [b"\x82\x03" + cbor([s["tokens"], s["loss"]]) for s in results.get("scores", [])]
    return out + [b"\x82\x04" + cbor([s["tokens"] or [], s["reason"]]) for s in results.get("said", [])]


def check_run(v, task, operator):
    rows = items(v["results"])
    parts = [b"".join(rows[i : i + v["rows"]]) for i in range(0, len(rows), v["rows"])]
    same(v["name"] + ": output", b"".join(parts), v["output"])
    digests = [blake3(p) for p in parts]
    roots = [tree(digests[:i]) for i in range(len(digests) + 1)]
    sigma = [state(task, operator, i, r) for i, r in enumerate(roots)]
    leaves = []
    for i, (digest, want) in enumerate(zip(digests, v["leaves"], strict=True)):
        leaves.append(cbor([i, sigma[i], sigma[i + 1], digest]))
        same(f"{v['name']}: leaf {i}", leaves[i], want)
    same(v["name"] + ": root", tree(leaves), v["root"])
    same(v["name"] + ": output root", roots[-1], v["output_root"])


def package_root(raw):
    """The root over all tensors of a safetensors file, by name."""
    (n,) = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8 : 8 + n])
    head.pop("__metadata__")
    leaves = []
    for name, t in sorted(head.items(), key=lambda kv: kv[0].encode()):
        first, last = t["data_offsets"]
        cid = b"\x1e\x20" + blake3(raw[8 + n + first : 8 + n + last])
        leaves.append(cbor(["openledger/tensor/1", name, t["dtype"].lower(), t["shape"], cid]))
    return tree(leaves)


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else __file__.rsplit("/", 1)[0] + "/ask.json"
    with open(path) as f:
        v = json.load(f)
    for run in v["runs"]:
        check_run(run, bytes.fromhex(v["task"]), bytes.fromhex(v["operator"]))
    same("package", package_root(bytes.fromhex(v["package"])), v["root"])
    print(f"ask.json: {len(v['runs'])} runs and the package agree")
