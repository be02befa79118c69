#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An independent strict reader of safetensors files. Standard library only.

For each path it prints one line of JSON: what the file holds, floats widened to
binary32 bits by struct, or why it is refused.
"""
import json
import struct
import sys

SIZE = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "I32": 4, "I64": 8}


def unique(pairs):
    out = dict(pairs)
    assert len(out) == len(pairs), "a name twice"
    return out


def no_constant(text):
    raise AssertionError(text)


def widen(dtype, b):
    if dtype == "F32":
        bits = [u for (u,) in struct.iter_unpack("<I", b)]
    elif dtype == "BF16":
        bits = [u << 16 for (u,) in struct.iter_unpack("<H", b)]
    elif dtype == "F16":
        bits = [struct.unpack("<I", struct.pack("<f", x))[0] for (x,) in struct.iter_unpack("<e", b)]
    else:
        return [x for (x,) in struct.iter_unpack("<" + {"I8": "b", "U8": "B", "I32": "i", "I64": "q"}[dtype], b)]
    return [0x7FC00000 if u & 0x7FFFFFFF > 0x7F800000 else u for u in bits]


def read(path):
    raw = open(path, "rb").read()
    assert len(raw) >= 8, "no header"
    (n,) = struct.unpack("<Q", raw[:8])
    assert n <= 100 << 20, "long header"
    assert n <= len(raw) - 8, "short file"
    text = raw[8 : 8 + n].decode("utf-8")
    text.encode("utf-8")
    assert text.startswith("{") and text.rstrip(" ").endswith("}"), "padding"
    head = json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
    json.dumps(head, ensure_ascii=False).encode("utf-8")  # lone surrogates fail here
    meta = head.pop("__metadata__", None)
    assert meta is None or all(type(x) is str for x in meta.values()), "metadata"
    data, at, out = raw[8 + n :], 0, {}
    for name, t in sorted(head.items(), key=lambda kv: kv[1]["data_offsets"]):
        assert 0 < len(name.encode()) <= 512 and not any(ord(c) < 32 or ord(c) == 127 for c in name), "name"
        assert set(t) == {"dtype", "shape", "data_offsets"}, "fields"
        size = SIZE[t["dtype"]]
        assert len(t["shape"]) <= 8 and len(t["data_offsets"]) == 2, "lists"
        for x in t["shape"] + t["data_offsets"]:
            assert type(x) is int and 0 <= x, "integer"
        for x in t["shape"]:
            size *= x
        first, last = t["data_offsets"]
        assert first == at and last - first == size, "offsets"
        at = last
        out[name] = {"dtype": t["dtype"], "shape": t["shape"], "values": widen(t["dtype"], data[first:last])}
    assert at == len(data), "length"
    return {"meta": meta, "tensors": out}


for path in sys.argv[1:]:
    try:
        print(json.dumps(read(path)))
    except (AssertionError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        print(json.dumps({"refused": type(e).__name__ + ": " + str(e)}))
