#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recomputes knn.json, game.json and payout_weights.json without any code of
OpenLedger: values by their definitions, over fractions of the standard library.

    python3 poa_check.py            # exit 0, one line per file
    python3 poa_check.py --damage   # change every kind of result: each must be noticed
"""
import copy
import hashlib
import itertools
import json
import math
import os
import re
import sys
from fractions import Fraction as F

W = 2**40


class Mismatch(Exception):
    pass


def want(got, expected, label):
    if got != expected:
        raise Mismatch(f"{label}: {str(got)[:200]} is not {str(expected)[:200]}")


def half_up(x, scale):
    return math.floor(x * 2**scale + F(1, 2))


def sha(b):
    return hashlib.sha256(b).digest()


def cbor(x):
    """The one encoding of bool, int, bytes, str or list (ENC-01)."""

    def head(major, n):
        if n < 24:
            return bytes([major << 5 | n])
        for k, size in enumerate((1, 2, 4, 8)):
            if n < 1 << 8 * size:
                return bytes([major << 5 | 24 + k]) + n.to_bytes(size, "big")
        raise ValueError(n)

    if isinstance(x, bool):
        return b"\xf5" if x else b"\xf4"
    if isinstance(x, int):
        return head(0, x) if x >= 0 else head(1, -1 - x)
    if isinstance(x, bytes):
        return head(2, len(x)) + x
    if isinstance(x, str):
        return head(3, len(x.encode())) + x.encode()
    return head(4, len(x)) + b"".join(map(cbor, x))


def dom(name, *x):
    return sha(cbor([f"openledger/{name}/1", *x]))


def leaf_digest(index, first, rows, sums):
    return dom("poa-leaf", index, first, rows, b"".join((s % 2**64).to_bytes(8, "big") for s in sums))


# --- KNN-Shapley -----------------------------------------------------------


def dist2(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b))


def content_key(features, label):
    return sha(bytes(features) + bytes([label]))


def neighbours(train, q):
    """KNN-01; train holds (features, label, key)."""
    return sorted(range(len(train)), key=lambda i: (dist2(train[i][0], q), train[i][2], i))


def coefficients(n, k, soft, classes):
    """The rationals of KNN-02 and KNN-03: step[i] for i = 1..n−1; m_N, M, 1."""
    if not soft:
        return {i: F(1, max(k, i)) for i in range(1, n)}, (F(1, max(n, k)), F(0), F(0))
    k = min(k, n)
    if n == 1:
        return {}, (F(1), F(0), F(1, classes))
    h = sum(F(1, j) for j in range(1, k + 1)) - 1
    return ({i: F(1, max(k, i)) + h / (n - 1) for i in range(1, n)}, ((h + 1) / n, h / (n * (n - 1)), F(1, classes * n)))


def row_values(m, step, last):
    """s_1..s_N from matches m in neighbour order, by the recurrence."""
    n = len(m)
    s = [0] * n
    s[-1] = m[-1] * last[0] - sum(m[:-1]) * last[1] - last[2]
    for i in range(n - 1, 0, -1):
        s[i - 1] = s[i] + (m[i - 1] - m[i]) * step[i]
    return s


def brute(m, k, soft, classes):
    """Shapley values by all coalitions, from the utility itself."""
    n = len(m)

    def v(members):  # positions in neighbour order, ascending
        near = members[:k]
        if not soft:
            return F(sum(m[i] for i in near), k)
        return F(sum(m[i] for i in near), len(near)) if near else F(1, classes)

    value = {}
    for size in range(n + 1):
        for c in itertools.combinations(range(n), size):
            value[c] = v(c)
    out = [F(0)] * n
    for c, x in value.items():
        for i in range(n):
            if i not in c:
                w = F(1, n * math.comb(n - 1, len(c)))
                out[i] += w * (value[tuple(sorted(c + (i,)))] - x)
    return out


def check_knn_case(c, want):
    n, k, soft, classes = len(c["train"]), c["k"], c["soft"], c["classes"]
    train = [(bytes.fromhex(r["features"]), r["label"]) for r in c["train"]]
    train = [(f, l, content_key(f, l)) for f, l in train]
    want([t[2].hex() for t in train], c["keys"], "content keys")
    step, last = coefficients(n, k, soft, classes)
    at = {s: ({i: half_up(x, s) for i, x in step.items()}, [half_up(x, s) for x in last]) for s in (40, 96)}
    sums = {40: [0] * n, 96: [0] * n}
    for v, order in zip(c["valid"], c["orders"], strict=True):
        near = neighbours(train, bytes.fromhex(v["features"]))
        want(near, order, "order")
        m = [int(train[i][1] == v["label"]) for i in near]
        exact = row_values(m, step, last)
        if n <= 9:
            want(exact, brute(m, k, soft, classes), "recurrence against all coalitions")
        for scale in (40, 96):
            for i, s, e in zip(near, row_values(m, *at[scale]), exact):
                sums[scale][i] += s
                if abs(s - e * 2**scale) > F(n + 1, 2):
                    raise Mismatch("a numerator is off by more than (N+1)/2")
    want([str(x) for x in sums[40]], c["numerators"], "numerators")
    want([str(x) for x in sums[96]], c["numerators96"], "numerators over 2^96")
    want(leaf_digest(0, 0, len(c["valid"]), sums[40]).hex(), c["leaf_digest"], "leaf digest")
    return 3 + len(c["valid"])


# --- atoms and jobs --------------------------------------------------------


def atoms(train, valid, tau):
    """ATM-03..05 as written. Rows are (features, label, priority)."""
    visits = sorted([(r[2], 0, i) for i, r in enumerate(train)] + [(r[2], 1, i) for i, r in enumerate(valid)])
    fates, founders, kept = [None] * len(train), [], []
    for _, judge, i in visits:
        if judge:
            if all(dist2(train[f][0], valid[i][0]) > tau for f in founders):
                kept.append(i)
            continue
        f, label, _ = train[i]
        leaks = [(dist2(valid[v][0], f), v) for v in kept if dist2(valid[v][0], f) <= tau]
        near = [(dist2(train[a][0], f), content_key(*train[a][:2]), a) for a in founders
                if train[a][1] == label and dist2(train[a][0], f) <= tau]
        if leaks:
            fates[i] = f"leaks-validation {min(leaks)[1]}"
        elif near:
            fates[i] = f"duplicate-of {min(near)[2]}"
        else:
            fates[i] = "founder"
            founders.append(i)
    return fates, sorted(founders, key=lambda a: content_key(*train[a][:2])), sorted(kept)


def tree(leaves):
    """The RFC 6962 tree hash."""
    if len(leaves) < 2:
        return sha(b"\0" + leaves[0]) if leaves else sha(b"")
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\1" + tree(leaves[:k]) + tree(leaves[k:]))


def sum_tree(leaves):
    """RCP-02; leaves are (sum, body)."""
    if len(leaves) == 1:
        s, body = leaves[0]
        return s, sha(b"\0" + s.to_bytes(8, "big") + sha(body))
    k = 1 << (len(leaves) - 1).bit_length() - 1
    (a, x), (b, y) = sum_tree(leaves[:k]), sum_tree(leaves[k:])
    return a + b, sha(b"\1" + a.to_bytes(8, "big") + x + b.to_bytes(8, "big") + y)


def hamilton(pool, weights):
    """SHR-02 by fractions."""
    weights = [max(w, 0) for w in weights]
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    quota = [F(pool * w, total) for w in weights]
    parts = [math.floor(q) for q in quota]
    order = sorted(range(len(weights)), key=lambda i: (parts[i] - quota[i], i))
    for i in order[: pool - sum(parts)]:
        parts[i] += 1
    return parts


def check_job(c, want):
    rows = [[(bytes.fromhex(r["features"]), r["label"], tuple(r["priority"])) for r in c[x]] for x in ("train", "valid")]
    train, valid = rows
    fates, founders, kept = atoms(train, valid, c["tau"])
    want(fates, c["fates"], "fates")
    want(founders, c["founders"], "founders")
    want(kept, c["valid_kept"], "judges")
    k, classes, per = c["k_classes_rows_per_leaf"]
    players = [(train[a][0], train[a][1], content_key(*train[a][:2])) for a in founders]
    step, last = coefficients(len(players), k, True, classes)
    step, last = {i: half_up(x, 40) for i, x in step.items()}, [half_up(x, 40) for x in last]
    totals, digests = [0] * len(players), []
    for index, first in enumerate(range(0, len(valid), per)):
        part = range(first, min(first + per, len(valid)))
        sums = [0] * len(players)
        for v in part:
            if v in kept:
                near = neighbours(players, valid[v][0])
                m = [int(players[i][1] == valid[v][1]) for i in near]
                for i, s in zip(near, row_values(m, step, last)):
                    sums[i] += s
        digests.append(leaf_digest(index, first, len(part), sums))
        totals = [a + b for a, b in zip(totals, sums)]
    want([d.hex() for d in digests], c["leaf_digests"], "leaf digests")
    owners = [sum(t for t, a in zip(totals, founders) if c["train"][a]["owner"] == o) for o in range(len(c["owners"]))]
    want([str(x) for x in owners], c["totals"], "totals")
    weights = hamilton(W, owners)
    want(weights, c["weights"], "weights")
    names = [bytes.fromhex(o) for o in c["owners"]]
    duplicates = sum(f.startswith("dup") for f in fates)
    leaks = sum(f.startswith("leak") for f in fates)
    result = ["poa/1", "knn/1", k, True, classes, c["tau"], per, len(train), len(players), duplicates, leaks,
              len(kept), len(valid) - len(kept), len(digests), tree(digests),
              [[n, t >> 64, t % 2**64, w] for n, t, w in zip(names, owners, weights)]]
    want(cbor(result).hex(), c["result"], "result bytes")
    want(dom("poa-result", result).hex(), c["result_root"], "result root")
    s, h = sum_tree(list(zip(weights, names)))
    want([h.hex(), str(s), str(len(names))], c["weight_root"], "weight root")
    return 9


def check_knn(doc, want):
    done = sum(check_knn_case(c, want) for c in doc["cases"]) + sum(check_job(c, want) for c in doc["jobs"])
    for b in doc["invalid"]:
        bad = b["n"] == 0 or b["n"] > 2**22 or b["k"] == 0 or b["soft"] and b["classes"] == 0
        want((bad, "no rows" if b["n"] == 0 else "value out of range"), (True, b["error"]), b["name"])
    return done + len(doc["invalid"])


# --- games -----------------------------------------------------------------

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


class Splitmix:
    """ARC-04."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        return (z ^ z >> 31) * n >> 64

    def perm(self, n):
        p = list(range(n))
        for i in range(n - 1, 0, -1):
            j = self.below(i + 1)
            p[i], p[j] = p[j], p[i]
        return p


def semivalue(n, v, weight):
    out = []
    for i in range(n):
        out.append(sum((weight(bin(s).count("1")) * (v[s | 1 << i] - v[s]) for s in range(2**n) if not s >> i & 1), F(0)))
    return out


def beta(x, y):
    return F(math.factorial(x - 1) * math.factorial(y - 1), math.factorial(x + y - 1))


T_LOOK = [186204, 198986, 202736, 206414, 210546, 214833, 219018, 222964, 226616, 229969]
T_FEW = {2: 1668003, 3: 406674, 4: 273714, 5: 229075, 6: 207316, 7: 194556}


def one_base(n, v, kind, perm, starts, seen):
    """The estimate of one base, as fractions."""
    x, full, s = [F(0)] * n, 2**n - 1, len(starts)
    for a in starts:
        around = [perm[(a + t) % n] for t in range(n)]
        for path in (around, around[::-1]):
            mask = 0
            for i in path:
                before = v[mask]
                mask |= 1 << i
                seen.add(mask)
                if kind != "complementary":
                    x[i] += F(v[mask] - before) / (2 * s)
        if kind == "complementary":
            mask = 0
            for j, i in enumerate(around[:-1], 1):
                mask |= 1 << i
                seen.update((mask, full ^ mask))
                u = v[mask] - v[full ^ mask] - F(2 * j - n, n) * (v[full] - v[0])
                for i in range(n):
                    x[i] += u / (2 * s * j) if mask >> i & 1 else -u / (2 * s * (n - j))
    if kind == "complementary":
        x = [y + F(v[full] - v[0]) / n for y in x]
    return x


def sample(n, v, run, scale):
    rng, seen, got = Splitmix(run["seed"]), {0, 2**n - 1}, []
    budget = run["budget"] - 2

    def fit(s):
        return 8 if budget >= 2**n - 2 else min(8, budget // (s * (2 * n - s - 1)))

    cuts = 1 if run["sampler"] == "antithetic" else n
    while cuts > 1 and fit(cuts) < 4:
        cuts -= 1

    def take(count, rng, seen):
        for _ in range(count):
            perm = rng.perm(n)
            r = rng.below(n)
            yield one_base(n, v, run["sampler"], perm, [(r + k * n // cuts) % n for k in range(cuts)], seen)

    def widths():
        b = len(got)
        if b < 2:
            return [None] * n
        t = T_FEW[b] if b < 8 else T_LOOK[(b // 8).bit_length() - 1]
        out = []
        den = 2 * cuts * (math.lcm(*range(1, n + 1)) * n if run["sampler"] == "complementary" else 1)
        for i in range(n):
            xs = [int(g[i] * den * scale) for g in got]
            a = (b * sum(x * x for x in xs) - sum(xs) ** 2) * (b - 1) << 96
            root = math.isqrt(a)
            root += root * root < a
            out.append(F(t * root, b * (b - 1) * den * scale << 64))
        return out

    def narrow():
        bound = abs(v[-1] - v[0]) * F(run["epsilon_bps"], 10_000)
        return len(got) > 1 and all(w <= bound for w in widths())

    got += take(fit(cuts), rng, seen)
    while not narrow() and 8 <= len(got) < 4096:
        ahead, more = Splitmix(rng.state), set(seen)
        extra = list(take(len(got), ahead, more))
        if len(more) > run["budget"]:
            break
        rng, seen = ahead, more
        got += extra
    return got, seen, widths(), narrow()


def check_game_case(c, want):
    doc = json.loads(c["text"], parse_float=F, parse_int=F)
    n, v = int(doc["n"]), [F(x) for x in doc["v"]]

    def text(xs):
        return ["" if x is None else str(x) for x in xs]

    shapley = semivalue(n, v, lambda k: F(math.factorial(k) * math.factorial(n - 1 - k), math.factorial(n)))
    want(text(shapley), c["shapley"], "Shapley")
    if n <= 4:
        orders = [F(0)] * n
        for p in itertools.permutations(range(n)):
            mask = 0
            for i in p:
                orders[i] += (v[mask | 1 << i] - v[mask]) / math.factorial(n)
                mask |= 1 << i
        want(orders, shapley, "Shapley by orders")
    want(text(semivalue(n, v, lambda k: F(1, 2 ** (n - 1)))), c["banzhaf"], "Banzhaf")
    want(text([v[-1] - v[2**n - 1 - (1 << i)] for i in range(n)]), c["loo"], "leave-one-out")
    for b in c["beta"]:
        x, y = b["a"], b["b"]
        want(text(semivalue(n, v, lambda k: beta(k + y, n - 1 - k + x) / beta(x, y))), b["values"], "beta")
    scale = 10 ** max([-e for e in map(exponent, re.findall(NUMBER.pattern.replace("(", "(?:"), c["text"].split("[")[1]))] + [0])
    for run in c["sampled"]:
        got, seen, widths, narrow = sample(n, v, run, scale)
        mean = [sum((g[i] for g in got), F(0)) / len(got) for i in range(n)]
        want(text(mean), run["estimate"], "estimate")
        want(text(widths), run["half_width"], "half width")
        want([len(got), len(seen), narrow], [run["bases"], run["evaluations"], run["converged"]], "end of the run")
    return 3 + len(c["beta"]) + 3 * len(c["sampled"])


def exponent(lexeme):
    """The exponent of the last significant digit, 0 for zero."""
    mantissa, _, e = lexeme.lower().partition("e")
    whole, _, frac = mantissa.partition(".")
    digits = (whole + frac).lstrip("-")
    if not digits.strip("0"):
        return 0
    return int(e or 0) - len(frac) + len(digits) - len(digits.rstrip("0"))


def bad_game(text):
    try:
        pairs = json.loads(text, object_pairs_hook=lambda p: p, parse_constant=lambda _: None)
        keys = [k for k, _ in pairs]
        n, v = dict(pairs)["n"], dict(pairs)["v"]
        numbers = all(type(x) in (int, float) and abs(F(x)) < 10**300 for x in v if x != float("inf"))
        return not (sorted(keys) == ["n", "v"] and 1 <= n <= 24 and len(v) == 2**n and numbers and float("inf") not in v)
    except (ValueError, TypeError, KeyError):
        return True


def place(text, error):
    """An error names a place inside the text, or just past it."""
    line, column = map(int, re.match(r"(\d+): column (\d+): .", error).groups())
    lines = text.split("\n")
    return line <= len(lines) and column <= len(lines[line - 1]) + 1


def check_game(doc, want):
    done = sum(check_game_case(c, want) for c in doc["cases"])
    for b in doc["invalid"]:
        want((bad_game(b["text"]), place(b["text"], b["error"])), (True, True), b["name"])
    return done + len(doc["invalid"])


# --- payouts ---------------------------------------------------------------


def half_even(x):
    return round(x)  # of a Fraction: halves to even


def weights_of(text):
    doc = json.loads(text, parse_float=F, parse_int=F)
    if isinstance(doc, dict):
        doc = doc["weights"] if isinstance(doc.get("weights"), list) else list(doc.values())
    return [half_even(x * W) for x in doc]


def bad_weights(text):
    try:
        doc = json.loads(text, object_pairs_hook=lambda p: p, parse_constant=lambda _: None)
        if isinstance(doc, list) and doc and isinstance(doc[0], tuple):
            keys, values = [k for k, _ in doc], [v for _, v in doc]
            if len(set(keys)) < len(keys):
                return True
            doc = values[0] if keys == ["weights"] and isinstance(values[0], list) else values
        return not doc or any(type(x) not in (int, float) or abs(x) == float("inf") for x in doc)
    except (ValueError, TypeError):
        return True


def check_payout(doc, want):
    for c in doc["splits"]:
        parts = hamilton(int(c["pool"]), list(map(int, c["weights"])))
        want([str(p) for p in parts], c["parts"], c["name"])
    for c in doc["totals"]:
        totals = list(map(int, c["totals"]))
        w = hamilton(W, totals)
        want(w, c["weights"], c["name"])
        nobody = not any(w)
        why = ["" if x else ("unattributed" if nobody else "negative-total") if t <= 0 else "below-resolution" for t, x in zip(totals, w)]
        want(why, c["why"], c["name"])
    for c in doc["files"]:
        weights, pool = weights_of(c["text"]), int(c["pool"])
        parts = hamilton(pool, weights)
        want([str(p) for p in parts], c["payouts"], c["name"])
        want(str(pool - sum(parts)), c["unallocated"], c["name"])
        want([i for i, x in enumerate(weights) if x < 0], c["clipped"], c["name"])
    for b in doc["invalid"]:
        want((bad_weights(b["text"]), place(b["text"], b["error"])), (True, True), b["name"])
    return len(doc["splits"]) + 2 * len(doc["totals"]) + 3 * len(doc["files"]) + len(doc["invalid"])


CHECKS = {"knn.json": check_knn, "game.json": check_game, "payout_weights.json": check_payout}

RESULTS = {  # the kinds of field that --damage changes
    "knn.json": {"cases": ["keys", "orders", "numerators", "numerators96", "leaf_digest"],
                 "jobs": ["fates", "valid_kept", "founders", "totals", "weights", "leaf_digests", "result", "result_root", "weight_root"]},
    "game.json": {"cases": ["shapley", "banzhaf", "loo", "beta.values", "sampled.estimate", "sampled.half_width", "sampled.bases", "sampled.evaluations", "sampled.converged"]},
    "payout_weights.json": {"splits": ["parts"], "totals": ["weights", "why"], "files": ["payouts", "unallocated", "clipped"]},
}


def change(x):
    """Another value of the same kind."""
    if isinstance(x, list):
        return x[:-1] + [change(x[-1])] if x else [0]
    if isinstance(x, bool):
        return not x
    if isinstance(x, int):
        return x + 1
    return x[:-1] + ("1" if x[-1:] == "0" else "0")


def damage(name, doc):
    """Yields the kinds of field whose change passes."""
    for section, fields in RESULTS[name].items():
        for field in fields:
            for item in range(len(doc[section])):
                other = copy.deepcopy(doc)
                other["cases"], other["jobs"], keep = other.get("cases", []), other.get("jobs", []), other[section][item]
                for s in RESULTS[name]:
                    other[s] = []
                other["invalid"], other[section] = [], [keep]
                *path, last = field.split(".")
                holders = [keep]
                for p in path:
                    holders = holders[0][p][-1:]
                if not holders:
                    continue
                holders[0][last] = change(holders[0][last])
                try:
                    CHECKS[name](other, want)
                except (Mismatch, ValueError, ZeroDivisionError):
                    continue
                yield f"{name}: {section}[{item}].{field}"


def main():
    failed = False
    for name, check in CHECKS.items():
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), encoding="utf-8") as f:
            doc = json.load(f)
        if sys.argv[1:] == ["--damage"]:
            bad = list(damage(name, doc))
            for b in bad:
                print("damage passes:", b)
            failed = failed or bool(bad)
            print(f"{name}: damage is noticed" if not bad else f"{name}: FAILED")
            continue
        try:
            print(f"{name}: {check(doc, want)} checks")
        except Mismatch as e:
            failed = True
            print(f"{name}: {e}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
