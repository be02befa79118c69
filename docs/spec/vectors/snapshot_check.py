#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check snapshot.json against STA-02 and STA-09: chunks of a state, each alone
against the root. Standard library only. Prints what it checked, or fails.

    snapshot_check.py                    the vectors
    snapshot_check.py ROOT_HEX FILE…     chunk files of a node's snapshots folder"""
import json
import os
import sys
from hashlib import sha256

HERE = os.path.dirname(os.path.abspath(__file__))
ZERO = bytes(32)
MAX = 16 << 20


class Bad(Exception):
    """A chunk that must be refused; the argument is its error class."""


def H(*parts):
    return sha256(b"".join(parts)).digest()


def item(b, i):
    """One canonical CBOR item: unsigned, bytes, text, array or null."""
    if i >= len(b):
        raise Bad("chunk")
    if b[i] == 0xF6:
        return None, i + 1
    kind, n = b[i] >> 5, b[i] & 31
    i += 1
    if n >= 24:
        size = 1 << (n - 24)
        if n > 27 or i + size > len(b):
            raise Bad("chunk")
        n = int.from_bytes(b[i:i + size], "big")
        if n < 24 or size > 1 and n < 1 << (4 * size):
            raise Bad("chunk")
        i += size
    if kind == 0:
        return n, i
    if kind in (2, 3):
        if i + n > len(b):
            raise Bad("chunk")
        return b[i:i + n], i + n
    if kind != 4:
        raise Bad("chunk")
    out = []
    for _ in range(n):
        v, i = item(b, i)
        out.append(v)
    return out, i


def array(v, n):
    if not isinstance(v, list) or len(v) != n:
        raise Bad("chunk")
    return v


def bits(h):
    return "".join(f"{x:08b}" for x in h)


def fold(leaves, depth):
    """R of STA-02 over (bits of key hash, leaf hash)."""
    if len(leaves) < 2:
        return leaves[0][1] if leaves else ZERO
    return H(b"\1", fold([l for l in leaves if l[0][depth] == "0"], depth + 1),
             fold([l for l in leaves if l[0][depth] == "1"], depth + 1))


def field(b, i, width, most):
    n = int.from_bytes(b[i:i + width], "big")
    if i + width > len(b) or not 0 < n <= most or i + width + n > len(b):
        raise Bad("chunk")
    return b[i + width:i + width + n], i + width + n


def check_chunk(b, root):
    """((depth, index), {key: value}) of a chunk that holds under root, or Bad."""
    if len(b) > MAX:
        raise Bad("chunk")
    head, i = field(b, 0, 4, 1024)
    v, end = item(head, 0)
    if end != len(head):
        raise Bad("chunk")
    form, prefix, proof, count = array(v, 4)
    depth, index = array(prefix, 2)
    terminal, bitmap, siblings = array(proof, 3)
    if form != b"openledger/snapshot/1" or depth > 4 or index >= 16 ** depth or any(len(s) != 32 for s in siblings):
        raise Bad("chunk")
    path = f"{index:b}".zfill(4 * depth) if depth else ""
    entries, leaves = {}, []
    for _ in range(count):
        key, i = field(b, i, 1, 128)
        value, i = field(b, i, 4, 65536)
        h = bits(H(key))
        if not h.startswith(path) or leaves and leaves[-1][0] >= h:
            raise Bad("shape")
        entries[key] = value
        leaves.append((h, H(b"\0", H(key), H(value))))
    if i != len(b):
        raise Bad("chunk")

    n = int.from_bytes(bitmap, "little")
    levels = n.bit_length() - 1
    if not bitmap or bitmap[-1] == 0 or bin(n).count("1") - 1 != len(siblings) or ZERO in siblings:
        raise Bad("shape")
    if levels > 4 * depth or len(leaves) > 1 and levels != 4 * depth:
        raise Bad("shape")
    if len(leaves) < 2 and levels and not n & 1:
        raise Bad("shape")
    if terminal is None:
        node = fold(leaves, 4 * depth)
    else:
        tk, tv = array(terminal, 2)
        if leaves or bits(tk).startswith(path) or not bits(tk).startswith(path[:levels]):
            raise Bad("shape")
        node = H(b"\0", tk, tv)
    rest = list(siblings)
    for k in range(levels):
        s = rest.pop(0) if n >> k & 1 else ZERO
        node = H(b"\1", s, node) if path[levels - 1 - k] == "1" else H(b"\1", node, s)
    if node != root:
        raise Bad("root")
    return (depth, index), entries


def same(what, got, want):
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")


def vectors():
    with open(os.path.join(HERE, "snapshot.json")) as f:
        v = json.load(f)
    x, n = bytes.fromhex, 0
    for s in v["states"]:
        state = {x(e["key"]): x(e["value"]) for e in s["entries"]}
        root = fold([(bits(H(k)), H(b"\0", H(k), H(w))) for k, w in state.items()], 0)
        same("root", root.hex(), s["root"])
        for cut in s["cuts"]:
            seen = {}
            for i, c in enumerate(cut["chunks"]):
                place, entries = check_chunk(x(c["bytes"]), root)
                same("place", place, (cut["depth"], i))
                same("name", c["name"], (b"\x12\x20" + H(x(c["bytes"]))).hex())
                seen.update(entries)
                n += 1
            same("all chunks together", seen, state)
            same("number of chunks", len(cut["chunks"]), 16 ** cut["depth"])
    for c in v["invalid"]:
        try:
            check_chunk(x(c["bytes"]), x(c["root"]))
        except Bad as e:
            same(c["name"], e.args[0], c["error"])
        else:
            sys.exit(f"{c['name']}: accepted, want {c['error']}")
        n += 1
    print(f"snapshot.json: {n} chunks agree")


def files(root, names):
    total = 0
    for name in names:
        with open(name, "rb") as f:
            place, entries = check_chunk(f.read(), bytes.fromhex(root))
        total += len(entries)
        print(f"{name}: subtree {place[1]} at depth {place[0]}, {len(entries)} keys")
    print(f"{len(names)} chunks hold, {total} keys")


files(sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else vectors()
