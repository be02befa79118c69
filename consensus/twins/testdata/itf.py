# SPDX-License-Identifier: Apache-2.0
"""Writes runs of docs/spec/simplex.qnt, which Quint gives as ITF files, as one line of text each:

    python3 itf.py N DIR > traces.txt

A line holds the leaders of the views, the steps, and the end: views and seals of the three honest nodes.
A step is what changed: note/fin N B, null N V, enter N V, crash N V (the Notarize of the view is lost, or
there was none), begin N S, prop N PARENT KIND, bad V PARENT KIND. Of the runs in DIR N are kept: two
thirds that reach most, final blocks first, and of the others those with most faulty blocks on a block that
somebody voted for.
"""
import glob
import json
import sys


def plain(x):
    if isinstance(x, dict):
        if "#bigint" in x:
            return int(x["#bigint"])
        if "#set" in x:
            return {plain(e) for e in x["#set"]}
        if "#tup" in x:
            return tuple(plain(e) for e in x["#tup"])
        if "#map" in x:
            return {plain(k): plain(v) for k, v in x["#map"]}
        return {k: plain(v) for k, v in x.items()}
    return [plain(e) for e in x] if isinstance(x, list) else x


def step(a, b):
    """What state b adds to state a; None if nothing."""
    if len(b["blocks"]) > len(a["blocks"]):
        new = b["blocks"][-1]
        who = b["leader"][new["v"]]
        return f"prop {who} {new['parent']} {new['kind']}" if who else f"bad {new['v']} {new['parent']} {new['kind']}"
    for name, word in ("notes", "note"), ("fins", "fin"):
        for n, x in b[name] - a[name]:
            return f"{word} {n} {x}"
    for n, v in b["nulls"] - a["nulls"]:
        noted = any(m == n and b["blocks"][x]["v"] == v for m, x in b["notes"])
        crash = b["lost"] != a["lost"] or not noted and b["mbt::actionTaken"] == "crash"
        return f"{'crash' if crash else 'null'} {n} {v}"
    for name, word in ("cur", "enter"), ("begun", "begin"):
        for n in 1, 2, 3:
            if b[name][n] != a[name][n]:
                return f"{word} {n} {b[name][n]}"
    return None


runs = []
for path in sorted(glob.glob(sys.argv[2] + "/*.itf.json")):
    with open(path) as f:
        states = [plain(s) for s in json.load(f)["states"]]
    last = states[-1]
    steps = [s for s in map(step, states, states[1:]) if s]
    final = {b for _, b in last["fins"] if sum(x[1] == b for x in last["fins"]) >= 2}
    begun = sum(s >= 0 for s in last["begun"].values())
    noted = {b for _, b in last["notes"]}
    views = {last["blocks"][b]["v"] for b in noted}
    odd = sum(last["leader"][x["v"]] == 0 and x["parent"] in noted for x in last["blocks"][1:])
    end = ["%d/%d" % (last["cur"][n], last["begun"][n]) for n in (1, 2, 3)]
    line = " ".join(str(last["leader"][v]) for v in range(1, 6)) + "; " + ", ".join(steps) + "; " + " ".join(end)
    runs.append((-len(final), -begun, -len(views), -odd, line))
n = int(sys.argv[1])
runs = sorted(set(runs))
best, rest = runs[: n - n // 3], runs[n - n // 3 :]
for *_, line in best + sorted(rest, key=lambda r: r[3])[: n // 3]:
    print(line)
