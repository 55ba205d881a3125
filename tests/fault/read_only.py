#!/usr/bin/env python3
"""Sources are opened read-only and never changed: the program is watched with strace while it scans. usage: read_only.py PROGRAM SOURCE_ROOT"""
import hashlib, os, re, shutil, subprocess, sys, tempfile

program, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
print("1..2")
if not shutil.which("strace"):
    print("ok 1 - opened read-only # SKIP no strace\nok 2 - unchanged # SKIP no strace")
    sys.exit(0)
with tempfile.TemporaryDirectory() as scratch:
    logs = os.path.join(scratch, "logs")
    shutil.copytree(os.path.join(root, "samples", "first-look"), logs)

    def state():
        return {f: (hashlib.sha256(open(os.path.join(d, f), "rb").read()).hexdigest(), os.stat(os.path.join(d, f)).st_mtime_ns)
                for d, _, files in os.walk(logs) for f in files}

    before = state()
    trace = os.path.join(scratch, "trace")
    p = subprocess.run(["strace", "-f", "-o", trace, "-e", "trace=open,openat,openat2,creat,truncate,ftruncate,unlink,unlinkat,rename,renameat2,chmod,utimensat",
                        program, "scan", "-j", "2", logs, "-o", os.path.join(scratch, "f.jsonl")], capture_output=True)
    calls = [l for l in open(trace, errors="replace") if logs + "/" in l]
    opened = [l for l in calls if re.search(r"open(at)?\(", l)]
    bad = [l for l in calls if not re.search(r"O_RDONLY", l)]
    for l in bad:
        print("# " + l.strip())
    if p.returncode == 4 or not opened:
        print(f"# exit {p.returncode}: {p.stderr.decode()[-300:]}")
        bad.append("no scan")
    print(("not ok" if bad else "ok") + " 1 - opened read-only")
    print(("ok" if state() == before else "not ok") + " 2 - unchanged")
    sys.exit(bool(bad) or state() != before)
