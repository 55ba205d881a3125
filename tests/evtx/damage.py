#!/usr/bin/env python3
"""Damaged event logs: every record that is still whole in the bytes is reported, none twice, none invented; every byte is accounted for.
usage: damage.py PROGRAM SOURCE_ROOT [BASES]    BASES: how many base files (default 1 of 5); TAP, one line a base file.

The truth is computed from the damaged bytes themselves: the records whose signature, size and size copy agree."""
import json, os, random, re, struct, subprocess, sys, tempfile, zlib

PROGRAM, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
BASES = int(sys.argv[3]) if len(sys.argv) > 3 else 1
sys.path[:0] = [os.path.join(ROOT, "tools", "lib"), os.path.join(ROOT, "tests")]
import account  # noqa: E402
from damaged import CHUNK, HEAD, base_file, truth, u32  # noqa: E402

MARK = re.compile(rb',"(recovered|incomplete)":true')


def put(b, at, data):
    return b[:at] + data + b[at + len(data):]


def cases(b, seed):
    """(name, damaged bytes) ... over 40 kinds."""
    r = random.Random(seed)
    n = (len(b) - HEAD) // CHUNK
    c = [HEAD + CHUNK * k for k in range(n)]

    def record(chunk, i):
        p = c[chunk] + 512
        for _ in range(i):
            p += u32(b, p + 4)
        return p

    size_of = lambda p: u32(b, p + 4)  # noqa: E731
    a, z = record(2, 5), record(2, 0)
    yield "nothing", b
    yield "file header zeroed", put(b, 0, bytes(HEAD))
    yield "file header cut off", b[HEAD:]
    yield "half the file header cut off", b[2048:]
    yield "file header noise", put(b, 0, r.randbytes(HEAD))
    yield "only the header", b[:HEAD]
    yield "100 bytes", b[:100]
    yield "cut in a chunk header", b[:c[3] + 200]
    yield "cut in a record", b[:c[3] + 30001]
    yield "cut by a byte", b[:-1]
    yield "chunk header zeroed", put(b, c[2], bytes(512))
    yield "chunk header noise", put(b, c[2], r.randbytes(512))
    yield "chunk magic", put(b, c[2], b"XXXXXXXX")
    yield "first chunk magic", put(b, c[0], bytes(8))
    yield "all chunk magics", b"".join([b[:HEAD]] + [put(b[x:x + CHUNK], 0, bytes(8)) for x in c])
    yield "record size large", put(b, a + 4, struct.pack("<I", 0x7fffffff))
    yield "record size zero", put(b, a + 4, bytes(4))
    yield "record size small", put(b, a + 4, struct.pack("<I", size_of(a) - 16))
    yield "record size odd", put(b, a + 4, struct.pack("<I", size_of(a) + 3))
    yield "record magic", put(b, a, b"zzzz")
    yield "record size copy", put(b, a + size_of(a) - 4, bytes(4))
    yield "free offset ones", put(b, c[2] + 48, b"\xff" * 4)
    yield "free offset zero", put(b, c[2] + 48, bytes(4))
    yield "free offset small", put(b, c[2] + 48, struct.pack("<I", 600))
    yield "last record offset", put(b, c[2] + 44, b"\xff" * 4)
    yield "chunk header size", put(b, c[2] + 40, struct.pack("<I", 64))
    yield "chunk count", put(b, 42, b"\1\0")
    yield "record ids of the header", put(b, c[2] + 24, b"\xff" * 16)
    yield "name table cycle", put(b, c[2] + 128, struct.pack("<I", 600) * 64)
    yield "template table", put(b, c[2] + 384, b"\xff" * 128)
    yield "template offset", put(b, a + 24 + 10, struct.pack("<I", 0x7fff0000))
    yield "template id", put(b, a + 24 + 6, b"\1\2\3\4")
    yield "number of values", put(b, a + 24 + 14, b"\xff" * 4)
    yield "no values", put(b, a + 24 + 14, bytes(4))
    yield "value size", put(b, a + 24 + 18, b"\xff\xff")
    yield "token", put(b, a + 28, b"\x77")
    yield "bytes put in before a chunk", b[:c[2]] + b"1234567" + b[c[2]:]
    yield "a chunk torn by a block's end", b[:c[2]] + r.randbytes(CHUNK - 1) + b[c[2]:]
    yield "the same with zeros", b[:c[2]] + bytes(CHUNK - 5) + b[c[2]:]
    yield "bytes put in within a chunk", b[:c[2] + 20000] + b"12345" + b[c[2] + 20000:]
    yield "sector lost", b[:c[2] + 10240] + b[c[2] + 10752:]
    yield "sector put in", b[:c[2] + 10240] + r.randbytes(512) + b[c[2] + 10240:]
    yield "page zeroed", put(b, c[2] + 20480, bytes(4096))
    yield "page noise", put(b, c[2] + 20480, r.randbytes(4096))
    yield "zeros over a chunk's end", put(b, c[3] - 3000, bytes(6000))
    yield "first record zeroed", put(b, z, bytes(size_of(z)))
    yield "record time ones", put(b, a + 16, b"\xff" * 8)
    yield "record time zero", put(b, a + 16, bytes(8))
    yield "chunks in reverse", b[:HEAD] + b"".join(b[x:x + CHUNK] for x in reversed(c))
    yield "chunk missing", b[:c[2]] + b[c[3]:]
    yield "zero chunk between", b[:c[2]] + bytes(CHUNK) + b[c[2]:]
    yield "noise behind the end", b + r.randbytes(CHUNK)
    # A template is lost, so that the whole file is searched for it: in one pass.
    yield "signatures of chunks behind the end", put(b, a + 24 + 6, b"\1\2\3\4") + b"ElfChnk\0" * (1 << 20)
    yield "checksums off", put(put(b, c[2] + 52, b"\1\2\3\4"), 124, b"\1\2\3\4")
    flips = bytearray(b)
    for _ in range(200):
        flips[r.randrange(c[1], c[4])] ^= 1 << r.randrange(8)
    yield "200 bit flips", bytes(flips)
    yield "only noise", r.randbytes(200000)
    yield "all but a byte of the file header cut off", b[HEAD - 1:]
    yield "a line of text before the file header", b"Oct 12 10:00:00 host kernel: text\n" + b
    yield "file header overwritten by text", put(b, 0, b"Oct 12 10:00:00 host sshd[12]: text\n" * 100)
    yield "text into the first chunk's header", put(b, 0, (b"Oct 12 10:00:00 host sshd[12]: text\n" * 200)[:HEAD + 500])
    for kind, head in (("zip file", b"PK\3\4\x14\0\0\0\10\0"), ("gzip file", b"\x1f\x8b\x08\0\0\0\0\0\0\3"), ("zstd file", b"\x28\xb5\x2f\xfd\4\x88")):
        yield f"file header overwritten by the head of a {kind}", put(b, 0, head)
    heads = bytearray(b)
    heads[:HEAD] = r.randbytes(HEAD)
    for x in c:
        heads[x:x + 512] = r.randbytes(512)
    yield "no header anywhere", bytes(heads)
    yield "a chunk twice", b[:c[3]] + b[c[2]:]
    yield "a chunk twice, once at the end", b + b[c[2]:c[3]]
    yield "a chunk over another", put(b, c[4], b[c[2]:c[3]])
    yield "the log twice", b + b
    yield "a page twice", b[:c[2] + 12288] + b[c[2] + 8192:]
    yield "stale copies behind a chunk without a header", put(put(b, c[n - 1] + 40000, b[c[n - 2] + 40000:c[n - 1]]), c[n - 1], bytes(512))
    yield "half the file header cut off before it", b[:1000] + b[3000:]
    hidden = size_of(a) + size_of(a + size_of(a))
    both = a + hidden + size_of(a + hidden)
    large = put(put(b, a + 4, struct.pack("<I", both - a)), both - 4, struct.pack("<I", both - a))
    yield "a record enlarged over the two behind it", large
    large = put(large, c[2] + 52, struct.pack("<I", zlib.crc32(large[c[2] + 512:c[2] + u32(b, c[2] + 48)])))
    large = put(large, c[2] + 124, struct.pack("<I", zlib.crc32(large[c[2] + 128:c[2] + 512], zlib.crc32(large[c[2]:c[2] + 120]))))
    yield "a record enlarged over the two behind it, checksums repaired", large
    far = size_of(a) + size_of(a + size_of(a)) + 64
    yield "a record that ends, by chance, in the second one behind it", put(put(put(b, a + 4, struct.pack("<I", far)), a + far - 4, struct.pack("<I", far)), a + size_of(a) - 40, bytes(40))
    yield "the first 70000 bytes wiped", put(b, 0, bytes(70000))
    yield "100000 bytes of noise before the log", r.randbytes(100000) + b
    yield "file header overwritten by an audit log", put(b, 0, b"type=SYSCALL msg=audit(1615280000.123:456): arch=c000003e syscall=59\n" * 40)
    yield "file header overwritten by a journal's magic", put(b, 0, b"LPKSHHRH")
    yield "file header overwritten by a web log's", put(b, 0, b"#Software: IIS\n#Fields: date time\n")
    yield "stale copies behind a chunk whose header is another's", b[:HEAD] + b"".join(
        b[c[0]:c[0] + 512] + (b[x + 512:x + 40000] + b[c[n - 2] + 40000:c[n - 1]] if x == c[n - 1] else b[x + 512:x + CHUNK]) for x in c)
    yield "a part of a chunk over an earlier one", put(b, c[1] + 20000, b[c[4] + 20000:c[4] + 36000])
    yield "a part of a chunk over one far behind", put(b, c[n - 2] + 20000, b[c[0] + 20000:c[0] + 36000])
    yield "a chunk's end over an earlier one's", put(b, c[1] + 20000, b[c[n - 1] + 20000:c[n - 1] + CHUNK])
    first, second = record(n - 1, 0), record(n - 1, 1)
    last = second - first
    only = b[:c[n - 1]] + b[c[n - 1]:first + last]
    only = put(only, c[n - 1] + 24, b[first + 8:first + 16] * 2)
    only = put(only, c[n - 1] + 48, struct.pack("<I", 512 + last)) + bytes(CHUNK - 512 - last)
    yield "bytes put in before a chunk's only record", only[:first] + r.randbytes(99) + only[first:]
    yield "so many that it stands behind the end of records", only[:first] + r.randbytes(9000) + only[first:]
    # Pages that change places; those of the last chunk's end are free space.
    pages, last = [b[x:x + 4096] for x in range(0, len(b), 4096)], len(b) // 4096 - 1
    changed = pages[:]
    changed[1 + 16 * 2 + 5], changed[last] = pages[last], pages[1 + 16 * 2 + 5]
    yield "a page changed places with free space", b"".join(changed)
    changed = pages[:]
    changed[1 + 16 * 2], changed[last] = pages[last], pages[1 + 16 * 2]
    yield "a chunk header changed places with free space", b"".join(changed)
    changed = pages[:]
    changed[1 + 16], changed[5] = pages[5], pages[1 + 16]
    yield "a chunk header changed places with a page of records", b"".join(changed)
    inner = pages[last - 14:]
    r.shuffle(inner)
    yield "the last chunk's pages shuffled", b"".join(pages[:last - 14] + inner)
    inner = pages[1:]
    r.shuffle(inner)
    yield "all pages shuffled", b"".join(pages[:1] + inner)
    yield "the log begins in its middle", b"".join(pages[:1] + pages[40:] + pages[1:40])
    # What stands in a chunk whose header does not name it.
    yield "the first records of a chunk over those of one before", put(b, c[1] + 512, b[c[3] + 512:c[3] + 8192])
    yield "the first records of a chunk over those of one behind", put(b, c[3] + 512, b[c[1] + 512:c[1] + 8192])
    yield "two chunks' headers changed places", put(put(b, c[1], b[c[3]:c[3] + 512]), c[3], b[c[1]:c[1] + 512])
    fewer = put(b, c[1] + 32, struct.pack("<Q", struct.unpack_from("<Q", b, c[1] + 24)[0] + 5))
    yield "a header that names fewer, and the chunk once more", fewer[:c[2]] + b[c[1]:]
    yield "a free offset too low, and a page of the chunk over another", put(put(b, c[1] + 48, struct.pack("<I", 4000)), c[3] + 20480, b[c[1] + 12288:c[1] + 16384])
    page = b[c[0] + 8192:c[0] + 12288]
    yield "a page written 80 times", b[:c[1]] + b"".join(b[x:x + 512] + (page * 14)[:CHUNK - 512] for x in c[1:])
    # What the others say must not change: their templates stand elsewhere.
    for k, letter in enumerate(("EventID", "Execution", "System")):
        at = b.find(letter.encode("utf-16le"), c[2])
        yield f"* letters of a name {k}", put(b, at, b"\x41\0\x42\0")
    at = b.find(b"\x0f\1\1\0", z + 28)
    yield "* definitions zeroed", put(b, at, bytes(300))
    yield "* the size of a definition", put(b, at - 4, b"\xff\xff\xff\x7f")
    yield "* bytes put in before the first record", b[:c[2] + 512] + r.randbytes(24) + b[c[2] + 512:]
    yield "* bytes put in within a chunk header", b[:c[2] + 300] + r.randbytes(7) + b[c[2] + 300:]
    yield "* bytes lost within a chunk header", b[:c[2] + 300] + b[c[2] + 333:]


def check(name, b, scratch, lines_of_base):
    path = os.path.join(scratch, "x.evtx")
    open(path, "wb").write(b)
    named = ["--as", "evtx"] if name in ("only noise", "100 bytes") else []
    stats = subprocess.run([PROGRAM, "scan", "-q", "-j", "1", "-r", scratch, *named, "--stats", "-", path], capture_output=True, timeout=30)
    events = subprocess.run([PROGRAM, "events", "-j", "1", *named, path], capture_output=True, timeout=30)
    want = truth(b)
    if stats.returncode not in (0, 3) or events.returncode not in (0, 3):
        return f"exit {stats.returncode} and {events.returncode}: {(stats.stderr + events.stderr)[-200:]}"
    sources = json.loads(stats.stdout)["sources"]
    if not sources:
        return f"not read: {stats.stdout[:200]}"
    source = sources[0]
    lines = events.stdout.count(b"\n")
    if sum(source["bytes"].values()) != len(b):
        return f"bytes {source['bytes']} do not sum to {len(b)}"
    try:
        account.agrees(PROGRAM, sources, *named, path)
    except AssertionError as e:
        return str(e)
    if source["records"] != len(want) or lines != len(want):
        return f"{len(want)} whole records, {source['records']} counted, {lines} events"
    if source.get("recovered_records", 0) != sum(bool(MARK.search(line)) for line in events.stdout.splitlines()) or events.returncode != stats.returncode:
        return "scan and events do not agree on what was recovered"
    if b'"EventRecordID":null' in events.stdout and name != "200 bit flips":
        return "an event without a record id"
    said = [MARK.sub(b"", line) for line in events.stdout.splitlines()]
    if name == "nothing" and lines_of_base is not None:
        lines_of_base.update(said)
    other = [line for line in said if lines_of_base and line not in lines_of_base]
    if name.startswith("*") and other:
        return f"{len(other)} events say something else: {other[0][:300]}"
    return None


def chunk_of(records, first, last):
    head, body = bytearray(512), b"".join(records)
    head[:8] = b"ElfChnk\0"
    struct.pack_into("<QQQQIII", head, 8, first, last, first, last, 128, 512 + len(body) - len(records[-1]), 512 + len(body))
    struct.pack_into("<I", head, 52, zlib.crc32(body))
    struct.pack_into("<I", head, 124, zlib.crc32(head[128:], zlib.crc32(head[:120])))
    return bytes(head) + body + bytes(CHUNK - 512 - len(body))


def record_of(number, xml):
    size = (28 + len(xml) + 7) // 8 * 8
    return struct.pack("<4sIQQ", b"**\0\0", size, number, 0x01d4f00000000000) + xml.ljust(size - 28, b"\0") + struct.pack("<I", size)


def one_id(chunks):
    """Records of one id, all different."""
    head, number = b"ElfFile".ljust(HEAD, b"\0"), iter(range(1 << 30))
    return head + b"".join(chunk_of([record_of(7, b"\x0f\1\1\0\0" + struct.pack("<I", next(number))) for _ in range(1600)], 7, 7) for _ in range(chunks))


def strays(chunks):
    """Records of one id that stand among others, and as many where they belong."""
    out, number = [b"ElfFile".ljust(HEAD, b"\0")], iter(range(1 << 20, 1 << 30))
    for k in range(chunks):
        b = bytearray(chunk_of([record_of(7 if i else 1, b"\x0f\1\1\0\0" + struct.pack("<I", next(number))) for i in range(1600)], 1, 1))
        b[52] ^= 1
        out.append(bytes(b))
    return b"".join(out) + one_id(chunks)[HEAD:]


def long_lines(chunks):
    """One definition with a long text in a chunk, and as many records as find room that show it."""
    out = [b"ElfFile".ljust(HEAD, b"\0")]
    name = struct.pack("<IIHH", 512 + 24 + 14 + 24 + 4 + 7 + 4, 0, 0, 5) + "Event".encode("utf-16le") + b"\0\0"
    text = b"\2\5\1" + struct.pack("<H", 20000) + "x".encode("utf-16le") * 20000 + b"\4\0"
    xml = b"\x0f\1\1\0\1\xff\xff" + struct.pack("<I", len(name) + len(text) - 1) + name + text
    guid = b"\1\2\3\4" * 4
    use = b"\x0f\1\1\0\x0c\1" + guid[:4] + struct.pack("<I", 512 + 24 + 14)
    define = bytes(4) + guid + struct.pack("<I", len(xml)) + xml
    for number in range(1, chunks * 1000, 1000):
        first = record_of(number, use + define + bytes(4))
        rest = [record_of(number + 1 + i, use + bytes(4)) for i in range((CHUNK - 512 - len(first)) // len(record_of(1, use + bytes(4))))]
        out.append(chunk_of([first] + rest, number, number + len(rest)))
    return b"".join(out)


def heads(chunks):
    """Heads by the thousand, each whole by its size and the copy of it, over a record that is none of theirs."""
    n, xml = 1000, 512 + 32 * 1000
    out = [b"ElfFile".ljust(HEAD, b"\0")]
    for number in range(chunks):
        b = bytearray(CHUNK)
        struct.pack_into("<8sQQQQIII", b, 0, b"ElfChnk", number, number, number, number, 128, 512, CHUNK)
        record = record_of(number, b"\x0f\1\1\0".ljust(36, b"\0"))
        b[xml:xml + len(record)] = record
        for i in range(n):
            at, end = 512 + 32 * i, xml + len(record) + 8 * (i + 1)
            struct.pack_into("<4sI", b, at, b"**\0\0", end - at)
            struct.pack_into("<I", b, end - 4, end - at)
        out.append(bytes(b))
    return b"".join(out)


def hostile(scratch):
    """Files made to take long or much memory: (what is wrong) ..."""
    path, sanitized = os.path.join(scratch, "h.evtx"), b"__asan_init" in open(PROGRAM, "rb").read()
    for name, b, lines in (("records of one id", one_id(120), 120 * 1600), ("one long text in many records", long_lines(24), None),
                           ("heads by the thousand", heads(300), 300), ("strays of one id", strays(45), 90 * 1600)):
        open(path, "wb").write(b)
        for jobs in ("1", "4"):
            log = os.path.join(scratch, "time")
            run = subprocess.run([sys.executable, "-c", "import os, resource, subprocess, sys; subprocess.run(sys.argv[2:]); u = resource.getrusage(resource.RUSAGE_CHILDREN); "
                                  "open(sys.argv[1], 'w').write('%d %f' % (u.ru_maxrss, u.ru_utime))", log, PROGRAM, "events", "-j", jobs, path], capture_output=True, timeout=120)
            kib, seconds = open(log).read().split()
            if lines and run.stdout.count(b"\n") != lines:
                yield f"{name}: {run.stdout.count(10)} lines"
            if not lines and len(run.stdout) < 100 << 20:
                yield f"{name}: only {len(run.stdout)} bytes"
            if float(seconds) > (20 if sanitized else 4):
                yield f"{name}, {jobs} threads: {seconds} seconds"
            if int(kib) > 64 << 10 and not sanitized:
                yield f"{name}, {jobs} threads: {kib} KiB"


print(f"1..{BASES + 1}")
failed = 0
with tempfile.TemporaryDirectory() as scratch:
    bad = list(hostile(scratch))
for line in bad:
    print("# " + line)
failed += bool(bad)
print(f"{'not ok' if bad else 'ok'} 1 - files made to take long or much memory")
for k in range(BASES):
    base, bad, n, lines_of_base = base_file(k), [], 0, set()
    with tempfile.TemporaryDirectory() as scratch:
        for name, damaged in cases(base, k):
            n += 1
            problem = check(name, damaged, scratch, lines_of_base if k in (0, 1, 3) else None)
            if problem:
                bad.append(f"{name}: {problem}")
    for line in bad:
        print("# " + line)
    failed += bool(bad)
    print(f"{'not ok' if bad else 'ok'} {k + 2} - base {k}: {n} kinds of damage")
sys.exit(failed != 0)
