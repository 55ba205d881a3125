#!/usr/bin/env python3
"""Findings of kind integrity: cleared logs, and holes in the numbers that a log gives its records; none where honest logs look odd.
usage: integrity.py PROGRAM SOURCE_ROOT      TAP"""
import hashlib, json, os, struct, subprocess, sys, zlib

PROGRAM, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
sys.path[:0] = [os.path.join(ROOT, "tools", "lib"), os.path.join(ROOT, "tests")]
from evtx_writer import EvtxWriter  # noqa: E402
import tap  # noqa: E402
from tap import need, test  # noqa: E402

CHUNK, HEAD = 65536, 4096


def event(i, **more):
    return {"channel": "Security", "provider": "Microsoft-Windows-Security-Auditing", "guid": "{54849625-5478-4994-A5BA-3E3B0328C30D}", "computer": "host", "event_id": 4624,
            "time": "2021-03-01T%02d:%02d:%02dZ" % (i // 3600 % 24, i // 60 % 60, i % 60), "data": [["Text", "string", "x" * 100], ["N", "uint32", i]], **more}


def log(ids, per_chunk=40, **more):
    w = EvtxWriter(records_per_chunk=per_chunk)
    for n, i in enumerate(ids):
        w.add(event(n, record_id=i, **more))
    return w.bytes()


def integrity(scratch, data, status=0, **kinds):
    """The integrity findings, the same with one thread and with several."""
    path, out = os.path.join(scratch, "a.evtx"), os.path.join(scratch, "f.jsonl")
    with open(path, "wb") as f:
        f.write(data)
    seen = []
    for jobs in "1", "3":
        p = subprocess.run([PROGRAM, "scan", "-q", "-j", jobs, "-o", out, "--stats", os.path.join(scratch, "s.json"), path], capture_output=True, timeout=60)
        need(p.returncode in (0, 3), p.stderr[-300:])
        seen.append([json.loads(line) for line in open(out) if json.loads(line)["kind"] == "integrity"])
    need(seen[0] == seen[1], "threads matter")
    for f in seen[0]:
        need(f["evidence"] and f["level"] == "high" and f["rule"] is None, f)
        for e in f["evidence"]:
            need(hashlib.sha256(data[e["offset"]:e["offset"] + e["length"]]).hexdigest() == e["sha256"], "evidence is not what it says")
    return seen[0]


def records_of(finding, data):
    return [struct.unpack_from("<Q", data, e["offset"] + 8)[0] for e in finding["evidence"] if e["role"] == "record"]


@test
def honest_logs_have_none(scratch):
    need(not integrity(scratch, log(range(1, 301))), "a finding in an honest log")
    need(not integrity(scratch, log(range(5000, 5300))), "a log that does not begin with 1")


@test
def a_hole_inside_a_chunk(scratch):
    data = log([*range(1, 11), *range(14, 31)])
    found = integrity(scratch, data)
    need(len(found) == 1 and found[0]["fields"] == {"MissingFirst": 11, "MissingLast": 13, "Missing": 3}, found)
    need(records_of(found[0], data) == [10, 14], "not the records around it")


@test
def a_hole_between_chunks(scratch):
    data = log([*range(1, 41), *range(43, 83), *range(83, 100)])
    found = integrity(scratch, data)
    need(len(found) == 1 and found[0]["fields"]["MissingFirst"] == 41 and records_of(found[0], data) == [40, 43], found)


@test
def a_chunk_that_was_taken_out(scratch):
    data = log(range(1, 201))
    cut = data[:HEAD + CHUNK] + data[HEAD + 2 * CHUNK:]
    found = integrity(scratch, cut)
    need(len(found) == 1 and found[0]["fields"]["Missing"] == 40 and records_of(found[0], cut) == [40, 81], found)


@test
def several_holes(scratch):
    found = integrity(scratch, log([1, 3, 5, 7, 8, 9]))
    need([f["fields"]["MissingFirst"] for f in found] == [2, 4, 6], found)


@test
def a_log_that_turned_over_has_none(scratch):
    data = log(range(1, 201))
    need(not integrity(scratch, data[:HEAD] + data[HEAD + 2 * CHUNK:] + data[HEAD:HEAD + 2 * CHUNK]), "turned over")


@test
def damage_is_no_hole(scratch):
    b = bytearray(log(range(1, 31)))
    at = [i for i in range(HEAD + 512, HEAD + CHUNK - 4) if b[i:i + 4] == b"**\0\0"]
    broken = bytearray(b)
    broken[at[10]:at[10] + 4] = bytes(4)
    need(not integrity(scratch, bytes(broken), 3), "a record whose signature is lost")
    flipped = bytearray(b)
    flipped[at[10] + 9] ^= 4
    need(not integrity(scratch, bytes(flipped), 3), "an id with a flipped bit")


@test
def cleared_logs(scratch):
    w = EvtxWriter()
    eventlog = {"provider": "Microsoft-Windows-Eventlog", "guid": "{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}"}
    user_data = {"name": "LogFileCleared", "xmlns": "http://manifests.microsoft.com/win/2004/08/windows/eventlog", "data": [["SubjectUserName", "string", "eve"]]}
    w.add(event(1, **eventlog, event_id=1102, user_data=user_data, data=None))
    w.add(event(2, event_id=1102))
    w.add(event(3, **eventlog, event_id=104, channel="System", user_data=user_data, data=None))
    w.add(event(4))
    found = integrity(scratch, w.bytes())
    need([(f["event_id"], f["title"], f["fields"].get("SubjectUserName")) for f in found] == [(1102, "Event log cleared", "eve"), (104, "Event log cleared", "eve")], found)


@test
def gaps_of_exports_are_notes(scratch):
    w = EvtxWriter()
    for i in range(20):
        w.add(event(100 - i, record_id=10 * i, header_id=i + 1))
    need(not integrity(scratch, w.bytes()), "an export is taken for tampering")
    notes = [n["text"] for s in json.load(open(os.path.join(scratch, "s.json")))["sources"] for n in s["notes"]]
    need(any(n.startswith("19 gaps in the record ids") for n in notes) and any(n.startswith("19 events are earlier") for n in notes), notes)


@test
def data_that_looks_like_a_record_is_data(scratch):
    """Whoever causes an event may write bytes of his own into it; that makes no event, and does not cut his own, whatever the checksums are worth."""
    def live(b):
        at = HEAD + 512
        while b[at:at + 4] == b"**\0\0":
            size = struct.unpack_from("<I", b, at + 4)[0]
            yield b[at:at + size]
            at += size
    other = log([4711])
    forged = list(live(other))[0]
    for ahead in (b"", b"pad", forged[:40], other[HEAD:HEAD + 512]):  # the last: a whole chunk
        w = EvtxWriter()
        for i in range(1, 6):
            w.add(event(i, data=[["Text", "string", "x"], ["Blob", "binary", (ahead + forged + b"tail").hex() if i == 3 else "01"]]))
        b = bytearray(w.bytes())
        path = os.path.join(scratch, "x.evtx")
        out = []
        for wrong in (False, True):
            if wrong:
                b[HEAD + 52] ^= 1
            open(path, "wb").write(b)
            out.append(subprocess.run([PROGRAM, "events", path], capture_output=True).stdout)
        need(out[0].count(b"\n") == 5 and out[0] == out[1], f"{out[0].count(10)} and {out[1].count(10)} events")



@test
def data_that_looks_like_a_chunk_is_data(scratch):
    """The magic of a chunk, or its head, in what somebody wrote: where the chunk it lies in or the next has lost its own, and where bytes put in move it over a block's end."""
    def told(b, what):
        path = os.path.join(scratch, "x.evtx")
        open(path, "wb").write(b)
        for jobs in "1", "3":
            p = subprocess.run([PROGRAM, "events", "-j", jobs, path], capture_output=True)
            told = [int(json.loads(line)["Event"]["System"]["EventRecordID"]) for line in p.stdout.splitlines()]
            need(sorted(told) == list(range(1, 61)), f"{what}: {len(told)} events, not {sorted(set(range(1, 61)) - set(told))}")

    def lose_magic(b, chunk):
        return b[:HEAD + CHUNK * chunk] + bytes(8) + b[HEAD + CHUNK * chunk + 8:]

    head = bytearray(128)
    head[:8] = b"ElfChnk\0"
    struct.pack_into("<I", head, 40, 128)
    for blob in (b"A" * 100 + b"ElfChnk\0" + b"B" * 100, b"A" * 100 + bytes(head)):
        for at in (10, 30):
            w = EvtxWriter(records_per_chunk=20)
            for i in range(60):
                w.add(event(i, record_id=i + 1, data=[["Text", "string", "ElfChnk\0aa".encode().decode("utf-16-le") if i == 50 else "x" * 60], ["Blob", "binary", blob.hex() if i == at else "01"]]))
            b = w.bytes()
            told(b, "sound")
            for chunk in range(3):
                told(lose_magic(b, chunk), f"record {at + 1}, chunk {chunk} without its magic")
            told(lose_magic(lose_magic(lose_magic(b, 0), 1), 2), "no magic")
            told(b[:HEAD + 512] + b"\7" * 100 + b[HEAD + 512:], "100 bytes put in")
    # A large record up to a chunk's end, with a head in its last bytes.
    for size in range(63000, 57000, -8):
        w = EvtxWriter()
        for i in range(60):
            w.add(event(i, record_id=i + 1, data=[["Text", "string", "x"], ["Blob", "binary", (b"Z" * size + bytes(head) + b"Y" * 40).hex() if i == 1 else "01"]]))
        if w.chunks[0].records == 2:
            break
    b = w.bytes()
    told(lose_magic(b, 1), "a head in the last bytes before a chunk without its magic")
    told(b[:HEAD + 512] + b"\7" * 100 + b[HEAD + 512:], "a record pushed over the block's end")


tap.run()
