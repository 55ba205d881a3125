#!/usr/bin/env python3
"""Sources added to a case: the old ones are not read again (they need not be there any more); correlations are computed again over all hits, what no
longer comes out so stays, marked; another rule set starts a run of its own, and names the sources it never saw. In the end it holds the findings that
stand as one scan of everything would.

    add.py EXHIBIT SOURCE_ROOT          TAP on stdout
"""
import json, os, shutil, sqlite3, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import is_, plan

exhibit, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])


def run(*args):
    p = subprocess.run((exhibit,) + args, capture_output=True, text=True)
    return p.returncode, p.stdout + p.stderr


def ask(case, sql):
    db = sqlite3.connect(case)
    got = db.execute(sql).fetchall()
    db.close()
    return got


def line(second, user):
    return f"2024-05-01T10:{second // 60:02}:{second % 60:02}Z web sshd[{second}]: Failed password for {user} from 203.0.113.9 port {4000 + second} ssh2\n"


RULES = """title: Failed login
id: 5f3a2e1c-0d8b-4d7e-9f2a-1c2b3d4e5f60
name: failed
logsource: {product: linux, service: sshd}
detection:
  keywords: ['Failed password']
  condition: keywords
level: low
---
title: Many failed logins
id: 5f3a2e1c-0d8b-4d7e-9f2a-1c2b3d4e5f61
correlation:
  type: event_count
  rules: [failed]
  group-by: [host.name]
  timespan: 1h
  condition: {gte: 5}
level: high
"""
STANDING = ("SELECT f.kind, f.time, f.level, coalesce(r.title, f.title), f.host, f.count, f.first, f.last, f.groups, f.evidence_n, f.evidence_total FROM finding f LEFT JOIN rule r ON r.id = f.rule "
            "WHERE f.run = 1 AND f.id NOT IN (SELECT finding FROM superseded) ORDER BY 1, 2, 3, 4, 6, 7")

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with open("rules.yml", "w") as f:
        f.write(RULES.replace("host.name", "host"))
    with open("other.yml", "w") as f:
        f.write(RULES.split("---")[0])
    parts = {"a.log": range(0, 80, 10), "b.log": range(5, 400, 10), "c.log": range(3000, 3100, 20)}
    for name, seconds in parts.items():
        with open(name, "w") as f:
            f.writelines(line(s, name[0]) for s in seconds)
    run("scan", "a.log", "b.log", "c.log", "-q", "-r", "rules.yml", "-o", "all.case")
    run("scan", "a.log", "-q", "-r", "rules.yml", "-o", "x.case")
    first = ask("x.case", "SELECT id, count FROM finding WHERE kind = 'correlation'")
    is_("the first scan correlates what it has", len(first) == 1, first)
    shutil.copy("a.log", "kept")
    os.unlink("a.log")  # old sources need not be there
    status, out = run("scan", "--case", "x.case", "b.log", "-q", "-r", "rules.yml")
    is_("sources are added without the old ones", status == 0 and not out, out)
    gone = ask("x.case", "SELECT x.finding, x.step, f.count FROM superseded x JOIN finding f ON f.id = x.finding")
    now = ask("x.case", "SELECT id, count FROM finding WHERE kind = 'correlation' AND id NOT IN (SELECT finding FROM superseded)")
    is_("the correlation is computed again over old hits and new; the old finding stays, marked", gone == [(first[0][0], 2, first[0][1])] and len(now) == 1 and
        now[0][1] > first[0][1], (first, gone, now))
    run("scan", "--case", "x.case", "c.log", "-q", "-r", "rules.yml", "--note", "the last of three")
    is_("three steps hold the standing findings of one scan", ask("x.case", STANDING) == ask("all.case", STANDING), (ask("x.case", STANDING), ask("all.case", STANDING)))
    shutil.copy("kept", "a.log")
    status, out = run("verify", "x.case", "--sources", ".")
    marked = [l for l in out.splitlines() if "superseded in step" in l]
    is_("it verifies, what was replaced too", status == 0 and "everything comes out as recorded" in out and len(marked) == len(ask("x.case", "SELECT 1 FROM superseded")) and
        all("derived again" in l for l in marked), out)
    _, out = run("show", "x.case", "-n", "100")
    _, one = run("show", "x.case", "--finding", str(first[0][0]))
    is_("shown as replaced", out.count("(superseded)") == len(marked) and "replaced  in step 2" in one, out + one)
    status, out = run("disclose", "x.case", "--finding", str(first[0][0]), "-o", "old.bundle")
    status, out = run("verify", "old.bundle")
    is_("a bundle of a replaced finding says so", status == 0 and "superseded in step 2" in out, out)
    before = ask("x.case", "SELECT count(*) FROM finding")
    run("scan", "--case", "x.case", "b.log", "-q", "-r", "rules.yml")
    is_("what was read already changes nothing", ask("x.case", "SELECT count(*) FROM finding") == before and ask("x.case", "SELECT count(*) FROM run") == [(1,)])

    status, out = run("scan", "--case", "x.case", "b.log", "-q", "-r", "other.yml")
    is_("other rules: a new run, and the sources it never saw are named", status == 0 and "a new run, which never saw 2 sources: a.log, c.log" in out, out)
    is_("its findings are its own, those of the first run stand", ask("x.case", "SELECT count(*) FROM run") == [(2,)] and ask("x.case", STANDING) == ask("all.case", STANDING) and
        ask("x.case", "SELECT count(*) FROM finding WHERE run = 2")[0][0] == len(parts["b.log"]))
    _, out = run("show", "x.case")
    status, checked = run("verify", "x.case", "--sources", ".")
    is_("show and verify name them too", "run 2 never saw 2 sources: a.log, c.log" in out and "run 2: it never saw 2 sources: a.log, c.log" in checked and status == 0, out + checked)
    status, out = run("scan", "--case", "x.case", "a.log", "c.log", "-q", "-r", "other.yml")
    _, out = run("show", "x.case")
    is_("until it has seen them", "never saw" not in out and run("verify", "x.case", "--sources", ".")[0] == 0, out)
    steps = [json.loads(l) for l in run("show", "--dump", "x.case")[1].splitlines() if '"table":"step"' in l]
    is_("each addition is in the custody log", [s["action"] for s in steps] == ["scan"] + ["add"] * 5 and steps[2]["note"] == "the last of three", steps)
    status, out = run("scan", "a.log", "-q", "-o", "x.case")
    is_("a new case refuses an existing file", status == 2 and "exists already" in out, out)
    with open("x.case.key", "w") as f:
        f.write(open("all.case.key").read())
    status, out = run("scan", "--case", "x.case", "a.log", "-q", "-r", "rules.yml")
    is_("another case's salt key is refused", status == 4 and "salt key" in out, out)
    plan()
    os.chdir("/")
