#!/usr/bin/env python3
"""Who attacks in two public logs (own corpus, not in this tree) against attackers.txt beside this file, which says why for each address.
usage: attackers.py PROGRAM SOURCE_ROOT      TAP; skipped when the corpus is not there ($EXHIBIT_CORPORA, or ../shared/corpora)

An attacker's attempts are events with outcome failure or probe that give its address. Attackers of which the log tells only a name are none here:
an address is what a server saw, a name is what DNS was told."""
import json, os, subprocess, sys

PROGRAM, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
LOGS = os.path.join(os.environ.get("EXHIBIT_CORPORA") or os.path.join(ROOT, "..", "shared", "corpora"), "logs")
LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attackers.txt")


def main():
    if not os.path.isdir(os.path.join(LOGS, "OpenSSH")):
        print("1..0 # SKIP the corpus is not there")
        return
    wanted = {}
    for line in open(LIST):
        if line.strip() and not line.startswith("#"):
            log, address, what, _ = line.split("\t")
            wanted.setdefault(log, {})[address] = what
    print(f"1..{len(wanted)}")
    bad = False
    for n, (log, of) in enumerate(sorted(wanted.items()), 1):
        path = os.path.join(LOGS, log, f"{log}_2k.log")
        out = subprocess.run([PROGRAM, "events", "--auth", path], capture_output=True, check=True, timeout=60).stdout
        tried, entered = set(), set()
        for e in map(json.loads, out.splitlines()):
            (entered if e["auth.outcome"] == "success" else tried).add(e.get("auth.src_ip"))
        tried.discard(None)
        attackers = {a for a, what in of.items() if what == "attacker"}
        missed, others = attackers - tried, tried - attackers - entered
        ok = not missed and not others
        bad |= not ok
        print(f"{'ok' if ok else 'not ok'} {n} - {log}: {len(attackers) - len(missed)} of {len(attackers)} attacking addresses, {len(others)} others")
        for a in sorted(missed):
            print(f"#   missed {a}")
        for a in sorted(others):
            print(f"#   not listed {a}")
    sys.exit(bad)


main()
