#!/usr/bin/env python3
"""`exhibit verify --sources` scans the originals again: whatever a case says, rows and totals, must be what the rescan gives. Here cases of several
steps, runs, containers and inferred years come out whole from a copy of their sources; and cases in which somebody changed what they say, and made
all hashes anew so that nothing else shows it, are caught, with the row named.

    rescan.py EXHIBIT SOURCE_ROOT          TAP on stdout
"""
import importlib.util, io, os, shutil, sqlite3, subprocess, sys, tarfile, tempfile, warnings, zipfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import is_, plan

exhibit, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
spec = importlib.util.spec_from_file_location("verify", os.path.join(root, "tools", "verify.py"))
V = importlib.util.module_from_spec(spec)
spec.loader.exec_module(V)


def run(*args):
    p = subprocess.run((exhibit,) + args, capture_output=True, text=True)
    return p.returncode, p.stdout + p.stderr


def forge(case, *changes):
    """Changes rows as their maker could have: the tree, its sums and the triggers are as if they had always been so."""
    db = sqlite3.connect(case)
    db.text_factory = V.Text
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        db.execute("DROP TRIGGER " + V.text(name))
    for sql in changes:
        if db.execute(sql).rowcount < 1:
            raise SystemExit("nothing changed: " + sql)
    for _, sql in triggers:
        db.execute(V.text(sql))
    key = db.execute("SELECT row_key FROM state").fetchone()[0]
    for again in (True, False):  # steps first: each names the tree before it
        tree, salts, sums, step = V.Tree(), V.Salts(key), b"", []
        for table, row in V.rows_of(db):
            if table == "step":
                row["leaves"], row["root"] = tree.n, tree.root()
                step.append((row["leaves"], row["root"], row["id"]))
            h = V.salted(salts[tree.n], V.canonical(table, row))
            sums += h[:4]
            tree.add(h)
        if again:
            db.execute("DROP TRIGGER step_stays")
            db.executemany("UPDATE step SET leaves = ?, root = ? WHERE id = ?", step)
            db.execute(V.text(dict(triggers)[b"step_stays"]))
    db.execute("UPDATE state SET leaves = ?, root = ?, frontier = ?", (tree.n, tree.root(), b"".join(tree.stack)))
    db.execute("DELETE FROM row_check")
    for i in range(0, len(sums), 4096):
        db.execute("INSERT INTO row_check VALUES (?, ?)", (i // 4096 + 1, sums[i:i + 4096]))
    db.commit()
    db.close()


def make(folder):
    """Sources of all kinds: event logs, the same name twice in an archive, a log without years, a compressed one."""
    logs = os.path.join(folder, "logs")
    shutil.copytree(os.path.join(root, "samples", "first-look"), logs)
    lines = b"".join(b"Dec 31 23:%02d:%02d web1 sshd[%d]: Failed password for invalid user admin from 203.0.113.9 port %d ssh2\n" % (m, s, 900 + m, 4000 + s)
                     for m in range(58, 60) for s in range(0, 60, 2))
    lines += b"Jan  1 00:00:07 web1 sshd[977]: Accepted password for root from 203.0.113.9 port 4022 ssh2\n"
    with open(os.path.join(logs, "auth.log"), "wb") as f:
        f.write(lines)
    os.utime(os.path.join(logs, "auth.log"), (1610000000, 1610000000))
    evtx = open(os.path.join(logs, "Security.evtx"), "rb").read()
    with zipfile.ZipFile(os.path.join(logs, "both.zip"), "w", zipfile.ZIP_DEFLATED) as z:
        for part in lines[:2000], lines[2000:]:
            warnings.simplefilter("ignore")
            info = zipfile.ZipInfo("auth.log", (2021, 1, 7, 6, 13, 20))
            z.writestr(info, part[part.find(b"\n") + 1 if part[:1] != b"D" else 0:])
    with tarfile.open(os.path.join(logs, "logs.tar.gz"), "w:gz") as t:
        info = tarfile.TarInfo("System/sub.evtx")
        info.size = 69632
        t.addfile(info, io.BytesIO(evtx[:69632]))
    os.mkdir(os.path.join(folder, "later"))
    shutil.copy(os.path.join(root, "samples", "first-look", "System.evtx"), os.path.join(folder, "later", "again.evtx"))
    with open(os.path.join(folder, "later", "more.log"), "wb") as f:
        f.write(lines.replace(b"web1", b"web2") + lines.replace(b"203.0.113.9", b"198.51.100.7"))
    os.utime(os.path.join(folder, "later", "more.log"), (1610000000, 1610000000))


def rules(folder):
    with open(os.path.join(folder, "joined.yml"), "w") as f:
        f.write("""action: global
title: Failed login
logsource: {product: linux, service: sshd}
level: low
detection:
  condition: sel
---
id: 5f3a2e1c-0d8b-4d7e-9f2a-1c2b3d4e5f60
detection:
  sel: ['Failed password']
---
id: 5f3a2e1c-0d8b-4d7e-9f2a-1c2b3d4e5f61
name: in
detection:
  sel: ['Accepted password']
---
action: repeat
id: 5f3a2e1c-0d8b-4d7e-9f2a-1c2b3d4e5f62
detection:
  sel: ['for root']
""")


DONE = "everything comes out as recorded"
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    make(folder)
    rules(folder)
    run("scan", "logs", "-q", "-o", "x.case")
    run("keygen", "team.example", "-o", "team.key")
    run("seal", "x.case", "--key", "team.key")
    run("scan", "--case", "x.case", "later", "-q")
    status, out = run("verify", "x.case", "--sources", ".", "-q")
    is_("a scan, a seal and an addition come out whole", status == 0 and DONE in out, out)
    shutil.copy("x.case", "runs.case")
    shutil.copy("x.case.key", "runs.case.key")
    run("scan", "--case", "runs.case", "later", "logs/auth.log", "-q", "-r", "joined.yml", "--timezone", "+02:00", "--every")
    run("scan", "--case", "runs.case", "logs", "-q", "--min-level", "high", "--since", "2021-01-01")
    status, out = run("verify", "runs.case", "--sources", ".")
    is_("so do runs with other rules (of joined documents), zone, times, level", status == 0 and DONE in out and "needs the sources" not in out, out)
    db = sqlite3.connect("runs.case")
    joined = db.execute("SELECT count(*) FROM finding f JOIN rule r ON r.id = f.rule WHERE r.file LIKE '%joined.yml'").fetchone()[0]
    texts = {t for (t,) in db.execute("SELECT t.bytes FROM rule r JOIN rule_text t ON t.id = r.text WHERE r.file LIKE '%joined.yml'")}
    members = db.execute("SELECT count(*), count(DISTINCT path) FROM source WHERE path LIKE '%both.zip!/%' AND step = 1").fetchone()
    years = {p.split("year=")[1].split(" ")[0] for (p,) in db.execute("SELECT parameters FROM source WHERE parameters LIKE '%year=%'")}
    db.close()
    is_("in them are findings of joined documents, members of one name, years inferred", joined > 50 and len(texts) == 3 and members == (2, 1) and years == {"2020", "2020-2021"}, (joined, len(texts), members, years))
    os.mkdir("elsewhere")
    for name in "logs", "later":
        shutil.copytree(name, os.path.join("elsewhere", name), copy_function=shutil.copyfile)  # with other file times
    status, out = run("verify", "runs.case", "--sources", "elsewhere", "-q", "-j", "1")
    is_("a copy with other file times does as well, with one thread", status == 0 and DONE in out, out)
    status, out = run("verify", "x.case", "--sources", "elsewhere/logs", "-q")
    is_("sources are found by what their paths end in", status == 3 and "LogBackup" not in out and "PROBLEM" not in out, out)
    os.rename("runs.case.key", "kept")
    status, out = run("verify", "runs.case", "--sources", "elsewhere")
    is_("without the salt key roots are not compared, and it is said", status == 0 and DONE in out and "without the salt key" in out, out)
    status, out = run("verify", "runs.case", "--sources", "elsewhere", "--salt-key", "x.case.key", "-q")
    is_("a key given by name serves", status == 0 and DONE in out, out)
    status, out = run("verify", "x.case", "--sources", ".", "--no-rescan", "-q")
    is_("without the rescan nothing is said of totals", status in (0, 3) and DONE not in out, out)
    run("scan", os.path.join(root, "samples", "exchange-2021"), "-q", "-o", "web.case")
    _, out = run("verify", "web.case")
    status, again = run("verify", "web.case", "--sources", "/")
    is_("what needs the sources is derived by the rescan", status == 0 and "needs the sources" in out and DONE in again and ": derived again: by a rescan of the originals" in again, out + again)

    # Not all is there, or not as it was.
    shutil.rmtree("elsewhere/later")
    status, out = run("verify", "x.case", "--sources", "elsewhere")
    is_("a missing source is said, and what depends on it is not compared", status == 3 and "the original is not there" in out and "totals, correlations and incidents are not compared" in out and
        "PROBLEM" not in out, out)
    data = bytearray(open("elsewhere/logs/Security.evtx", "rb").read())
    data[5000] ^= 1
    open("elsewhere/logs/Security.evtx", "wb").write(data)
    status, out = run("verify", "x.case", "--sources", "elsewhere", "-q")
    wrong = [l for l in out.splitlines() if l.startswith("PROBLEM")]
    is_("a changed source is named, and nothing else", status == 1 and "Security.evtx is not the file that was scanned" in out and all("Security" in l or "original" in l for l in wrong), out)
    shutil.copy("logs/Security.evtx", "elsewhere/logs/Security.evtx")
    shutil.copytree("later", "elsewhere/later")
    second = (sys.executable, os.path.join(root, "tools", "verify.py"), "x.case", "--sources", "elsewhere")
    p = subprocess.run(second, capture_output=True, text=True)
    is_("the second verifier agrees: all there", p.returncode == 0 and "is not there" not in p.stdout, p.stdout)
    with open("elsewhere/logs/both.zip", "ab") as f:
        f.write(b"x")
    status, out = run("verify", "x.case", "--sources", "elsewhere", "-q")
    p = subprocess.run(second, capture_output=True, text=True)
    is_("an archive with a byte more, its members the same, is named by both", status == 1 and "both.zip is not the archive that was scanned" in out and
        p.returncode == 1 and "not the archive that was scanned" in p.stdout, out + p.stdout)

    # What a case says, changed with all its hashes.
    run("scan", "logs", "-q", "-o", "open.case")
    run("scan", "--case", "open.case", "later", "-q")
    hit = "(SELECT min(id) FROM finding WHERE kind = 'hit')"
    story = "(SELECT min(id) FROM finding WHERE kind IN ('correlation', 'incident'))"
    last = "(SELECT max(id) FROM finding WHERE step = 2)"
    for what, wanted, changes in (
            ("a total", "total", ["UPDATE total SET value = value + 1 WHERE name = 'events' AND step = 1"]),
            ("hits of a rule", "rule_coverage", ["UPDATE rule_coverage SET hits = hits + 1 WHERE id = 1"]),
            ("events of a host", "coverage", ["UPDATE coverage SET records = records - 1 WHERE id = 1"]),
            ("a correlation's count", "finding", [f"UPDATE finding SET count = count + 1 WHERE id = {story}"]),
            ("a finding's fields", "finding", [f"UPDATE finding SET fields = '{{}}' WHERE id = {hit}"]),
            ("a finding's level", "finding", [f"UPDATE finding SET level = 'low' WHERE id = (SELECT min(id) FROM finding WHERE level = 'high')"]),
            ("a finding left out, the last one", "a rescan gives it, the case does not have it",
             [f"DELETE FROM evidence WHERE finding = {last}", f"DELETE FROM finding WHERE id = {last}"]),
            ("records of a source", "source", ["UPDATE source SET records = records + 1 WHERE id = 1"]),
            ("the period of a source", "source", ["UPDATE source SET last = '2021-05-01T00:00:00Z' WHERE id = (SELECT min(id) FROM source WHERE last IS NOT NULL)"]),
            ("a kept hit", "hit", ["UPDATE hit SET host = 'elsewhere' WHERE id = 1"]),
            ("a finding said to be replaced", "superseded", [f"INSERT INTO superseded VALUES (1 + (SELECT coalesce(max(id), 0) FROM superseded), 2, {hit})"])):
        shutil.copy("open.case", "y.case")
        shutil.copy("open.case.key", "y.case.key")
        forge("y.case", *changes)
        status, out = run("verify", "y.case", "--sources", ".", "-q")
        problems = [l for l in out.splitlines() if l.startswith("PROBLEM")]
        is_(f"changed: {what}", status == 1 and 0 < len(problems) < 9 and wanted in problems[0], out)
    plan()
    os.chdir("/")
