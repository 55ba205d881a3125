#!/usr/bin/env python3
"""Random single bytes changed in a case, in a bundle and in the original sources, under the program itself: every change is found and named, and the
program ends as it says it does (1; 4 where it no longer is a case or bundle of this version). Of a case a byte may mean nothing: then the rows (`show --dump`) and SQLite's own check are what they were.
Of a bundle: then its JSON says the same. Sources have no byte that means nothing.

    tamper.py EXHIBIT SOURCE_ROOT ROUNDS [SEED]          TAP on stdout
"""
import collections, json, os, random, shutil, sqlite3, subprocess, sys, tempfile, zipfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import is_, plan

exhibit, root, rounds = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), int(sys.argv[3])
random.seed(int(sys.argv[4]) if len(sys.argv) > 4 else 11)


def run(*args):
    p = subprocess.run((exhibit,) + args, capture_output=True)
    return p.returncode, (p.stdout + p.stderr).decode(errors="replace")


def integrity(case):
    try:
        db = sqlite3.connect(f"file:{case}?mode=ro&immutable=1", uri=True)
        return db.execute("PRAGMA integrity_check").fetchall()
    except sqlite3.Error as e:
        return str(e)


def change(data):
    """One byte, in half of the cases one where something stands."""
    at = random.randrange(len(data))
    if random.random() < .5:
        while not data[at]:
            at = (at + 1) % len(data)
    old = data[at]
    data[at] ^= random.randrange(1, 256)
    return at, old


def put(path, data):
    with open(path, "wb") as f:
        f.write(data)


def rounds_of(what, path, n, check, means_nothing):
    """check: status and output of the program; means_nothing: whether the change did."""
    good = bytearray(open(path, "rb").read())
    found, nothing, bad = 0, 0, []
    for _ in range(n):
        at, old = change(good)
        put(path, good)
        status, out = check()
        if (status == 1 and ("PROBLEM" in out or ": failed" in out or "exhibit: " in out)) or (status == 4 and "exhibit: " in out and "verdict: failed" in out):
            found += 1
        elif status in (0, 1, 3, 4) and means_nothing():
            nothing += 1
        else:
            bad.append(f"byte {at}: {old:02x} -> {good[at]:02x}: status {status}: {out[-300:]}")
        good[at] = old
    put(path, good)
    is_(f"{what}: {n} bytes changed: {found} found and named, {nothing} mean nothing", not bad and found, "\n".join(bad[:5]))


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    os.mkdir("logs")
    shutil.copy(os.path.join(root, "samples", "first-look", "System.evtx"), "logs")
    lines = b"".join(b"Mar  3 06:%02d:%02d web1 sshd[%d]: Failed password for invalid user admin from 203.0.113.9 port %d ssh2\n" % (i // 60, i % 60, i, 4000 + i) for i in range(150))
    put("logs/auth.log", lines)
    with zipfile.ZipFile("logs/old.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("auth.log.1", lines.replace(b"Mar", b"Feb"))
    run("scan", "logs", "-q", "-o", "x.case")
    run("keygen", "team.example", "-o", "team.key")
    run("seal", "x.case", "--key", "team.key")
    run("disclose", "x.case", "--finding", "1", "-o", "x.bundle")
    status, out = run("verify", "x.case", "--sources", ".", "-q")
    is_("unchanged it holds", status == 0 and run("verify", "x.bundle", "-q")[0] in (0, 3), out)

    want, sound = run("show", "--dump", "x.case"), integrity("x.case")
    rounds_of("case", "x.case", rounds // 3, lambda: run("verify", "-q", "x.case"), lambda: run("show", "--dump", "x.case") == want and integrity("x.case") == sound)

    said = json.load(open("x.bundle"))

    def same_json():
        try:
            return json.load(open("x.bundle")) == said
        except ValueError:
            return False
    rounds_of("bundle", "x.bundle", rounds // 3, lambda: run("verify", "-q", "x.bundle"), same_json)

    sources = ("logs/System.evtx", "logs/auth.log", "logs/old.zip")
    left = rounds - 2 * (rounds // 3)
    for i, path in enumerate(sources):
        n = left // 3 if i else left - 2 * (left // 3)
        few = min(n // 2, 5)

        def look(*more):
            status, out = run("verify", "-q", "x.case", "--sources", ".", *more)
            return (status, out) if path in out else (-1, "it is not named: " + out)
        rounds_of(path, path, n - few, lambda: look("--no-rescan"), lambda: False)
        rounds_of(path + ", scanned again", path, few, look, lambda: False)
    plan()
    os.chdir("/")
