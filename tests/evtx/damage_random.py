#!/usr/bin/env python3
"""Event logs with up to five kinds of damage at once, at random: whole records that were moved, written over others, cut, swapped, doubled. Every record of the log that is still whole in the
bytes is told, but for copies of one that was damaged in its own place; no bytes are told twice, no two records overlap, scan and events and any number of threads agree, and the ranges of the account stand side by side.
usage: damage_random.py PROGRAM SOURCE_ROOT FROM TO     seeds; TAP, one line for all"""
import json, os, random, subprocess, sys

PROGRAM, ROOT, FROM, TO = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.path[:0] = [os.path.join(ROOT, "tools", "lib"), os.path.join(ROOT, "tests")]
import account  # noqa: E402
import tap  # noqa: E402
from damaged import CHUNK, HEAD, base_file, truth  # noqa: E402

ANY = "title: any\nlogsource: {product: any}\ndetection: {s: {__none__: null}, k: ['*'], condition: s or k}\nlevel: low\n"


def damage(r, b):
    """(what was done, the bytes)"""
    kind, unit, n = r.choice(["cut", "insert", "move", "double", "zero", "noise", "swap", "flip", "header", "end"]), r.choice([1, 8, 512, 4096, CHUNK]), len(b)
    at = r.randrange(n) // unit * unit
    size = min(n - at, max(1, r.choice([8, 100, 512, 3000, 4096, 20000, CHUNK, 70000]) // unit * unit))
    to = r.randrange(n) // unit * unit
    part, out = b[at:at + size], bytearray(b)
    if kind == "cut":
        return kind, b[:at] + b[at + size:]
    if kind == "insert":
        return kind, b[:at] + r.choice([r.randbytes(size), bytes(size)]) + b[at:]
    if kind == "move":
        rest = b[:at] + b[at + size:]
        return kind, rest[:to] + part + rest[to:]
    if kind == "double":
        return kind, b[:to] + part + b[to + size:]
    if kind in ("zero", "noise"):
        return kind, b[:at] + (bytes(size) if kind == "zero" else r.randbytes(size)) + b[at + size:]
    if kind == "swap":
        size = min(size, n - to)
        out[at:at + size], out[to:to + size] = b[to:to + size], b[at:at + size]
    elif kind == "flip":
        for _ in range(r.choice([1, 10, 100])):
            out[r.randrange(n)] ^= 1 << r.randrange(8)
    elif kind == "header":
        field = HEAD + CHUNK * r.randrange(max(1, (n - HEAD) // CHUNK)) + r.choice([0, 8, 16, 24, 32, 40, 44, 48, 52, 120, 124, 128, 256])
        out[field:field + 4] = r.randbytes(4)
    else:
        return kind, b[:max(5000, n - r.randrange(200000))]
    return kind, bytes(out)


def run(*arguments):
    p = subprocess.run([PROGRAM, *arguments], capture_output=True, timeout=60)
    tap.need(p.returncode in (0, 3), f"exit {p.returncode}: {p.stderr[-200:]}")
    return p


def check(b, whole, path, rule):
    open(path, "wb").write(b)
    found = [x["evidence"][0] for x in map(json.loads, run("scan", "-q", "-j", "1", "-r", rule, "--any-logsource", "--as", "evtx", "-o", "-", path).stdout.splitlines()) if x["rule"]]
    places = sorted((e["offset"], e["length"]) for e in found)
    told = [b[at:at + n] for at, n in places]
    tap.need(len(told) == len(set(told)), "told twice: " + str(sorted(p for p, t in zip(places, told) if told.count(t) > 1)[:4]))
    tap.need(all(x[0] + x[1] <= y[0] for x, y in zip(places, places[1:])), "records overlap")
    said = {(t[8:16], key) for t in told for key in (t[16:24], len(t))}
    lost = {t for t in truth(b) & whole - set(told) if (t[8:16], t[16:24]) not in said and (t[8:16], len(t)) not in said}
    tap.need(not lost, f"{len(lost)} lost: {sorted((b.find(x), len(x)) for x in lost)[:4]}")
    one, three = run("events", "--as", "evtx", "-j", "1", path), run("events", "--as", "evtx", "-j", "3", path)
    tap.need(one.stdout == three.stdout and one.stderr == three.stderr, "threads matter")
    tap.need(one.stdout.count(b"\n") == len(told), f"{one.stdout.count(10)} events, {len(told)} in a scan")
    account.ranges(PROGRAM, "--as", "evtx", path)


@tap.test
def damage_upon_damage(scratch):
    path, rule, bad = os.path.join(scratch, "x.evtx"), os.path.join(scratch, "any.yml"), []
    open(rule, "w").write(ANY)
    bases = [base_file(k) for k in range(5)]
    whole = [truth(b) for b in bases]
    for seed in range(FROM, TO):
        r = random.Random(seed)
        k, kinds = r.randrange(5), []
        b = bases[k]
        for _ in range(r.choice([1, 1, 2, 3, 5])):
            kind, b = damage(r, b)
            kinds.append(kind)
        try:
            check(b, whole[k], path, rule)
        except (AssertionError, subprocess.TimeoutExpired) as e:
            bad.append(f"seed {seed}, base {k}, {kinds}: {e}")
            print("#", bad[-1], flush=True)
    tap.need(not bad, f"{len(bad)} of {TO - FROM} files")


tap.run()
