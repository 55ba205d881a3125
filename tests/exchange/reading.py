#!/usr/bin/env python3
"""Logs in the shapes in which real servers leave them: columns that change, encodings, addresses, damage. The story must be the same.

    tests/exchange/reading.py [PROGRAM]"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import BROWSERS, DOMAIN_SID, EVIL, OUTLOOK, TAG, TOOL, Cases, Site, at, token  # noqa: E402
import tap  # noqa: E402
from exchange_logs import HTTPPROXY, HTTPPROXY_2013, IIS_FIELDS  # noqa: E402

DDI = '/ecp/DDI/DDIService.svc/'
STEPS = (('/mapi/emsmdb/?#', 200), ('/ecp/proxyLogon.ecp?#', 241), (DDI + 'GetObject?schema=OABVirtualDirectory#', 200),
         (DDI + 'SetObject?schema=ResetOABVirtualDirectory#', 200))
TOLD = ['ssrf', 'session', 'enumeration', 'written']


def row(columns, **cells):
    """One HttpProxy row of these columns; `anchor` and `status` and so on by their column names."""
    base = {'RequestId': '5f1c4a6b-0000-4d0e-8000-0123456789ab', 'MajorVersion': '15', 'MinorVersion': '1', 'BuildVersion': '2176', 'RevisionVersion': '2', 'Protocol': 'Ecp',
            'UrlHost': 'mail.hafen.example', 'UrlStem': '/ecp/y.js', 'IsAuthenticated': 'false', 'UserAgent': TOOL, 'ClientIpAddress': EVIL, 'ServerHostName': 'MX1',
            'HttpStatus': '200', 'Method': 'POST', 'RoutingHint': 'X-BEResource-Cookie', **cells}
    return ','.join(base.get(c, '') for c in columns)


def rows(columns, steps=STEPS, first=0, **cells):
    return [row(columns, DateTime=f'2021-03-03T06:59:{10 + first + i:02d}.817Z', AnchorMailbox=f'ServerInfo~a]@mx1.hafen.example:444{path}', HttpStatus=str(status), **cells)
            for i, (path, status) in enumerate(steps)]


def head(columns, bare=True, marks=True, version='15.01.2176.002'):
    names = ','.join(columns)
    lines = [names] if bare else []
    if marks:
        lines += ['#Software: Microsoft Exchange Server', f'#Version: {version}', '#Log-type: HttpProxy Logs', '#Date: 2021-03-03T06:00:00.130Z', f'#Fields: {names}']
    return lines


PATH = 'mx1/Logging/HttpProxy/Ecp/HttpProxy_2021030306-1.LOG'


class HttpProxy(Cases):
    def whole(self, data, lines=None, damaged=0, stages=TOLD):
        self.scan(files={PATH: data})
        self.is_intrusion('proxylogon', list(stages))
        if lines:
            self.assertEqual([[e['line'] for e in s['evidence'] if e['role'] != 'context'] for s in self.incidents()[0]['stages']], lines)
        self.assertEqual(sum(s["bytes"]["damage"] > 0 for s in self.stats["sources"]), damaged)

    def test_httpproxy_headers(self):
        """74 and 54 columns (one of them without a name); bare header, directives, or both; BOM or none; either line end."""
        for columns in (HTTPPROXY, HTTPPROXY_2013):
            self.assertEqual(len(columns), 74 if columns is HTTPPROXY else 54)
            for bare, marks in ((True, True), (False, True), (True, False)):
                for bom in ('', '\ufeff'):
                    for end in ('\n', '\r\n'):
                        top = head(columns, bare, marks)
                        self.whole(bom + end.join(top + rows(columns)) + end, [[len(top) + 1 + i] for i in range(4)])

    def test_httpproxy_columns_change_in_the_file(self):
        """An update in the middle of an hour: the new #Fields line holds from there on; cited is the header in force."""
        for before, after in ((HTTPPROXY_2013, HTTPPROXY), (HTTPPROXY, HTTPPROXY_2013), (HTTPPROXY, HTTPPROXY[:40] + HTTPPROXY[41:])):
            top, middle = head(before), head(after, bare=False)
            text = '\r\n'.join(top + rows(before, STEPS[:2]) + middle + rows(after, STEPS[2:], 2)) + '\r\n'
            self.whole(text, [[7], [8], [14], [15]])
            self.assertEqual(self.headers(text), [6, 6, 13, 13])

    def test_httpproxy_two_columns_of_one_name(self):
        columns = HTTPPROXY[:30] + ['HttpStatus', ''] + HTTPPROXY[30:]
        lines = []
        for line in rows(HTTPPROXY):
            cells = line.split(',')
            lines.append(','.join(cells[:30] + ['', ''] + cells[30:]))
        self.whole('\r\n'.join(head(columns) + lines) + '\r\n')

    def test_httpproxy_padding_and_cuts(self):
        """NUL bytes at the end or between blocks of lines; a last line that ends in the middle; blank lines."""
        lines = head(HTTPPROXY) + rows(HTTPPROXY)
        text = '\r\n'.join(lines) + '\r\n'
        self.whole(text.encode() + b'\0' * 4096)
        self.whole(('\r\n'.join(lines[:8]) + '\r\n').encode() + b'\0' * 512 + ('\r\n'.join(lines[8:]) + '\r\n').encode())
        self.whole(text + '\r\n\r\n')
        for broken in (text.replace('IsAuthenticated,', 'IsAuthenticated', 2), text.replace('#Fields: DateTime,', '#Fields: DateTime')):  # a header that no line fits
            self.whole(broken)
        cut = text + rows(HTTPPROXY)[1][:200]
        self.whole(cut, damaged=1)
        self.whole(text[:-2])  # the last line whole, without its end

    def test_httpproxy_cookie_column(self):
        """Servers that log the cookie: BackEndCookie has it, AnchorMailbox nothing."""
        lines = [row(HTTPPROXY, DateTime=f'2021-03-03T06:59:{10 + i:02d}.817Z', BackEndCookie=f'Server~a]@mx1:444{path}~1942062522', HttpStatus=str(status)) for i, (path, status) in enumerate(STEPS)]
        self.whole('\r\n'.join(head(HTTPPROXY) + lines) + '\r\n')

    def test_httpproxy_anchor_written_otherwise(self):
        """The path in other letters, encoded, with doubled slashes; a quoted cell."""
        for change in (str.upper, str.lower, lambda p: p.replace('/', '//'), lambda p: p.replace('/', '/./', 1), lambda p: p.replace('/', '%2f'), lambda p: p.replace('e', '%65'),
                       lambda p: p.replace('c', '%u0063'), lambda p: p.replace('/', '\\')):
            self.whole('\r\n'.join(head(HTTPPROXY) + rows(HTTPPROXY, [(change(p), s) for p, s in STEPS])) + '\r\n')
        self.whole('\r\n'.join(head(HTTPPROXY) + [line.replace('ServerInfo~', '"ServerInfo~a,b').replace('#,', '#",') for line in rows(HTTPPROXY)]) + '\r\n')

    def test_httpproxy_client_addresses(self):
        """IPv6, a zone, a port, two addresses with a blank: the first is the client, and it is one attacker."""
        for written, shown in (('2001:db8::9', '2001:db8::9'), ('fe80::1%3', 'fe80::1%3'), ('::ffff:203.0.113.9', EVIL), ('203.0.113.9 10.20.0.2', EVIL), ('203.0.113.9:52311', EVIL),
                               ('[2001:db8::9]:52311', '2001:db8::9'), ('2001:DB8::9', '2001:db8::9')):
            self.whole('\r\n'.join(head(HTTPPROXY) + rows(HTTPPROXY, ClientIpAddress=written)) + '\r\n')
            self.assertEqual(self.incidents()[0]['attackers'], [shown])

    def test_httpproxy_texts(self):
        """A comma became a blank in the user agent; letters outside ASCII, in UTF-8 and in the code page of old."""
        for agent in ('Mozilla/5.0 (KHTML  like Gecko)', 'Müller/1.0', '测试/1.0'):
            self.whole('\r\n'.join(head(HTTPPROXY) + rows(HTTPPROXY, UserAgent=agent)) + '\r\n')
        self.whole(('\r\n'.join(head(HTTPPROXY) + rows(HTTPPROXY, UserAgent='Müller/1.0')) + '\r\n').encode('latin-1'))
        self.whole(('\r\n'.join(head(HTTPPROXY) + rows(HTTPPROXY)) + '\r\n').encode('utf-16'))


IIS_FULL = ('date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status '
            'sc-substatus sc-win32-status sc-bytes cs-bytes time-taken')


def iis(fields, seconds, **cells):
    base = {'date': '2021-08-13', 'time': f'01:10:{seconds:02d}', 's-sitename': 'W3SVC1', 's-computername': 'MX1', 's-ip': '10.20.0.11', 'cs-method': 'POST',
            'cs-uri-stem': '/autodiscover/autodiscover.json', 's-port': '443', 'c-ip': EVIL, 'cs-version': 'HTTP/1.1', 'cs(User-Agent)': 'python-requests/2.25.1', 'cs-host': 'mail.hafen.example',
            'sc-status': '200', 'sc-substatus': '0', 'sc-win32-status': '0', 'sc-bytes': '3311', 'cs-bytes': '812', 'time-taken': '64', **cells}
    return ' '.join(base.get(f, '-') for f in fields.split())


def top(fields):
    return ['#Software: Microsoft Internet Information Services 10.0', '#Version: 1.0', '#Date: 2021-08-13 01:00:00', '#Fields: ' + fields]


TAIL = '&CorrelationID=<empty>;&cafeReqId=5f1c4a6b-0000-4d0e-8000-0123456789ab;'
LOG = 'mx1/W3SVC1/u_ex210813.log'


class Iis(Cases):
    def shell(self, query='@evil.invalid/powershell/?X-Rps-CAT=AAAA&Email=autodiscover/autodiscover.json%3F@evil.invalid' + TAIL, **cells):
        return {'cs-uri-query': query, **cells}

    def whole(self, data, campaign='proxyshell', stages=('ssrf', 'session'), path=LOG):
        self.scan(files={path: data})
        self.is_intrusion(campaign, list(stages))

    def lines(self, fields=IIS_FIELDS, **cells):
        return [iis(fields, 1, **{'cs-uri-query': '@evil.invalid/mapi/nspi/?&Email=autodiscover/autodiscover.json%3F@evil.invalid' + TAIL}, **cells), iis(fields, 3, **self.shell(), **cells)]

    def test_iis_fields(self):
        """The usual fields, all of them, a few, more of the house's own; the header lost."""
        for fields in (IIS_FIELDS, IIS_FULL, IIS_FIELDS + ' X-Forwarded-For', 'date time cs-method cs-uri-stem cs-uri-query c-ip sc-status', 'time date c-ip cs-uri-query cs-uri-stem sc-status cs-method'):
            for end in ('\n', '\r\n'):
                self.whole(end.join(top(fields) + self.lines(fields)) + end)
        self.whole('\r\n'.join(self.lines()) + '\r\n')

    def test_iis_fields_change_in_the_file(self):
        lines = top(IIS_FIELDS) + self.lines()[:1] + top(IIS_FULL) + self.lines(IIS_FULL)[1:]
        self.whole('\r\n'.join(lines) + '\r\n')
        self.assertEqual(self.headers('\r\n'.join(lines)), [4, 9])

    def test_iis_padding_and_cuts(self):
        lines = top(IIS_FIELDS) + self.lines()
        text = ('\r\n'.join(lines) + '\r\n').encode()
        self.whole(text + b'\0' * 65536)
        self.whole(('\r\n'.join(lines[:5]) + '\r\n').encode() + b'\0' * 512 + ('\r\n'.join(lines[5:]) + '\r\n').encode())
        self.whole(b'\xef\xbb\xbf' + text)
        self.whole(text + self.lines()[0][:90].encode())
        self.whole(b'# Default traces of the old server\r\n\r\n' + text)
        self.whole(text[:-2])

    def test_iis_client_addresses(self):
        for written, shown in (('2001:db8::9', '2001:db8::9'), ('fe80::1%3', 'fe80::1%3'), ('::ffff:203.0.113.9', EVIL)):
            self.whole('\r\n'.join(top(IIS_FIELDS) + self.lines(**{'c-ip': written})) + '\r\n')
            self.assertEqual(self.incidents()[0]['attackers'], [shown])

    def test_iis_forwarded_address(self):
        """Behind a balancer the client's address is in X-Forwarded-For."""
        fields = IIS_FIELDS + ' X-Forwarded-For'
        for written in (EVIL, EVIL + ':41022', EVIL + ',+10.20.0.3'):
            self.whole('\r\n'.join(top(fields) + self.lines(fields, **{'c-ip': '10.20.0.2', 'X-Forwarded-For': written})) + '\r\n')
            self.assertEqual(self.incidents()[0]['attackers'], [EVIL])

    def test_iis_as_events(self):
        """The same log as events of the channel Microsoft-IIS-Logging/Logs (6200), as JSON."""
        names = ['date', 'time', 'c-ip', 'cs-username', 's-sitename', 's-computername', 's-ip', 'cs-method', 'cs-uri-stem', 'cs-uri-query', 'sc-status', 'sc-win32-status', 'sc-bytes', 'cs-bytes',
                 'time-taken', 's-port', 'csUser-Agent', 'csCookie', 'csReferer', 'cs-version', 'cs-host', 'sc-substatus', 'CustomFields']
        out = []
        for line in self.lines(IIS_FULL):
            cells = dict(zip(IIS_FULL.replace('cs(User-Agent)', 'csUser-Agent').replace('cs(Cookie)', 'csCookie').replace('cs(Referer)', 'csReferer').split(), line.split(' ')))
            out.append(json.dumps({'Event': {'System': {'Provider': {'Name': 'Microsoft-Windows-IIS-Logging'}, 'EventID': 6200, 'Channel': 'Microsoft-IIS-Logging/Logs', 'Computer': 'MX1.hafen.example',
                                   'TimeCreated': {'SystemTime': cells['date'] + 'T' + cells['time'] + '.000Z'}}, 'EventData': {n: cells.get(n, '-') for n in names}}}))
        self.whole('\n'.join(out) + '\n', path='mx1/iis-events.json')


SHELL = {  # what stands in the query, and in the stem where it is not the usual one
    'as it is': '@evil.invalid/powershell/?X=1',
    'the at sign': '%40evil.invalid/powershell/?X=1',
    'the at sign twice': '%2540evil.invalid/powershell/?X=1',
    'the slash': '@evil.invalid%2fpowershell%2f?X=1',
    'the slash twice': '@evil.invalid%252FPowerShell%252F',
    'a letter': '@evil.invalid/%70owershell/',
    'a letter twice': '@evil.invalid/%2570owershell/',
    'a letter thrice': '@evil.invalid/%252570owershell/',
    'as IIS has it': '@evil.invalid/p%u006fwershell/',
    'at sign as IIS has it': '%u0040evil.invalid%u002fpowershell/',
    'wide letters': '@evil.invalid%uff0f%uff50owershell/',
    'letters': '@Evil.Invalid/PoWeRsHeLl/',
    'overlong': '@evil.invalid%c0%afpowershell/',
    'overlong of three': '@evil.invalid%e0%80%afpowershell/',
    'the other slash': '@evil.invalid\\powershell\\',
    'the other slash, encoded': '@evil.invalid%5cpowershell',
    'two slashes': '@evil.invalid//powershell/',
    'with plus': 'a+b@evil.invalid/powershell/?x=a+b',
    'a name before it': 'a=dsxvu@fnsso.flq/powershell/?X=1',
    'dots': '@evil.invalid/x/../powershell/',
}
STEMS = ('/Autodiscover/Autodiscover.JSON', '/autodiscover/autodiscover%2ejson', '/autodiscover//autodiscover.json', '/AUTODISCOVER/./autodiscover.json', '/%61utodiscover/autodiscover.json')


class Encoded(Cases):
    """Each case is a server of its own, so that one scan tells of all."""

    def iis(self, number, query='', status='200', stem='/autodiscover/autodiscover.json', method='POST'):
        cells = {'s-computername': f'CASE{number}', 'cs-uri-stem': stem, 'cs-uri-query': query.replace(' ', '+') + TAIL, 'sc-status': status, 'cs-method': method}
        return {f'case{number}/W3SVC1/u_ex210813.log': '\r\n'.join(top(IIS_FULL) + [iis(IIS_FULL, 1, **cells)]) + '\r\n'}

    def proxy(self, number, query='', status='200', stem='/autodiscover/autodiscover.json', columns=HTTPPROXY, method='POST'):
        line = row(columns, DateTime='2021-08-13T01:10:01.817Z', Protocol='Autodiscover', UrlStem=stem, UrlQuery='?' + query, HttpStatus=status, RoutingHint='', Method=method,
                   ServerHostName=f'CASE{number}')
        return {f'case{number}/HttpProxy/Autodiscover/HttpProxy_2021081301-1.LOG': '\r\n'.join(head(columns) + [line]) + '\r\n'}

    def all(self, cases):
        """cases: [(what it is, files for a number, what is to be told: (campaign, stage), or None)]."""
        files = {}
        for i, (_, make, _) in enumerate(cases):
            files.update(make(i))
        self.scan(files=files)
        got = {f['host']: (f['campaign'], f['stage']) for f in self.incidents()}
        self.assertEqual({f'case{i} {name}': want for i, (name, _, want) in enumerate(cases)}, {f'case{i} {name}': got.get(f'case{i}') for i, (name, _, _) in enumerate(cases)})

    def case(self, name, want, *args, log='iis', **more):
        return name, lambda i: getattr(self, log)(i, *args, **more), want

    def test_encoded_powershell(self):
        cases = []
        for name, query in SHELL.items():
            cases += [self.case(name, ('proxyshell', 'session'), query), self.case(name + ', refused', ('proxyshell', 'probe'), query, '401'),
                      self.case(name + ', in HttpProxy', ('proxyshell', 'session'), query, log='proxy'),
                      self.case(name + ', in the old HttpProxy', ('proxyshell', 'probe'), query, '500', log='proxy', columns=HTTPPROXY_2013)]
        self.all(cases)

    def test_encoded_stems(self):
        self.all([self.case(stem, ('proxyshell', 'session'), '@evil.invalid/powershell/?X=1', stem=stem, log=log) for stem in STEMS for log in ('iis', 'proxy')])

    def test_encoded_in_the_stem(self):
        """Forms in which the address of the other service stands in the path."""
        self.all([self.case(stem, ('proxyshell', 'session'), 'x=a', stem=stem) for stem in (
            '/autodiscover/admin@localhost/powershell/autodiscover.json', '/autodiscover/autodiscover.json/@evil.invalid/powershell/', '/autodiscover/autodiscover.json/%40evil.invalid/powershell',
            '/autodiscover/admin%2540localhost/%70owershell/autodiscover.json')])

    def test_encoded_mail_services(self):
        cases = []
        for target in ('mapi/nspi/', 'mapi/emsmdb', 'MAPI%2fnspi', 'ews/exchange.asmx', '%65ws/exchange.asmx', 'autodiscover/autodiscover.xml', 'mapi%252Femsmdb', 'oab/', 'rpc/', 'ecp/default.aspx'):
            cases += [self.case(target, ('proxyshell', 'ssrf'), '@evil.invalid/' + target), self.case(target + ', refused', ('proxyshell', 'probe'), '@evil.invalid/' + target, '302')]
        cases.append(self.case('a page of OWA is what scanners ask for', ('proxyshell', 'probe'), '@test.example/owa/?&Email=autodiscover/autodiscover.json%3F@test.example'))
        self.all(cases)

    def test_encoded_owassrf(self):
        cases = []
        for stem in ('/owa/a%40b.example/powershell', '/OWA/a@b.example/PowerShell/', '/owa/a%2540b.example/powershell', '/owa/a@b.example/%70owershell', '/owa/a%u0040b.example/powershell',
                     '/owa/a@b.example%2fpowershell', '/owa//a@b.example//powershell', '/%6fwa/a@b.example/powershell', '/owa/a@b.example\\powershell'):
            cases += [self.case(stem, ('owassrf', 'session'), stem=stem), self.case(stem + ', refused', ('owassrf', 'probe'), '', '404', stem=stem)]
        self.all(cases)

    def test_encoded_static_files(self):
        cases = []
        for stem in ('/ecp/y.js', '/ECP/Y.JS', '/ecp/y%2ejs', '/ecp//y.js', '/%65cp/y.js', '/owa/auth/Current/themes/resources/SegoeUI-Regular.eot', '/ecp/y%252ejs', '/owa/auth/15.1.2176/themes/resources/logon.css'):
            cases += [self.case(f'{stem} {status}', ('proxylogon', stage), '', status, stem=stem) for status, stage in (('200', 'ssrf'), ('241', 'session'), ('500', 'probe'), ('302', 'probe'))]
        self.all(cases)

    def test_encoded_lookalikes(self):
        """Honest requests with at signs, per cent signs and those words."""
        self.all([self.case(f'{stem}?{query}', None, query, stem=stem, method=method, log=log) for log in ('iis', 'proxy') for method, stem, query in (
            ('GET', '/autodiscover/autodiscover.json', 'Email=b.dorn%40hafen.example&Protocol=Powershell&RedirectCount=1'),
            ('GET', '/autodiscover/autodiscover.json/v1.0/b.dorn%40hafen.example', 'Protocol=Ews'),
            ('GET', '/owa/', 'path=/mail/search/rp&q=powershell%20b@hafen.example%2fews'),
            ('POST', '/owa/service.svc', 'action=GetItem&ID=%252fews%252f'),
            ('GET', '/owa/b.dorn%40hafen.example/', 'wa=wsignin1.0'),
            ('POST', '/ecp/b.dorn@hafen.example/DDI/DDIService.svc/GetList', 'schema=Mailbox'),
            ('GET', '/owa/(S(x1y2z3))/auth/logon.aspx', ''),
            ('POST', '/EWS/Exchange.asmx', 'a=b@c.example/ews/'),
            ('GET', '/ecp/y.js', ''), ('POST', '/ecp/default.aspx', 'x=y.js'), ('POST', '/owa/auth.owa', ''),
            ('POST', '/mapi/emsmdb/', 'MailboxId=5f1c4a6b-0000-4d0e-8000-0123456789ab@hafen.example'),
            ('POST', '/Microsoft-Server-ActiveSync', 'User=hafen%5cb.dorn&DeviceId=APPL%40x&DeviceType=iPhone&Cmd=Ping'))])


class Extracts(Cases):
    """What responders hand on: a few columns, exports of scripts and of collectors, the hits of a search without any header."""
    HITS = [('/autodiscover/autodiscover.xml?#', 200)] + list(STEPS)

    def cells(self, **names):
        """Of each hit what it has, under the names given."""
        for i, (path, status) in enumerate(self.HITS):
            yield {'DateTime': f'2021-03-03T06:59:{10 + 2 * i}.817Z', 'UrlStem': '/ecp/y.js', 'RoutingHint': 'X-BEResource-Cookie', 'UserAgent': TOOL, 'ClientIpAddress': EVIL, 'RequestId': f'5f1c-{i}',
                   'ServerHostName': 'MX1', 'AnchorMailbox': f'ServerInfo~a]@srv.x.local:444{path}', 'HttpStatus': str(status)}

    def table(self, columns, quote=''):
        return [','.join(f'{quote}{c}{quote}' for c in columns)] + [','.join(f'{quote}{row.get(c, row.get({"RequestID": "RequestId", "ClientIPAddress": "ClientIpAddress"}.get(c, c), ""))}{quote}'
                                                                             for c in columns) for row in self.cells()]

    def whole(self, name, data):
        self.scan(files={name: data})
        self.is_intrusion('proxylogon', ['probe'] + TOLD)

    def test_extract_of_columns(self):
        self.whole('hafnium.csv', '\n'.join(self.table(['DateTime', 'UrlStem', 'RoutingHint', 'UserAgent', 'AnchorMailbox', 'HttpStatus'])) + '\n')
        table = self.table(['DateTime', 'RequestID', 'ClientIPAddress', 'UrlHost', 'UrlStem', 'RoutingHint', 'UserAgent', 'AnchorMailbox', 'HttpStatus'], '"')
        self.whole('MX1-Cve-2021-26855.csv', '\r\n'.join(table) + '\r\n')
        self.whole('MX1-Cve-2021-26855.csv', '\r\n'.join(['#TYPE System.Management.Automation.PSCustomObject'] + table) + '\r\n')
        self.whole('hits.json', '\n'.join(map(json.dumps, self.cells())) + '\n')

    def test_extract_without_header(self):
        for columns in (HTTPPROXY, HTTPPROXY_2013):
            self.whole('hits.log', '\n'.join(rows(columns, self.HITS)) + '\n')
            self.assertEqual([[e['line'] for e in s['evidence']] for s in self.incidents()[0]['stages']], [[1], [2], [3], [4], [5]])
        s = Site()
        s.ecp(0, f"Set-OabVirtualDirectory.ExternalUrl=''{TAG}''.Identity=''a''")
        text = next(v for k, v in s.files().items() if 'ECPServer' in k).decode('utf-8-sig')
        self.scan(files={'ecp.log': ''.join(line + '\n' for line in text.split('\r\n') if line[:1].isdigit())})
        self.is_intrusion('proxylogon', ['written'])

    def test_extract_of_collectors(self):
        """IIS as collectors store it: the log's own names, and those of a workspace."""
        line = {'s-ip': '10.20.0.11', 'cs-method': 'POST', 'cs-uri-stem': '/autodiscover/autodiscover.json', 'cs-uri-query': '@e.invalid/powershell/?X-Rps-CAT=AAAA', 's-port': 443, 'cs-username': '-',
                'c-ip': EVIL, 'cs(User-Agent)': 'python', 'sc-status': '200'}
        other = {'s-ip': 'sIP', 'cs-method': 'csMethod', 'cs-uri-stem': 'csUriStem', 'cs-uri-query': 'csUriQuery', 's-port': 'sPort', 'cs-username': 'csUserName', 'c-ip': 'cIP', 'cs(User-Agent)': 'csUserAgent',
                 'sc-status': 'scStatus'}
        for record in ({'@timestamp': '2021-08-13T01:10:01Z', 's-computername': 'MX1', **line}, {'TimeGenerated': '2021-08-13T01:10:01Z', 'Computer': 'MX1', **{other[k]: v for k, v in line.items()}}):
            self.scan(files={'iis.json': json.dumps(record) + '\n'})
            self.assertEqual(self.told(), [('mx1', 'proxyshell', 'session')])
            self.assertEqual(self.incidents()[0]['attackers'], [EVIL])


class Places(Cases):
    """Servers that are not installed in English on C:."""

    def test_places_other_drive_and_language(self):
        for root in ('D:\\Exchange\\', 'E:\\Programme\\Microsoft\\Exchange Server\\V15\\', 'D:\\Archivos de programa\\Exchange\\V15\\', 'D:\\Почта\\V15\\'):
            s = Site()
            page = root + 'FrontEnd\\HttpProxy\\owa\\auth\\hülle.aspx'
            s.share_write(0, page[3:])
            s.file_made(.1, page)
            s.file_made(30, r'C:\Windows\Microsoft.NET\Framework64\v4.0.30319\Temporary ASP.NET Files\owa\8e05b027\e164d61b\hülle.aspx.f5dba9b9.compiled', s.w3wp)
            s.web(30, 'POST', '/owa/auth/h%C3%BClle.aspx', '', backend=0)
            self.scan(s)
            self.is_intrusion('webshell', ['written', 'used'])

    def test_places_own_oab_folder(self):
        """Files of the address book in its own folder, wherever that is, are none of this."""
        for root in ('C:\\Program Files\\Microsoft\\Exchange Server\\V15\\', 'D:\\Exchange\\'):
            s = Site()
            s.logs.oab_generator(s.t(0), f"Download failed and temporary file '{root}ClientAccess\\OAB\\x\\data1.oab' needs to be removed")
            self.scan(s)
            self.assertEqual(self.told(), [])

    def test_places_german_cmdlet_event(self):
        """Only the scope's text is translated, the cmdlet and its parameters are not."""
        s = Site()
        s.cmdlet(0, 'Set-OabVirtualDirectory', f'-ExternalUrl "{TAG}" -Identity "OAB (Standardwebsite)"', where='management')
        self.scan(s)
        self.is_intrusion('proxylogon', ['written'])


if __name__ == '__main__':
    tap.main()
