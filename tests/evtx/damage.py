#!/usr/bin/env python3
"""Damaged event logs: every record that is still whole in the bytes is reported, none twice, none invented; every byte is accounted for.
usage: damage.py PROGRAM SOURCE_ROOT [BASES]    BASES: how many base files (default 1 of 5); TAP, one line a base file.

The truth is computed from the damaged bytes themselves: the records whose signature, size and size copy agree."""
import json, os, random, re, struct, subprocess, sys, tempfile, zlib

PROGRAM, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
BASES = int(sys.argv[3]) if len(sys.argv) > 3 else 1
sys.path.insert(0, os.path.join(ROOT, "tools", "lib"))
from evtx_writer import EvtxWriter  # noqa: E402

CHUNK, HEAD = 65536, 4096
MARK = re.compile(rb',"(recovered|incomplete)":true')


def u32(b, at):
    return struct.unpack_from("<I", b, at)[0]


def base_file(k):
    """Five kinds: manifest events, classic ones, forwarded ones, user data, a mixture; six to eight chunks each."""
    r, w = random.Random(k), EvtxWriter()
    for i in range(700 + 40 * k):
        kind = k if k < 4 else r.randrange(4)
        event = {"computer": "host%d" % (i % 3), "channel": "Security", "provider": "Microsoft-Windows-Security-Auditing", "event_id": 4624 + i % 4,
                 "time": "2021-03-%02dT%02d:%02d:%02d.%07dZ" % (1 + i // 86400, i // 3600 % 24, i // 60 % 60, i % 60, r.randrange(10**7))}
        data = [["User", "string", "user%d" % i], ["Text", "string", "x" * r.randrange(20, 400)], ["Number", "uint32", i], ["Where", "guid", "{54849625-5478-4994-A5BA-3E3B0328C30D}"]]
        if kind == 0:
            event.update(guid="{54849625-5478-4994-A5BA-3E3B0328C30D}", data=data)
        elif kind == 1:
            event.update(channel="Application", provider="Service%d" % (i % 5), strings=["one %d" % i, "y" * r.randrange(300)])
        elif kind == 2:
            event.update(layout="literal", data=[[n, "string", str(v)] for n, _, v in data])
        else:
            event.update(guid="{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}", user_data={"name": "Cleared", "xmlns": "http://example/", "data": data})
        w.add(event)
    return w.bytes()


def truth(b):
    """A record that stands twice, byte for byte, counts once."""
    found, i = set(), b.find(b"\x2a\x2a\0\0")
    while i >= 0:
        step = 1
        if i + 32 <= len(b):
            size = u32(b, i + 4)
            if 32 <= size <= CHUNK and i + size <= len(b) and u32(b, i + size - 4) == size:
                found.add(b[i:i + size])
                step = size
        i = b.find(b"\x2a\x2a\0\0", i + step)
    return found


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
    first, second = record(n - 1, 0), record(n - 1, 1)
    last = second - first
    only = b[:c[n - 1]] + b[c[n - 1]:first + last]
    only = put(only, c[n - 1] + 24, b[first + 8:first + 16] * 2)
    only = put(only, c[n - 1] + 48, struct.pack("<I", 512 + last)) + bytes(CHUNK - 512 - last)
    yield "bytes put in before a chunk's only record", only[:first] + r.randbytes(99) + only[first:]
    yield "so many that it stands behind the end of records", only[:first] + r.randbytes(9000) + only[first:]
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


print(f"1..{BASES}")
failed = 0
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
    print(f"{'not ok' if bad else 'ok'} {k + 1} - base {k}: {n} kinds of damage")
sys.exit(failed != 0)
