#!/usr/bin/env python3
"""The published logs into one case: it verifies, no finding fails when derived again, each has evidence, each record evidence is in its
source at its place; a bundle of the last finding holds; a rescan gives the same. Skipped without the corpora.

    corpus_case.py EXHIBIT SOURCE_ROOT          TAP on stdout
"""
import collections, hashlib, os, random, re, sqlite3, subprocess, sys, tempfile

exhibit, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
corpora = os.environ.get("EXHIBIT_CORPORA") or os.path.join(root, "../shared/corpora")
print("1..6")
if not os.path.isdir(os.path.join(corpora, "evtx")):
    for i in range(1, 7):
        print(f"ok {i} - corpus # SKIP the corpora are not there")
    sys.exit()
number = 0


def is_(what, ok, why=""):
    global number
    number += 1
    print(("ok" if ok else "not ok"), number, "-", what)
    if not ok:
        print("#", str(why).replace("\n", "\n# "))


def run(*args):
    return subprocess.run((exhibit,) + args, capture_output=True, text=True, errors="replace")


with tempfile.TemporaryDirectory() as folder:
    case = os.path.join(folder, "x.case")
    p = run("scan", *(os.path.join(corpora, d) for d in ("evtx", "exchange", "logs")), "-r", os.path.join(corpora, "sigma/rules"), "-r", "default", "-q", "-o", case)
    is_("a case is made", p.returncode in (0, 3) and os.path.exists(case), p.stderr)
    p = run("verify", case)
    answers = collections.Counter(re.findall(r"^finding \d+: ([a-z ]+)", p.stdout, re.M))
    is_(f"it verifies: {dict(answers)}", p.returncode in (0, 3) and answers["derived again"] > 1000 and not answers["failed"] and "PROBLEM" not in p.stdout, p.stdout[-2000:])
    db = sqlite3.connect(case)
    none = db.execute("SELECT count(*) FROM finding f WHERE NOT EXISTS (SELECT 1 FROM evidence e WHERE e.id = f.evidence_from AND e.finding = f.id)").fetchone()[0]
    refs = db.execute("SELECT s.path, e.offset, e.length, e.sha256 FROM evidence e JOIN source s ON s.id = e.source WHERE s.member IS NULL").fetchall()
    random.seed(3)
    wrong = []
    for path, offset, length, digest in random.sample(refs, min(300, len(refs))):
        with open(path, "rb") as f:
            f.seek(offset)
            if hashlib.sha256(f.read(length)).digest() != digest:
                wrong.append((path, offset))
    is_(f"{len(refs)} references; every finding has some, 300 cut from the originals", not none and not wrong, (none, wrong[:3]))
    p = subprocess.run([sys.executable, os.path.join(root, "tools/verify.py"), case], capture_output=True, text=True)
    is_("the second verifier agrees", p.returncode == 0, p.stdout[-500:])
    last = db.execute("SELECT max(id) FROM finding WHERE kind = 'hit'").fetchone()[0]
    bundle = os.path.join(folder, "b.bundle")
    run("disclose", case, "--finding", str(last), "-o", bundle)
    p = run("verify", bundle)
    is_("a bundle of one finding holds, and the finding comes out again", p.returncode == 0 and "derived again: 1" in p.stdout, p.stdout + p.stderr)
    p = run("verify", "-q", case, "--sources", "/")
    is_("scanned again everything comes out as recorded", p.returncode == 0 and "everything comes out as recorded" in p.stdout, p.stdout[-2000:])
