"""What the cases of tests/exchange share: one mail server's logs, written line by line as real servers write them, scanned with the built program.

Nothing here attacks anything: what is made are lines of logs, and what stands for code in them is a comment. Addresses are those of documentation."""
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path[:0] = [os.path.join(ROOT, 'tests'), os.path.join(ROOT, 'tools/lib')]
from exchange_logs import BROWSERS, MANAGEMENT, OUTLOOK, ExchangeServer, stamp  # noqa: E402
from windows_host import MINUTE, SECOND, SECURITY, SYSMON, SYSTEM, Host, Rng, at  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.environ.get('EXHIBIT_PROGRAM', os.path.join(ROOT, 'build/exhibit')))
V15 = 'C:\\Program Files\\Microsoft\\Exchange Server\\V15\\'
HTTPPROXY_FOLDER = V15 + 'FrontEnd\\HttpProxy\\'
DOMAIN_SID = 'S-1-5-21-3004250115-1270000000-842925246'
EVIL, OTHER = '203.0.113.9', '198.51.100.44'
ADMIN_PC = '10.20.1.31'
TOOL = 'python-requests/2.25.1'
TAG = 'http://f/<script language="JScript" runat="server">/* sample, does nothing */</script>'


class Classic:
    guid, source, keywords, level, nested = None, None, '0x80000000000000', 4, 'fragment'

    def __init__(self, name, channel):
        self.name, self.channel = name, channel


PANEL = Classic('MSExchange Control Panel', 'Application')
VOICE = Classic('MSExchange Unified Messaging', 'Application')
IIS_CONFIGURATION = Classic('Microsoft-Windows-IIS-Configuration', 'Microsoft-IIS-Configuration/Operational')


def token(name, sid=DOMAIN_SID + '-500', cut=None):
    """An X-Rps-CAT as it stands in logs: a description of a user, worthless as a key."""
    def text(letter, value):
        return letter + bytes([len(value)]) + value.encode()
    body = b'V\1\0' + text(b'T', 'Windows') + b'C\0' + text(b'A', 'Basic') + text(b'L', name) + text(b'U', sid)
    body += b'G\4\0\0\0' + b''.join(text(b'\7\0\0\0', s) for s in ('S-1-1-0', 'S-1-5-2', 'S-1-5-11', 'S-1-5-15')) + b'E\0\0\0\0'
    return base64.b64encode(body).decode()[:cut]


class Site:
    """One server: its text logs and its Windows host. Times are seconds after `start`."""

    def __init__(self, name='mx1', columns=74, version=None, start='2021-03-03 06:00:00', ip='10.20.0.11', folder=''):
        self.rng = Rng(name)
        self.start, self.folder = at(start), folder
        self.name, self.domain, self.suffix = name, 'HAFEN', 'hafen.example'
        self.logs = ExchangeServer(name, self.domain, self.suffix, ip, self.rng, version or ('15.00.1497.012' if columns == 54 else '15.01.2176.002'),
                                   columns == 54, folder=folder)
        self.host = Host(name.upper(), self.domain, self.suffix, ip, name, self.start, DOMAIN_SID)
        self.w3wp = self.host._process(self.start, 9120, r'C:\Windows\System32\inetsrv\w3wp.exe', r'c:\windows\system32\inetsrv\w3wp.exe -ap "MSExchangeOWAAppPool"',
                                       self.host.system, self.host.netsvcs)
        self.extra = {}

    def t(self, seconds):
        return self.start + int(seconds * SECOND)

    def web(self, seconds, method, stem, query='', ip=EVIL, agent=TOOL, status=200, user=None, **more):
        """One request: IIS, HttpProxy, and IIS of the back end when it got there (`backend`: its status, 0 = did not)."""
        return self.logs.request(self.t(seconds), method, stem, query, user, ip, agent, status, **more)

    def iis(self, seconds, method, stem, query='', ip=EVIL, agent=TOOL, status=200, user=None, port=443, referer='-', site=None):
        self.logs.iis(self.t(seconds), site or (2 if port == 444 else 1), port, method, stem, query, user, ip, agent, status, referer)

    def proxy(self, seconds, stem, status=200, anchor='', ip=EVIL, agent=TOOL, method='POST', query='', user='', protocol='Ecp', **more):
        """A row of HttpProxy alone."""
        self.logs.httpproxy(self.t(seconds), protocol, f'{int(seconds * 1000):08x}-5f1c-4a6b-9d0e-0123456789ab', stem, query, method, status, user, anchor,
                            agent=agent, client=ip, **more)

    def cookie(self, seconds, path, status=200, ip=EVIL, stem='/ecp/y.js', host=None, agent=TOOL, **more):
        """A request through a forged routing cookie, in both front-end logs."""
        host = f'a]@{self.logs.computer}:444' if host is None else host
        return self.web(seconds, 'POST', stem, '', ip, agent, status, anchor=f'ServerInfo~{host}{path}', hint='X-BEResource-Cookie', backend=0, **more)

    def chain(self, seconds=0, canary='0123456789abcdef', ip=EVIL):
        """The rows of the one published chain, until the session lists and resets the directory."""
        ddi = f'/ecp/DDI/DDIService.svc/{{}}?msExchEcpCanary={canary}.&schema={{}}OABVirtualDirectory#'
        for i, (path, status) in enumerate((('/autodiscover/autodiscover.xml?#', 200), ('/mapi/emsmdb/?#', 200), ('/ecp/proxyLogon.ecp?#', 241), (ddi.format('GetObject', ''), 200),
                                            (ddi.format('SetObject', ''), 200), (ddi.format('SetObject', 'Reset'), 200), (ddi.format('SetObject', ''), 200))):
            self.cookie(seconds + 2 * i, path, status, ip)

    def ecp(self, seconds, command, canary='0123456789abcdef', **more):
        more = ''.join(f';S:{k}={v}' for k, v in more.items())
        quoted = command.replace('"', '""')
        self.logs.ecp_server(self.t(seconds), f"S:TIME=411;S:SID=0;'S:CMD={quoted}';S:REQID=;S:URL=/ecp/DDI/DDIService.svc/SetObject?msExchEcpCanary={canary}.&schema=OABVirtualDirectory;"
                             f'S:REFERRER=;S:EX={more}')

    def cmdlet(self, seconds, cmdlet, parameters, user='Administrator', rid=500, sender=None, failed=False, where='both'):
        """A cmdlet in the event log and in remote PowerShell's log."""
        sid = f'{DOMAIN_SID}-{rid}'
        if where in ('both', 'management'):
            self.logs.management(self.host, self.t(seconds), cmdlet, parameters, f'{self.suffix}/Users/{user}', sid, failed)
        if where in ('both', 'rps'):
            self.logs.rps_cmdlet(self.t(seconds), user, sid, cmdlet, parameters, sender, 'Error' if failed else 'Success')

    def rps_http(self, seconds, user='', ip=EVIL, client='Python PSRP Client', status=200, query='?PSVersion=5.1.17763.1'):
        self.logs.rps_http(self.t(seconds), user, ip, client, status, query)

    def autodiscover(self, seconds, target, status=200, ip=EVIL, user=None, cat=None, agent=TOOL, form='json', **more):
        """A request for autodiscover.json with the address of another service in it."""
        inner = f'X-Rps-CAT={token(cat)}&' if cat else ''
        query = f'@mail.invalid/{target}?{inner}Email=autodiscover/autodiscover.json%3F@mail.invalid'
        return self.web(seconds, 'POST', '/autodiscover/autodiscover.json', query, ip, agent, status, user, backend=0, **more)

    def share_write(self, seconds, path, mask='0x2', ip='127.0.0.1', account=None):
        h = self.host
        h.log(self.t(seconds), SECURITY, 5145, {
            'SubjectUserSid': SYSTEM, 'SubjectUserName': account or h.name + '$', 'SubjectDomainName': h.domain, 'SubjectLogonId': 0x3e7, 'ObjectType': 'File', 'IpAddress': ip,
            'IpPort': '30065', 'ShareName': r'\\*\C$', 'ShareLocalPath': '\\??\\C:\\', 'RelativeTargetName': path, 'AccessMask': mask,
            'AccessList': '%%4417' if mask == '0x2' else '%%1538\r\n\t\t\t\t%%4417' if mask == '0x12019f' else '%%4416', 'AccessReason': '-'}, process_id=4)

    def file_made(self, seconds, path, process=None):
        self.host.file_created(self.t(seconds), process or self.host.kernel, path)

    def command(self, seconds, line, tool='whoami.exe'):
        cmd = self.host.start_process(self.t(seconds), r'C:\Windows\System32\cmd.exe', f'"cmd" /c {line}', self.w3wp, self.host.system)
        self.host.start_process(self.t(seconds + .2), 'C:\\Windows\\System32\\' + tool, line, cmd, self.host.system)

    def application(self, seconds, provider, event_id, *strings, level=2):
        self.host.log(self.t(seconds), provider, event_id, strings=list(strings), task=1, level=level)

    def raw(self, path, data):
        self.extra[path] = data.encode() if isinstance(data, str) else data

    def files(self):
        out = dict(self.logs.files())
        for channel in {channel for _, _, channel, _ in self.host.events}:
            out[f'{self.folder}{channel.replace("/", "%4")}.evtx'] = self.host.write(channel, allocated=1).bytes()
        out.update(self.extra)
        return out


class Cases(unittest.TestCase):
    def scan(self, *sites, files=None, options=()):
        """Findings of a scan of all these. Of every incident each stage's own evidence is read again and hashed."""
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as told:
            out = dict(files or {})
            for s in sites:
                out.update(s.files())
            for name, data in out.items():
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, 'wb') as f:
                    f.write(data if isinstance(data, bytes) else data.encode())
            found, stats = os.path.join(told, 'found.jsonl'), os.path.join(told, 'stats')
            run = subprocess.run([PROGRAM, 'scan', folder, '-o', found, '--stats', stats, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder)
            self.text = run.stdout.decode()
            self.assertIn(run.returncode, (0, 3), self.text)
            with open(stats, encoding='utf-8') as f:
                self.stats = json.load(f)
            with open(found, encoding='utf-8') as f:
                self.findings = [json.loads(line) for line in f]
            for incident in self.incidents():
                self.evidence_holds(folder, incident)
        return self.findings

    def evidence_holds(self, folder, incident):
        for stage in incident['stages']:
            own = [e for e in stage['evidence'] if e['role'] != 'context']
            self.assertTrue(own, stage)
            for e in stage['evidence']:
                with open(os.path.join(folder, e['source']), 'rb') as f:
                    f.seek(e['offset'])
                    self.assertEqual(hashlib.sha256(f.read(e['length'])).hexdigest(), e['sha256'])
            for e in own:
                self.assertTrue('line' in e or e['source'].endswith(('.evtx', '.json')), e)

    def incidents(self):
        return [f for f in self.findings if f['kind'] == 'incident']

    def told(self):
        return sorted((f['host'], f['campaign'], f['stage']) for f in self.incidents())

    def headers(self, text):
        """The numbers of the header lines that the stages of the one incident cite."""
        return [text.encode()[:e['offset']].count(b'\n') + 1 for s in self.incidents()[0]['stages'] for e in s['evidence'] if e['role'] == 'context']

    def stages(self, incident=None):
        if incident is None:
            self.assertEqual(len(self.incidents()), 1, self.told())
            incident = self.incidents()[0]
        return [s['stage'] for s in incident['stages']]

    def titles(self, level=None):
        return sorted({f['rule']['title'] for f in self.findings if f.get('rule') and (level is None or f['level'] == level)})

    def is_probe_only(self, campaign=None):
        """One incident a server, of stage probe, informational; nobody is called an attacker of more."""
        self.assertTrue(self.incidents())
        for f in self.incidents():
            self.assertEqual((f['stage'], f['level'], self.stages(f)), ('probe', 'informational', ['probe']), f['title'])
            if campaign:
                self.assertEqual(f['campaign'], campaign)

    def nothing_above_probe(self):
        self.assertEqual([t for t in self.told() if t[2] != 'probe'], [])

    def is_intrusion(self, campaign, stages):
        """One incident: this campaign, these stages in order."""
        self.assertEqual([(f['campaign'], self.stages(f)) for f in self.incidents()], [(campaign, stages)])
