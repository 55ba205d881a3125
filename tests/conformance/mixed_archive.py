#!/usr/bin/env python3
"""A mixed folder of every format, each log also cut off and with a hole, as a zip within a tar.gz: nothing is lost unlisted, every byte of
every member is accounted for, citations hold, and one and two threads say the same.

    tests/conformance/mixed_archive.py PROGRAM"""
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
import tap  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.environ.get('EXHIBIT_PROGRAM', os.path.join(ROOT, 'build/exhibit'))
LOGS = os.path.join(ROOT, 'tests/conformance/logsources')
FUZZ = os.path.join(ROOT, 'tests/fuzz/corpus')


def members():
    """Name -> bytes: each log whole, cut in its last line, and with sixteen bytes of its middle overwritten."""
    out = {}
    logs = {name: open(os.path.join(LOGS, name), 'rb').read() for name in sorted(os.listdir(LOGS)) if name != 'unfed.txt'}
    for kind in sorted(os.listdir(FUZZ)):
        if not kind.startswith('read_') or kind in ('read_archive', 'read_json'):
            continue
        for name in sorted(os.listdir(os.path.join(FUZZ, kind))):
            logs[f'{kind}-{name}'] = open(os.path.join(FUZZ, kind, name), 'rb').read()
    logs['windows-utf16.json'] = logs['windows.json'].decode().encode('utf-16')
    logs['iis-utf16.log'] = logs['iis.log'].decode().encode('utf-16-be')
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([os.path.join(ROOT, 'tools/make-journal'), 'system.journal'], cwd=made, check=True, capture_output=True)
        subprocess.run([os.path.join(ROOT, 'tools/make-logins'), 'logins'], cwd=made, check=True, capture_output=True)
        for folder, _, names in sorted(os.walk(made)):
            for name in sorted(names):
                logs[f'made-{name}'] = open(os.path.join(folder, name), 'rb').read()
    logs['made-System.evtx'] = open(os.path.join(ROOT, 'samples/first-look/System.evtx'), 'rb').read()
    for name, data in logs.items():
        out[f'whole/{name}'] = data
        out[f'cut/{name}'] = data[:-max(3, len(data) // 10)]
        middle = len(data) // 2
        out[f'hole/{name}'] = data[:middle] + b'\xa5' * 16 + data[middle + 16:]
    out['note.txt'] = b'Nothing of interest.\nBring milk.\n'
    return out


def packed(folder, parts):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, 'w', zipfile.ZIP_DEFLATED) as z:
        for name, data in parts.items():
            z.writestr(zipfile.ZipInfo(name, (2021, 3, 3, 7, 0, 0)), data)
    path = os.path.join(folder, 'evidence.tar.gz')
    with tarfile.open(path, 'w:gz') as t:
        info = tarfile.TarInfo('logs.zip')
        info.size = len(inner.getvalue())
        t.addfile(info, io.BytesIO(inner.getvalue()))
    return path


# Finds nearly every event, so that nearly every record is cited.
RULE = """title: Anything
id: 6d1f5f4e-6b0f-4c43-9d0a-0f5a2f6c7b11
logsource: {product: any}
detection:
    letters: ['e', '1', 'a']
    condition: letters
level: low
"""


class MixedArchive(unittest.TestCase):
    def test_nothing_is_lost_unlisted(self):
        parts = members()
        with tempfile.TemporaryDirectory() as folder:
            container = hashlib.sha256(open(packed(folder, parts), 'rb').read()).hexdigest()
            runs, rule = [], os.path.join(folder, 'rule.yml')
            with open(rule, 'w', encoding='utf-8') as f:
                f.write(RULE)
            for jobs in ('1', '2'):
                out, stats = os.path.join(folder, f'f{jobs}.jsonl'), os.path.join(folder, f's{jobs}.json')
                run = subprocess.run([PROGRAM, 'scan', '-q', '-j', jobs, '-r', rule, '--any-logsource', '-o', out, '--stats', stats, 'evidence.tar.gz'],
                                     cwd=folder, capture_output=True)
                self.assertIn(run.returncode, (0, 3), run.stderr.decode())
                runs.append((open(out, 'rb').read(), json.load(open(stats, encoding='utf-8'))))
            # `exhibit cat` gives the bytes that were hashed, of whatever kind.
            for s in {s['format']: s for s in runs[0][1]['sources']}.values():
                given = subprocess.run([PROGRAM, 'cat', '--member', str(s['member']), s['path']], cwd=folder, capture_output=True).stdout
                self.assertEqual(hashlib.sha256(given).hexdigest(), s['sha256'], s['path'])
        self.assertEqual(runs[0][0], runs[1][0])
        self.assertEqual(runs[0][1]['sources'], runs[1][1]['sources'])
        self.assertEqual(runs[0][1]['unread'], runs[1][1]['unread'])
        findings, stats = runs[0]
        prefix = 'evidence.tar.gz!/logs.zip!/'
        listed = {s['path'][len(prefix):] for s in stats['sources']} | {u['path'][len(prefix):] for u in stats['unread']}
        self.assertEqual(sorted(listed), sorted(parts))
        for s in stats['sources']:
            name = s['path'][len(prefix):]
            self.assertEqual(sum(s['bytes'].values()), s['size'], name)
            self.assertEqual(s['size'], len(parts[name]), name)
            self.assertEqual(s['sha256'], hashlib.sha256(parts[name]).hexdigest(), name)
            if name.startswith('whole/') and 'read_' not in name and 'made-' not in name:
                self.assertEqual(s['damage'], [], name)
        self.assertGreater(sum(bool(s['damage']) for s in stats['sources']), 10)
        known = subprocess.run([PROGRAM, 'scan', '--as', 'nonsense', 'x'], capture_output=True, text=True).stderr.split('known are: ')[1].split('\n')[0].split(', ')
        for kind in ('whole', 'cut', 'hole'):
            self.assertEqual(set(known), {s['format'] for s in stats['sources'] if s['path'].startswith(prefix + kind + '/')}, kind)
        cited = 0
        for line in findings.decode().splitlines():
            for e in json.loads(line)['evidence']:
                data = parts[e['source'][len(prefix):]]
                self.assertEqual(e['container_sha256'], container)
                self.assertIsInstance(e['member'], int)
                self.assertEqual(hashlib.sha256(data[e['offset']:e['offset'] + e['length']]).hexdigest(), e['sha256'])
                cited += 1
        self.assertGreater(cited, 400)


if __name__ == '__main__':
    tap.main()
