#!/usr/bin/env python3
"""The cases of tests/conformance/correlation through the program, as somebody with rules and logs would run them: exhibit scan EVENTS -r RULES -o -.
Each twice: the events in one file in order of time; and spread over three files, each written backwards, on two threads (cases without equal times).
With PREFIXES also once for each event, with the events up to it: as many findings as the case says are open by then.
Cases about options that the program does not have (lateness, missing) are left out.
usage: correlation_program.py PROGRAM SOURCE_ROOT [prefixes]      TAP"""
import datetime, glob, json, os, re, subprocess, sys, tempfile

PROGRAM, ROOT, PREFIXES = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:] == ["prefixes"]
BASE = datetime.datetime(2024, 1, 1)


def stamp(seconds):
    whole, _, part = seconds.partition(".")
    return (BASE + datetime.timedelta(seconds=int(whole))).strftime("%Y-%m-%dT%H:%M:%S") + "." + part.ljust(9, "0") + "Z"


def seconds(text):
    """What a finding says, in microseconds from the base."""
    d = datetime.datetime.strptime(text[:26].rstrip("Z"), "%Y-%m-%dT%H:%M:%S.%f") - BASE
    return d.days * 86400 * 10**6 + d.seconds * 10**6 + d.microseconds


def micros(text):
    whole, _, part = text.partition(".")
    return int(whole) * 10**6 + int(part.ljust(6, "0")[:6])


def numbers(text):
    """"1-4,6" as a list."""
    v = []
    for run in text.split(",") if text else []:
        a, _, b = run.partition("-")
        v += range(int(a), int(b or a) + 1)
    return v


def wanted(line):
    title, group, at, count, first, last, cites, rest = re.fullmatch(r"(\w+)(.*?) at=(\S+) count=(\d+) from=(\S+) to=(\S+) cites=(\S*)(.*)", line, re.S).groups()
    return (micros(at), title, group, int(count), micros(first), micros(last), tuple(sorted(numbers(cites))), "root" in rest)


def documents(case):
    """The rules, with a detection for each name that is no correlation: what says so is a hit."""
    correlations = {r.get("name") for r in case["rules"]}
    names = dict.fromkeys(case.get("hits", []) + [e[1] for e in case["events"] if e[1] not in correlations])
    rules = [{"title": n, "name": n, "logsource": {"product": "test"}, "detection": {"s": {"hit": n}, "condition": "s"}} for n in names]
    return "---\n".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rules + case["rules"])


def records(case, upto):
    """(number, microseconds, line), one for each record."""
    v = {}
    for i, (time, rule, fields, *number) in enumerate(case["events"][:upto], 1):
        number = number[0] if number else i
        if number in v: v[number][1]["hit"].append(rule)
        else: v[number] = (time, {"time": stamp(time), "hit": [rule], **fields})
    return [(n, micros(t), json.dumps(e, ensure_ascii=False)) for n, (t, e) in v.items()]


def spread(v, files):
    """What stands in each file: in order in one file, else dealt out to three, and backwards."""
    return {"e.jsonl": v} if files == 1 else {f"e{k}.jsonl": v[k::files][::-1] for k in range(files)}


def found(case, upto, files, scratch):
    place, paths = {}, []
    for name, lines in spread(records(case, upto), files).items():
        at = 0
        with open(os.path.join(scratch, name), "wb") as f:
            for number, _, line in lines:
                place[name, at] = number
                at += f.write(line.encode() + b"\n")
        paths.append(os.path.join(scratch, name))
    with open(os.path.join(scratch, "r.yml"), "w") as f:
        f.write(documents(case))
    command = [PROGRAM, "scan", *paths, "-r", os.path.join(scratch, "r.yml"), "-o", "-", "-q", "--logsource", "product=test", "-j", "1" if files == 1 else "2"]
    if case.get("options", {}).get("every"): command.append("--every")
    p = subprocess.run(command, capture_output=True, timeout=60)
    got, hits = [], []
    for line in p.stdout.decode().splitlines():
        f = json.loads(line)
        if f["kind"] == "hit": hits.append(f["rule"]["title"])
        if f["kind"] != "correlation": continue
        cited = sorted(place[os.path.basename(e["source"]), e["offset"]] for e in f["evidence"] if e["role"] == "record")
        group = "".join(f" {k}" + ("" if v is None else f"={v}") for k, v in f.get("group", {}).items())
        got.append((seconds(f["time"]), f["rule"]["title"], group, f["count"], seconds(f["first"]), seconds(f["last"]), tuple(cited), "evidence_root" in f))
    return sorted(got), sorted(hits), p.stderr.decode()


def run(case):
    """What is wrong, or nothing."""
    if set(case.get("options", {})) - {"every"}: return None
    times = [micros(e[0]) for e in case["events"]]
    if times != sorted(times): return None  # about events that come late: a scan sorts
    want, n = sorted(wanted(line) for line in case["findings"]), len(case["events"])
    with tempfile.TemporaryDirectory() as scratch:
        for files in (1, 3):
            if files == 3 and len(set(e[0] for e in case["events"])) < n: continue
            got, hits, errors = found(case, n, files, scratch)
            if got != want: return f"{files} file(s): got {got}, want {want} {errors}"
            if "shown" in case and files == 1 and hits != sorted(case["shown"]): return f"hits shown: {hits}, want {sorted(case['shown'])}"
        for i, open_now in enumerate(case.get("after", []) if PREFIXES and n < 100 else [], 1):
            got = found(case, i, 1, scratch)[0]
            if len(got) != open_now: return f"up to event {i}: got {got}, want {open_now}"
    return None


files = sorted(glob.glob(os.path.join(ROOT, "tests/conformance/correlation/*.jsonl")))
print(f"1..{len(files)}")
failed = 0
for number, name in enumerate(files, 1):
    cases = [json.loads(line) for line in open(name, encoding="utf-8") if line.strip() and line[0] != "#"]
    bad = 0
    for case in cases:
        wrong = run(case)
        if wrong:
            bad += 1
            print(f"# {case['name']}: {wrong[:1500]}")
    print(f"{'not ok' if bad else 'ok'} {number} - {os.path.basename(name)}: {len(cases)} cases")
    failed += bad
sys.exit(failed != 0)
