#!/usr/bin/env python3
"""Whole cases through the built program: which incidents come out, to which stage, with evidence that holds.

    tests/samples/incidents.py [PROGRAM]"""
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
import tap  # noqa: E402

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('EXHIBIT_PROGRAM', os.path.join(ROOT, 'build/exhibit'))
CORPORA = os.environ.get('EXHIBIT_CORPORA', os.path.join(ROOT, '../shared/corpora'))
IIS = '#Software: Microsoft Internet Information Services 10.0\n#Fields: date time cs-method cs-uri-stem cs-uri-query sc-status\n2021-03-03 00:00:00 GET / - 200\n'


def scan(folder, *options):
    run = subprocess.run([PROGRAM, 'scan', folder, '-o', '-', *options], capture_output=True)
    return [json.loads(line) for line in run.stdout.decode().splitlines()]


def reads_web_logs():
    if not os.path.exists(PROGRAM):
        return False
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, 'u_ex210303.log'), 'w', encoding='utf-8') as f:
            f.write(IIS)
        stats = os.path.join(folder, 'stats')
        subprocess.run([PROGRAM, 'scan', os.path.join(folder, 'u_ex210303.log'), '--stats', stats], capture_output=True)
        with open(stats, encoding='utf-8') as f:
            return not json.load(f)['unread']


def told(findings):
    return sorted((f['host'], f['campaign'], f['stage']) for f in findings if f['kind'] == 'incident')


def bytes_of(folder, source):
    """A source as it is cited: a file, or a member behind '!/'."""
    path, _, member = source.partition('!/')
    with open(os.path.join(folder, path), 'rb') as f:
        data = f.read()
    if path.endswith('.gz'):
        import gzip
        return gzip.decompress(data)
    return zipfile.ZipFile(io.BytesIO(data)).read(member) if member else data


def generated(test, tool, *arguments):
    folder = tempfile.TemporaryDirectory()
    test.addCleanup(folder.cleanup)
    subprocess.run([sys.executable, os.path.join(ROOT, 'tools', tool), *arguments, folder.name], check=True, capture_output=True)
    return folder.name


class Incidents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ready = reads_web_logs()

    def setUp(self):
        if not self.ready:
            self.skipTest('the program is not built, or does not read web logs')

    def evidence_holds(self, folder, findings):
        cache = {}
        for f in findings:
            for part in [f] + f.get('stages', []):
                self.assertTrue(part['evidence'])
                for e in part['evidence']:
                    if e['source'] not in cache:
                        cache[e['source']] = bytes_of(folder, e['source'])
                    record = cache[e['source']][e['offset']:e['offset'] + e['length']]
                    self.assertEqual(hashlib.sha256(record).hexdigest(), e['sha256'], (e['source'], e['offset']))

    def test_sample_of_2021(self):
        folder = os.path.join(ROOT, 'samples')
        findings = scan(os.path.join(folder, 'exchange-2021'))
        self.assertEqual(told(findings), [('mx01', 'proxylogon', 'cleanup'), ('mx02', 'proxylogon', 'probe')])
        one = next(f for f in findings if f['kind'] == 'incident' and f['host'] == 'mx01')
        self.assertEqual([s['stage'] for s in one['stages']],
                         ['probe', 'ssrf', 'session', 'enumeration', 'written', 'used', 'commands', 'persistence', 'cleanup'])
        self.assertEqual(one['attackers'], ['203.0.113.66', '203.0.113.91'])
        self.assertEqual(one['scanners'], ['203.0.113.150'])
        self.assertIn('241 at /ecp/proxyLogon.ecp', one['stages'][2]['reason'])
        unknown = ' | '.join(one['unknown'])
        for text in ('ECP server log of mx01 missing for 2021-03-04 to 2021-03-09', 'HttpProxy log of mx01 missing for 2021-03-05 to 2021-03-07', '5 h 00 min earlier'):
            self.assertIn(text, unknown)
        incidents = [f for f in findings if f['kind'] == 'incident']
        self.evidence_holds('.', [json.loads(json.dumps(f)) for f in incidents])
        for e in one['stages'][2]['evidence']:
            self.assertTrue(e['role'] == 'context' or 'line' in e or e['source'].endswith('.evtx'))

    def test_later_campaigns(self):
        folder = generated(self, 'make-exchange-2021', '--scenario', os.path.join(ROOT, 'tests/samples/campaigns.json'))
        self.assertEqual(told(scan(folder)), [('ex-notshell', 'proxynotshell', 'session'), ('ex-owassrf', 'owassrf', 'session'), ('ex-probed', 'any', 'probe'),
                                              ('ex-shell', 'proxyshell', 'cleanup')])

    def test_attackers_at_the_same_time_and_one_over_many_addresses(self):
        folder = generated(self, 'make-exchange-2021', '--scenario', os.path.join(ROOT, 'tests/samples/interleaved.json'))
        findings = [f for f in scan(folder) if f['kind'] == 'incident']
        self.assertEqual(sorted((f['host'], f['stage'], f['attackers']) for f in findings), [
            ('ex-hops', 'commands', ['203.0.113.101', '203.0.113.102', '203.0.113.103', '203.0.113.104', '203.0.113.105']),
            ('ex-two', 'commands', ['203.0.113.9']), ('ex-two', 'ssrf', ['198.51.100.77'])])
        whole, part = (next(f for f in findings if f['host'] == 'ex-two' and f['stage'] == stage) for stage in ('commands', 'ssrf'))
        self.assertEqual([s['stage'] for s in whole['stages']], ['probe', 'ssrf', 'session', 'enumeration', 'written', 'used', 'commands'])
        self.assertEqual([s['stage'] for s in part['stages']], ['probe', 'ssrf'])

    def test_one_and_two_threads_say_the_same(self):
        folder = os.path.join(ROOT, 'samples/exchange-2021')
        self.assertTrue(scan(folder, '-j', '1') == scan(folder, '-j', '2'))

    def test_honest_traffic_is_no_incident_above_probe(self):
        folder = generated(self, 'make-exchange-benign', '--seed', 'quick', '--lines', '20000', '--look-alikes', '60')
        findings = scan(folder)
        self.assertEqual({stage for _, _, stage in told(findings)}, {'probe'})
        self.assertEqual([f['rule']['title'] for f in findings if f['level'] in ('high', 'critical') and f['rule']], [])

    def test_recorded_case_without_web_logs(self):
        path = os.path.join(CORPORA, 'exchange/proxylogon_ssrf_rce_poc.zip')
        if not os.path.exists(path):
            self.skipTest('no corpora')
        incidents = [f for f in scan(path) if f['kind'] == 'incident']
        self.assertEqual([(f['host'], f['campaign'], f['stage']) for f in incidents], [('mxs01', 'proxylogon', 'commands')])
        self.assertEqual([s['stage'] for s in incidents[0]['stages']], ['session', 'written', 'used', 'commands'])
        self.assertIn('No HttpProxy log of mxs01 was read', ' '.join(incidents[0]['unknown']))
        self.assertIn('No IIS log of mxs01 was read', ' '.join(incidents[0]['unknown']))

    def test_recorded_tunnel(self):
        path = os.path.join(CORPORA, 'evtx/attack-samples/Command and Control/Tunna_rdp_tunnel_IIS.log')
        if not os.path.exists(path):
            self.skipTest('no corpora')
        incidents = [f for f in scan(path) if f['kind'] == 'incident']
        self.assertEqual([(f['campaign'], f['stage']) for f in incidents], [('webshell', 'used')])
        self.assertIn('/erp/conn.aspx', incidents[0]['stages'][0]['reason'])

    def test_recorded_honest_web_log(self):
        path = os.path.join(CORPORA, 'logs/Apache')
        if not os.path.exists(path):
            self.skipTest('no corpora')
        self.assertEqual(told(scan(path)), [])


if __name__ == '__main__':
    tap.main()
