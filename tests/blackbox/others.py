#!/usr/bin/env python3
"""Programs of others held against exports: rdflib reads the CASE/UCO chain of custody; @sigstore/core encodes and checks DSSE envelopes.
Each is skipped, counted, where it is not installed (tools/install-others).

    others.py EXHIBIT SOURCE_ROOT          TAP on stdout
"""
import json, os, shutil, subprocess, sys, tempfile

exhibit, root = os.path.abspath(sys.argv[1]), sys.argv[2]


def run(*args):
    p = subprocess.run((exhibit,) + args, capture_output=True)
    if p.returncode:
        print("#", args, p.returncode, p.stderr.decode().strip())
    return p


GRAPH = """
import os, sys
try:
    import rdflib
except ImportError:
    sys.exit(9)
g = rdflib.Graph()
g.parse(sys.argv[1], format="json-ld")
action = rdflib.Namespace("https://ontology.unifiedcyberontology.org/uco/action/")
case = rdflib.Namespace("https://ontology.caseontology.org/case/investigation/")
steps = list(g.subjects(rdflib.RDF.type, case.InvestigativeAction))
linked = [s for s in steps if (s, action.performer, None) in g and (s, action.result, None) in g and
          list(g.objects(s, action.startTime))[0].datatype == rdflib.XSD.dateTime]
# The result of each step but the last is the object of the next.
results = {o for s in steps for o in g.objects(s, action.result)}
objects = {o for s in steps for o in g.objects(s, action.object)}
print(len(steps), len(linked), len(results & objects), len(g) > 100)
"""


def graph(folder):
    # Debian's package is for Debian's Python, which need not be this one.
    for python in (sys.executable, "/usr/bin/python3"):
        p = subprocess.run([python, "-c", GRAPH, os.path.join(folder, "custody.jsonld")], capture_output=True, text=True) if os.path.exists(python) else None
        if p and p.returncode != 9:
            break
    else:
        print("ok 1 - rdflib reads the chain of custody # SKIP python3-rdflib is not installed")
        return
    ok = p.stdout.split() == ["3", "3", "2", "True"]
    print(f"{'ok' if ok else 'not ok'} 1 - rdflib reads the chain of custody: steps, linked, chained: {p.stdout.strip()}")
    if not ok:
        print("#", p.stderr[-500:].replace("\n", "\n# "))


def envelope(folder):
    js = """
const {dsse, crypto} = require('@sigstore/core'), fs = require('fs'), node = require('crypto');
const e = JSON.parse(fs.readFileSync(process.argv[1])), payload = Buffer.from(e.payload, 'base64');
const pae = dsse.preAuthEncoding(e.payloadType, payload);
const good = e.signatures.map((s) => {
  const raw = Buffer.from(s.keyid.split('+').slice(2).join('+'), 'base64').subarray(1);
  const key = node.createPublicKey({key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki'});
  return crypto.verify(pae, key, Buffer.from(s.sig, 'base64'));
});
console.log(good.length, good.every((x) => x), JSON.parse(payload)._type);
"""
    node = shutil.which("node")
    p = subprocess.run([node, "-e", js, os.path.join(folder, "joint.json")], capture_output=True,
                       env=dict(os.environ, NODE_PATH=os.environ.get("NODE_PATH") or os.path.join(os.path.abspath(root), "build", "npm", "node_modules"))) if node else None
    if not p or b"Cannot find module" in p.stderr:
        print("ok 2 - @sigstore/core checks a joint statement # SKIP @sigstore/core is not installed")
        return
    ok = p.stdout.decode().split() == ["2", "true", "https://in-toto.io/Statement/v1"]
    print(f"{'ok' if ok else 'not ok'} 2 - @sigstore/core checks a joint statement")
    if not ok:
        print("#", p.stdout.decode(), p.stderr.decode().replace("\n", "\n# "))


print("1..2")
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    run("scan", os.path.join(root, "samples", "first-look"), "-q", "-o", "x.case")
    for name, more in (("a", ()), ("b", ("--cosigner",))):
        run("keygen", f"{name}.example", "-o", name, *more)
    run("seal", "x.case", "--key", "a")
    run("statement", "x.case", "--findings", "1,2", "--text", "the same \"actor\" — ä", "--key", "a", "-o", "joint.json")
    run("statement", "--sign", "joint.json", "--key", "b", "-o", "joint.json")
    run("statement", "x.case", "--add", "joint.json")
    run("custody", "x.case", "-o", "custody.jsonld")
    graph(folder)
    envelope(folder)
    os.chdir("/")
