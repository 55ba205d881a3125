"""What `exhibit events --ranges` says of logs, checked: the ranges of each source stand side by side and go from its first byte to its last."""
import collections, json, os, subprocess


def ranges(program, *arguments, timeout=120):
    """{source: {kind: bytes}}, as in --stats but for kinds without bytes; raises AssertionError."""
    p = subprocess.run([program, "events", "--ranges", *arguments], capture_output=True, timeout=timeout)
    if p.returncode not in (0, 3):
        raise AssertionError(f"exit {p.returncode}: {p.stderr[-200:]}")
    ends, sums = collections.Counter(), collections.defaultdict(collections.Counter)
    for r in map(json.loads, p.stdout.splitlines()):
        source = r["source"]
        if r["offset"] != ends[source] or not r["length"] or (r["kind"] == "damage") != bool(r.get("reason")):
            raise AssertionError(f"the range before ends at {ends[source]}: {r}")
        ends[source] += r["length"]
        sums[source][r["kind"]] += r["length"]
    for source, end in ends.items():
        if os.path.isfile(source) and os.path.getsize(source) != end:
            raise AssertionError(f"{source}: ranges end at {end}")
    return {source: dict(of) for source, of in sums.items()}


def agrees(program, sources, *arguments):
    """Raises AssertionError unless the ranges say of the sources of --stats what these say themselves."""
    told = ranges(program, *arguments)
    for s in sources:
        want = {kind: n for kind, n in s["bytes"].items() if n}
        if told.pop(s["path"], {}) != want:
            raise AssertionError(f"{s['path']}: {want} in --stats, otherwise by ranges")
    if told:
        raise AssertionError(f"ranges of what is in no --stats: {list(told)[:3]}")
