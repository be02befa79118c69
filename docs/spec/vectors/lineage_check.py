#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recompute the row hashes and dataset roots of lineage.json, and optionally of
a CSV file with a given root, from clause LIN-01. Standard library only."""
import hashlib
import json
import re
import struct
import sys


def cbor(x):
    """The deterministic encoding of ENC-01 for int, bytes, str, None, list."""

    def head(major, n):
        if n < 24:
            return bytes([major << 5 | n])
        for k, size in enumerate((1, 2, 4, 8)):
            if n < 1 << 8 * size:
                return bytes([major << 5 | 24 + k]) + n.to_bytes(size, "big")
        raise ValueError(n)

    if x is None:
        return b"\xf6"
    if isinstance(x, int):
        return head(0, x) if x >= 0 else head(1, -1 - x)
    if isinstance(x, bytes):
        return head(2, len(x)) + x
    if isinstance(x, str):
        return head(3, len(x.encode())) + x.encode()
    return head(4, len(x)) + b"".join(map(cbor, x))


def sha(b):
    return hashlib.sha256(b).digest()


def tree(leaves):
    """The RFC 6962 tree hash."""
    if len(leaves) < 2:
        return sha(b"\0" + leaves[0]) if leaves else sha(b"")
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha(b"\1" + tree(leaves[:k]) + tree(leaves[k:]))


def rows(csv):
    lines = [line.split(",") for line in csv.split()]
    whole = all(re.fullmatch(r"-?[0-9]+", c) for line in lines for c in line)
    out = []
    for *cells, label in lines:
        features = [int(c) for c in cells] if whole else struct.pack(f"<{len(cells)}d", *map(float, cells))
        out.append(sha(cbor(["openledger/row/1", [features, int(label), []]])))
    return out


def text_rows(text):
    """A row is a line, without its end, that has more than spaces, tabs and carriage returns."""
    lines = text.encode().split(b"\n")
    lines = [line.removesuffix(b"\r") for line in lines[:-1]] + lines[-1:]
    return [sha(cbor(["openledger/row/1", [[], None, [line]]])) for line in lines if line.strip(b" \t\r")]


def root(hashes):
    return tree([tree(hashes[i : i + 65536]) for i in range(0, len(hashes), 65536)])


def same(what, got, want):
    if got.hex() != want:
        sys.exit(f"{what}: the vectors say {want}, the clause gives {got.hex()}")


if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else __file__.rsplit("/", 1)[0] + "/lineage.json"
    with open(path) as f:
        vectors = json.load(f)
    for t in vectors["tables"]:
        hashes = rows(t["csv"])
        for h, want in zip(hashes, t["rows"], strict=True):
            same(t["name"], h, want)
        same(t["name"], root(hashes), t["root"])
    for t in vectors["texts"]:
        hashes = text_rows(t["text"])
        for h, want in zip(hashes, t["rows"], strict=True):
            same(t["name"], h, want)
        same(t["name"], root(hashes), t["root"])
    if len(sys.argv) > 3:
        with open(sys.argv[2]) as f:
            same(sys.argv[2], root(rows(f.read())), sys.argv[3])
    print("lineage.json: all rows and roots agree")
