#!/usr/bin/env python3
"""Every rule of rules/ against its test events, through the built program.

    tests/rules/run.py [PROGRAM]        (default: $EXHIBIT_PROGRAM, else build/exhibit)

tests/rules/NAME.jsonl belongs to the rule file NAME.yml, wherever it lies under rules/. A line is one case:

    {"expect": true, "why": "...", "event": {...}}                       one event that must (or must not) be found
    {"expect": true, "why": "...", "rule": "TITLE", "events": [...]}     several in a row; only findings of that rule count
    {"repeat": 20, "step": 5, "event": {...}}                            in `events`: so many copies, `step` seconds apart;
                                                                         '#' in a value becomes the copy's number

Each file holds events that must be found, others that must not, and look-alikes: honest things that come close.
"""
import datetime
import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
import tap  # noqa: E402

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('EXHIBIT_PROGRAM', os.path.join(ROOT, 'build/exhibit'))


def rule_files():
    return {os.path.basename(path)[:-4]: path for path in glob.glob(os.path.join(ROOT, 'rules/**/*.yml'), recursive=True)}


def test_files():
    return {os.path.basename(path)[:-6]: path for path in glob.glob(os.path.join(ROOT, 'tests/rules/*.jsonl'))}


def cases(path):
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            case = json.loads(line)
            case['line'] = number
            yield case


def later(stamp, seconds):
    moment = datetime.datetime.strptime(stamp, '%Y-%m-%dT%H:%M:%SZ') + datetime.timedelta(seconds=seconds)
    return moment.strftime('%Y-%m-%dT%H:%M:%SZ')


def expand(case):
    """The events of a case."""
    if 'event' in case:
        return [case['event']]
    out = []
    for entry in case['events']:
        if 'repeat' not in entry:
            out.append(entry)
            continue
        for i in range(entry['repeat']):
            event = {k: v.replace('#', str(i)) if isinstance(v, str) else v for k, v in entry['event'].items()}
            event['@timestamp'] = later(event['@timestamp'], i * entry['step'])
            out.append(event)
    return out


def scan(events, rule):
    """Findings of one run: [(rule title, set of line numbers)]."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'events.jsonl')
        with open(path, 'w', encoding='utf-8') as f:
            for event in events:
                f.write(json.dumps(event) + '\n')
        run = subprocess.run([PROGRAM, 'scan', path, '-r', rule, '--any-logsource', '-o', '-'], capture_output=True)
    if run.returncode != 0:
        raise AssertionError(f'exit {run.returncode}: {run.stderr.decode()[-500:]}')
    found = []
    for line in run.stdout.decode().splitlines():
        finding = json.loads(line)
        if finding['kind'] in ('hit', 'correlation'):
            found.append((finding['rule']['title'], {e['line'] for e in finding['evidence'] if e['role'] == 'record'}))
    return found


class Rules(unittest.TestCase):
    def test_every_rule_has_cases_of_both_kinds(self):
        rules, tests = rule_files(), test_files()
        self.assertEqual(sorted(rules), sorted(tests))
        for name, path in tests.items():
            kinds = [case['expect'] for case in cases(path)]
            self.assertIn(True, kinds, name)
            self.assertGreaterEqual(kinds.count(False), 2, name)

    def test_rules_find_what_they_say_and_nothing_else(self):
        if not os.path.exists(PROGRAM):
            self.skipTest('the program is not built')
        rules, wrong = rule_files(), []
        for name, path in sorted(test_files().items()):
            wrong += [f'{name}: {text}' for text in self.check(rules[name], list(cases(path)))]
        self.assertEqual(wrong, [])

    def check(self, rule, all_cases):
        single = [c for c in all_cases if 'event' in c and 'rule' not in c]
        lines = set().union(*(at for _, at in scan([c['event'] for c in single], rule))) if single else set()
        for number, case in enumerate(single, 1):
            if (number in lines) != case['expect']:
                yield f'line {case["line"]}: {"not " if case["expect"] else ""}found: {case["why"]}'
        for case in all_cases:
            if case in single:
                continue
            titles = [title for title, _ in scan(expand(case), rule)]
            hit = case['rule'] in titles if 'rule' in case else bool(titles)
            if hit != case['expect']:
                yield f'line {case["line"]}: {"not " if case["expect"] else ""}found: {case["why"]}'


if __name__ == '__main__':
    tap.main()
