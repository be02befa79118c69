#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logits of a small Llama-family folder in binary64. Standard library only.

    llama_ref.py FOLDER < [[id, …], …]

reads config.json and the safetensors of FOLDER and, from standard input, lists of
token ids; prints one line of JSON for each list: the logits after every position,
[[float, …], …]. Written for folders of a few thousand weights, from the published
description of the architecture: it shares no code with the program that it checks.
On the seven kinds of folders of hftest.Kinds it was compared once with mlx-lm
0.32.2 in binary32: no logit differs by more than 2e-5.
"""
import json
import math
import os
import struct
import sys


def tensors(folder):
    index = os.path.join(folder, "model.safetensors.index.json")
    names = ["model.safetensors"]
    if os.path.exists(index):
        names = sorted(set(json.load(open(index))["weight_map"].values()))
    out = {}
    for name in names:
        raw = open(os.path.join(folder, name), "rb").read()
        (n,) = struct.unpack("<Q", raw[:8])
        head = json.loads(raw[8 : 8 + n])
        head.pop("__metadata__", None)
        for key, t in head.items():
            a, b = t["data_offsets"]
            b = raw[8 + n + a : 8 + n + b]
            if t["dtype"] == "F32":
                x = [v for (v,) in struct.iter_unpack("<f", b)]
            elif t["dtype"] == "F16":
                x = [v for (v,) in struct.iter_unpack("<e", b)]
            elif t["dtype"] == "BF16":
                x = [struct.unpack("<f", b"\0\0" + b[i : i + 2])[0] for i in range(0, len(b), 2)]
            else:
                raise ValueError(t["dtype"])
            if len(t["shape"]) == 2:
                w = t["shape"][1]
                x = [x[i : i + w] for i in range(0, len(x), w)]
            out[key] = x
    return out


def frequencies(c, d):
    scaling = c.get("rope_parameters") or c.get("rope_scaling") or {}
    theta = scaling.get("rope_theta") or c.get("rope_theta", 10000.0)
    f = [theta ** (-2 * i / d) for i in range(d // 2)]
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "linear":
        f = [x / scaling["factor"] for x in f]
    if kind == "llama3":
        old, low, high = (scaling[k] for k in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))

        def stretch(x):
            length = 2 * math.pi / x
            if length < old / high:
                return x
            if length > old / low:
                return x / scaling["factor"]
            smooth = (old / length - low) / (high - low)
            return (1 - smooth) * x / scaling["factor"] + smooth * x

        f = [stretch(x) for x in f]
    return f


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def softmax(z):
    m = max(z)
    e = [math.exp(x - m) for x in z]
    s = math.fsum(e)
    return [x / s for x in e]


class Model:
    def __init__(self, folder):
        c = self.c = json.load(open(os.path.join(folder, "config.json")))
        self.w = tensors(folder)
        self.heads = c["num_attention_heads"]
        self.kv = c.get("num_key_value_heads") or self.heads
        self.d = c.get("head_dim") or c["hidden_size"] // self.heads
        self.f = frequencies(c, self.d)

    def linear(self, name, x):
        bias = self.w.get(name + ".bias")
        y = [dot(row, x) for row in self.w[name + ".weight"]]
        return [a + b for a, b in zip(y, bias)] if bias else y

    def norm(self, name, x):
        r = 1 / math.sqrt(dot(x, x) / len(x) + self.c.get("rms_norm_eps", 1e-6))
        return [a * r * g for a, g in zip(x, self.w[name + ".weight"])]

    def rotate(self, x, p):
        half, y = self.d // 2, list(x)
        for i, f in enumerate(self.f):
            c, s = math.cos(p * f), math.sin(p * f)
            y[i], y[i + half] = x[i] * c - x[i + half] * s, x[i + half] * c + x[i] * s
        return y

    def split(self, x, p=None):
        parts = [x[i : i + self.d] for i in range(0, len(x), self.d)]
        return parts if p is None else [self.rotate(h, p) for h in parts]

    def logits(self, ids):
        xs = [list(self.w["model.embed_tokens.weight"][i]) for i in ids]
        for layer in range(self.c["num_hidden_layers"]):
            at = "model.layers.%d." % layer
            keys, values, group = [], [], self.heads // self.kv
            for p, x in enumerate(xs):
                h = self.norm(at + "input_layernorm", x)
                q = self.split(self.linear(at + "self_attn.q_proj", h), p)
                keys.append(self.split(self.linear(at + "self_attn.k_proj", h), p))
                values.append(self.split(self.linear(at + "self_attn.v_proj", h)))
                out = []
                for n in range(self.heads):
                    g = n // group
                    a = softmax([dot(q[n], k[g]) / math.sqrt(self.d) for k in keys])
                    out += [math.fsum(a[t] * values[t][g][i] for t in range(p + 1)) for i in range(self.d)]
                x = [a + b for a, b in zip(x, self.linear(at + "self_attn.o_proj", out))]
                h = self.norm(at + "post_attention_layernorm", x)
                gate = self.linear(at + "mlp.gate_proj", h)
                up = self.linear(at + "mlp.up_proj", h)
                h = [g / (1 + math.exp(-g)) * u for g, u in zip(gate, up)]
                xs[p] = [a + b for a, b in zip(x, self.linear(at + "mlp.down_proj", h))]
        head = self.w["model.embed_tokens.weight" if self.c.get("tie_word_embeddings") else "lm_head.weight"]
        return [[dot(row, h) for row in head] for h in (self.norm("model.norm", x) for x in xs)]


if __name__ == "__main__":
    model = Model(sys.argv[1])
    for ids in json.load(sys.stdin):
        print(json.dumps(model.logits(ids)))
