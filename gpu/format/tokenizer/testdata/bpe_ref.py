#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Byte-level BPE in plain Python, to check ids. Standard library only.

    bpe_ref.py FILE < LIST

FILE is a tokenizer.json, LIST a JSON list of texts; prints the list of their ids,
template included. Splitting runs the file's own regular expression on a shadow of
the text, in which each character is replaced by one of its class, because re
knows no \\p{L}. Merging is the naive search for the best pair.
"""
import json
import re
import sys
import unicodedata

KEEP = "'strevmldSTREVMLD\u017f \r\n"


def shadow(c):
    if c in KEEP:
        return c
    if unicodedata.category(c)[0] in "LN":
        return "\u03bb" if unicodedata.category(c)[0] == "L" else "0"
    return "\t" if c.isspace() and not 0x1C <= ord(c) <= 0x1F else "!"


def translate(expression):
    parts = {r"[^\s\p{L}\p{N}]": "[!']", r"[^\r\n\p{L}\p{N}]": "[!' \t]", r"\p{L}": "[a-zA-Z\u017f\u03bb]", r"\p{N}": "0"}
    for old, new in parts.items():
        expression = expression.replace(old, new)
    return expression


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def byte_chars():
    plain = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255]
    rest = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


class Ref:
    def __init__(self, path):
        d = json.load(open(path, encoding="utf-8"))
        m = d["model"]
        self.vocab = m["vocab"]
        self.ranks = {tuple(x.split(" ") if isinstance(x, str) else x): i for i, x in enumerate(m["merges"])}
        self.ignore = m["ignore_merges"]
        self.nfc = d["normalizer"] is not None
        pre = d["pre_tokenizer"]
        stages = pre.get("pretokenizers", [pre])
        self.prefix = stages[-1]["add_prefix_space"]
        self.digits = stages[0]["type"] == "Digits"
        split = [s["pattern"]["Regex"] for s in stages if s["type"] == "Split"]
        self.expression = re.compile(translate(split[0] if split else GPT2))
        self.bytes = byte_chars()
        self.ids, sets = {}, {False: [], True: []}
        for t in d["added_tokens"]:
            content = unicodedata.normalize("NFC", t["content"]) if self.nfc and t["normalized"] else t["content"]
            self.ids[content] = t["id"]
            sets[t["normalized"]].append(content)
        self.added = {k: re.compile("|".join(map(re.escape, sorted(v, key=len, reverse=True))) or "(?!)") for k, v in sets.items()}
        post = d["post_processor"] or {}
        self.template = [["A"]]
        for p in post.get("processors", [post]):
            if p.get("type") == "TemplateProcessing":
                self.template = [["A"] if "Sequence" in x else p["special_tokens"][x["SpecialToken"]["id"]]["ids"] for x in p["single"]]

    def cut(self, text, normalized):
        at = 0
        for m in self.added[normalized].finditer(text):
            yield text[at : m.start()], None
            yield None, self.ids[m.group()]
            at = m.end()
        yield text[at:], None

    def word(self, s):
        parts = [self.bytes[b] for b in s.encode()]
        if self.ignore and "".join(parts) in self.vocab:
            return [self.vocab["".join(parts)]]
        while True:
            best = min((self.ranks.get(p, 1 << 60), i) for i, p in enumerate(zip(parts, parts[1:] + [None])))
            if best[0] == 1 << 60:
                return [self.vocab[p] for p in parts]
            i = best[1]
            parts[i : i + 2] = [parts[i] + parts[i + 1]]

    def stretch(self, s):
        if self.prefix and not s.startswith(" "):
            s = " " + s
        pieces = [s]
        if self.digits:
            pieces = [x for x in re.split("(0)", "".join(map(shadow, s))) if x]
            at, out = 0, []
            for p in pieces:
                out.append(s[at : at + len(p)])
                at += len(p)
            pieces = out
        for p in pieces:
            for m in self.expression.finditer("".join(map(shadow, p))):
                yield from self.word(p[m.start() : m.end()])

    def encode(self, text):
        out = []
        for s, i in self.cut(text, False):
            if i is not None:
                out.append(i)
                continue
            for s, i in self.cut(unicodedata.normalize("NFC", s) if self.nfc else s, True):
                if i is not None:
                    out.append(i)
                elif s:
                    out += self.stretch(s)
        full = []
        for part in self.template:
            full += out if part == ["A"] else part
        return full


if __name__ == "__main__":
    ref = Ref(sys.argv[1])
    print(json.dumps([ref.encode(x) for x in json.load(sys.stdin)]))
