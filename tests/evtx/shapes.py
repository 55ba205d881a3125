#!/usr/bin/env python3
"""What values come out as, in JSON and XML: values that are XML themselves, names that occur twice, text between elements, values shown again and
again by few bytes; the same bytes at every processor level.
usage: shapes.py PROGRAM SOURCE_ROOT      TAP"""
import json, os, subprocess, sys, tempfile

PROGRAM, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
sys.path.insert(0, os.path.join(ROOT, "tools", "lib"))
import evtx_writer  # noqa: E402
from evtx_writer import EvtxWriter, element, slot  # noqa: E402

SYSTEM = {"channel": "Security", "provider": "P", "guid": "{54849625-5478-4994-a5ba-3e3b0328c30d}", "computer": "WS01", "event_id": 1,
          "time": "2021-03-01T12:00:00.1234567Z"}
XML = ["Root", {"a": "1"}, ["Leaf", {}, 'te"xt'], ["Leaf", {"q": "z"}, "two"], ["Empty", {}]]
OBJECT = {"Root": {"#attributes": {"a": "1"}, "Leaf": 'te"xt', "Leaf_1": {"#attributes": {"q": "z"}, "#text": "two"}, "Empty": None}}
AS_XML = "<Root a='1'><Leaf>te&quot;xt</Leaf><Leaf q='z'>two</Leaf><Empty/></Root>"
TESTS = []


def test(f):
    TESTS.append(f)
    return f


def need(condition, text):
    if not condition:
        raise AssertionError(text)


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


print(f"1..{len(TESTS)}")
failed = 0
for number, t in enumerate(TESTS, 1):
    with tempfile.TemporaryDirectory() as folder:
        try:
            t(folder)
            print(f"ok {number} - {t.__name__}")
        except AssertionError as e:
            failed += 1
            print(f"# {e}\nnot ok {number} - {t.__name__}")
sys.exit(failed != 0)
