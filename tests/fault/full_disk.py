#!/usr/bin/env python3
"""The disk is full at the nth write, and stays so, for every n, of a scan into a case, of adding sources, of sealing, of disclosing (full_disk.c,
preloaded). The command must fail and say so; `exhibit verify` must tell the truth about what is there; and the command, given again with room on the
disk, must leave the same rows as if nothing had happened (the custody log excepted).

    full_disk.py EXHIBIT SOURCE_ROOT FULL_DISK.so STEP          TAP on stdout; every STEPth write
"""
import os, shutil, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import is_, plan

exhibit, root, shim, step = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3]), int(sys.argv[4])


def run(args, **env):
    full = dict(os.environ, TMPDIR=os.path.abspath("tmp"), **env)
    if env:
        full.update(LD_PRELOAD=shim, ASAN_OPTIONS="verify_asan_link_order=0")
    return subprocess.run((exhibit,) + tuple(args), capture_output=True, text=True, errors="replace", env=full)


def dump(case):
    p = run(("show", "--dump", case))
    if p.returncode:
        return None
    return ["a seal" if '"table":"seal"' in l else l for l in p.stdout.splitlines() if '"table":"step"' not in l]


def clean(case):
    for name in os.listdir("."):
        if name.startswith("x."):
            os.unlink(name)


def writes(what, prepare, first, again):
    case = "x.case"
    clean(case)
    prepare(case)
    before = dump(case)
    p = run(first(case), FULL_COUNT="count")
    n, want = int(open("count").read()), dump(case)
    if p.returncode or want is None:
        is_(what, False, p.stderr)
        return
    seen, bad = {}, []
    for at in range(1, n + 1, step):
        clean(case)
        prepare(case)
        p = run(first(case), FULL_AT=str(at))
        verdict = run(("verify", "-q", case))
        got = dump(case)
        said = verdict.stdout.strip().split("\n")[-1]
        state = "no case" if not os.path.exists(case) else "incomplete" if got is None else "after" if got == want else "before" if got == before else "neither"
        honest = {"no case": verdict.returncode == 4, "incomplete": said == "verdict: incomplete", "before": said == "verdict: holds", "after": said == "verdict: holds"}
        # What is committed is whole even if the log could not be folded in any more.
        if not honest.get(state) or p.returncode not in (3, 4) or not p.stderr.strip():
            bad.append(f"write {at}: {state}: status {p.returncode} {p.stderr.strip()}; {said} {verdict.stderr.strip()}")
        seen[state] = seen.get(state, 0) + 1
        if state != "after":
            p = run(again(case, state))
            if dump(case) != want:
                bad.append(f"write {at}: after {state} and again: {p.returncode} {p.stderr.strip()} rows differ")
        if any("leaves" in f or f.startswith("exhibit") for f in os.listdir(".") + os.listdir("tmp")):
            bad.append(f"write {at}: temporary files are left")
    is_(f"{what}: full at {len(range(1, n + 1, step))} of {n} writes: " + ", ".join(f"{k} {v}" for k, v in seen.items()), not bad, "\n".join(bad[:5]))


def outputs(what, command, output, n_most):
    """Commands that write a file of their own: it is whole, or not there."""
    bad, failed = [], 0
    for at in range(1, n_most + 1):
        if os.path.exists(output):
            os.unlink(output)
        p = run(command, FULL_AT=str(at))
        if p.returncode == 0:
            break
        failed += 1
        if os.path.exists(output) or not p.stderr.strip() or any(".part" in f for f in os.listdir(".")):
            bad.append(f"write {at}: {p.returncode} {p.stderr.strip()}: {os.listdir('.')}")
    is_(f"{what}: full at {failed} writes: whole, or not there", failed and not bad and p.returncode == 0 and os.path.exists(output), "\n".join(bad[:5]) or p.stderr)


folder = tempfile.mkdtemp()
os.chdir(folder)
for name in "one", "two", "tmp":
    os.mkdir(name)
samples = os.path.join(root, "samples", "first-look")
for i, name in enumerate(sorted(n for n in os.listdir(samples) if n.endswith(".evtx"))):
    shutil.copy(os.path.join(samples, name), ("one", "two")[i % 2])
run(("keygen", "team.example", "-o", "team.key"))
run(("scan", "one", "-q", "-o", "base.case"))
shutil.move("base.case.key", "salt.key")


def nothing(case):
    shutil.copy("salt.key", case + ".key")


def base(case):
    shutil.copy("base.case", case)
    nothing(case)


writes("a scan into a new case", nothing, lambda case: ("scan", "one", "two", "-q", "-j", "1", "-o", case),
       lambda case, state: ("scan", "one", "two", "-q", "-j", "1") + (("-o", case) if state == "no case" else ("--case", case)))
writes("adding sources", base, lambda case: ("scan", "two", "-q", "-j", "1", "--case", case), lambda case, state: ("scan", "two", "-q", "-j", "1", "--case", case))
writes("sealing", base, lambda case: ("seal", case, "--key", "team.key"), lambda case, state: ("seal", case, "--key", "team.key"))
clean("x.case")
base("x.case")
run(("seal", "x.case", "--key", "team.key"))
outputs("disclosing", ("disclose", "x.case", "--finding", "1", "-o", "x.bundle"), "x.bundle", 20)
outputs("the chain of custody", ("custody", "x.case", "-o", "x.jsonld"), "x.jsonld", 20)
outputs("a statement", ("statement", "x.case", "--findings", "1", "--text", "so it was", "--key", "team.key", "-o", "x.json"), "x.json", 20)
outputs("a key", ("keygen", "other.example", "-o", "x.key"), "x.key", 20)
os.chdir("/")
shutil.rmtree(folder)
plan()
