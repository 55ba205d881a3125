#!/usr/bin/env python3
"""Every log source of the Sigma corpus: an event of ours, in a form that the product really writes, reaches at least one of its rules.

    tests/conformance/logsources.py PROGRAM

tests/conformance/logsources/ holds the logs; they are found out by their content, never told. What no reader can feed is printed and must
stand, with its reason, in logsources/unfed.txt: PRODUCT/CATEGORY/SERVICE <tab> reason. A line there that is fed is a failure too."""
import collections
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
import tap  # noqa: E402

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('EXHIBIT_PROGRAM', os.path.join(ROOT, 'build/exhibit'))
CORPORA = os.environ.get('EXHIBIT_CORPORA', os.path.join(ROOT, '../shared/corpora'))
LOGS = os.path.join(ROOT, 'tests/conformance/logsources')
TREES = ('rules', 'rules-threat-hunting', 'rules-emerging-threats')


def wanted():
    """Log sources of all rules, with how many rules each has. The corpus writes the block in one way only."""
    counts = collections.Counter()
    for tree in TREES:
        for path in glob.glob(os.path.join(CORPORA, 'sigma', tree, '**/*.yml'), recursive=True):
            with open(path, encoding='utf-8') as f:
                for block in re.findall(r'^logsource:[^\n]*\n((?:[ \t]+[^\n]*\n|\n|#[^\n]*\n)+)', f.read(), re.M):
                    named = dict(re.findall(r'^[ ]+(product|category|service):[ ]*[\'"]?([^\'"#\n]*?)[\'"]?[ ]*(?:#.*)?$', block, re.M))
                    counts['/'.join(named.get(k, '-') for k in ('product', 'category', 'service'))] += 1
    return counts


def reached():
    rules = [a for tree in TREES for a in ('-r', os.path.join(CORPORA, 'sigma', tree))]
    with tempfile.TemporaryDirectory() as folder:
        out, stats = os.path.join(folder, 'f.jsonl'), os.path.join(folder, 's.json')
        subprocess.run([PROGRAM, 'scan', '-q', *rules, '-o', out, '--stats', stats, LOGS], check=True, capture_output=True)
        with open(stats, encoding='utf-8') as f:
            run = json.load(f)
        with open(out, encoding='utf-8') as f:
            sources = [json.loads(line).get('logsource') for line in f]
    return {'/'.join(s.get(k) or '-' for k in ('product', 'category', 'service')) for s in sources if s}, run


def unfed():
    with open(os.path.join(LOGS, 'unfed.txt'), encoding='utf-8') as f:
        return dict(line.rstrip('\n').split('\t') for line in f if line.strip() and not line.startswith('#'))


class LogSources(unittest.TestCase):
    def test_every_log_source_is_fed(self):
        if not os.path.isdir(os.path.join(CORPORA, 'sigma')):
            self.skipTest('no corpora')
        rules, (fed, run), excused = wanted(), reached(), unfed()
        missing = sorted(set(rules) - fed)
        print(f'# {len(set(rules) & fed)} of {len(rules)} log sources fed')
        for name in missing:
            print(f'# not fed: {name} ({rules[name]} rules): {excused.get(name, "NO REASON GIVEN")}')
        self.assertEqual([m for m in missing if m not in excused], [])
        self.assertEqual([e for e in excused if e in fed or e not in rules], [])
        self.assertEqual([(os.path.basename(s['path']), s['damage']) for s in run['sources'] if s['damage']], [])
        self.assertEqual([os.path.basename(u['path']) for u in run['unread']], ['unfed.txt'])


if __name__ == '__main__':
    tap.main()
