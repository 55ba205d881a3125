"""tools/make-campaigns: same arguments same bytes, and truth.json says what stands in the logs."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import tap

TOOL = os.path.join(HERE, '..', '..', 'tools', 'make-campaigns')


def make(folder, *args):
    subprocess.run([sys.executable, TOOL, folder, '--months', '1', '--users', '20', *args], check=True)
    return {n: open(os.path.join(folder, n), encoding='utf-8').read() for n in sorted(os.listdir(folder))}


class Campaigns(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def folder(self, name):
        return os.path.join(self.dir.name, name)

    def test_same_arguments_same_bytes(self):
        a, b = (make(self.folder(n), '--campaigns', 'fast+,spray', '--forms', 'events,sshd,windows,iis') for n in 'ab')
        self.assertEqual(a, b)
        self.assertEqual(sorted(a), ['auth.log', 'logins.jsonl', 'security.jsonl', 'truth.json', 'u_ex.log'])
        self.assertNotEqual(a['logins.jsonl'], make(self.folder('c'), '--campaigns', 'fast+,spray', '--seed', '2')['logins.jsonl'])

    def test_truth_is_what_was_written(self):
        names = 'fast+,subnet,ipv6,spray+,stuffing,slow,distributed+'
        got = make(self.folder('a'), '--campaigns', names)
        events = [json.loads(line) for line in got['logins.jsonl'].splitlines()]
        self.assertEqual([e['@timestamp'] for e in events], sorted(e['@timestamp'] for e in events))
        campaigns = json.loads(got['truth.json'])['campaigns']
        self.assertEqual([c['class'] for c in campaigns], [n.rstrip('+') for n in names.split(',')])
        for c, name in zip(campaigns, names.split(',')):
            sources = set(c['sources'])
            of = [e for e in events if e['auth.src_ip'] in sources]
            self.assertEqual(sum(e['auth.outcome'] == 'failure' for e in of), c['tries'], name)
            self.assertEqual({e['auth.src_ip'] for e in of}, sources, name)
            self.assertLessEqual({e['auth.user'] for e in of}, set(c['users']), name)
            self.assertEqual(sum(e['auth.outcome'] == 'success' for e in of), int(name.endswith('+')), name)
            self.assertEqual(bool(c['success']), name.endswith('+'), name)

    def test_site_without_campaigns_has_logins_and_noise(self):
        got = make(self.folder('a'), '--campaigns', 'none')
        events = [json.loads(line) for line in got['logins.jsonl'].splitlines()]
        self.assertEqual(json.loads(got['truth.json'])['campaigns'], [])
        self.assertEqual({e['auth.outcome'] for e in events}, {'failure', 'success', 'probe'})
        self.assertFalse([e for e in events if e['auth.src_ip'].startswith(('203.', '2001:db8:bad:'))])


if __name__ == '__main__':
    tap.main()
