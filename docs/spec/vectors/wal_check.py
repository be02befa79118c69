#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check wal.json against CONS-43 and CONS-44: a reader of the write-ahead log of a
validator, written from these clauses. Standard library only."""
import json
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
BLOCK, HEAD, PLACE = 4096, 9, 36
MARK, START, COPY, PAD, RELEASE = range(0xF0, 0xF5)
BEGIN = BLOCK + HEAD + 24 + PLACE  # where records of a segment begin
MAX = (16 << 20) + 4096

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc(b):
    c = 0xFFFFFFFF
    for x in b:
        c = TABLE[(c ^ x) & 255] ^ c >> 8
    return c ^ 0xFFFFFFFF


class Corrupt(Exception):
    pass


def record(b, at, previous):
    """(kind, payload, CRC) of the record at a byte, None if there is no whole one."""
    if at < 0 or at + HEAD > len(b):
        return None
    size, want, kind = struct.unpack_from(">IIB", b, at)
    if size > MAX or at + HEAD + size > len(b):
        return None
    payload = b[at + HEAD:at + HEAD + size]
    return (kind, payload, want) if crc(struct.pack(">IB", previous, kind) + payload) == want else None


def place(b):
    """(salt, offset, CRC before, end of the last copy, its start)"""
    return struct.unpack(">QQIQQ", b[:PLACE]) if len(b) >= PLACE else None


def copied(b):
    out = []
    while b:
        if len(b) < 5:
            return None
        size, kind = struct.unpack_from(">IB", b)
        if len(b) < 5 + size or kind >= MARK and (kind != RELEASE or size != 8):
            return None
        out.append((kind, b[5:5 + size]))
        b = b[5 + size:]
    return out


def begin(b, number):
    """(salt, oldest needed, end of the segment before, CRC) from either head."""
    for at in 0, BLOCK:
        r = record(b, at, 0)
        if r and r[0] == START and len(r[1]) == 24 + PLACE and struct.unpack(">Q", r[1][:8])[0] == number:
            return struct.unpack(">QQ", r[1][8:24]) + (place(r[1][24:]), r[2])
    return None


def segment(b, number, limit, words_up_to):
    """(records, repaired, oldest needed) of a file; limit is its end as the next one says."""
    h = begin(b, number)
    if h is None:
        raise Corrupt("heads")
    salt, oldest, _, last = h
    end = since = copy_at = BEGIN
    records, repaired, words = [], [], []
    if limit:
        b = b[:max(limit[1], BEGIN)]
    while True:
        here = (salt, end, last, since, copy_at)
        r = record(b, end, last)
        if r:
            kind, payload, c = r
            after = end + HEAD + len(payload)
            ok = True
            if kind in (MARK, COPY):
                inner = copied(payload[PLACE:])
                ok = place(payload) == here and inner is not None and not (kind == MARK and inner)
                if ok and kind == COPY:
                    since, copy_at, words = after, end, []
            elif kind == RELEASE:
                ok = len(payload) == 8
                if ok:
                    oldest = max(oldest, struct.unpack(">Q", payload)[0])
                    words.append((kind, payload))
            elif kind != PAD:
                ok = 0 < kind < MARK
                if ok:
                    records.append((kind, payload))
                    words += [(kind, payload)] if kind <= words_up_to else []
            if ok:
                end, last = after, c
                continue
        if limit and here == limit:
            return records, repaired, oldest
        # The chain breaks here: the next mark or copy that is valid by itself, or the end.
        found = None
        for at in range(end + 1, len(b) - HEAD - PLACE + 1):
            p = b[at + HEAD:at + HEAD + PLACE]
            if p[:16] != struct.pack(">QQ", salt, at):
                continue
            r = record(b, at, place(p)[2])
            if r and r[0] in (MARK, COPY):
                found = place(p), r
                break
        if found is None:
            if limit is None:
                return records, repaired, oldest
            if end >= limit[1]:
                raise Corrupt("end")
            found = limit, (MARK, b"", 0)
        p, (kind, payload, _) = found
        if end < p[4]:
            raise Corrupt("a copy is lost too")
        if kind == COPY:
            inner, known = copied(payload[PLACE:]), len(words) if p[3] == since else 0
            if inner is None or known > len(inner):
                raise Corrupt("copy")
            for x in inner[known:]:
                if x[0] == RELEASE:
                    oldest = max(oldest, struct.unpack(">Q", x[1])[0])
                else:
                    records.append(x)
                    repaired.append(x)
        _, end, last, since, copy_at = p
        words = []


def read(files, words_up_to):
    numbers = sorted(files)
    if numbers and begin(files[numbers[-1]], numbers[-1]) is None and len(files[numbers[-1]]) <= BEGIN:
        numbers.pop()  # begun and no more
    for i in range(len(numbers) - 1, 0, -1):
        if numbers[i - 1] + 1 != numbers[i]:
            numbers = numbers[i:]
            break
    records, repaired, oldest = [], [], 0
    for n in numbers:
        up = begin(files[n + 1], n + 1) if n != numbers[-1] else None
        r, fixed, need = segment(files[n], n, up[2] if up else None, words_up_to)
        records, repaired, oldest = records + r, repaired + fixed, max(oldest, need)
    if numbers and numbers[0] > oldest:
        raise Corrupt("missing segment")
    return records, repaired


def damaged(files, c):
    out = {n: bytearray(b) for n, b in files.items()}
    for name, n in c.get("cut", {}).items():
        del out[name][n:]
    for name, at in c.get("flip", {}).items():
        out[name][at] ^= 0xFF
    if "wipe" in c:
        name, a, b = c["wipe"]
        out[name][a:b] = bytes(b - a)
    if "add" in c:
        out[c["add"][0]] += bytes.fromhex(c["add"][1])
    return {int(n[4:20], 16): bytes(b) for n, b in out.items() if n not in c.get("drop", [])}


if __name__ == "__main__":
    with open(os.path.join(HERE, "wal.json")) as f:
        v = json.load(f)
    files = {n: b"".join(bytes(x) if isinstance(x, int) else bytes.fromhex(x) for x in parts) for n, parts in v["segments"].items()}
    all_records = [(k, bytes.fromhex(p)) for k, p in v["records"]]
    assert len(set(all_records)) == len(all_records)
    for i, c in enumerate(v["cases"]):
        try:
            records, repaired = read(damaged(files, c), v["words_up_to_kind"])
            got = False, [all_records.index(r) for r in records], [all_records.index(r) for r in repaired]
        except Corrupt:
            got = True, [], []
        assert got == (c["corrupt"], c["records"], c["repaired"]), f"case {i}, {c['name']}: {got}"
    bad = sum(c["corrupt"] for c in v["cases"])
    print(f"wal.json: {len(v['cases'])} cases hold, {bad} of them corrupt, {sum(bool(c['repaired']) for c in v['cases'])} repaired")
