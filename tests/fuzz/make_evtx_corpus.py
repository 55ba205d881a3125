#!/usr/bin/env python3
"""Writes tests/fuzz/corpus/evtx_reader: small event logs that between them go through nearly all of the reader. Deterministic.
usage: make_evtx_corpus.py [FOLDER]"""
import os, struct, sys, zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "lib"))
import evtx_writer  # noqa: E402
from evtx_writer import EvtxWriter, element, slot  # noqa: E402

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "corpus", "evtx_reader")
SYSTEM = {"channel": "Security", "provider": "P", "guid": "{54849625-5478-4994-a5ba-3e3b0328c30d}", "computer": "WS01", "event_id": 1,
          "time": "2021-03-01T12:00:00.1234567Z", "process_id": 700, "thread_id": 12345}
XML = ["Root", {"a": "1"}, ["Leaf", {}, 'te"xt'], "between", ["Leaf", {"q": "z"}, "two"], ["Empty", {}]]
USER, LOCAL = "S-1-5-21-1004336348-1177238915-682003330-512", "S-1-5-18"


def keep(name, data, cut=True):
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data.rstrip(b"\0") + b"\0" if cut else data)


def log(events, **options):
    w = EvtxWriter(**options)
    for e in events:
        w.add({**SYSTEM, **e})
    return bytearray(w.bytes())


texts = ["", "a", 'q"\\/', "tab\tline\r\n", "é" * 5, "漢字" * 9, "x" * 15, "x" * 16, "x" * 17, "x" * 33, "C:\\Windows\\System32\\" * 4, "\x01\x1f\x7f\x80", "\U0001f600" * 3,
         "mixed é and \U0001f600 and \\ here " * 2, "end\0", "be\0hind", "\ud800half", "x" * 70, " \u2028 "]
keep("texts.evtx", log([{"data": [["T", "string", t], ["U", "string", t * 2]]} for t in texts]))

scalars = [("int8", -5), ("uint8", 7), ("int16", -300), ("uint16", 300), ("int32", -70000), ("uint32", 70000), ("int64", -2 ** 40), ("uint64", 2 ** 63 + 5), ("float", 1.5),
           ("double", -2.25), ("bool", True), ("bool", False), ("binary", "00ff10"), ("guid", "{54849625-5478-4994-a5ba-3e3b0328c30d}"), ("size32", 255), ("size64", 2 ** 40),
           ("filetime", "2020-02-29T23:59:59.7654321Z"), ("filetime", 0), ("filetime", 2 ** 63), ("systemtime", "2021-03-01T12:00:00.123Z"), ("systemtime", None), ("sid", USER),
           ("sid", LOCAL), ("hex32", 0xdead), ("hex64", 0), ("hex64", 2 ** 63), ("ansi", "caf\xe9 \u20ac"), ("null", 8), ("strings", ["one", "", "three"]), ("strings", []),
           ("strings", ["only"]), ("uint64", 12345), ("uint64", 123456789), ("uint64", 10 ** 15), ("uint32", 5)]
for k in range(0, len(scalars), 12):
    part = [["N%d" % i, kind, value] for i, (kind, value) in enumerate(scalars[k:k + 12])]
    keep("values%d.evtx" % (k // 12), log([{"data": part, "user": LOCAL if i else USER} for i in range(5)]))

unnamed = [{"strings": ["one", "two"], "guid": None}, {"strings": [], "guid": None}, {"data": [["", "string", "s"], ["", "uint32", 4]]}, {"data": [["", "strings", ["a", "b"]]]},
           {"strings": ["x"], "binary": "0102", "guid": None, "source": "Svc"}, {"data": [["N", "string", "1"], ["N", "string", "2"]]}, {"data": [["", "string", ""]]},
           {"data": [["T", "strings", ["p", "q"]], ["V", "string", "v"]]}]
keep("unnamed.evtx", log([e for e in unnamed for _ in range(5)]))
keep("layouts.evtx", log([{**e, "data": [["Name", "string", "v"], ["N", "uint32", 9]]} for _ in range(5) for e in (
    {}, {"guid": None}, {"guid": None, "source": "Source", "layout": "v20"}, {"layout": "literal"}, {"nested": "bare"}, {"nested": "element"},
    {"activity_id": SYSTEM["guid"], "related_activity_id": SYSTEM["guid"], "user": USER, "version": 3, "qualifiers": 5})]
    + [{"user_data": {"name": "U", "xmlns": "http://e/", "data": [["A", "string", "a"], ["A", "string", "b"], ["X", "xml", XML]]}} for _ in range(5)]
    + [{"data": []}, {"channel": "MSExchange Management", "strings": ["Set-X", "-a b", "me", "4"], "guid": None}]))
keep("xml.evtx", log([{"data": [["A", "string", "x"], ["X", kind, XML], ["", kind, ["T", {}]]]} for kind in ("xml", "xmltemplate") for _ in range(5)]
     + [{"data": [["", "xml", XML], ["", "string", "s"]]}]))

# Attributes and texts from values, several parts, literal texts, as templates may have them.
plain = evtx_writer.content_of
shapes = [element("EventData", element("Data", slot(0, "string"), " and ", slot(1, "uint32"), attributes=[("Name", "joined")]), element("Data", "fixed", attributes=[("Name", "literal")])),
          element("EventData", element("Data", slot(0, "string"), attributes=[("Name", slot(1, "uint32"))])),
          element("EventData", element("Data", "alone"), element("Data", slot(0, "string"))),
          element("Any", element("E", slot(0, "string"), attributes=[("a", slot(1, "uint32")), ("b", "c"), ("d", "")]), element("E", attributes=[("a", slot(9, "string"))]),
                  element("F", "t", attributes=[("a", slot(0, "string"))]), element("G", element("H", slot(1, "uint32")), "mixed"), "tail"),
          element("EventData", "only text"), element("EventData", slot(0, "string"))]
events = []
for tree in shapes:
    for _ in range(2):
        evtx_writer.content_of = lambda event, tree=tree: (tree, [("string", "val"), ("uint32", 6)])
        events.append(log([{}] * 5))
evtx_writer.content_of = plain
for i, data in enumerate(events[::2]):
    keep("tree%d.evtx" % i, data)

# Damage: lost definitions, stale records, chunks elsewhere, wrong checksums, no checksums, bad sizes.
base = log([{"record_id": 10 + i, "data": [["Name", "string", "v%d" % i], ["N", "uint32", i]]} for i in range(6)])
at = [i for i in range(4096 + 512, len(base) - 4) if base[i:i + 4] == b"**\0\0"]
lost = bytearray(base)
lost[at[0]:at[1]] = bytes(at[1] - at[0])
keep("lost.evtx", lost)
classic = log([{"record_id": 10 + i, "guid": None, "strings": ["a", "b"]} for i in range(4)])
first = [i for i in range(4096 + 512, len(classic) - 4) if classic[i:i + 4] == b"**\0\0"]
classic[first[0]:first[1]] = bytes(first[1] - first[0])
keep("lost-classic.evtx", classic)
two = log([{"record_id": 1 + i, "data": [["Name", "string", "v"], ["N", "uint32", i]]} for i in range(8)], records_per_chunk=4)
second = 4096 + 65536 + 512
size, = struct.unpack_from("<I", two, second + 4)
two[second:second + size] = bytes(size)
keep("lost-here.evtx", two)
stale = bytearray(base)
struct.pack_into("<I", stale, 4096 + 48, at[3] - 4096)
struct.pack_into("<I", stale, 4096 + 52, zlib.crc32(stale[4096 + 512:at[3]]))
struct.pack_into("<Q", stale, at[3] + 8, 1)
struct.pack_into("<I", stale, 4096 + 124, zlib.crc32(stale[4096 + 128:4096 + 512], zlib.crc32(stale[4096:4096 + 120])))
keep("stale.evtx", stale, cut=False)
apart = bytearray(stale)
apart[at[3]:at[3] + 8] = bytes(8)
keep("stale-apart.evtx", apart, cut=False)
chunk = bytes(base[4096:])
keep("between.evtx", bytes(base) + b"\x33" * 40 + chunk)
keep("torn-chunk.evtx", bytes(base[:4096]) + b"\x44" * (65536 - 3) + chunk)
keep("torn-record.evtx", bytes(base[:4096]) + b"\x55" * (65536 - 100) + chunk[512:])
moved = bytes(base[:4096 + 3000]) + b"\x11" * 77 + bytes(base[4096 + 3000:]) + bytes(base[4096:])
keep("moved.evtx", moved)
keep("shifted.evtx", bytes(base[:4096]) + b"\x22" * 13 + bytes(base[4096:]))
keep("nocrc.evtx", log([{"data": [["N", "uint32", 1]]}] * 2, crc=False, dirty=True))
holes = log([{"record_id": i, "header_id": i, "data": [["N", "uint32", i]]} for i in (1, 2, 5, 6, 9)])
keep("holes.evtx", holes)
for name, place, value in (("size0", at[2] + 4, 0), ("sizehuge", at[2] + 4, 0x7fffffff), ("values", at[2] + 24 + 14, 0xffffffff), ("offset", at[2] + 24 + 10, 0xffffff),
                           ("free0", 4096 + 48, 0), ("freehuge", 4096 + 48, 0xffffffff), ("token", at[0] + 24 + 14 + 24 + 4, 0x77777777)):
    broken = bytearray(base)
    struct.pack_into("<I", broken, place, value)
    keep(name + ".evtx", broken)
keep("empty.evtx", b"", cut=False)
