#!/usr/bin/env python3
"""Web shells by behaviour on sites that are no Exchange: found over many addresses, and not where a site only has odd pages.

    tests/samples/webshells.py [PROGRAM [SEEDS]]

Makes logs of a site (IIS or Apache form) with visitors who click, interfaces for programs, hooks, bots and scanners; some with one shell."""
import datetime
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
import tap  # noqa: E402

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('EXHIBIT_PROGRAM', os.path.join(ROOT, 'build/exhibit'))
SEEDS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
START = datetime.datetime(2023, 4, 1)
DAY = 86400
BROWSERS = ('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Safari/537.36',
            'Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/111.0')
FIELDS = 'date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status sc-bytes time-taken'


class Site:
    """Rows of (second, client, method, stem, query, agent, referer, status, bytes)."""

    def __init__(self, seed, ending, days=30):
        self.rng, self.ending, self.days, self.rows = random.Random(seed), ending, days, []

    def put(self, t, client, method, stem, query='', agent=BROWSERS[0], referer='', status=200, size=None):
        self.rows.append((t, client, method, stem, query, agent, referer, status, self.rng.randint(200, 60000) if size is None else size))

    def moment(self):
        return self.rng.randrange(self.days) * DAY + min(86399, max(0, int(self.rng.gauss(13.5, 3) * 3600)))

    def visitor(self, client):
        """A person: a page, what it is made of, a click or two, a form."""
        t, e, base = self.moment(), self.ending, 'https://www.site.example'
        agent = self.rng.choice(BROWSERS)
        page = f'/shop/list.{e}'
        self.put(t, client, 'GET', page, agent=agent)
        for name in ('site.css', 'site.js', 'logo.png'):
            self.put(t, client, 'GET', '/static/' + name, agent=agent, referer=base + page)
        for _ in range(self.rng.randint(0, 3)):
            t += self.rng.randint(3, 90)
            following = self.rng.choice((f'/shop/item.{e}', f'/shop/basket.{e}', f'/account/login.{e}', f'/contact.{e}'))
            self.put(t, client, 'GET' if self.rng.random() < .7 else 'POST', following, f'id={self.rng.randint(1, 900)}' if 'item' in following else '', agent, base + page)
            page = following

    def ordinary(self, visits):
        for _ in range(visits):
            self.visitor(f'192.0.2.{self.rng.randint(1, 250)}' if self.rng.random() < .5 else f'198.51.100.{self.rng.randint(1, 250)}')
        for kind in (self.partners, self.hook, self.monitor, self.bots, self.scanner, self.admin_page, self.application, self.one_letter_from_a_newsletter):
            kind()

    def partners(self):
        """An interface that five partners' programs call all the time, new in the second half."""
        for _ in range(400):
            t = self.days * DAY // 2 + self.rng.randrange(self.days * DAY // 2)
            self.put(t, f'203.0.113.{self.rng.randint(1, 5)}', 'POST', f'/exchange-of-orders/push.{self.ending}', agent='python-requests/2.28.2')

    def hook(self):
        """A code host calls after each push: bursts, a few addresses, POST."""
        for _ in range(25):
            t = self.days * DAY // 3 + self.rng.randrange(self.days * DAY * 2 // 3)
            for _ in range(self.rng.randint(1, 4)):
                self.put(t, f'203.0.113.{self.rng.randint(33, 37)}', 'POST', f'/ci/deploy.{self.ending}', agent='CodeHost-Hookshot/044aadd', size=2)

    def monitor(self):
        for t in range(0, self.days * DAY, 7200):
            self.put(t, '10.0.0.2', 'GET', f'/alive.{self.ending}', agent='HaProxy-check/1.0', size=2)

    def bots(self):
        """Bots that say they are browsers and ask for one page or try passwords."""
        for i in range(40):
            client = f'203.0.113.{self.rng.randint(60, 99)}'
            self.put(self.moment(), client, 'GET', self.rng.choice((f'/shop/item.{self.ending}', f'/shop/list.{self.ending}')), f'id={i}')
        t = self.moment()
        for i in range(60):
            self.put(t + i * 2, '203.0.113.101', 'POST', '/xmlrpc.php', size=400)
            self.put(t + i * 2, '203.0.113.102', 'POST', '/wp-login.php', size=400)

    def scanner(self):
        """Tries out names; some answer."""
        t = self.moment()
        for i in range(60):
            self.put(t + i, '203.0.113.150', 'GET', f'/{self.rng.choice(("admin", "old", "test", "backup"))}{i}.{self.ending}', agent='Mozilla/5.0 zgrab/0.x', status=404, size=0)
        for name in ('info', 'test', 'phpinfo', 'setup'):
            self.put(t + 70, '203.0.113.150', 'GET', f'/{name}.{self.ending}', agent='Mozilla/5.0 zgrab/0.x')
            self.put(t + 71, '203.0.113.150', 'POST', f'/{name}.{self.ending}', 'cmd=whoami', 'Mozilla/5.0 zgrab/0.x')

    def admin_page(self):
        """A page that one administrator uses, by bookmark."""
        for _ in range(12):
            t = self.moment()
            self.put(t, '198.51.100.7', 'GET', f'/backoffice/report.{self.ending}')
            self.put(t + 1, '198.51.100.7', 'GET', '/static/site.css', referer=f'https://www.site.example/backoffice/report.{self.ending}')
            self.put(t + 20, '198.51.100.7', 'POST', f'/backoffice/report.{self.ending}', referer=f'https://www.site.example/backoffice/report.{self.ending}')

    def application(self):
        """A phone application of the house, few users yet."""
        for _ in range(200):
            self.put(self.moment(), f'192.0.2.{self.rng.randint(1, 8)}', 'POST', f'/mobile/sync.{self.ending}', agent='SiteApp/2.1 CFNetwork/1404.0.5 Darwin/22.3.0')

    def one_letter_from_a_newsletter(self):
        """A link in a mail: no referer, one request, then the visitor clicks on."""
        for i in range(6):
            t = self.moment()
            client = f'192.0.2.{self.rng.randint(1, 250)}'
            self.put(t, client, 'GET', f'/offer.{self.ending}', f'mail={i}')
            self.put(t + 1, client, 'GET', '/static/site.css', referer=f'https://www.site.example/offer.{self.ending}')

    # Shells

    def session(self, client, t, page, n, agent, method='POST', query=''):
        for _ in range(n):
            t += self.rng.randint(2, 60)
            self.put(t, client, method, page, query, agent)
        return t

    def shell_in_uploads(self):
        """Six addresses, whichever is at hand."""
        page, t = f'/uploads/img_2291.{self.ending}', 18 * DAY
        for _ in range(9):
            t = self.session(f'203.0.113.{self.rng.randint(200, 205)}', t + self.rng.randint(600, 90000), page, self.rng.randint(1, 5), 'python-requests/2.25.1')
        return page

    def shell_among_pages(self):
        """Five addresses, a browser's name, a page's name."""
        page, t = f'/shop/helper.{self.ending}', 15 * DAY
        for i in range(5):
            t = self.session(f'203.0.113.{210 + i}', t + self.rng.randint(600, 200000), page, self.rng.randint(3, 8), BROWSERS[1])
        return page

    def shell_by_get(self):
        page, t = f'/shop/stat.{self.ending}', 12 * DAY
        for i in range(4):
            t = self.session(f'203.0.113.{220 + i}', t + 40000, page, 2, 'curl/7.88.1', 'GET', self.rng.choice(('cmd=whoami', 'c=net+user+/domain', 'x=cmd.exe+/c+dir')))
        return page

    def shell_in_turns(self):
        """Seven rented addresses one after another, with a tool."""
        page, t = f'/account/avatar.{self.ending}', 20 * DAY
        for i in range(7):
            t = self.session(f'203.0.113.{230 + i}', t + self.rng.randint(60, 9000), page, self.rng.randint(4, 9), 'antSword/v2.1')
        return page

    def tunnel(self):
        page, t = f'/shop/conn.{self.ending}', 22 * DAY
        for i in range(900):
            self.put(t + i // 4, f'203.0.113.{240 + self.rng.randint(0, 4)}', self.rng.choice(('GET', 'POST')), page, 'proxy', '')
        return page

    SHELLS = (shell_in_uploads, shell_among_pages, shell_by_get, shell_in_turns, tunnel)

    def write(self, path):
        self.rows.sort(key=lambda r: r[0])
        iis = self.ending == 'aspx'
        with open(path, 'w', encoding='utf-8') as f:
            if iis:
                f.write(f'#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Fields: {FIELDS}\n')
            for t, client, method, stem, query, agent, referer, status, size in self.rows:
                at = START + datetime.timedelta(seconds=t)
                if iis:
                    f.write(f'{at:%Y-%m-%d %H:%M:%S} 10.0.0.9 {method} {stem} {query or "-"} 443 - {client} {agent.replace(" ", "+") or "-"} {referer or "-"} {status} 0 0 {size} 15\n')
                else:
                    f.write(f'{client} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "{method} {stem}{"?" + query if query else ""} HTTP/1.1" {status} {size} "{referer or "-"}" "{agent or "-"}"\n')


def incidents(site):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'u_ex230401.log' if site.ending == 'aspx' else 'access.log')
        site.write(path)
        run = subprocess.run([PROGRAM, 'scan', path, '-o', '-'], capture_output=True)
    return [f for f in map(json.loads, run.stdout.decode().splitlines()) if f['kind'] == 'incident' and f['stage'] != 'probe']


class WebShells(unittest.TestCase):
    def each(self):
        for seed in range(SEEDS):
            for ending in ('aspx', 'php'):
                yield seed, ending, 700 + 300 * (seed % 4)

    def test_sites_without_a_shell_have_no_incident(self):
        for seed, ending, visits in self.each():
            site = Site(f'honest-{seed}', ending)
            site.ordinary(visits)
            self.assertEqual([(f['campaign'], f['stage'], [s['reason'] for s in f['stages']]) for f in incidents(site)], [], (seed, ending))

    def test_shells_are_found_over_many_addresses_and_alone(self):
        for seed, ending, visits in self.each():
            for shell in Site.SHELLS:
                site = Site(f'shell-{seed}', ending)
                site.ordinary(visits)
                page = shell(site)
                found = incidents(site)
                self.assertEqual([(f['campaign'], f['stage']) for f in found], [('webshell', 'used')], (seed, ending, shell.__name__))
                self.assertIn(page, found[0]['stages'][0]['reason'])
                clients = {r[1] for r in site.rows if r[3] == page and r[7] == 200}
                self.assertEqual(set(found[0]['attackers']), clients)


if __name__ == '__main__':
    sys.argv[1:] = []
    tap.main()
