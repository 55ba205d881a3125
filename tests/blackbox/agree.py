#!/usr/bin/env python3
"""The C verifier against tools/verify.py: both must reach the same verdict on sound and on changed cases and bundles; and record
trees against a second implementation of the framings of doc/format-case.md.

    agree.py CASE_TOOL EVIDENCE_TOOL SOURCE_ROOT [ROUNDS]          TAP on stdout
"""
import contextlib, hmac, importlib.util, io, os, random, shutil, struct, subprocess, sys, tempfile

tool, evidence_tool, root = sys.argv[1:4]
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 12
spec = importlib.util.spec_from_file_location("verify", os.path.join(root, "tools/verify.py"))
v = importlib.util.module_from_spec(spec)
spec.loader.exec_module(v)
count = 0


def is_(what, ok, why=""):
    global count
    count += 1
    print(("ok" if ok else "not ok"), count, "-", what)
    if not ok:
        print("#", str(why).replace("\n", "\n# "))
    sys.stdout.flush()


def run(*args):
    p = subprocess.run((tool,) + args, capture_output=True)
    return p.stdout


def c_says(path, policy="-", authorities="-", sources="-", key="-"):
    p = subprocess.run((tool, "verify", path, policy, authorities, sources, key), capture_output=True)
    if p.returncode not in (0, 1):
        return f"crashed: {p.returncode}"
    return p.stdout.decode(errors="replace").rstrip().split("verdict: ")[-1]


def python_says(path, *options):
    out, sys.argv = io.StringIO(), ["verify.py", path, *options]
    sys.argv = ["verify.py", path] + list(options)
    with contextlib.redirect_stdout(out):
        v.main()
    return out.getvalue().rstrip().split("verdict: ")[-1], out.getvalue()


def agree(what, path, c_options=(), options=(), want=None):
    c, (p, text) = c_says(path, *c_options), python_says(path, *options)
    is_(f"{what}: {p}", c == p and (want is None or p == want), f"C: {c}, Python: {p}\n{text}")


# --- record trees ----------------------------------------------------------------------------------------------------


def source_salts(key, step, number, path):
    return v.Salts(hmac.new(key, b"exhibit source\0" + struct.pack(">IQ", step, number) + path, "sha256").digest())


def evtx_leaves(data):
    yield 0, data[:4096]
    for base in range(4096, len(data), 65536):
        c = data[base:base + 65536]
        if len(c) < 512 or not c.startswith(b"ElfChnk\0"):
            yield base, c
            continue
        inner = set()
        for slot in range(96):
            at, count = struct.unpack_from("<I", c, 128 + 4 * slot)[0], 0
            while at >= 512 and count < 256 and len(inner) < 4096:
                if slot < 64:
                    size = 10 + 2 * struct.unpack_from("<H", c, at + 6)[0] if at + 8 <= len(c) else 0
                else:
                    size = 24 + struct.unpack_from("<I", c, at + 20)[0] if at + 24 <= len(c) else 0
                if not size or at + size > len(c):
                    break
                inner.add((at, -size))
                at, count = struct.unpack_from("<I", c, at)[0], count + 1

        def record(at):
            if at + 32 > len(c) or c[at:at + 4] != b"**\0\0":
                return 0
            size = struct.unpack_from("<I", c, at + 4)[0]
            ok = size >= 32 and size % 8 == 0 and at + size <= len(c) and c[at + size - 4:at + size] == c[at + 4:at + 8]
            return size if ok else 0
        yield base, c[:512]
        at = 512
        while at < len(c):
            size = record(at)
            end = at + size if size else at + 8
            while not size and end < len(c) and not record(end):
                end += 8
            end = min(end, len(c))
            yield base + at, c[at:end]
            for start, minus in sorted(x for x in inner if size and at < x[0] and x[0] - x[1] <= end):
                yield base + start, c[start:start - minus]
            at = end

def leaves_of(framing, data):
    if framing == "lines/1":
        lines = data.split(b"\n")
        return lines[:-1] if not lines[-1] else lines
    if framing == "blocks/1":
        return [data[i:i + 4096] for i in range(0, len(data), 4096)]
    return [b for _, b in evtx_leaves(data)] if data else []


def tree_of(framing, data, step, number, path):
    tree, salts = v.Tree(), source_salts(bytes([7, 7, 7]) + bytes(29), step, number, path)
    for b in leaves_of(framing, data):
        tree.add(v.salted(salts[tree.n], b))
    return f"{tree.n} {tree.root().hex()}"


def trees(folder):
    random.seed(7)
    texts = [b"", b"\n", b"a", b"a\n", b"a\r\n\nb", bytes(random.choice(b"ab\n") for _ in range(30000))]
    chunk = bytearray(b"ElfChnk\0" + bytes(504) + os.urandom(3000))
    for at in range(512, 3000, 8):  # things that look like records, chains and damage
        if random.random() < 0.1:
            size = random.choice((32, 64, 96, 40, 33))
            struct.pack_into("<II", chunk, at, 0x2a2a, size)
            if at + size <= len(chunk):
                struct.pack_into("<I", chunk, at + size - 4, size)
    for slot in range(96):
        struct.pack_into("<I", chunk, 128 + 4 * slot, random.randrange(0, 3000))
    evtx = [bytes(4096) + bytes(chunk), bytes(4096) + bytes(chunk) + bytes(65536 - len(chunk)) + bytes(chunk), bytes(100), b"x" * 70000]
    for sub, _, names in os.walk(os.path.join(root, "samples")):
        evtx += [open(os.path.join(sub, n), "rb").read()[:200000] for n in sorted(names)[:2] if n.endswith(".evtx")]
    bad = 0
    cases = [("lines/1", t) for t in texts] + [("evtx/1", t) for t in evtx] + [("blocks/1", t) for t in texts[-1:] + evtx[:1]]
    for i, (framing, data) in enumerate(cases):
        path = os.path.join(folder, "data")
        open(path, "wb").write(data)
        got = subprocess.run((evidence_tool, "root", framing, path, "3", str(i), "a/b"), capture_output=True).stdout.decode().strip()
        want = tree_of(framing, data, 3, i, b"a/b")
        if got != want:
            bad += 1
            print(f"# {framing} {i}: C {got}, Python {want}")
    is_(f"record trees of {len(cases)} sources by two implementations of the framings", not bad)


# --- cases and bundles -----------------------------------------------------------------------------------------------


def changed(path, copy, what, n):
    """n random changes of one byte; the verdicts must be the same."""
    good = open(path, "rb").read()
    differ, failed = 0, 0
    for i in range(n):
        data, at = bytearray(good), random.randrange(len(good))
        while i % 2 and data[at] == 0:
            at = (at + 1) % len(data)
        data[at] ^= random.randrange(1, 256)
        open(copy, "wb").write(data)
        c, (p, text) = c_says(copy), python_says(copy)
        failed += p == "failed"
        if c != p:
            differ += 1
            print(f"# byte {at}: {good[at]:02x} -> {data[at]:02x}: C {c}, Python {p}")
    is_(f"{what}: {n} changes of one byte, {failed} refused, the same verdicts", not differ)


def stamped(folder, case):
    """A timestamp by openssl's own authority on the newest checkpoint."""
    names = {n: os.path.join(folder, n) for n in ("tsa.cnf", "ca.pem", "ca.key", "tsa.pem", "tsa.key", "tsa.csr", "serial", "note", "q.tsq", "r.tsr")}
    open(names["tsa.cnf"], "w").write(f"""[req]
distinguished_name = dn
prompt = no
[dn]
CN = Test authority
[ca]
basicConstraints = critical,CA:TRUE
[stamper]
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = t
[t]
serial = {names["serial"]}
crypto_device = builtin
signer_cert = {names["tsa.pem"]}
signer_key = {names["tsa.key"]}
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
""")
    open(names["serial"], "w").write("01\n")
    open(names["note"], "wb").write(run("checkpoint", case))
    n = names

    def openssl(*args):
        return subprocess.run(("openssl",) + args, capture_output=True).returncode == 0
    ok = openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", n["ca.key"], "-out", n["ca.pem"], "-config", n["tsa.cnf"], "-extensions", "ca") and \
        openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", n["tsa.key"], "-subj", "/CN=Stamper", "-config", n["tsa.cnf"], "-out", n["tsa.csr"]) and \
        openssl("x509", "-req", "-in", n["tsa.csr"], "-CA", n["ca.pem"], "-CAkey", n["ca.key"], "-CAcreateserial", "-extfile", n["tsa.cnf"], "-extensions", "stamper",
                "-out", n["tsa.pem"])
    open(n["q.tsq"], "wb").write(subprocess.run((evidence_tool, "request", n["note"], "0102030405060708"), capture_output=True).stdout)
    ok = ok and openssl("ts", "-reply", "-config", n["tsa.cnf"], "-section", "t", "-queryfile", n["q.tsq"], "-out", n["r.tsr"])
    if ok:
        run("stamp", case, n["q.tsq"], n["r.tsr"])
    return n["ca.pem"] if ok else None


def main():
    folder = tempfile.mkdtemp()
    os.mkdir(os.path.join(folder, "logs"))
    case, copy, policy = (os.path.join(folder, n) for n in ("x.case", "copy", "policy"))
    random.seed(11)
    trees(folder)
    run("make", case, "3", "40", folder)
    is_("the schema that verify.py knows is the one of the program", run("schema").decode().strip() == v.SCHEMA, run("schema"))
    agree("an unsealed case", case, want="holds")
    log = run("seal", case, "team.example", "1").decode().strip()
    keys = [run("cosign", case, f"{n}.example", str(i + 2)).decode().strip() for i, n in enumerate("ab")]
    agree("a sealed case", case, want="holds")
    for k, want in ((2, "holds"), (3, "failed")):
        third = v.base64.b64encode(b"\4" + bytes(32))
        open(policy, "w").write("log " + log + "\n" + "".join(f"witness {n} {key}\n" for n, key in zip("AB", keys)) +
                                ("group two 2 A B\nquorum two\n" if k == 2 else f"log {keys[0]}\nquorum A\nquorum B\n"))
        agree(f"policy {k}", case, (policy,), ("--policy", policy), want)
    agree("with the originals", case, ("-", "-", folder, "-"), ("--sources", folder), "holds")
    with open(os.path.join(folder, "logs/auth2.log"), "r+b") as f:
        f.write(b"X")
    agree("with an original that was changed", case, ("-", "-", folder, "-"), ("--sources", folder), "failed")
    if shutil.which("openssl"):
        ca = stamped(folder, case)
        agree("a stamped case", case, ("-", ca), ("--authorities", ca), "holds")
        agree("a stamped case, no authorities", case, want="holds")
        agree("a stamped case, other authorities", case, ("-", os.path.join(folder, "tsa.pem")), ("--authorities", os.path.join(folder, "tsa.pem")), "failed")
    for name, args in (("one.bundle", ("2", "-", "-", "0", "0", "0")), ("range.bundle", ("43", folder, case + ".key", "1", "3", "9"))):
        bundle = os.path.join(folder, name)
        open(bundle, "wb").write(run("disclose", case, *args))
        agree(name, bundle, want="holds")
        changed(bundle, copy, name, rounds)
    changed(case, copy, "case", rounds)
    shutil.rmtree(folder)
    print(f"1..{count}")


main()
