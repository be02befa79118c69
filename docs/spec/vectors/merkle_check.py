#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check tree.json, proof.json and sumtree.json against STA-02..04, RFC 6962,
RCP-02 and PAY-05. Standard library only. Prints what it checked, or fails."""
import json
import os
import sys
from hashlib import sha256

HERE = os.path.dirname(os.path.abspath(__file__))
ZERO = bytes(32)
LIMIT = 1 << 63


class Bad(Exception):
    """A proof that must be refused; the argument is its error class."""


def H(*parts):
    return sha256(b"".join(parts)).digest()


def load(name):
    with open(os.path.join(HERE, name)) as f:
        return json.load(f)


def same(what, got, want):
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")


# CBOR, as far as proofs need it: unsigned, byte strings, arrays, null.

def cbor(b):
    v, n = item(b, 0)
    if n != len(b):
        raise Bad("enc_malformed")
    return v


def item(b, i):
    if i >= len(b):
        raise Bad("enc_malformed")
    if b[i] == 0xF6:
        return None, i + 1
    kind, low = b[i] >> 5, b[i] & 31
    i += 1
    if low < 24:
        n = low
    elif low < 28:
        size = 1 << (low - 24)
        n = int.from_bytes(b[i:i + size], "big")
        if i + size > len(b):
            raise Bad("enc_malformed")
        if n < 24 or size > 1 and n < 1 << (4 * size):
            raise Bad("enc_canonical")
        i += size
    else:
        raise Bad("enc_malformed")
    if kind == 0:
        return n, i
    if kind == 2:
        if i + n > len(b):
            raise Bad("enc_malformed")
        return b[i:i + n], i + n
    if kind == 4:
        out = []
        for _ in range(n):
            v, i = item(b, i)
            out.append(v)
        return out, i
    raise Bad("enc_malformed")


def fields(v, n):
    if not isinstance(v, list) or len(v) != n:
        raise Bad("enc_malformed")
    return v


# State tree.

def bit(h, d):
    return h[d // 8] >> (7 - d % 8) & 1


def R(leaves, d=0):
    if not leaves:
        return ZERO
    if len(leaves) == 1:
        return H(b"\0", *leaves[0])
    return H(b"\1", R([x for x in leaves if not bit(x[0], d)], d + 1), R([x for x in leaves if bit(x[0], d)], d + 1))


def root_of(state):
    return R([(H(k), H(v)) for k, v in state.items()])


def check_state_proof(b, root):
    """The statement (key, value or None), or Bad."""
    key, value, terminal, bitmap, siblings = fields(cbor(b), 5)
    if not 0 < len(key) <= 128 or value is not None and not 0 < len(value) <= 65536:
        raise Bad("proof_size")
    if not bitmap or bitmap[-1] == 0 or len(bitmap) > 33:
        raise Bad("proof_shape")
    bits = int.from_bytes(bitmap, "little")
    depth = bits.bit_length() - 1
    bits -= 1 << depth
    if depth > 256 or bin(bits).count("1") != len(siblings) or depth and not bits & 1 or ZERO in siblings:
        raise Bad("proof_shape")
    h = H(key)
    if terminal is None:
        if value is not None:
            raise Bad("proof_shape")
        node = ZERO
    else:
        tk, tv = fields(terminal, 2)
        if value is not None and (tk, tv) != (h, H(value)):
            raise Bad("proof_shape")
        if value is None and (tk == h or any(bit(tk, d) != bit(h, d) for d in range(depth))):
            raise Bad("proof_shape")
        node = H(b"\0", tk, tv)
    rest = list(siblings)
    for i in range(depth):
        s = rest.pop(0) if bits >> i & 1 else ZERO
        node = H(b"\1", s, node) if bit(h, depth - 1 - i) else H(b"\1", node, s)
    if node != root:
        raise Bad("proof_root")
    return key, value


# RFC 6962, recursive as in the RFC.

def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def list_root(leaves):
    if len(leaves) <= 1:
        return H(b"\0", leaves[0]) if leaves else H()
    k = split(len(leaves))
    return H(b"\1", list_root(leaves[:k]), list_root(leaves[k:]))


def climb(i, n, node, path, join):
    """The root from node i of n, its path lowest first, used up from the end."""
    if n == 1:
        return node
    if not path:
        raise Bad("proof_shape")
    k, sibling = split(n), path.pop()
    if i < k:
        return join(climb(i, k, node, path, join), sibling, False)
    return join(sibling, climb(i - k, n - k, node, path, join), True)


def check_list_proof(root, leaf, i, n, path):
    if i >= n:
        raise Bad("proof_index")
    path = list(path)
    node = climb(i, n, H(b"\0", leaf), path, lambda l, r, _: H(b"\1", l, r))
    if path:
        raise Bad("proof_shape")
    if node != root:
        raise Bad("proof_root")


# Merkle-sum tree; a node is (sum, hash).

def u64(x):
    return x.to_bytes(8, "big")


def sum_leaf(s, body):
    return s, H(b"\0", u64(s), H(body))


def sum_join(l, r):
    if l[0] + r[0] >= LIMIT:
        raise Bad("proof_sum")
    return l[0] + r[0], H(b"\1", u64(l[0]), l[1], u64(r[0]), r[1])


def sum_root(leaves):
    if not leaves:
        return 0, H()
    if len(leaves) == 1:
        return sum_leaf(*leaves[0])
    k = split(len(leaves))
    return sum_join(sum_root(leaves[:k]), sum_root(leaves[k:]))


def check_sum_proof(p, root):
    """(index, sum, sum before), or Bad. root is (hash, sum, count)."""
    i, s, body, path = fields(p, 4)
    if i >= root[2]:
        raise Bad("proof_index")
    before, path = 0, [tuple(fields(x, 2)) for x in path]

    def join(l, r, right):
        nonlocal before
        if right:
            before += l[0]
        return sum_join(l, r)

    node = climb(i, root[2], sum_leaf(s, body), path, join)
    if path:
        raise Bad("proof_shape")
    if node != (root[1], root[0]):
        raise Bad("proof_root")
    return i, s, before


def check_range(b, root):
    """(sum before, amount), or Bad."""
    before, first, last, after = fields(cbor(b), 4)
    if last is not None and last[0] <= first[0]:
        raise Bad("proof_shape")
    fi, fs, fb = check_sum_proof(first, root)
    li, ls, lb = (fi, fs, fb) if last is None else check_sum_proof(last, root)
    for p, need, index in ((before, fi > 0, fi - 1), (after, li + 1 < root[2], li + 1)):
        if need != (p is not None) or need and p[0] != index:
            raise Bad("proof_shape")
        if need:
            check_sum_proof(p, root)
    return fb, lb - fb + ls


def refused(what, want, f, *args):
    try:
        f(*args)
    except Bad as e:
        same(what, e.args[0], want)
    else:
        sys.exit(f"{what}: accepted, want {want}")


def x(s):
    return None if s is None else bytes.fromhex(s)


def main():
    n = 0
    t = load("tree.json")
    for s in t["states"]:
        same(s["name"], root_of({x(e["key"]): x(e["value"]) for e in s["entries"]}).hex(), s["root"])
        n += 1
    state = {}
    for i, u in enumerate(t["updates"]):
        for w in u["writes"]:
            state[x(w["key"])] = x(w["value"])
        state = {k: v for k, v in state.items() if v is not None}
        same(f"update {i}", root_of(state).hex(), u["root"])
        n += 1
    for l in t["lists"]:
        leaves = [x(b) for b in l["leaves"]]
        same(f"list of {len(leaves)}", list_root(leaves).hex(), l["root"])
        for i, path in enumerate(l["paths"]):
            check_list_proof(x(l["root"]), leaves[i], i, len(leaves), [x(p) for p in path])
            n += 1
    for c in t["invalid_list_proofs"]:
        refused(c["name"], c["error"], check_list_proof, x(c["root"]), x(c["leaf"]), c["index"], c["count"], [x(p) for p in c["path"]])
        n += 1

    p = load("proof.json")
    same("root of proof.json", root_of({x(e["key"]): x(e["value"]) for e in p["entries"]}).hex(), p["root"])
    for c in p["valid"]:
        got = check_state_proof(x(c["proof"]), x(c.get("root", p["root"])))
        same(c["name"], got, (x(c["key"]), x(c.get("value"))))
        n += 1
    for c in p["invalid"]:
        refused(c["name"], c["error"], check_state_proof, x(c["proof"]), x(p["root"]))
        n += 1

    s = load("sumtree.json")
    for i, c in enumerate(s["trees"]):
        leaves = [(int(l["sum"]), x(l["body"])) for l in c["leaves"]]
        if "error" in c:
            refused(f"tree {i}", c["error"], sum_root, leaves)
        else:
            total, h = sum_root(leaves)
            same(f"tree {i}", {"hash": h.hex(), "sum": str(total), "count": len(leaves)}, c["root"])
        n += 1

    def root(c):
        r = s["trees"][c["tree"]]["root"]
        return x(r["hash"]), int(r["sum"]), r["count"]

    for c in s["valid_leaves"]:
        same(c["name"], str(check_sum_proof(cbor(x(c["proof"])), root(c))[2]), c["before"])
        n += 1
    for c in s["valid_ranges"]:
        same(c["name"], [str(v) for v in check_range(x(c["proof"]), root(c))], [c["before"], c["amount"]])
        n += 1
    for c in s["invalid_ranges"]:
        refused(c["name"], c["error"], check_range, x(c["proof"]), root(c))
        n += 1
    print(f"tree.json, proof.json, sumtree.json: {n} cases agree")


if __name__ == "__main__":
    main()
