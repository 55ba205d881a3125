#!/usr/bin/env python3
"""verify.py: checks case files and disclosure bundles of Exhibit, independently of Exhibit.

A second implementation of doc/format-case.md and doc/format-bundle.md, in another language, with nothing but Python's standard library
(RFC 3161 timestamps: the openssl program, where there is one). It shares no code with the C program; where the two disagree,
one of them is wrong.
It does not derive findings again from their records or scan originals again (for that one needs the readers), nor build their record trees.

    verify.py FILE [--policy FILE] [--authorities PEM] [--sources DIR]

Prints a line for each problem ("problem: TABLE ID: what") and each signature that holds, and a verdict. Exit status 0: holds; 1: not.
"""
import base64, hashlib, json, os, re, shutil, sqlite3, struct, subprocess, sys, tempfile, time

TABLES = ("step case_info run input rule_text rule refused source seen unread damage remark coverage rule_coverage total record proof "
          "evidence finding hit superseded seal statement signature").split()
SCHEMA = "7ce2ef71580091e3e75f7bf6b3f95bed1949fdda8a6147109e8fb046ee838036"  # of the rows of sqlite_schema, see open_case
BLOBS = {"root", "rules_root", "sha256", "container_sha256", "bytes", "salt", "hashes", "evidence_root", "payload", "sig"}

class Bad(Exception): pass
# --- output -------------------------------------------------------------------------------------------------------
class Result:
    def __init__(self): self.problems, self.policy_met, self.sealed, self.missing = 0, True, False, 0
    def problem(self, table, row, text):
        self.problems += 1
        print(f"problem: {table} {row}: {text}")
    def good(self, text): print(f"good: {text}")
    def note(self, text): print(f"note: {text}")
    def verdict(self): return "failed" if self.problems or not self.policy_met else "holds in part" if self.missing else "holds"
# --- hashes and trees: RFC 6962 section 2.1 -----------------------------------------------------------------------
def sha256(b): return hashlib.sha256(b).digest()
def leaf_hash(data): return sha256(b"\0" + data)
def node_hash(left, right): return sha256(b"\1" + left + right)
def salted(salt, data): return leaf_hash(b"\1" + salt + data)

class Tree:
    """Roots of the complete subtrees so far, largest first."""
    def __init__(self): self.n, self.stack = 0, []
    def add(self, h):
        n = self.n
        while n & 1: h, n = node_hash(self.stack.pop(), h), n >> 1
        self.stack.append(h)
        self.n += 1
    def root(self):
        h = self.stack[-1] if self.stack else sha256(b"")
        for left in reversed(self.stack[:-1]): h = node_hash(left, h)
        return h
def multiproof_root(marked, proof, n):
    """marked: [(index, leaf hash)] ascending; None when the proof proves nothing."""
    marks, hashes = iter(marked), iter(proof)
    state = {"next": next(marks, None), "last": -1}
    def walk(lo, hi):
        mark = state["next"]
        if mark is None or mark[0] >= hi:
            h = next(hashes, None)
            if h is None: raise Bad
            return h
        if mark[0] < lo or mark[0] <= state["last"]: raise Bad
        if hi - lo == 1:
            state["last"], state["next"] = mark[0], next(marks, None)
            return mark[1]
        k = 1 << ((hi - lo - 1).bit_length() - 1)
        left = walk(lo, lo + k)
        return node_hash(left, walk(lo + k, hi))
    try:
        root = walk(0, n) if n else next(hashes, None)
    except Bad:
        return None
    if (n == 0 and root != sha256(b"")) or state["next"] is not None or next(hashes, None) is not None: return None
    return root
# --- salts: ChaCha20, 64-bit counter, nonce zero ------------------------------------------------------------------
def chacha20_block(key, counter):
    def quarter(a, b, c, d):
        for x, y, z, r in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xffffffff
            v = s[z] ^ s[x]
            s[z] = (v << r | v >> (32 - r)) & 0xffffffff
    start = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + (counter & 0xffffffff, counter >> 32, 0, 0))
    s = start[:]
    for _ in range(10):
        for q in [(i, i + 4, i + 8, i + 12) for i in range(4)] + [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]:
            quarter(*q)
    return struct.pack("<16I", *((a + b) & 0xffffffff for a, b in zip(s, start)))

class Salts:
    def __init__(self, key): self.key, self.at, self.block = key, -1, b""
    def __getitem__(self, i):
        if i // 4 != self.at:
            self.at, self.block = i // 4, chacha20_block(self.key, i // 4)
        return self.block[i % 4 * 16:i % 4 * 16 + 16]
# --- Ed25519: RFC 8032 section 5.1.7 ------------------------------------------------------------------------------
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, I = -121665 * pow(121666, P - 2, P) % P, pow(2, (P - 1) // 4, P)
def point_add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P
def point_mul(k, p):
    q = (0, 1, 1, 0)
    while k:
        q = point_add(q, p) if k & 1 else q
        p, k = point_add(p, p), k >> 1
    return q
def point_decode(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x * I % P if (x * x - x2) % P else x
    if y >= P or (x * x - x2) % P or (x == 0 and sign): return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P

BASE = point_decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
def ed25519_ok(key, message, sig):
    if len(sig) != 64 or len(key) != 32: return False
    a, r, s = point_decode(key), point_decode(sig[:32]), int.from_bytes(sig[32:], "little")
    if a is None or r is None or s >= L or point_mul(8, a)[0] % P == 0:  # a key of small order signs anything
        return False
    k = int.from_bytes(hashlib.sha512(sig[:32] + key + message).digest(), "little") % L
    x, y = point_mul(s, BASE), point_add(r, point_mul(k, a))
    return (x[0] * y[2] - y[0] * x[2]) % P == 0 and (x[1] * y[2] - y[1] * x[2]) % P == 0
# --- keys, notes, checkpoints, policies: C2SP ---------------------------------------------------------------------
def b64(s):
    raw = base64.b64decode(s, validate=True)
    if base64.b64encode(raw).decode() != s:  # each text has one decoding, each decoding one text
        raise Bad("not base64")
    return raw

class Key:
    def __init__(self, vkey):
        m = re.fullmatch(r"([^\s+]+)\+([0-9a-fA-F]{8})\+(\S+)", vkey.strip())
        data = b64(m[3]) if m else b""
        if len(data) != 33 or data[0] not in (1, 4) or sha256(m[1].encode() + b"\n" + data)[:4].hex() != m[2].lower():
            raise Bad("not a key, not of a type that is handled, or its id does not belong to it")
        self.name, self.id, self.type, self.key = m[1], bytes.fromhex(m[2]), data[0], data[1:]

def parse_note(text):
    """text part, [(name, key id, signature)]"""
    if re.search("[\x00-\x09\x0b-\x1f]", text) or not text.endswith("\n") or "\n\n" not in text: raise Bad("not a signed note")
    at, lines = text.rindex("\n\n"), []
    for line in text[at + 2:-1].split("\n") if text[at + 2:] else []:
        m = re.fullmatch("\u2014 ([^\\s+]+) ([A-Za-z0-9+/=]+)", line)
        if not m or len(b64(m[2])) < 5: raise Bad("not a signature line")
        lines.append((m[1], b64(m[2])[:4], b64(m[2])[4:]))
    return text[:at + 1], lines
def note_check(text, lines, key):
    """None: no line of this key; else whether it holds."""
    got = None
    for name, ident, sig in lines:
        if name != key.name or ident != key.id: continue
        message, when = text.encode(), 0
        if key.type == 4:
            when, sig = int.from_bytes(sig[:8], "big"), sig[8:]
            message = b"cosignature/v1\ntime %d\n" % when + message
        if when >= 1 << 63 or not ed25519_ok(key.key, message, sig): return False
        got = True
    return got
def parse_checkpoint(text):
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not re.fullmatch("0|[1-9][0-9]*", lines[1]) or len(b64(lines[2])) != 32:
        raise Bad("not a checkpoint")
    return lines[0], int(lines[1]), b64(lines[2])

class Policy:
    def __init__(self, text):
        self.logs, self.names, self.quorum, seen = [], {}, None, set()
        for n, line in enumerate(text.split("\n"), 1):
            w = re.split(r"[ \t]+", line.strip(" \t"))
            if not w[0] or w[0].startswith("#"): continue
            if w[0] == "log" and len(w) in (2, 3):
                self.logs.append(Key(w[1]))
            elif w[0] == "witness" and len(w) in (3, 4) and w[1] not in self.names and w[1] != "none":
                self.names[w[1]] = Key(w[2])
            elif w[0] == "group" and len(w) > 3 and w[1] not in self.names and w[1] != "none":
                members = w[3:]
                k = {"all": len(members), "any": 1}.get(w[2]) or int(w[2])
                if not 1 <= k <= len(members) or any(m not in self.names or m in seen for m in members) or len(set(members)) < len(members):
                    raise Bad(f"policy line {n}")
                seen.update(members)
                self.names[w[1]] = (k, members)
            elif w[0] == "quorum" and len(w) == 2 and self.quorum is None and (w[1] == "none" or w[1] in self.names):
                self.quorum = w[1]
            else:
                raise Bad(f"policy line {n}")
        if self.quorum is None: raise Bad("a policy without quorum")
    def met(self, text, lines):
        log, bad, origin = not self.logs, False, text.split("\n")[0]
        for key in self.logs:
            got = note_check(text, lines, key)
            bad |= got is False
            log |= got is True and (origin == key.name or origin.startswith(key.name + "/"))
        holds = {"none": True}
        for name, x in self.names.items():
            if isinstance(x, Key):
                holds[name] = note_check(text, lines, x)
                bad |= holds[name] is False
            else:
                holds[name] = sum(holds[m] is True for m in x[1]) >= x[0]
        return log and holds[self.quorum] is True and not bad
# --- RFC 3161, by the openssl program -----------------------------------------------------------------------------
def openssl(*args):
    p = subprocess.run(("openssl",) + args, capture_output=True)
    return p.returncode, p.stdout.decode(errors="replace")

def timestamp_ok(response, data, request, authorities):
    """(True, time) or (False, why)."""
    if not shutil.which("openssl"): raise FileNotFoundError
    with tempfile.TemporaryDirectory() as d:
        files = {}
        for name, content in (("tsr", response), ("data", data), ("tsq", request or b"")):
            files[name] = os.path.join(d, name)
            open(files[name], "wb").write(content)
        text = openssl("ts", "-reply", "-in", files["tsr"], "-text")[1]
        when = re.search("Time stamp: (.*?)(\\.\\d+)? GMT", text)
        if not when: return False, "not an RFC 3161 response"
        stamp = int(time.mktime(time.strptime(" ".join(when[1].split()), "%b %d %H:%M:%S %Y")) - time.timezone)
        extra = ["-attime", str(stamp)]
        if not authorities:
            token, certs = os.path.join(d, "token"), os.path.join(d, "certs")
            openssl("ts", "-reply", "-in", files["tsr"], "-token_out", "-out", token)
            openssl("pkcs7", "-inform", "DER", "-in", token, "-print_certs", "-out", certs)
            authorities, extra = certs, extra + ["-partial_chain"]
        for source in (["-data", files["data"]],) + ((["-queryfile", files["tsq"]],) if request else ()):
            if openssl("ts", "-verify", *source, "-in", files["tsr"], "-CAfile", authorities, *extra)[0]: return False, "it does not hold"
        if request and request[24:56] != sha256(data): return False, "the request is for other bytes"
        return True, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stamp))
# --- seals and statements -----------------------------------------------------------------------------------------
def check_seal(r, row, seal, policy, authorities):
    """seal: checkpoint, vkey, cosignatures [(line, vkey)], timestamps [(request, response)]. (checkpoint, policy met) or None."""
    try:
        text, lines = parse_note(seal["checkpoint"])
        checkpoint = parse_checkpoint(text)
        key = Key(seal["vkey"])
        if len(lines) != 1 or not note_check(text, lines, key): raise Bad("the signature does not hold")
    except (Bad, ValueError, UnicodeError) as e:
        r.problem("seal", row, str(e))
        return None
    r.good(f"{checkpoint[1]} rows sealed by {key.name}")
    for line, vkey in seal["cosignatures"]:
        try:
            cokey, colines = Key(vkey), parse_note(seal["checkpoint"] + line)[1]
            if len(colines) != 2 or not note_check(text, colines, cokey): raise Bad("it does not hold")
            lines.append(colines[1])
            r.good(f"cosigned by {cokey.name}")
        except (Bad, ValueError, UnicodeError) as e:
            r.problem("seal", row, f"cosignature: {e}")
    for request, response in seal["timestamps"]:
        try:
            ok, what = timestamp_ok(response, seal["checkpoint"].encode(), request, authorities)
            r.good(f"existed at {what}") if ok else r.problem("seal", row, f"timestamp: {what}")
        except FileNotFoundError:
            r.note("a timestamp was not checked: openssl is not installed")
    return checkpoint, policy is None or policy.met(text, lines)

def check_statement(r, row, kind, payload_type, payload, signatures, digest_of):
    try:
        s = json.loads(payload)
        types = s["_type"], type(s["predicate"]), type(s["predicateType"])
        if types != ("https://in-toto.io/Statement/v1", dict, str) or not s["subject"]:
            raise Bad("not a statement")
        for subject in s["subject"]:
            digest = subject["digest"]["sha256"]
            m = re.fullmatch("finding/([0-9]+)", subject.get("name", ""))
            want = digest_of(int(m[1])) if m else None
            if want is not None and want != digest: r.problem("statement", row, f"it speaks of another finding {m[1]}")
    except (Bad, KeyError, ValueError, TypeError) as e:
        r.problem("statement", row, f"not an in-toto statement: {e}")
    pae = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type, len(payload), payload)
    for ident, vkey, sig in signatures:
        try:
            key = Key(vkey)
            if not ed25519_ok(key.key, pae, sig): raise Bad("it does not hold")
            r.good(f"{kind} signed by {key.name}")
        except (Bad, ValueError) as e:
            r.problem("signature" if ident else "statement", ident, str(e))
# --- rows ---------------------------------------------------------------------------------------------------------
class Text(bytes): pass  # TEXT as SQLite has it; BLOBs are plain bytes
def canonical(table, row):
    out = {"table": table}
    for name, v in row.items():
        if isinstance(v, Text):
            v = v.decode()
        elif isinstance(v, bytes):
            v = base64.b64encode(v).decode()
        elif isinstance(v, float):
            raise Bad("a number with a fraction")
        out[name] = v
    return json.dumps(out, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
def text(v): return v.decode() if isinstance(v, Text) else v

class Walk:
    """Checks rows against each other, in the order of the tree. `partial`: a bundle, in which rows are missing."""
    def __init__(self, r, partial):
        self.r, self.partial = r, partial
        self.runs, self.texts, self.rules, self.sources, self.records, self.evidence, self.findings = {}, {}, {}, {}, {}, {}, {}
        self.fresh, self.proofs = {}, {}
    def row(self, table, row): getattr(self, "row_" + table, lambda row: None)(row)
    def row_run(self, row): self.runs[row["id"]] = (row, Tree())
    def row_rule_text(self, row):
        if sha256(row["bytes"]) != row["sha256"]: self.r.problem("rule_text", row["id"], "another SHA-256 than stated")
        self.texts[row["id"]] = row["bytes"]
    def row_rule(self, row):
        self.rules[row["id"]] = row
        if row["run"] not in self.runs or row["text"] not in self.texts:
            self.r.problem("rule", row["id"], "it names a run or text that is not there")
            return
        tree = self.runs[row["run"]][1]
        if not self.partial and row["n"] != tree.n: self.r.problem("rule", row["id"], "rules of its run are missing or out of order")
        tree.add(leaf_hash(self.texts[row["text"]]))
    def row_source(self, row):
        kinds = sum(row[k + "_bytes"] for k in ("header", "record", "recovered", "slack", "damaged"))
        if row["same_as"] is None and row["broken"] is None and kinds != row["size"]:
            self.r.problem("source", row["id"], "its bytes by kind do not sum to its size")
        self.sources[row["id"]] = row
    def row_record(self, row):
        if row["source"] not in self.sources or self.sources[row["source"]]["root"] is None or len(row["salt"]) != 16:
            self.r.problem("record", row["id"], "it names a source that is not there, or has no salt")
            return
        if sha256(row["bytes"]) != row["sha256"] or len(row["bytes"]) != row["length"]:
            self.r.problem("record", row["id"], "its bytes do not have the SHA-256 or length stated")
        self.records[row["source"], row["leaf"]] = (row["offset"], row["bytes"])
        self.fresh.setdefault(row["source"], []).append((row["leaf"], salted(row["salt"], row["bytes"])))
    def row_proof(self, row):
        parts = self.proofs.setdefault(row["source"], [])
        if row["part"] != len(parts): self.r.problem("proof", row["id"], "parts are missing or out of order")
        parts.append(row["hashes"])
    def proofs_done(self):
        for source in sorted(set(self.fresh) | set(self.proofs)):
            raw = b"".join(self.proofs.get(source, []))
            proof = [raw[i:i + 32] for i in range(0, len(raw), 32)]
            s = self.sources.get(source)
            if s is None or source not in self.fresh or not proof and source not in self.proofs or \
                    multiproof_root(sorted(self.fresh[source]), proof, s["leaves"]) != s["root"]:
                self.r.problem("source", source, "the records cited are not all in its record tree")
        self.fresh, self.proofs = {}, {}
    def row_evidence(self, row): self.evidence[row["id"]] = row
    def slice(self, source, leaf, leaves, offset, length):
        gap = b"\n" if text(self.sources[source]["framing"]) == "lines/1" else b""
        got = [self.records[source, leaf + i] for i in range(leaves)]
        joined, first = gap.join(b for _, b in got), got[0][0]
        at = first
        for o, b in got:
            if o != at: raise Bad("its records do not follow one another")
            at += len(b) + len(gap)
        if offset < first or offset - first + length > len(joined): raise Bad("its evidence lies outside of its records")
        return joined[offset - first:offset - first + length]
    def row_finding(self, row):
        try:
            if row["run"] not in self.runs or (row["rule"] is not None and self.rules.get(row["rule"], {}).get("run") != row["run"]):
                raise Bad("it names a run or rule that is not there")
            if row["evidence_n"] < 1: raise Bad("it has no evidence")
            for i in range(row["evidence_from"], row["evidence_from"] + row["evidence_n"]):
                e = self.evidence.pop(i, None)
                if e is None or e["finding"] != row["id"]: raise Bad("evidence it names is missing or another's")
                if sha256(self.slice(e["source"], e["leaf"], e["leaves"], e["offset"], e["length"])) != e["sha256"]:
                    raise Bad("its evidence does not have the SHA-256 stated")
        except (Bad, KeyError, IndexError) as e:
            self.r.problem("finding", row["id"], str(e) if isinstance(e, Bad) else "records it rests on are missing")
        self.findings[row["id"]] = hashlib.sha256(canonical("finding", row)).hexdigest()
    def row_hit(self, row):
        try:
            if row["rule"] not in self.rules: raise Bad("it names a rule that is not there")
            for source, offset, length, _, leaf, leaves, _, _ in json.loads(row["evidence"]):
                self.slice(source, leaf, leaves, offset, length)
        except (Bad, KeyError, IndexError, ValueError, TypeError) as e:
            self.r.problem("hit", row["id"], str(e) if isinstance(e, Bad) else "records it rests on are missing")
    def runs_done(self):
        for ident, (row, tree) in self.runs.items():
            if tree.n != row["rules"] or tree.root() != row["rules_root"]:
                self.r.problem("run", ident, "its rules are not those it was made with")
# --- cases --------------------------------------------------------------------------------------------------------
def open_case(path, copies):
    with open(path, "rb") as f:
        head = f.read(100)
    fixed = {0: b"SQLite format 3\0\x20\0", 20: b"\0\x40\x20\x20", 44: b"\0\0\0\4", 52: bytes(7) + b"\1", 64: bytes(4), 72: bytes(20)}
    if len(head) < 100 or any(head[i:i + len(v)] != v for i, v in fixed.items()) or head[18:20] not in (b"\1\1", b"\2\2"):
        raise Bad("not a case, or its header was changed")
    wal = os.path.exists(path + "-wal") and os.path.getsize(path + "-wal") > 0
    if wal:  # a writer was cut off: SQLite recovers a copy
        shutil.copy(path, os.path.join(copies, "case"))
        shutil.copy(path + "-wal", os.path.join(copies, "case-wal"))
        path = os.path.join(copies, "case")
    elif os.path.getsize(path) % 8192:
        raise Bad("its length is no multiple of its page size: cut off")
    uri = "file:" + re.sub(r"[^A-Za-z0-9/._-]", lambda m: "".join("%%%02x" % b for b in m[0].encode()), os.path.abspath(path))
    db = sqlite3.connect(uri + ("?mode=rw" if wal else "?mode=ro&immutable=1"), uri=True)
    db.text_factory = Text
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    ident, version = db.execute("PRAGMA application_id").fetchone()[0], db.execute("PRAGMA user_version").fetchone()[0]
    if ident != 0x45584243 or version != 1: raise Bad("no case of version 1")
    schema = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()
    if sha256(b"".join(b"\t".join(v or b"" for v in row) + b"\n" for row in schema)).hex() != SCHEMA:
        raise Bad("its tables are not those of a case, version 1")
    return db

def rows_of(db):
    """(table, row as dict) in the order of the tree."""
    cursors, heads = {}, {}
    def pull(t, before):
        row = cursors[t].fetchone()
        heads[t] = dict(zip([d[0] for d in cursors[t].description], row)) if row else None
        if row and (row[0] != (before["id"] + 1 if before else 1) or (before and row[1] < before["step"]) or not isinstance(row[1], int)):
            raise Bad(f"{t} {row[0]}: ids have gaps or steps go back")
    for t in TABLES:
        cursors[t] = db.cursor().execute(f"SELECT * FROM {t} ORDER BY id")
        pull(t, None)
    while any(heads.values()):
        step = min(h["step"] for h in heads.values() if h)
        for t in TABLES:
            while heads[t] and heads[t]["step"] == step:
                row = heads[t]
                yield t, row
                pull(t, row)

def verify_case(path, r, policy, authorities, sources):
    with tempfile.TemporaryDirectory() as copies:
        db = open_case(path, copies)
        state = db.execute("SELECT complete, leaves, root, frontier, row_key FROM state").fetchall()
        if len(state) != 1 or state[0][0] != 1:
            raise Bad("incomplete: its first scan was cut off" if len(state) == 1 and state[0][0] == 0 else "state: its row cannot be read")
        for (line,) in db.execute("PRAGMA integrity_check(20)"):
            if line != b"ok": r.problem("database", 0, line.decode(errors="replace"))
        _, leaves, root, frontier, row_key = state[0]
        sums = b"".join(s for i, s in db.execute("SELECT id, sums FROM row_check ORDER BY id"))
        tree, salts, walk, prefixes, content_end, step = Tree(), Salts(row_key), Walk(r, False), {}, 0, 1
        tails = {"seal": {}, "statement": {}, "signature": {}}
        case_id, named = b"", 0
        try:
            for table, row in rows_of(db):
                before = (tree.n, tree.root()) if table == "step" else None
                h = salted(salts[tree.n], canonical(table, row))
                if sums[4 * tree.n:4 * tree.n + 4] != h[:4]:
                    named += 1
                    r.problem(table, row["id"], "changed since it was written")
                tree.add(h)
                if table == "step":
                    if before != (row["leaves"], row["root"]) or row["id"] != row["step"]:
                        r.problem(table, row["id"], "it does not follow the tree before it")
                    prefixes[tree.n] = tree.root()
                elif table in tails:
                    tails[table][row["id"]] = row
                else:
                    content_end = tree.n
                if row["step"] != step or TABLES.index(table) > TABLES.index("proof"):
                    walk.proofs_done()
                step = row["step"]
                case_id = row["case_id"] if table == "case_info" else case_id
                walk.row(table, row)
            walk.proofs_done()
        except (Bad, sqlite3.Error, UnicodeError, KeyError, TypeError) as e:
            r.problem("database", 0, str(e))
        if (tree.n, tree.root()) != (leaves, root):
            r.problem("state", 1, "the root of all rows is not the one kept: rows were changed, removed or added")
        elif named or len(sums) != 4 * leaves:
            r.problem("row_check", 0, "it does not fit the rows")
        if b"".join(tree.stack) != frontier and (tree.n, tree.root()) == (leaves, root):
            r.problem("state", 1, "the row does not agree with itself")
        walk.runs_done()
        met = False
        for ident, row in tails["seal"].items():
            if text(row["kind"]) != "checkpoint": continue
            note, request, cosigs, stamps = row["bytes"].decode(errors="replace"), None, [], []
            for x in [x for x in tails["seal"].values() if x["of"] == ident]:
                kind = text(x["kind"])
                if kind == "cosignature": cosigs.append((x["bytes"].decode(errors="replace"), text(x["vkey"])))
                elif kind == "timestamp-request": request = x["bytes"]
                else: stamps.append((request, x["bytes"]))
            seal = {"checkpoint": note, "vkey": text(row["vkey"]), "cosignatures": cosigs, "timestamps": stamps}
            got = check_seal(r, ident, seal, policy, authorities)
            if got:
                (origin, size, sealed_root), ok = got
                if prefixes.get(size) != sealed_root or size != row["size"]:
                    r.problem("seal", ident, "it seals rows with another root: rows were changed since")
                elif not origin.endswith("/" + text(case_id)):
                    r.problem("seal", ident, "it seals another case")
                elif size >= content_end:
                    r.sealed, met = True, met or ok
        r.policy_met = policy is None or met
        for ident, row in tails["statement"].items():
            sigs = [(s["id"], text(s["vkey"]), s["sig"]) for s in tails["signature"].values() if s["statement"] == ident]
            digest_of = lambda n: walk.findings.get(n, "none")
            check_statement(r, ident, text(row["kind"]), bytes(row["payload_type"]), row["payload"], sigs, digest_of)
        if sources:
            check_sources(r, walk, db, sources)
        db.close()
# --- originals ----------------------------------------------------------------------------------------------------
def check_sources(r, walk, db, folder):
    for ident, s in walk.sources.items():
        path = os.path.join(folder, text(s["path"]))
        whole = path.split("!/")[0] if s["member"] is not None else path  # a member: its archive as a whole, which holds it
        if s["sha256"] is None: continue
        if not os.path.isfile(whole):
            r.missing += 1
            r.note(f"source {ident}: {path} is not there")
            continue
        with open(whole, "rb") as f:
            data = f.read()
        if whole != path:
            if sha256(data) != s["container_sha256"]: r.problem("source", ident, "not the archive that was scanned")
            continue
        if sha256(data) != s["sha256"] or len(data) != s["size"]: r.problem("source", ident, "not the file that was scanned")
        for rec, offset, length, digest in db.execute("SELECT id, offset, length, sha256 FROM record WHERE source = ?", (ident,)):
            if sha256(data[offset:offset + length]) != digest: r.problem("record", rec, "the original has other bytes there")
# --- bundles ------------------------------------------------------------------------------------------------------
def verify_bundle(raw, r, policy, authorities):
    b = json.loads(raw.decode())
    if b["format"] != "exhibit-bundle/1": raise Bad("no bundle of version 1")
    size, root = b["size"], bytes.fromhex(b["root"])
    rows, marked, walk, case_id, last = [], [], Walk(r, True), "", -1
    for x in b["rows"]:
        raw_row, salt = x["row"].encode(), b64(x["salt"])
        if x["leaf"] <= last or len(salt) != 16: raise Bad("rows out of order")
        last = x["leaf"]
        marked.append((x["leaf"], salted(salt, raw_row)))
        rows.append((x["row"], json.loads(raw_row)))
    if multiproof_root(marked, [b64(h) for h in b["proof"]], size) != root:
        r.problem("rows", 0, "the rows are not in the tree whose root is stated")
    for raw_row, row in rows:
        table = row.pop("table", None)
        if table not in TABLES or not isinstance(row.get("id"), int):
            r.problem("rows", 0, "no row of a case")
            continue
        row = {k: None if v is None else v if isinstance(v, int) else b64(v) if k in BLOBS else Text(v.encode()) for k, v in row.items()}
        try:
            if canonical(table, row).decode() != raw_row: r.problem(table, row["id"], "its text is not canonical")
            case_id = text(row["case_id"]) if table == "case_info" else case_id
            walk.row(table, row)
        except (KeyError, TypeError, Bad) as e:
            r.problem(table, row["id"], f"no row of a case: {e}")
    if not case_id: r.problem("case_info", 1, "it is not shown")
    listed = [s["source"] for s in b["sources"]]
    if len(set(listed)) != len(listed) or set(walk.fresh) - set(listed):
        r.problem("source", 0, "records are shown without a proof, or a source is listed twice")
    for s in b["sources"]:
        row, leaves = walk.sources.get(s["source"]), dict()
        places = {leaf: walk.records[s["source"], leaf] for leaf, _ in walk.fresh.get(s["source"], [])}
        leaves.update(walk.fresh.get(s["source"], []))
        for x in s["leaves"]:
            leaves[x["leaf"]] = salted(b64(x["salt"]), b64(x["bytes"]))
            places[x["leaf"]] = (x["offset"], b64(x["bytes"]))
        if row is None or multiproof_root(sorted(leaves.items()), [b64(h) for h in s["proof"]], row["leaves"]) != row["root"]:
            r.problem("source", s["source"], "the records shown are not all in its record tree")
            continue
        framing = text(row["framing"])
        for g in s["ranges"]:
            run = [places.get(g["first"] + i) for i in range(min(g["n"], len(places) + 1))]
            ok = g["n"] > 0 and None not in run and (framing == "evtx/1" or all(
                q[0] == p[0] + len(p[1]) + (framing == "lines/1") for p, q in zip(run, run[1:])))
            r.good(f"source {s['source']}: leaves {g['first']} to {g['first'] + g['n'] - 1} are all shown") if ok else \
                r.problem("source", s["source"], "the range said to be complete is not")
    met = False
    if b["seal"] is None:
        r.note("not sealed: it only proves that its parts belong together")
    else:
        x = b["seal"]
        seal = {"checkpoint": x["checkpoint"], "vkey": x["vkey"], "cosignatures": [(c["line"], c["vkey"]) for c in x["cosignatures"]],
                "timestamps": [(t["request"] and b64(t["request"]), b64(t["response"])) for t in x["timestamps"]]}
        got = check_seal(r, 0, seal, policy, authorities)
        if got and (got[0][1:] != (size, root) or not got[0][0].endswith("/" + case_id)):
            r.problem("seal", 0, "it seals another tree or case")
        elif got:
            r.sealed, met = True, got[1]
    r.policy_met = policy is None or met
    for e in b["statements"]:
        sigs = [(0, s["keyid"], b64(s["sig"])) for s in e["signatures"]]
        check_statement(r, 0, "statement", e["payloadType"].encode(), b64(e["payload"]), sigs, lambda n: walk.findings.get(n))

def main():
    args, options = sys.argv[1:], {}
    while len(args) > 2 and args[1].startswith("--"):
        options[args[1][2:]] = args[2]
        del args[1:3]
    if len(args) != 1 or set(options) - {"policy", "authorities", "sources"}:
        print(__doc__)
        return 2
    r = Result()
    try:
        policy = Policy(open(options["policy"], encoding="utf-8").read()) if "policy" in options else None
        with open(args[0], "rb") as f:
            head = f.read(4096)
        if head.lstrip().startswith(b"{"):
            verify_bundle(open(args[0], "rb").read(), r, policy, options.get("authorities"))
        else:
            verify_case(args[0], r, policy, options.get("authorities"), options.get("sources"))
    except (Bad, OSError, ValueError, KeyError, TypeError, AttributeError, UnicodeError, OverflowError, RecursionError, sqlite3.Error) as e:
        r.problem("file", 0, f"{type(e).__name__}: {e}")
    if not r.policy_met:
        r.note("the policy is not met")
    if not r.sealed:
        r.note("nothing that covers all findings was sealed")
    print(f"verdict: {r.verdict()}")
    return 0 if r.verdict() == "holds" else 1

if __name__ == "__main__":
    sys.exit(main())
