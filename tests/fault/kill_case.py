#!/usr/bin/env python3
"""kill -9 at random moments of a scan into a case, of adding sources, of sealing. Afterwards `exhibit verify` must tell the truth (holds, or
incomplete), and the command, given again, must leave the same rows as if nothing had happened (the custody log excepted).

    kill_case.py EXHIBIT SOURCE_ROOT ROUNDS          TAP on stdout
"""
import os, random, shutil, signal, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import is_, plan

exhibit, root, rounds = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), int(sys.argv[3])
samples = os.path.join(root, "samples", "first-look")


def run(*args):
    return subprocess.run((exhibit,) + args, capture_output=True)


def dump(case):
    p = run("show", "--dump", case)
    if p.returncode:
        return None
    # A seal signs the custody log too: each is another, what counts is that it is there.
    return [b"a seal" if b'"table":"seal"' in l else l for l in p.stdout.splitlines() if b'"table":"step"' not in l]


def beside(case):
    for ending in ("", "-wal", "-shm", "-journal"):
        if os.path.exists(case + ending):
            os.unlink(case + ending)


def kills(what, folder, prepare, first, again, n):
    """first: the command that is killed; again: the command given afterwards, by the state it left."""
    case = os.path.join(folder, "x.case")
    beside(case)
    prepare(case)
    before = dump(case)
    t = time.time()
    p = run(*first(case))
    whole = time.time() - t
    beside(case)
    prepare(case)
    t = time.time()
    p = run(*first(case))
    whole = min(whole, time.time() - t)
    want = dump(case)
    if want is None:
        is_(what, False, p.stderr.decode())
        return
    seen, bad = {"before": 0, "after": 0, "incomplete": 0, "no file": 0}, []
    for i in range(n):
        beside(case)
        prepare(case)
        child = subprocess.Popen((exhibit,) + tuple(first(case)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, whole * 1.1))
        child.send_signal(signal.SIGKILL)
        child.wait()
        verdict = run("verify", "-q", case)
        got = dump(case)
        if not os.path.exists(case):
            state = "no file"
        elif got is None:
            state = "incomplete"
        else:
            state = "after" if got == want else "before" if got == before else "neither"
        said = verdict.stdout.decode().strip().split("\n")[-1]
        honest = {"no file": verdict.returncode == 4, "incomplete": said == "verdict: incomplete", "after": said == "verdict: holds",
                  "before": said == "verdict: holds"}.get(state, False)
        if not honest or (state == "before") != (got is not None and got == before and got != want):
            bad.append(f"{state}: {said} {verdict.stderr.decode()}")
        seen[state] = seen.get(state, 0) + 1
        if state != "after":
            p = run(*again(case, state))
            if dump(case) != want:
                bad.append(f"after {state} and again: {p.returncode} {p.stderr.decode()} rows differ")
    is_(f"{what}: {n} kills: " + ", ".join(f"{k} {v}" for k, v in seen.items()), not bad, "\n".join(bad[:5]))


def main():
    random.seed(5)
    folder = tempfile.mkdtemp()
    key, team = os.path.join(folder, "salt.key"), os.path.join(folder, "team.key")
    os.chdir(folder)
    for name in ("one", "two"):
        os.mkdir(name)
    for i, name in enumerate(sorted(n for n in os.listdir(samples) if n.endswith(".evtx"))):
        shutil.copy(os.path.join(samples, name), ("one", "two")[i % 2])
    run("keygen", "team.example", "-o", team)
    run("scan", "one", "-q", "-o", "base.case")
    shutil.move("base.case.key", key)
    n = max(1, rounds // 3)

    def nothing(case):
        shutil.copy(key, case + ".key")

    def base(case):
        shutil.copy("base.case", case)
        shutil.copy(key, case + ".key")

    def scan(case):
        return "scan", "one", "two", "-q", "-j", "1", "-o", case

    def scan_again(case, state):
        return scan(case) if state == "no file" else ("scan", "one", "two", "-q", "-j", "1", "--case", case)

    def add(case):
        return "scan", "two", "-q", "-j", "1", "--case", case

    def seal(case):
        return "seal", case, "--key", team
    kills("a scan into a new case", folder, nothing, scan, scan_again, n)
    kills("adding sources", folder, base, add, lambda case, state: add(case), n)
    kills("sealing", folder, base, seal, lambda case, state: seal(case), rounds - 2 * n)
    # A kill may leave the journal behind; the next command that opens the case for writing takes it up.
    run("seal", "x.case", "--key", team)
    left = [f for f in os.listdir(folder) if "leaves" in f or f.endswith("-wal") or f.endswith("-shm")]
    is_("no temporary files are left", not left, left)
    shutil.rmtree(folder)
    plan()


main()
