#!/usr/bin/env python3
"""The generator of honest Exchange logs: the same seed gives the same bytes, every line has its header's columns, every kind is there."""
import csv
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path[:0] = [os.path.join(ROOT, 'tests')]
import tap  # noqa: E402


def make(folder, seed='7'):
    out = subprocess.run([sys.executable, os.path.join(ROOT, 'tools/make-exchange-benign'), '--seed', seed, '--lines', '6000', '--look-alikes', '20', '--days', '4', folder],
                         check=True, capture_output=True)
    files = {os.path.relpath(os.path.join(at, name), folder): open(os.path.join(at, name), 'rb').read() for at, _, names in os.walk(folder) for name in names}
    return json.loads(out.stdout), files


class ExchangeBenign(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            cls.counts, cls.files = make(folder)

    def test_same_seed_same_bytes_other_seed_others(self):
        with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
            self.assertTrue(make(a)[1] == self.files)
            self.assertFalse(make(b, '8')[1] == self.files)

    def test_counts_are_true(self):
        self.assertGreaterEqual(self.counts['lines'], 6000)
        self.assertGreaterEqual(len(self.counts['look_alikes']), 18)
        self.assertEqual(set(self.counts['look_alikes'].values()), {20})
        self.assertEqual(self.files['hw-mx1/Logging/OABGeneratorLog/OABGenerator_20210215-1.log'][:3], b'\xef\xbb\xbf')

    def test_lines_have_their_headers_columns(self):
        seen = set()
        for name, data in self.files.items():
            if name.endswith('.evtx'):
                continue
            columns = None
            for line in data.decode('utf-8-sig').split('\r\n'):
                if line.startswith('#Fields: '):
                    columns = len(line[9:].split(',' if 'Logging' in name else ' '))
                elif line and not line.startswith('#') and columns:
                    cells = line.split(' ') if 'W3SVC' in name else line.split(',', 3) if 'ECPServer' in name else next(csv.reader([line]))
                    self.assertEqual(len(cells), columns, (name, line))
            if 'HttpProxy' in name:
                seen.add(columns)
        self.assertEqual(seen, {54, 74})


if __name__ == '__main__':
    tap.main()
