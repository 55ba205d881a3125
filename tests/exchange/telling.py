#!/usr/bin/env python3
"""What the responder reads: the text of `exhibit scan`, and the members of the incident that stand behind it.

    tests/exchange/telling.py [PROGRAM]"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import BROWSERS, EVIL, OTHER, TOOL, Cases, Site  # noqa: E402
import tap  # noqa: E402


class Text(Cases):
    def intrusion(self, name='mx1', commands=1, **more):
        s = Site(name, folder=name + '/', **more)
        s.chain()
        for day in range(-4, 5):
            for i in range(4):
                s.web(day * 86400 + i * 900 + 300, 'GET', '/owa/', '', '192.0.2.7', BROWSERS[0], user='HAFEN\\b.dorn')
        s.cookie(-86400, '/autodiscover/autodiscover.xml?#', 200, ip=OTHER)
        s.web(60, 'POST', '/owa/auth/ohyeah.aspx', '', backend=0)
        for i in range(commands):
            s.command(61 + i * 20, f'whoami /step{i}')
        return s

    def test_worst_first(self):
        """The server that got farthest stands first, whatever came first in time."""
        probed = Site('mx0', folder='mx0/', start='2021-03-01 06:00:00', ip='10.20.0.10')
        probed.cookie(0, '/autodiscover/autodiscover.xml?#', 200)
        session = Site('mx2', folder='mx2/', start='2021-03-02 06:00:00', ip='10.20.0.12')
        session.cookie(0, '/ecp/proxyLogon.ecp?#', 241)
        self.scan(probed, session, self.intrusion())
        at = [self.text.index(t) for t in ('ProxyLogon on mx1: commands were run on the server', 'ProxyLogon on mx2: a session was opened behind the front end', 'ProxyLogon on mx0: probed only')]
        self.assertEqual(at, sorted(at))
        self.assertEqual([f['host'] for f in self.incidents()], ['mx0', 'mx2', 'mx1'])  # in the stream by time, as all findings

    def test_columns(self):
        """Nothing is wider than the screen."""
        for columns in ('80', '100', '132'):
            os.environ['COLUMNS'] = columns
            self.scan(self.intrusion(commands=30))
            story = self.text[:self.text.index('\nPeriod')]
            self.assertLessEqual(max(map(len, story.splitlines())), int(columns))
        del os.environ['COLUMNS']

    def test_scope_table(self):
        self.scan(self.intrusion())
        rows = {line.split()[0]: line.split()[1:] for line in self.text.splitlines() if line.startswith('  httpproxy ') or line.startswith('  iis ') or line.startswith('  sysmon ')}
        self.assertEqual(rows['httpproxy'][:4], ['2021-02-27', '2021-03-07', '9', '0'])
        self.assertEqual(rows['sysmon'][:4], ['2021-03-03', '2021-03-03', '1', '8'])
        self.assertGreater(int(rows['httpproxy'][5]), 6)
        self.assertIn('log read         first day   last day    days  missing       events findings', self.text)

    def test_other_servers(self):
        """Nothing found is not nothing read: the logs of servers without an incident."""
        quiet = Site('mx9', folder='mx9/', ip='10.20.0.19')
        for day in (0, 1, 3):
            quiet.web(day * 86400, 'GET', '/owa/', '', '192.0.2.7', BROWSERS[0], user='HAFEN\\b.dorn')
        self.scan(self.intrusion(), quiet)
        block = self.text[self.text.index('No incident on 1 other server whose logs were read'):].split('\n\n')[0]
        self.assertIn('  mx9\n', block)
        self.assertRegex(block, r'  httpproxy        2021-03-03  2021-03-06     3        6            3        0')
        self.scan(quiet)
        self.assertNotIn('No incident on', self.text)

    def test_indicators(self):
        self.scan(self.intrusion())
        self.assertIn('high    used         ip          203.0.113.9', self.text)
        self.assertIn('high    used         path        /owa/auth/ohyeah.aspx', self.text)
        self.assertIn('scanners, which only probed: 198.51.100.44', self.text)
        kinds = {(i['type'], i['value']): i for i in self.incidents()[0]['indicators']}
        self.assertEqual(kinds['scanner-ip', OTHER]['confidence'], 'low')
        self.assertEqual(kinds['ip', EVIL]['confidence'], 'high')
        self.assertNotIn(('ip', OTHER), kinds)

    def test_timeline(self):
        """In UTC, in order, shells' calls among it, bounded, with how to get the rest."""
        self.scan(self.intrusion(commands=300))
        block = self.text[self.text.index('  when (UTC)'):self.text.index('  sure    stage')]
        times = [line[2:21] for line in block.splitlines()[1:] if line[2:6] == '2021']
        self.assertEqual(times, sorted(times))
        self.assertLessEqual(len(times), 24)
        self.assertIn('/owa/auth/ohyeah.aspx called [203.0.113.9]', block)
        one = self.incidents()[0]
        times = [(t['time'].rstrip('Z') + ('' if '.' in t['time'] else '.')).ljust(26, '0') for t in one['timeline']]
        self.assertEqual(times, sorted(times))
        self.assertEqual(len(one['timeline']), 200)
        self.assertGreater(one['timeline_more'], 100)

    def test_actions(self):
        """By the stage, in order: preserve, isolate, hunt, passwords, rebuild; for a probe one that says nothing has to be done."""
        self.scan(self.intrusion())
        words = ['Preserve', 'off the Internet', 'Compare every script', 'Search for', 'reset the accounts', 'Rebuild']
        at = [' '.join(self.text.split()).index(w) for w in words]
        self.assertEqual(at, sorted(at))
        s = Site()
        s.cookie(0, '/autodiscover/autodiscover.xml?#', 200)
        self.scan(s)
        self.assertIn('Nothing has to be done', self.text)
        self.assertNotIn('Rebuild', self.text)

    def test_other_web_servers(self):
        """A server of which only an Apache's log was read is not told that logs of Windows are missing."""
        lines = [f'192.0.2.{i % 200} - - [03/Mar/2021:0{i // 60}:{i % 60:02d}:00 +0000] "GET /page{i % 7}.html HTTP/1.1" 200 {900 + i} "https://www.hafen.example/" "{BROWSERS[0]}"' for i in range(400)]
        lines += [f'{EVIL} - - [03/Mar/2021:07:{i:02d}:00 +0000] "POST /uploads/cmd.php?c=whoami HTTP/1.1" 200 {700 + 13 * i} "-" "{TOOL}"' for i in range(12)]
        self.scan(files={'www/access.log': '\n'.join(lines) + '\n'})
        self.assertEqual([t[1:] for t in self.told()], [('webshell', 'used')])
        for word in ('Sysmon', 'Security log', 'Exchange', 'HttpProxy'):
            self.assertNotIn(word, ' '.join(self.incidents()[0]['unknown'] + self.incidents()[0]['actions']))


if __name__ == '__main__':
    tap.main()
