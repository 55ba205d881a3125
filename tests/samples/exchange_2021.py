#!/usr/bin/env python3
"""The committed sample holds what its generator makes (archives are compared by content: packing differs between zlibs)."""
import gzip
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
import tap  # noqa: E402


def content(folder):
    out = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            shown = os.path.relpath(path, folder)
            if name.endswith('.zip'):
                with zipfile.ZipFile(path) as z:
                    out.update({f'{shown}!/{member}': z.read(member) for member in z.namelist()})
            else:
                with (gzip.open if name.endswith('.gz') else open)(path, 'rb') as f:
                    out[shown] = f.read()
    return out


class Exchange2021(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.committed = content(os.path.join(ROOT, 'samples/exchange-2021'))

    def test_generator_makes_the_committed_content(self):
        with tempfile.TemporaryDirectory() as made:
            subprocess.run([sys.executable, os.path.join(ROOT, 'tools/make-exchange-2021'), made], check=True)
            new = content(made)
        self.assertEqual(sorted(new), sorted(self.committed))
        for name in new:
            self.assertTrue(new[name] == self.committed[name], name + ' differs; run tools/make-exchange-2021')

    def test_gaps_are_where_the_scenario_says(self):
        proxy = [name for name in self.committed if name.startswith('mx01/') and 'HttpProxy/Ecp/' in name]
        self.assertTrue(proxy)
        for day in ('05', '06', '07'):
            self.assertFalse([name for name in proxy if f'HttpProxy_202103{day}' in name])
        self.assertTrue([name for name in proxy if 'HttpProxy_20210303' in name])

    def test_amount(self):
        lines = sum(data.count(b'\n') for name, data in self.committed.items() if '!/' in name)
        self.assertTrue(40_000 < lines < 60_000, lines)


if __name__ == '__main__':
    tap.main()
