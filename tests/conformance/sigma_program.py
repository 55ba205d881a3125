#!/usr/bin/env python3
"""The cases of tests/conformance/sigma through the program, as somebody with a rule and a log would run it: exhibit scan EVENTS -r RULE -o -.
usage: sigma_program.py PROGRAM SOURCE_ROOT      TAP"""
import glob, json, os, subprocess, sys, tempfile

PROGRAM, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]


def run(case, scratch):
    """What is wrong, or nothing."""
    path = lambda name: os.path.join(scratch, name)  # noqa: E731
    events, starts = case.get("events", [{}]), []
    with open(path("rule.yml"), "w", newline="") as f:
        f.write(case["rules"])
    with open(path("events.jsonl"), "wb") as f:
        for e in events:
            starts.append(f.tell())
            f.write(json.dumps(e, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    command = [PROGRAM, "scan", path("events.jsonl"), "-r", path("rule.yml"), "-o", "-", "--stats", path("stats.json")]
    if not case.get("routing"):
        command.append("--any-logsource")
    if "placeholders" in case:
        json.dump(case["placeholders"], open(path("placeholders.yml"), "w"))
        command += ["--placeholders", path("placeholders.yml")]
    p = subprocess.run(command, capture_output=True, timeout=60)
    found = [[] for _ in events]
    for line in p.stdout.decode().splitlines():
        finding = json.loads(line)
        if finding["kind"] == "hit":
            found[max(i for i, s in enumerate(starts) if s <= finding["evidence"][0]["offset"])].append(finding["rule"]["id"])
    refused = json.load(open(path("stats.json")))["rules"]["refused"]
    if isinstance(case["expect"], dict):
        fits = [r for r in refused if r["category"] == case["expect"]["error"] and case["expect"].get("line", r["line"]) == r["line"] and r["reason"]]
        return None if fits else f"refused: {refused}"
    if len(refused) != case.get("refused", 0):
        return f"refused: {refused}"
    wrong = [(i, sorted(f), e) for i, (f, e) in enumerate(zip(found, case["expect"])) if sorted(f) != sorted(e)]
    return f"event {wrong[0][0]}: got {wrong[0][1]}, want {wrong[0][2]}" if wrong else None


files = sorted(glob.glob(os.path.join(ROOT, "tests/conformance/sigma/*.jsonl")))
print(f"1..{len(files)}")
failed = 0
for number, name in enumerate(files, 1):
    cases = [json.loads(line) for line in open(name, encoding="utf-8")]
    bad = 0
    for case in cases:
        with tempfile.TemporaryDirectory() as scratch:
            wrong = run(case, scratch)
        if wrong:
            bad += 1
            print(f"# {case['id']}: {wrong}")
    print(f"{'not ok' if bad else 'ok'} {number} - {os.path.basename(name)}: {len(cases)} cases")
    failed += bad
sys.exit(failed != 0)
