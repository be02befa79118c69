#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Made the tokenizer files and golden.json.gz beside this script, once.

    pip install tokenizers==0.23.3 && python3 make_golden.py ROOT

ROOT is the project's folder: its documents are what the tokenizers were trained
on. Files and ids are those that HuggingFace's tokenizers 0.23.3 produced. The
tests need none of this: they read the files, and bpe_ref.py computes the ids
again in plain Python.
"""
import gzip
import hashlib
import json
import os
import random
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = sys.argv[1]
LLAMA = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = LLAMA.replace("{1,3}", "")
OTHER = "Größe, naïve café; Ελληνικά κείμενο; русский текст; 東京の天気は晴れです。 한국어 문장 हिन्दी वाक्य مرحبا بالعالم 😀🎉👩‍💻 I'm you're IT'S don't 1234567 ½ Ⅷ ٣٤٥"
random.seed(1)


def corpus():
    for name in ("README.md", "ARCHITECTURE.md", "docs/spec/ledger.md", "docs/spec/consensus.md"):
        yield from open(os.path.join(ROOT, name), encoding="utf-8").read().splitlines(True)
    for _ in range(40):
        yield OTHER


def split(expression):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(expression), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def make(name):
    t = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
    t.decoder = decoders.ByteLevel()
    special = ["<|begin|>", "<|end|>"]
    if name == "gpt2":
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        t.post_processor = processors.ByteLevel(trim_offsets=False)
    elif name == "llama3":
        t.pre_tokenizer = split(LLAMA)
    elif name == "qwen2":
        t.normalizer = normalizers.NFC()
        t.pre_tokenizer = split(QWEN)
        t.post_processor = processors.ByteLevel(trim_offsets=False)
    else:
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(vocab_size=1000, special_tokens=special, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator(corpus(), trainer)
    t.add_tokens([AddedToken("<|end|><|", normalized=False), AddedToken("caf\u00e9s", normalized=True), AddedToken("  \n", normalized=False)])
    t.add_special_tokens(["<|im_start|>", "<|im"])
    if name == "llama3":
        t.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<|begin|> $A <|end|>", pair="<|begin|> $A <|begin|> $B:1", special_tokens=[("<|begin|>", 0), ("<|end|>", 1)]),
        ])
    data = json.loads(t.to_str())
    if name in ("gpt2", "digits"):  # the older form of merges
        data["model"]["merges"] = [" ".join(m) for m in data["model"]["merges"]]
    if name == "llama3":  # words that only ignore_merges finds
        del data["model"]["merges"][-200:]
    with open(os.path.join(HERE, name + ".json"), "w", encoding="utf-8") as f:
        json.dump(data, f, ensure_ascii=False, separators=(",", ":"))
    return Tokenizer.from_file(os.path.join(HERE, name + ".json"))


RANGES = [(32, 126)] * 4 + [(0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F),
          (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x218F), (0x2460, 0x24FF), (0x3000, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xAD00),
          (0xF900, 0xFA6D), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0x10100, 0x10140), (0x1D400, 0x1D7FF), (0x1F300, 0x1F64F), (0, 31), (127, 0xA0)]
PIECES = ["'s", "'S", "'t", "'RE", "'ve", "'M", "'ll", "'lL", "'d", "'\u017f", "'l", "'r", "\u2019s", " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n", "\u00a0", "\u3000",
          "\u2028", "\u0085", "\v", "0", "12", "345", "6789", "\u0663", "\u00bd", "\u2167", "<|begin|>", "<|end|>", "<|im_start|>", "<|im", "<|", "caf\u00e9s", "cafe\u0301s",
          "\u1100\u1161\u11a8", "\uac00\u11a8", "e\u0301\u0323", "\u0344", "\u2126", "\u212b", "\ufb01", "\u0958", "\U0001d15e", "_", "--", "...", "://", "\u200d", "\ufeff", "\U0001f469\u200d\U0001f4bb"]


def text(words):
    out = []
    for _ in range(random.randint(0, 12)):
        k = random.random()
        if k < 0.35:
            out.append(random.choice(words))
        elif k < 0.75:
            out.append(random.choice(PIECES) * random.choice((1, 1, 1, 2, 3)))
        else:
            a, b = random.choice(RANGES)
            c = chr(random.randint(a, b))
            if unicodedata.category(c) != "Cn":
                out.append(c * random.choice((1, 1, 2)))
        if random.random() < 0.3:
            out.append(" ")
    return "".join(out)


def main():
    words = [w for line in corpus() for w in line.split()]
    texts = ["", " ", "\n", "'", "a" * 300, "\u0301" * 100, "q\u0307" + "\u0323\u0307" * 40] + [text(words) for _ in range(9993)]
    out = {"texts": texts, "ids": {}, "plain": {}, "decoded": {}}
    for name in ("gpt2", "llama3", "qwen2", "digits"):
        t = make(name)
        ids = [t.encode(x).ids for x in texts]
        plain = [t.encode(x, add_special_tokens=False).ids for x in texts]
        # All ids as one digest, and the first thousand to look at.
        out["ids"][name] = {"digest": hashlib.sha256(json.dumps(ids, separators=(",", ":")).encode()).hexdigest(), "first": ids[:1000]}
        out["plain"][name] = hashlib.sha256(json.dumps(plain, separators=(",", ":")).encode()).hexdigest()
        # Ids in any order: text that is not UTF-8, and special tokens within.
        random.seed(2)
        lists = [[random.randrange(t.get_vocab_size()) for _ in range(random.randint(0, 8))] for _ in range(1000)]
        latin = t.token_to_id("caf\u00e9s")  # that library takes its last letter but one for a byte; here it is text
        lists = [[i for i in x if i != latin] for x in lists]
        out["decoded"][name] = [[x, t.decode(x, skip_special_tokens=True), t.decode(x, skip_special_tokens=False)] for x in lists]
    data = json.dumps(out, ensure_ascii=False, separators=(",", ":")).encode()
    with open(os.path.join(HERE, "golden.json.gz"), "wb") as f:
        f.write(gzip.compress(data, 9, mtime=0))


main()
