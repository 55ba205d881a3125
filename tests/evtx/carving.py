#!/usr/bin/env python3
"""--carve: records in the free space of logs and in any other file: each that is whole and can be read once, whatever stands around it, however often it stands there.
usage: carving.py PROGRAM SOURCE_ROOT [large]      TAP; large: only what needs a log of 85 MB"""
import json, os, random, struct, subprocess, sys, time, zlib

PROGRAM, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
sys.path[:0] = [os.path.join(ROOT, "tools", "lib"), os.path.join(ROOT, "tests")]
from evtx_writer import EvtxWriter  # noqa: E402
import account  # noqa: E402
import tap  # noqa: E402
from tap import need, test  # noqa: E402

CHUNK, HEAD, FIRST = 65536, 4096, 512


def log(ids, channel="Security", text=300, per_chunk=None, **more):
    w = EvtxWriter(records_per_chunk=per_chunk)
    for i in ids:
        w.add({"channel": channel, "provider": "P-" + channel, "guid": "{54849625-5478-4994-A5BA-3E3B0328C30D}", "computer": "host", "event_id": 4624, "record_id": i,
               "time": "2021-03-01T%02d:%02d:%02d.5Z" % (i // 3600 % 24, i // 60 % 60, i % 60), "data": [["Text", "string", "x" * text], ["N", "uint32", i]], **more})
    return w.bytes()


def records(chunk):
    """The live records of a chunk, with their offsets."""
    at, (free,) = FIRST, struct.unpack_from("<I", chunk, 48)
    while at < free:
        size, = struct.unpack_from("<I", chunk, at + 4)
        yield at, chunk[at:at + size]
        at += size


def check_again(chunk):
    """The chunk with checksums that hold."""
    b = bytearray(chunk)
    struct.pack_into("<I", b, 52, zlib.crc32(b[FIRST:struct.unpack_from("<I", b, 48)[0]]))
    struct.pack_into("<I", b, 124, zlib.crc32(b[128:512], zlib.crc32(b[:120])))
    return bytes(b)


def run(scratch, data, *options):
    """The events, the same with one thread and with several, as JSON and as XML; the source's account and the findings."""
    path, stats, found = (os.path.join(scratch, n) for n in ("disk.img", "s.json", "f.jsonl"))
    with open(path, "wb") as f:
        f.write(data)
    out = [subprocess.run([PROGRAM, "events", "--carve", "-j", jobs, *options, path], capture_output=True, timeout=60) for jobs in ("1", "3")]
    need(out[0].stdout == out[1].stdout and out[0].returncode == out[1].returncode in (0, 3), f"threads matter, or failed: {out[0].stderr[-200:]}")
    xml = subprocess.run([PROGRAM, "events", "--carve", "--xml", *options, path], capture_output=True, timeout=60).stdout
    need(xml.count(b"\n") == out[0].stdout.count(b"\n"), "not as many in XML")
    subprocess.run([PROGRAM, "scan", "-q", "--carve", "-o", found, "--stats", stats, path], capture_output=True, timeout=60)
    source, = json.load(open(stats))["sources"]
    need(sum(source["bytes"].values()) == len(data) == source["size"], f"{source['bytes']} are not {len(data)}")
    account.agrees(PROGRAM, [source], "--carve", *options, path)
    return [json.loads(line) for line in out[0].stdout.splitlines()], source, [json.loads(line) for line in open(found)]


def ids(events):
    return [e["Event"]["System"]["EventRecordID"] for e in events]


@test
def copies_on_a_disk_are_told_once(scratch):
    r, data = random.Random(1), log(range(1, 600))
    loose = [record for at in range(HEAD, len(data), CHUNK) for _, record in records(data[at:at + CHUNK])]
    image = r.randbytes(70001) + data + bytes(9000) + data[HEAD:] + r.randbytes(333)
    for record in r.choices(loose, k=2000):  # thousands of copies, far from each other
        image += record + r.randbytes(r.randrange(500))
    events, source, _ = run(scratch, image)
    need(sorted(ids(events)) == list(range(1, 600)), f"{len(events)} events of 599")
    need(any("byte for byte" in n["text"] for n in source["notes"]), "the copies are not noted")


@test
def copies_in_free_space_are_told_once(scratch):
    old, new = log(range(1, 101), per_chunk=100), bytearray(log(range(101, 151), per_chunk=50))
    free, = struct.unpack_from("<I", new, HEAD + 48)
    new[HEAD + free + 8:HEAD + CHUNK] = old[HEAD + free + 8:HEAD + CHUNK]  # what was written there before
    stale = [struct.unpack_from("<Q", record, 8)[0] for at, record in records(old[HEAD:]) if at > free]
    need(len(stale) > 20, "too few")
    events, _, _ = run(scratch, bytes(new) + bytes(new[HEAD:]) + old[HEAD:])
    need(sorted(ids(events)) == list(range(1, 151)), f"copies, or losses: {ids(events)}")
    events, _, _ = run(scratch, bytes(new) + bytes(new[HEAD:]))
    need(sorted(ids(events)) == stale + list(range(101, 151)) and sum("carved" in e for e in events) == len(stale), f"copies, or losses: {ids(events)}")


@test
def without_carve_only_what_is_missing_comes_from_free_space(scratch):
    """A log that turned over: its free space holds records of before. A page of it is lost, and then stands in the free space of another chunk, twice."""
    old, new = log(range(1, 401), per_chunk=100), bytearray(log(range(401, 601), per_chunk=50))
    for k in range(4):
        free, = struct.unpack_from("<I", new, HEAD + CHUNK * k + 48)
        new[HEAD + CHUNK * k + free + 8:HEAD + CHUNK * (k + 1)] = old[HEAD + CHUNK * k + free + 8:HEAD + CHUNK * (k + 1)]
    path = os.path.join(scratch, "x.evtx")

    def told(data):
        with open(path, "wb") as f:
            f.write(data)
        p = subprocess.run([PROGRAM, "events", path], capture_output=True, timeout=60)
        account.ranges(PROGRAM, path)
        return [json.loads(line) for line in p.stdout.splitlines()]

    need(ids(told(new)) == list(range(401, 601)), "the log as it is")
    at, taken = zip(*[(HEAD + CHUNK + at, record) for at, record in records(new[HEAD + CHUNK:HEAD + 2 * CHUNK])][10:14])
    lost = [struct.unpack_from("<Q", record, 8)[0] for record in taken]
    new[at[0]:at[0] + sum(map(len, taken))] = bytes(sum(map(len, taken)))
    need(ids(told(new)) == [i for i in range(401, 601) if i not in lost], "with a hole")
    for k in (2, 3):
        new[HEAD + CHUNK * (k + 1) - 8000:HEAD + CHUNK * (k + 1)] = b"".join(taken).ljust(8000, b"\0")
    events = told(new)
    need(sorted(ids(events)) == list(range(401, 601)) and [int(ids([e])[0]) for e in events if "recovered" in e and int(ids([e])[0]) not in range(451, 501)] == [], f"{ids(events)}")
    need(not any("carved" in e for e in events) and ids(events)[-4:] == lost and all(e["recovered"] for e in events[-4:]), "what was missing is not marked")


@test
def what_somebody_changed_stands_beside_what_it_was(scratch):
    data = log(range(1, 21))
    (at, record), = [x for x in records(data[HEAD:]) if struct.unpack_from("<Q", x[1], 8)[0] == 7]
    changed = record.replace("xxxx".encode("utf-16-le"), "yyyy".encode("utf-16-le"))
    now, free = bytearray(data[:HEAD + at] + changed + data[HEAD + at + len(record):]), struct.unpack_from("<I", data, HEAD + 48)[0]
    now[HEAD + free + 800:HEAD + free + 800 + len(record)] = record
    for front in b"", bytes(512):
        events, _, _ = run(scratch, front + bytes(now))
        texts = sorted(e["Event"]["EventData"]["Text"][:1] for e in events if e["Event"]["System"]["EventRecordID"] == 7)
        need(texts == ["x", "y"] and len(events) == 21, f"{texts} of {len(events)}")


@test
def the_copy_that_can_be_read_counts(scratch):
    data = log(range(1, 6), layout="literal")  # names stand in the chunk's first record
    last = list(records(data[HEAD:]))[-1][1]
    events, _, _ = run(scratch, bytes(3000) + last + bytes(3000) + data[HEAD:] + bytes(100) + last)
    whole = [e for e in events if int(ids([e])[0]) == 5]
    need(len(events) == 5 and len(whole) == 1 and "incomplete" not in whole[0] and whole[0]["Event"]["EventData"]["N"] == "5", whole)


@test
def records_inside_of_what_looks_like_one(scratch):
    inside = b"".join(record for _, record in records(log(range(1, 11))[HEAD:]))
    for depth in 1, 3:
        for layer in range(depth):
            n = len(inside) + 32
            inside = b"**\0\0" + struct.pack("<IQQ", n, 99 + layer, 132000000000000000) + b"\xff" * 4 + inside + struct.pack("<I", n)
        events, source, _ = run(scratch, bytes(777) + inside + bytes(999))
        need(ids(events) == list(range(1, 11)), f"{ids(events)} within {depth}")
    # The same in the free space of a log.
    data = bytearray(log([500]))
    free, = struct.unpack_from("<I", data, HEAD + 48)
    data[HEAD + free + 100:HEAD + free + 100 + len(inside)] = inside
    events, _, _ = run(scratch, bytes(data))
    need(ids(events) == [500, *range(1, 11)], f"{ids(events)} in free space")


@test
def pages_that_go_on_elsewhere(scratch):
    """Pages of two logs side by side, so that a record reaches over the end of the 64 KiB behind a chunk's head."""
    a, b = log(range(1, 200), per_chunk=200)[HEAD:], log(range(1000, 1200), "System", per_chunk=200)[HEAD:]
    for kept in 8192, 16384, 32768:
        for sound in False, True:
            head = bytearray(a[:kept])
            if sound:  # all of the chunk's own records stand in its first pages
                ends = [at + len(record) for at, record in records(a) if at + len(record) <= kept]
                struct.pack_into("<I", head, 48, ends[-1])
                head = check_again(bytes(head).ljust(CHUNK, b"\0"))[:kept]
            for back in 4096, 12288:  # the second log's pages begin at another place of it
                image = bytes(2048) + bytes(head) + b[back:] + bytes(range(256)) * 300
                want, i = [], image.find(b"**\0\0")
                while i >= 0:
                    n, = struct.unpack_from("<I", image, i + 4)
                    if 32 <= n <= CHUNK and image[i + n - 4:i + n] == image[i + 4:i + 8]:
                        want.append(struct.unpack_from("<Q", image, i + 8)[0])
                        i += n - 1
                    i = image.find(b"**\0\0", i + 1)
                got = ids(run(scratch, image)[0])
                need(sorted(got) == sorted(want), f"{kept} {sound} {back}: missing {sorted(set(want) - set(got))}")


@test
def neighbours_on_a_disk_are_no_log(scratch):
    image = bytes(512) + log(range(1, 100))[HEAD:] + log(range(500, 600), "System")[HEAD:] + log(range(700, 800))[HEAD:]
    events, _, found = run(scratch, image)
    need(len(events) == 299 and not [f for f in found if f["kind"] == "integrity"], found)
    # Within one sound chunk they are.
    _, _, found = run(scratch, bytes(512) + log([*range(1, 20), *range(30, 50)])[HEAD:])
    need([f["fields"]["Missing"] for f in found if f["kind"] == "integrity"] == [10], found)


@test
def an_offset_that_means_the_record_by_chance(scratch):
    """A page of a log that stands somewhere else now: the offset of the definition, in a record before it, is the place right behind it."""
    chunk = log(range(1, 20))[HEAD:]
    (first, definer), (_, record) = list(records(chunk))[:2]
    definition, = struct.unpack_from("<I", record, 24 + 4 + 6)
    image = bytearray(bytes(1000) + chunk[:FIRST] + bytes(CHUNK - FIRST))
    image[1000 + definition - 38:1000 + definition - 38 + len(record)] = record
    events, _, _ = run(scratch, bytes(image) + bytes(8192) + definer)
    need(sorted(ids(events)) == [1, 2] and [e["Event"]["EventData"] for e in events if ids([e]) == [2]][0]["N"] == 2, events)


@test
def records_that_waited_come_in_order(scratch):
    """Of records without their templates, while another thread still writes to somebody who reads slowly."""
    data = bytearray(log(range(1, 3000), text=100))
    for at in range(HEAD + CHUNK, len(data), CHUNK):  # the definitions stand in the first record of each chunk; half of the chunks lose them
        if at // CHUNK % 2:
            data[at + FIRST:at + FIRST + 64] = bytes(64)
    path = os.path.join(scratch, "x.evtx")
    with open(path, "wb") as f:
        f.write(data)
    need(len(data) > 1 << 20, "read by one thread")
    for options in [], ["--xml"], ["--carve"]:
        want = subprocess.run([PROGRAM, "events", "-j", "1", *options, path], capture_output=True, timeout=60).stdout
        need(want.count(b"\n") > 2900, "too few")
        for _ in range(4):
            p = subprocess.Popen([PROGRAM, "events", "-j", "3", *options, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            time.sleep(0.05)
            got = p.stdout.read()
            p.wait()
            need(got == want, f"{options}: another order")


@test
def an_event_that_depends_on_what_is_not_there(scratch):
    """Event itself depends on its content in this template; in the record the content is NULL, which damage can do."""
    data = bytearray(log([1, 2]))
    (_, _), (at, record) = list(records(data[HEAD:]))
    descriptor = HEAD + at + 24 + 4 + 6 + 4 + 4 + 17 * 4
    need(data[descriptor + 2] == 0x21, "not the content")
    data[descriptor + 2] = 0
    path = os.path.join(scratch, "x.evtx")
    with open(path, "wb") as f:
        f.write(data)
    lines = subprocess.run([PROGRAM, "events", "--xml", path], capture_output=True, timeout=60).stdout.splitlines()
    need(len(lines) == 2 and b"<EventRecordID>2</EventRecordID>" in lines[1], lines)


@test
def a_case_of_a_disk_image(scratch):
    """Records over the ends of blocks, and such as are read with a template that stands elsewhere: the case can be made, holds with the image, and never fails without it."""
    r, chunk = random.Random(4), log(range(1, 70))[HEAD:HEAD + CHUNK]
    image = bytes(3001)
    for _, record in records(chunk):
        image += record + r.randbytes(r.randrange(6000))
    path, case, rule = (os.path.join(scratch, n) for n in ("disk.img", "x.case", "r.yml"))
    with open(path, "wb") as f:
        f.write(image)
    with open(rule, "w") as f:
        f.write("title: t\nid: 4f3f1e0e-9f5e-4b8e-8a39-0d1f4b1a0b11\nlogsource:\n  product: windows\ndetection:\n  s:\n    EventID: 4624\n  condition: s\n")
    p = subprocess.run([PROGRAM, "scan", "-q", "--carve", "-r", rule, "-o", case, "disk.img"], capture_output=True, timeout=60, cwd=scratch)
    need(p.returncode == 0, p.stderr)
    over = [i for i in range(len(image)) if image[i:i + 4] == b"**\0\0" and (i - HEAD) // CHUNK != (i - HEAD + struct.unpack_from("<I", image, i + 4)[0] - 1) // CHUNK]
    need(over, "no record over the end of a block")
    alone = subprocess.run([PROGRAM, "verify", case], capture_output=True, timeout=60).stdout
    need(b"failed" not in alone and b"verdict: holds in part" in alone and b"needs the sources" in alone, alone[-300:])
    full = subprocess.run([PROGRAM, "verify", "--sources", scratch, case], capture_output=True, timeout=60).stdout
    need(full.splitlines()[-1] == b"verdict: holds", full[-300:])
    other = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "verify.py"), case], capture_output=True, timeout=60).stdout
    need(b"verdict: holds" in other, other[-300:])


def more_stale_records_than_can_wait(scratch):
    """They are told all the same, and how many those were is noted; within 64 MB."""
    def record(i):  # without its template: read by the usual layout
        types = ((1, 4), (1, 4), (2, 6), (2, 6), (2, 6), (8, 0x15), (8, 0x11), (0, 0), (4, 8), (4, 8), (8, 0xa), (1, 4), (0, 0), (0, 0), (2, 1), (0, 0), (2, 1), (0, 0))
        body = b"\x0f\1\1\0\x0c\1" + struct.pack("<III", 0x11223344, 600, 18) + b"".join(struct.pack("<HBB", n, t, 0) for n, t in types)
        body += bytes(8 + 8) + struct.pack("<QIIQ", 132000000000000000 + i, 1, 2, i) + bytes(5)
        n = 28 + len(body)
        return b"**\0\0" + struct.pack("<IQQ", n, i, 132000000000000000 + i) + body + struct.pack("<I", n)

    data, i = bytearray(log([1])[:HEAD]), 1
    for _ in range(1300):
        live = record(i)
        b, at, n = bytearray(CHUNK), FIRST + len(live), 1
        b[:8], b[FIRST:at] = b"ElfChnk\0", live
        struct.pack_into("<QQQQIII", b, 8, i, i, i, i, 128, FIRST, at)
        for at in range(at + 8, CHUNK - len(live), len(live)):
            b[at:at + len(live)] = record(i + n)
            n += 1
        data += check_again(b)
        i += n
    path, stats = os.path.join(scratch, "x.evtx"), os.path.join(scratch, "s.json")
    with open(path, "wb") as f:
        f.write(data + data[HEAD:HEAD + 3 * CHUNK])
    with open(PROGRAM, "rb") as f:
        sanitized = b"__asan_" in f.read()
    for jobs in "1", "2":
        # Started by a small process: what a forked one needed before counts.
        measure = "import resource, subprocess, sys; subprocess.call(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)"
        p = subprocess.run([sys.executable, "-c", measure, PROGRAM, "events", "--carve", "-j", jobs, path], capture_output=True, timeout=300)
        got = [int(line.split(b'"EventRecordID":')[1].split(b",")[0]) for line in p.stdout.splitlines()]
        need(not p.stderr.strip().startswith(b"="), p.stderr[:300])
        peak = int(p.stderr.split()[-1])
        need(sorted(got) == list(range(1, i)), f"{len(got)} of {i - 1}")
        need(peak < 64 << 10 or sanitized, f"{peak} KB")
    subprocess.run([PROGRAM, "scan", "-q", "--carve", "--stats", stats, path], capture_output=True, timeout=300)
    source, = json.load(open(stats))["sources"]
    need(sum(source["bytes"].values()) == source["size"] and any("before all others were known" in n["text"] for n in source["notes"]), source["notes"][-3:])


tap.run([more_stale_records_than_can_wait] if sys.argv[3:] == ["large"] else None)
