#!/usr/bin/env python3
"""What values come out as, in JSON and XML: values that are XML themselves, names that occur twice, text between elements, values shown again and
again by few bytes; the same bytes at every processor level.
usage: shapes.py PROGRAM SOURCE_ROOT      TAP"""
import csv, json, os, random, struct, subprocess, sys, zlib
from xml.etree import ElementTree

PROGRAM, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
sys.path[:0] = [os.path.join(ROOT, "tools", "lib"), os.path.join(ROOT, "tests")]
import evtx_writer  # noqa: E402
from evtx_writer import EvtxWriter, element, slot  # noqa: E402
import tap  # noqa: E402
from tap import need, test  # noqa: E402

SYSTEM = {"channel": "Security", "provider": "P", "guid": "{54849625-5478-4994-a5ba-3e3b0328c30d}", "computer": "WS01", "event_id": 1,
          "time": "2021-03-01T12:00:00.1234567Z"}
XML = ["Root", {"a": "1"}, ["Leaf", {}, 'te"xt'], ["Leaf", {"q": "z"}, "two"], ["Empty", {}]]
OBJECT = {"Root": {"#attributes": {"a": "1"}, "Leaf": 'te"xt', "Leaf_1": {"#attributes": {"q": "z"}, "#text": "two"}, "Empty": None}}
AS_XML = "<Root a='1'><Leaf>te&quot;xt</Leaf><Leaf q='z'>two</Leaf><Empty/></Root>"


def exhibit(*args, env=None, status=0):
    p = subprocess.run([PROGRAM, *args], capture_output=True, timeout=120, env={**os.environ, **(env or {})})
    need(p.returncode == status, f"exit {p.returncode}: {p.stderr[-300:]}")
    return p.stdout


def log(scratch, events):
    w = EvtxWriter()
    for e in events:
        w.add({**SYSTEM, **e})
    path = os.path.join(scratch, "x.evtx")
    with open(path, "wb") as f:
        f.write(w.bytes())
    return path


def content(scratch, events, *options):
    return [list(json.loads(line)["Event"].items())[-1][1] for line in exhibit("events", *options, log(scratch, events)).splitlines()]


@test
def values_that_are_xml(scratch):
    for kind in ("xml", "xmltemplate"):
        got = content(scratch, [{"data": [["A", "string", "x"], ["X", kind, XML], ["B", "string", "y"]]}, {"data": [["", kind, XML]]},
                                {"data": [["", "string", "s"], ["", kind, XML]]}, {"data": [["X", kind, ["T", {}, "just"]]]}, {"data": [["X", kind, ["T", {}]]]},
                                {"user_data": {"name": "U", "data": [["A", kind, XML]]}}])
        need(got == [{"A": "x", "X": OBJECT, "B": "y"}, {"Data": {"#text": OBJECT}}, {"Data": {"#text": ["s", OBJECT]}}, {"X": {"T": "just"}}, {"X": {"T": None}},
                     {"U": {"A": OBJECT}}], f"{kind}: {got}")


@test
def values_that_are_xml_as_xml(scratch):
    out = exhibit("events", "--xml", log(scratch, [{"data": [["X", "xml", XML]]}])).decode()
    need(f"<EventData><Data Name='X'>{AS_XML}</Data></EventData>" in out, out)
    out = exhibit("events", "--xml", log(scratch, [{"data": [["X", "string", "a\u202eb\u2028c\u2069d\x9be\u2030"]]}])).decode()
    need("<Data Name='X'>a&#8238;b&#8232;c&#8297;d&#155;e\u2030</Data>" in out, out)
    out = exhibit("events", "--xml", log(scratch, [{"data": [["X", "xml", ["R", {"a": "one\ttab\nline"}, "two\ttabs"]]]}])).decode()
    need("<R a='one&#9;tab&#10;line'>two\ttabs</R>" in out, out)


@test
def rules_see_xml_values_as_text(scratch):
    path, rule = log(scratch, [{"data": [["X", "xml", XML]]}]), os.path.join(scratch, "r.yml")
    with open(rule, "w") as f:
        f.write("title: t\nid: 4f3f1e0e-9f5e-4b8e-8a39-0d1f4b1a0b11\nlogsource:\n  product: windows\ndetection:\n  s:\n    X|contains: '<Leaf>te'\n  condition: s\n")
    out = os.path.join(scratch, "f.jsonl")
    exhibit("scan", "-q", "-r", rule, "-o", out, path)
    need(sum(1 for _ in open(out)) == 1, "no finding")


@test
def text_between_elements(scratch):
    need(content(scratch, [{"data": [["X", "xml", ["R", {}, "text", ["L", {}, "in"], "tail"]]]}]) == [{"X": {"R": {"#text": "texttail", "L": "in"}}}], "text lost")


@test
def names_that_occur_twice_keep_all_values(scratch):
    got = content(scratch, [{"data": [["N", "string", "1"], ["M", "uint32", 7], ["N", "string", "2"]]}])
    need(got == [{"N": ["1", "2"], "M": 7}], got)


@test
def all_digits_of_times(scratch):
    event = {"data": [["T", "filetime", "2020-02-29T23:59:59.7654321Z"], ["Z", "filetime", 0]]}
    for options, digits, tail in ([], 6, ""), (["--time-digits", "7"], 7, "1"), (["--exact"], 7, "1"):
        line = json.loads(exhibit("events", *options, log(scratch, [event])))["Event"]
        need(line["EventData"]["T"] == "2020-02-29T23:59:59.765432" + tail + "Z", line["EventData"])
        need(line["EventData"]["Z"] == "1601-01-01T00:00:00." + "0" * digits + "Z", line["EventData"])
        need(line["System"]["TimeCreated"]["#attributes"]["SystemTime"] == "2021-03-01T12:00:00.123456" + ("7" if tail else "") + "Z", line["System"])


def raw(layout, *values):
    return struct.pack("<" + layout, *values).hex()


TIME, GUID = struct.pack("<Q", 132000000000000001).hex(), bytes(range(16)).hex()
# Type, bytes, JSON, XML where it is another text; with all digits of times where these differ.
VALUES = [
    (0x03, "80", -128), (0x04, "ff", 255), (0x05, "0080", -32768), (0x06, "ffff", 65535), (0x07, raw("i", -2 ** 31), -2 ** 31), (0x08, raw("I", 2 ** 32 - 1), 2 ** 32 - 1),
    (0x09, raw("q", -2 ** 63), -2 ** 63), (0x0a, raw("Q", 2 ** 64 - 1), 2 ** 64 - 1),
    (0x0b, raw("f", 0.1), "0.1"), (0x0b, raw("f", -1.5), "-1.5"), (0x0b, raw("f", 3.4e38), "3.4e+38"), (0x0b, raw("f", 16777216), "16777216"), (0x0b, "0000807f", "Infinity"),
    (0x0b, raw("f", 1.1754942e-38), "1.1754942e-38"), (0x0c, raw("d", 0.1), "0.1"), (0x0c, raw("d", 1e300), "1e+300"), (0x0c, raw("d", 1 / 3), "0.3333333333333333"),
    (0x0d, "00000000", False), (0x0d, "00010000", True), (0x0d, "01", True), (0x0e, "00abff", "00ABFF"),
    (0x0f, GUID, "03020100-0504-0706-0809-0A0B0C0D0E0F", "{03020100-0504-0706-0809-0a0b0c0d0e0f}"), (0x10, "1f000000", "0x1f"), (0x10, "1f00000000000010", "0x100000000000001f"),
    (0x11, TIME, "2019-04-17T18:40:00.000000Z", "2019-04-17T18:40:00.0000001Z"), (0x11, "ff" * 8, "60056-05-28T05:36:10.955161Z", "60056-05-28T05:36:10.9551615Z"),
    (0x12, raw("8H", 2021, 2, 0, 28, 23, 59, 59, 7), "2021-02-28T23:59:59.007000Z", "2021-02-28T23:59:59.0070000Z"),
    (0x13, "0101000000000005120000" "00", "S-1-5-18"), (0x13, "010f" + "ff" * 66, "S-1-281474976710655" + "-4294967295" * 15), (0x14, "bc0a0000", "0xabc"), (0x15, "00" * 8, "0x0"),
    (0x02, "8041420099", "\u20acAB\u2122"), (0x00, "0102", ""),
    # What does not fit its type, and types that nobody has seen: their bytes.
    (0x08, "0102", "0102"), (0x0f, "00" * 15, "00" * 15), (0x10, "010203", "010203"), (0x11, "01", "01"), (0x13, "010500000000000515000000", "010500000000000515000000"),
    (0x13, "ab" * 69, "AB" * 69), (0x13, "01", "01"), (0x20, "05ff", "05FF"), (0x23, "01020a", "01020A"), (0x7f, "01", "01"),
    # Arrays.
    (0x81, "610000006200", ["a", "b"]), (0x81, "6100000000006200", ["a", "", "b"]), (0x82, "6100620063", ["a", "b", "c"]), (0x83, "ff01", [-1, 1]), (0x84, "ff01", [255, 1]),
    (0x85, "ffff0100", [-1, 1]), (0x86, "ffff0100", [65535, 1]), (0x87, raw("2i", -1, 1), [-1, 1]), (0x88, raw("2I", 1, 2), [1, 2]), (0x89, raw("2q", -1, 1), [-1, 1]),
    (0x8a, raw("2Q", 1, 2), [1, 2]), (0x8b, raw("2f", 1.5, -0.1), ["1.5", "-0.1"]), (0x8c, raw("2d", 1.5, -0.1), ["1.5", "-0.1"]), (0x8d, raw("2I", 1, 0), [True, False]),
    (0x8f, GUID + GUID, ["03020100-0504-0706-0809-0A0B0C0D0E0F"] * 2, ["{03020100-0504-0706-0809-0a0b0c0d0e0f}"] * 2), (0x90, raw("2Q", 1, 2), ["0x1", "0x2"]),
    (0x91, TIME + TIME, ["2019-04-17T18:40:00.000000Z"] * 2, ["2019-04-17T18:40:00.0000001Z"] * 2),
    (0x92, raw("8H", 2021, 2, 0, 28, 23, 59, 59, 7) * 2, ["2021-02-28T23:59:59.007000Z"] * 2, ["2021-02-28T23:59:59.0070000Z"] * 2),
    (0x93, "010100000000000512000000" "01020000000000052000000020020000", ["S-1-5-18", "S-1-5-32-544"]), (0x94, raw("2I", 10, 11), ["0xa", "0xb"]),
    (0x95, raw("2Q", 10, 11), ["0xa", "0xb"]), (0x88, "0100000002", [1, "02"]), (0xa1, "0102", "0102"), (0x91, "", ""),
]


@test
def values_of_every_type(scratch):
    path = log(scratch, [{"data": [["V", "raw%02x" % kind, value], ["After", "string", "z"]]} for kind, value, *_ in VALUES])
    get = lambda *options: exhibit("events", *options, path)  # noqa: E731
    lines, exact, xml = [json.loads(x)["Event"]["EventData"] for x in get().splitlines()], [json.loads(x)["Event"]["EventData"] for x in get("--exact").splitlines()], get("--xml")
    need(all(get(*options) == get("-j", "1", *options) for options in ([], ["--exact"])), "threads matter")
    trees = [ElementTree.fromstring(x) for x in xml.splitlines()]
    need(len(lines) == len(exact) == len(trees) == len(VALUES), "lines are missing")
    for (kind, value, want, *other), got, all_digits, tree in zip(VALUES, lines, exact, trees):
        need(repr(got) == repr({"V": want, "After": "z"}), f"type {kind:02x} {value}: {got}")
        shown = [e.text or "" for e in tree.iter() if e.tag.endswith("}Data")]
        as_text = [("true" if v is True else "false" if v is False else str(v)) for v in (other or [want])[0] if v is not None] if isinstance(want, list) else [
            "true" if want is True else "false" if want is False else str((other or [want])[0])]
        need(shown == [*as_text, "z"], f"type {kind:02x} {value} as XML: {shown}")
        if kind & 0x7f in (0x11, 0x12):
            need(all_digits["V"] == (other or [want])[0], f"type {kind:02x} {value}, all digits: {all_digits}")


@test
def elements_whose_value_is_not_there(scratch):
    event = {"strings": ["one", "two"]}  # its Binary depends on a value that is NULL
    need(content(scratch, [event]) == [{"Data": {"#text": ["one", "two"]}, "Binary": None}], "shown differently by default")
    need(content(scratch, [event], "--omit-absent") == [{"Data": {"#text": ["one", "two"]}}], "not left out")


@test
def text_behind_a_nul(scratch):
    event = {"data": [["A", "string", "be\0hind\0\0"], ["B", "string", "\0only"], ["C", "string", "\0\0"]]}
    need(content(scratch, [event]) == [{"A": "be", "B": "", "C": ""}], "not cut by default")
    need(content(scratch, [event], "--whole-text") == [{"A": "be\0hind", "B": "\0only", "C": ""}], "not kept")


@test
def halves_of_pairs(scratch):
    event = {"data": [["A", "string", "x\ud800y\udc00"], ["B", "string", "\U0001f600"]], "strings": None}
    need(content(scratch, [event]) == [{"A": "x\ufffdy\ufffd", "B": "\U0001f600"}], "not replaced by default")
    need(content(scratch, [event], "--lone-surrogates") == [{"A": "x\ud800y\udc00", "B": "\U0001f600"}], "not kept")
    need(content(scratch, [{"strings": ["\udbff", "z"]}], "--exact") == [{"Data": {"#text": ["\udbff", "z"]}}], "not kept in a list")


@test
def recovered_and_stale_records_are_marked_everywhere(scratch):
    path = log(scratch, [{"record_id": 100 + i, "data": [["N", "uint32", i]]} for i in range(5)])
    b = bytearray(open(path, "rb").read())
    at = [i for i in range(4096 + 512, len(b) - 4) if b[i:i + 4] == b"**\0\0"]
    free, = struct.unpack_from("<I", b, 4096 + 48)
    struct.pack_into("<I", b, at[1], 0)  # the second record loses its signature
    # The last record becomes a stale one: the chunk's header says that the records end before the one in front of it, of which nothing is left.
    struct.pack_into("<I", b, at[3], 0)
    struct.pack_into("<I", b, 4096 + 48, at[3] - 4096)
    struct.pack_into("<I", b, 4096 + 52, zlib.crc32(b[4096 + 512:at[3]]))
    struct.pack_into("<Q", b, at[4] + 8, 7)
    struct.pack_into("<I", b, 4096 + 124, zlib.crc32(b[4096 + 128:4096 + 512], zlib.crc32(b[4096:4096 + 120])))
    open(path, "wb").write(b)
    marks = lambda *options: [sorted(set(json.loads(line)) - {"Event"}) for line in exhibit("events", *options, path, status=3).splitlines()]  # noqa: E731
    need(marks() == [["recovered"]] * 2, marks())
    need(marks("--carve") == [["recovered"]] * 2 + [["carved"]], marks("--carve"))
    need(b"<!-- carved -->" in exhibit("events", "--xml", "--carve", path, status=3), "no mark in XML")
    rule, found, table = (os.path.join(scratch, n) for n in ("r.yml", "f.jsonl", "f.csv"))
    with open(rule, "w") as f:
        f.write("title: t\nid: 4f3f1e0e-9f5e-4b8e-8a39-0d1f4b1a0b11\nlogsource:\n  product: windows\ndetection:\n  s:\n    N: 4\n  condition: s\n")
    exhibit("scan", "-q", "-r", rule, "--carve", "-o", found, path, status=3)
    exhibit("scan", "-q", "-r", rule, "--carve", "-o", table, path, status=3)
    need([e.get("recovered") for line in open(found) for e in json.loads(line)["evidence"] if e["role"] != "context"] == [True], "no mark in JSON")
    need([row["recovered"] for row in csv.DictReader(open(table))] == ["true"], "no mark in CSV")


@test
def record_ids_and_times_select(scratch):
    path = log(scratch, [{"record_id": 100 + i, "time": "2021-03-01T12:00:%02dZ" % i} for i in range(50)])
    ids = lambda *options: [json.loads(line)["Event"]["System"]["EventRecordID"] for line in exhibit("events", *options, path).splitlines()]  # noqa: E731
    for level in "plain", "avx512":
        os.environ["EXHIBIT_CPU"] = level
        need(ids("--record-ids", "110-112") == [110, 111, 112] and ids("--record-ids", "149") == [149], "ids")
        need(ids("--since", "2021-03-01T12:00:48Z") == [148, 149] and ids("--until", "2021-03-01T12:00:01Z") == [100, 101], "times")
        need(ids("--record-ids", "100-120", "--since", "2021-03-01T12:00:20Z") == [120], "both")
    del os.environ["EXHIBIT_CPU"]
    for bad in "x", "5-4", "-", "1-2-3", "99999999999999999999":
        exhibit("events", "--record-ids", bad, path, status=2)


@test
def a_damaged_definition_harms_its_own_chunk_only(scratch):
    path = os.path.join(scratch, "x.evtx")
    for broken in 0, 1, 2:
        w = EvtxWriter(records_per_chunk=5)
        for i in range(15):
            w.add({**SYSTEM, "data": [["Needle", "uint32", i]]})
        b = bytearray(w.bytes())
        at = b.find("Needle".encode("utf-16-le"), 4096 + 65536 * broken)
        b[at] = ord("X")
        with open(path, "wb") as f:
            f.write(b)
        one, three = exhibit("events", "-j", "1", path), exhibit("events", "-j", "3", path)
        need(one == three, "threads matter")
        names = [list(json.loads(line)["Event"]["EventData"])[0] for line in one.splitlines()]
        need(names == [("Xeedle" if i // 5 == broken else "Needle") for i in range(15)], f"{broken}: {names}")


@test
def records_in_any_other_file(scratch):
    source = open(os.path.join(ROOT, "samples/first-look/Security.evtx"), "rb").read()
    r, chunk = random.Random(5), source[4096:4096 + 65536]
    image = r.randbytes(100003) + chunk + r.randbytes(777)
    for k in range(12):  # records without a chunk, across every kind of border
        image += chunk[512 + 2000 * k:512 + 2000 * k + 30000] + r.randbytes(9001 * k % 70000)
    image += bytes(200000) + r.randbytes(5000)
    path, want, i = os.path.join(scratch, "disk.img"), set(), image.find(b"**\0\0")
    while i >= 0:
        size, = struct.unpack_from("<I", image, i + 4)
        whole = 32 <= size <= 65536 and i + size <= len(image) and image[i + size - 4:i + size] == image[i + 4:i + 8]
        want |= {(struct.unpack_from("<Q", image, i + 8)[0])} if whole else set()
        i = image.find(b"**\0\0", i + (size if whole else 1))
    with open(path, "wb") as f:
        f.write(image)
    exhibit("events", path, status=3)
    out = [exhibit("events", "-j", jobs, "--carve", path) for jobs in ("1", "3")]
    events = [json.loads(line) for line in out[0].splitlines()]
    need(out[0] == out[1], "threads matter")
    need(all(e.get("carved") for e in events) and len(want) > 80, "not marked")
    need({e["Event"]["System"]["EventRecordID"] for e in events} == want, "records are missing, or invented")


@test
def few_bytes_cannot_show_very_much(scratch):
    """A template that shows one value thousands of times, on several levels."""
    plain = evtx_writer.content_of

    def bomb(event):
        n = 2000
        return element("EventData", *[element("Data", slot(0, "string", optional=False)) for _ in range(n)]), [("string", "x" * 9000)]
    evtx_writer.content_of = bomb
    try:
        path = log(scratch, [{}])
    finally:
        evtx_writer.content_of = plain
    out = exhibit("events", path, status=3)
    need(len(out.splitlines()) == 1 and len(out) < 4 << 20, f"{len(out)} bytes")
    need(json.loads(out)["Event"]["System"]["EventRecordID"] == 1, "its head is lost")


@test
def every_level_gives_the_same_bytes(scratch):
    corpora = os.environ.get("EXHIBIT_CORPORA") or os.path.join(ROOT, "..", "shared", "corpora")
    texts = ["", "a", 'q"\\/', "tab\tline\r\n", "é" * 5, "漢字かな" * 9, "x" * 15, "x" * 16, "x" * 17, "x" * 31, "x" * 32, "x" * 33, "x" * 64, "C:\\Windows\\System32\\" * 9,
             "\x01\x02\x1f\x7f\x80", "😀" * 7, "mixed é and 😀 and \\ here " * 7, "end\0", "x" * 40 + "\0"]
    files = [log(scratch, [{"data": [["T", "string", t], ["U", "string", t * 3]]} for t in texts] + [{"strings": texts[:9]}]),
             os.path.join(ROOT, "samples/first-look/Security.evtx"), os.path.join(ROOT, "samples/first-look/System.evtx")]
    if os.path.isdir(corpora):
        files += sorted(os.path.join(d, f) for d, _, names in os.walk(os.path.join(corpora, "evtx")) for f in names if f.endswith(".evtx"))
    for options in ([], ["--carve"]):
        out = {level: subprocess.run([PROGRAM, "events", *options, *files], capture_output=True, env={**os.environ, "EXHIBIT_CPU": level}).stdout
               for level in ("plain", "sse4", "avx2", "avx512")}
        need(out["plain"].count(b"\n") > 20, "hardly anything came out")
        need(len(set(out.values())) == 1, "levels differ")


tap.run()
