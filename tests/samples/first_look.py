#!/usr/bin/env python3
"""The committed sample is what its generator makes, small, and readable by others."""
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
import tap  # noqa: E402

SAMPLE = os.path.join(ROOT, 'samples/first-look')


def tree(folder):
    return {os.path.relpath(os.path.join(at, name), folder): open(os.path.join(at, name), 'rb').read()
            for at, _, names in os.walk(folder) for name in names}


class FirstLook(unittest.TestCase):
    def test_generator_makes_the_committed_files(self):
        with tempfile.TemporaryDirectory() as made:
            subprocess.run([sys.executable, os.path.join(ROOT, 'tools/make-first-look'), made], check=True)
            new, committed = tree(made), tree(SAMPLE)
        self.assertEqual(sorted(new), sorted(committed))
        for name in new:
            self.assertTrue(new[name] == committed[name], name + ' differs; run tools/make-first-look')

    def test_under_two_megabytes(self):
        self.assertLess(sum(map(len, tree(SAMPLE).values())), 2_000_000)


if __name__ == '__main__':
    tap.main()
