#!/usr/bin/env python3
"""The catalogue of what intruders of these campaigns leave in Exchange's logs (doc/exchange.md), item by item: what is found, what is not, what comes close.

    tests/exchange/catalogue.py [PROGRAM]"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import ADMIN_PC, BROWSERS, DOMAIN_SID, EVIL, HTTPPROXY_FOLDER, IIS_CONFIGURATION, OTHER, PANEL, TAG, TOOL, V15, VOICE, Cases, Site, token  # noqa: E402
import tap  # noqa: E402

DDI = '/ecp/DDI/DDIService.svc/'
COMPILED = r'C:\Windows\Microsoft.NET\Framework64\v4.0.30319\Temporary ASP.NET Files\owa\8e05b027\e164d61b' + '\\'


class Items(Cases):
    def told_of(self, make, **how):
        """(campaign, stage) of the one incident of a server on which only this happened; None when there is none."""
        s = Site(**how)
        make(s)
        self.scan(s)
        self.assertLess(len(self.incidents()), 2, self.told())
        return self.told()[0][1:] if self.told() else None

    def test_ex01_tiers(self):
        """By the path behind the cookie and the status; each row alone, on servers of their own."""
        wanted = {('/autodiscover/autodiscover.xml?#', 200): 'probe', ('/ecp/default.flt?', 200): 'probe', ('/owa/auth/logon.aspx?', 200): 'probe',
                  ('/mapi/emsmdb/?#', 200): 'ssrf', ('/EWS/Exchange.asmx?#', 200): 'ssrf', ('/rpc/?#', 200): 'ssrf', ('/oab/x/oab.xml', 200): 'ssrf', ('/mapi/emsmdb/?#', 401): 'probe',
                  ('/ecp/proxyLogon.ecp?#', 241): 'session', ('/ecp/proxyLogon.ecp?#', 200): 'probe', ('/ecp/proxyLogon.ecp?#', 302): 'probe', ('/powershell?#', 200): 'session',
                  (DDI + 'GetObject?schema=OABVirtualDirectory#', 200): 'enumeration', (DDI + 'GetList?schema=VirtualDirectory#', 200): 'enumeration', (DDI + 'GetObject?x#', 500): 'probe',
                  (DDI + 'SetObject?schema=OABVirtualDirectory#', 200): 'enumeration', (DDI + 'SetObject?schema=ResetOABVirtualDirectory#', 200): 'written',
                  (DDI + 'SetObject?msExchEcpCanary=a.&schema=ResetECPVirtualDirectory#', 200): 'written', (DDI + 'SetObject?schema=ResetOABVirtualDirectory#', 500): 'probe'}
        sites = []
        for i, (path, status) in enumerate(wanted):
            s = Site(f'case{i}', folder=f'case{i}/', columns=54 if i % 2 else 74)
            s.proxy(0, '/ecp/y.js', status, f'ServerInfo~a]@srv.x.local:444{path}')
            sites.append(s)
        self.scan(*sites)
        got = {host: stage for host, _, stage in self.told()}
        self.assertEqual({f'{p} {c}': stage for (p, c), stage in wanted.items()}, {f'{p} {c}': got.get(f'case{i}') for i, (p, c) in enumerate(wanted)})

    def test_ex01_negative(self):
        """Honest routing: nothing with a slash behind the server."""
        def make(s):
            for i, (anchor, cookie) in enumerate((('Sid~S-1-5-21-1-2-3-4343', 'Database~5f1c~~2023-02-08T18:59:59~x.local~1'), ('MailboxGuid~5f1c4a6b', 'Server~mx2.hafen.example~1942062522'),
                                                  ('ServerVersion~Version 15.1 (Build 2374.0)', ''), ('', ''), ('Smtp~a@b.example', ''), ('ServerInfo~mx2.hafen.example', ''))):
                s.proxy(i, '/ecp/default.aspx', 200, anchor, '192.0.2.7', BROWSERS[0], 'GET', user='HAFEN\\b.dorn', cookie=cookie)
        self.assertIsNone(self.told_of(make))

    def test_ex02_ecp_log(self):
        for command in (f"Set-OabVirtualDirectory.ExternalUrl=''{TAG}''.Identity=''a''", f"Set-EcpVirtualDirectory.InternalUrl=''{TAG}''.Identity=''a''",
                        "Set-OabVirtualDirectory.ExternalUrl=''http://f/<% Page_Load %>''.Identity=''a''", f"Set-OABVirtualDirectory.Force=$true.ExternalUrl=''{TAG}''"):
            self.assertEqual(self.told_of(lambda s: s.ecp(0, command)), ('proxylogon', 'written'), command)

    def test_ex02_negative(self):
        def make(s):
            for i, command in enumerate(("Set-OabVirtualDirectory.ExternalUrl=''https://mail.hafen.example/OAB''.Identity=''a''", 'Set-OabVirtualDirectory.ExternalUrl=$null.Identity=1',
                                         "Get-Mailbox.Filter=''a <b> c''", "Set-MailboxMessageConfiguration.SignatureHtml=''<script>''", "Set-OwaMailboxPolicy.DefaultTheme=''<b>''")):
                s.ecp(i * 90, command)
        self.assertIsNone(self.told_of(make))

    def test_ex03_cmdlets(self):
        for where in ('management', 'rps'):
            for cmdlet in ('Set-OabVirtualDirectory', 'Set-EcpVirtualDirectory', 'Set-WebServicesVirtualDirectory'):
                self.assertEqual(self.told_of(lambda s: s.cmdlet(0, cmdlet, f'-ExternalUrl "{TAG}" -Identity "a"', where=where)), ('proxylogon', 'written'), (where, cmdlet))

    def test_ex03_directory_remade(self):
        """The three steps in their order are a finding, and belong to a story that is there; they begin none."""
        steps = (('Set-OabVirtualDirectory', '-ExternalUrl "http://x/"'), ('Remove-OabVirtualDirectory', '-Force "True"'), ('New-OabVirtualDirectory', '-Server "MX1"'))

        def make(s, apart=2, order=(0, 1, 2)):
            for i, k in enumerate(order):
                s.cmdlet(20 + i * apart, *steps[k], where='management')
        self.assertIsNone(self.told_of(make))
        self.assertEqual([t for t in self.titles() if 'within' in t], ['OAB virtual directory set, removed and made again within a minute', 'OAB virtual directory set, removed and made again within fifteen seconds'])
        self.told_of(lambda s: make(s, 20))
        self.assertEqual([t for t in self.titles() if 'within' in t], ['OAB virtual directory set, removed and made again within a minute'])
        self.told_of(lambda s: make(s, 2, (1, 2, 0)))  # support's advice for a broken address book
        self.assertEqual([t for t in self.titles() if 'within' in t], [])
        self.told_of(lambda s: make(s, 90))
        self.assertEqual([t for t in self.titles() if 'within' in t], [])

        def both(s):
            s.cookie(0, '/ecp/proxyLogon.ecp?#', 241)
            make(s)
        self.assertEqual(self.told_of(both), ('proxylogon', 'written'))

    def test_ex03_negative(self):
        def make(s):
            for where in ('management', 'rps'):
                s.cmdlet(0, 'Set-OabVirtualDirectory', '-ExternalUrl "https://mail.hafen.example/OAB" -Identity "MX1\\\\OAB (Default Web Site)"', 'adm.lund', 1117, where=where)
                s.cmdlet(9, 'Set-MailboxAutoReplyConfiguration', '-InternalMessage "<html><script>"', 'b.dorn', 1200, where=where)
        self.assertIsNone(self.told_of(make))

    def test_ex04_panel_error(self):
        for url in ('https://mx1:444/ecp/about.aspx?a=]:444/ecp/tpy.js(https://localhost/ecp/tpy.js)', 'https://mx1:444/ecp/x.aspx?b=1&a=]:444/ecp/y.js(https://localhost/ecp/y.js)'):
            self.assertEqual(self.told_of(lambda s: s.application(0, PANEL, 4, 'x', f"Request for URL '{url}' failed with the following error:\r\nSystem.Web")), ('proxylogon', 'session'))

    def test_ex04_negative(self):
        self.assertIsNone(self.told_of(lambda s: s.application(0, PANEL, 4, 'x', "Request for URL 'https://mail:444/ecp/default.aspx(https://mail/ecp/default.aspx)' failed")))

    def test_ex04_voice_mail(self):
        """The error alone is an attempt; a child of the service's worker is what came of it."""
        text = 'The Unified Messaging server encountered an exception: System.InvalidCastException: Unable to cast object of type'
        self.assertEqual(self.told_of(lambda s: s.application(0, VOICE, 1137, 'x', text)), ('any', 'probe'))
        self.assertIsNone(self.told_of(lambda s: s.application(0, VOICE, 1137, 'x', 'System.IO.IOException: voice mail')))

        def worker(s):
            s.application(0, VOICE, 1137, 'x', text)
            um = s.host._process(s.start, 7100, V15 + 'bin\\UMWorkerProcess.exe', 'UMWorkerProcess.exe', s.host.system, s.host.services)
            s.host.start_process(s.t(1), r'C:\Windows\System32\cmd.exe', 'cmd /c whoami', um, s.host.system)
        self.assertEqual(self.told_of(worker)[1], 'commands')
        self.assertEqual(self.stages(), ['probe', 'commands'])
        self.assertEqual(self.incidents()[0]['scanners'], [])

    def test_ex05_static_files(self):
        for stem in ('/ecp/y.js', '/ecp/main.css', '/ecp/default.flt', '/ecp/favicon.ico', '/owa/auth/w.js', '/owa/auth/Current/themes/resources/lgnbotl.gif', '/owa/auth/Current/themes/resources/x.ttf'):
            self.assertEqual(self.told_of(lambda s: s.iis(0, 'POST', stem, status=241)), ('proxylogon', 'session'), stem)
        self.assertEqual(self.told_of(lambda s: s.iis(0, 'POST', '/ecp/y.js', status=500)), ('proxylogon', 'probe'))

    def test_ex05_negative(self):
        def make(s):
            s.iis(0, 'GET', '/ecp/y.js', ip='192.0.2.7', agent=BROWSERS[0])
            s.iis(1, 'POST', '/js/collect.js', ip='192.0.2.7', agent=BROWSERS[0])
            s.iis(2, 'POST', '/owa/service.svc', 'action=x.js', '192.0.2.7', BROWSERS[0])
        self.assertIsNone(self.told_of(make))

    def test_ex06_email_form(self):
        """The address of autodiscover in the query without another service: scanners ask so, on any page."""
        for status in (200, 302, 401):
            self.assertEqual(self.told_of(lambda s: s.iis(0, 'GET', '/owa/', 'Email=autodiscover/autodiscover.json%3F@test.example&ClientId=1', status=status)), ('proxyshell', 'probe'), status)

    def test_ex06_back_end_token(self):
        """Only the back end's log is left: remote PowerShell answers to a token in the address. Not forged by its number, or cut by the log: the same."""
        for cat in (token('jones@hafen.example'), token('jones@hafen.example', DOMAIN_SID + '-1117'), token('jones@hafen.example', cut=60), 'VgEAVA'):
            self.assertEqual(self.told_of(lambda s: s.iis(0, 'POST', '/Powershell', 'X-Rps-CAT=' + cat, '10.20.0.11', 'Python PSRP Client', user='HAFEN\\jones', port=444)),
                             ('proxyshell', 'session'))
            self.assertEqual(self.told_of(lambda s: s.iis(0, 'POST', '/Powershell', 'X-Rps-CAT=' + cat, '10.20.0.11', 'Python PSRP Client', status=401, port=444)), ('proxyshell', 'probe'))
        self.assertEqual(self.told_of(lambda s: s.rps_http(0, 'jones@hafen.example', query='?X-Rps-CAT=' + token('jones@hafen.example'))), ('proxyshell', 'session'))

    def test_ex06_negative(self):
        self.assertIsNone(self.told_of(lambda s: s.iis(0, 'POST', '/powershell', 'PSVersion=5.1.17763.1', '10.20.0.11', 'Microsoft WinRM Client', user='HAFEN\\adm.lund', port=444)))

    def test_ex07_encoding(self):
        """The agent's prefix, the word between control characters, the remote PowerShell log: each alone."""
        for make in (lambda s: s.iis(0, 'POST', '/owa/', 'x', agent='UP ' + BROWSERS[0], user='HAFEN\\b.dorn'),
                     lambda s: s.iis(0, 'POST', '/PowerShell/', '%17Email%15Autodiscover/autodiscover.json?b@hafen.example', '10.20.0.11', BROWSERS[0], user='HAFEN\\b.dorn', port=444),
                     lambda s: s.rps_http(0, 'HAFEN\\b.dorn', client='UP Mozilla/5.0 (Windows NT 10.0)')):
            self.assertEqual(self.told_of(make), ('proxynotshell', 'session'))

    def test_ex07_negative(self):
        def make(s):
            s.iis(0, 'GET', '/owa/', ip='192.0.2.9', agent='UP.Browser/7.2.6')
            s.iis(1, 'GET', '/owa/', 'q=%C3%BCbung%C3%A4', '192.0.2.9', BROWSERS[0])
            s.rps_http(2, 'HAFEN\\adm.lund', ADMIN_PC, 'Microsoft WinRM Client')
        self.assertIsNone(self.told_of(make))

    def test_ex09_odd_client(self):
        """Alone a reason to ask; beside a session it belongs to it."""
        self.assertIsNone(self.told_of(lambda s: s.rps_http(0, 'HAFEN\\adm.lund', ADMIN_PC, 'Python PSRP Client')))
        self.assertIn('Remote PowerShell used by an unusual client', self.titles('medium'))

        def make(s):
            s.autodiscover(0, 'powershell/', user='HAFEN\\b.dorn')
            s.rps_http(1, 'HAFEN\\b.dorn')
        self.assertEqual(self.told_of(make), ('proxynotshell', 'session'))
        self.assertIn('unusual client', self.incidents()[0]['stages'][0]['reason'])

    def test_ex09_negative(self):
        for client, status in (('', 200), ('Microsoft WinRM Client', 200), ('Exchange BackEnd Probes', 200), ('Python PSRP Client', 401)):
            self.told_of(lambda s: s.rps_http(0, 'HAFEN\\adm.lund', ADMIN_PC, client, status))
            self.assertEqual(self.findings, [], client)

    def test_ex10_somebody_else(self):
        for user in ('Administrator', 'Administrateur', 'hafen.example/Users/Admin-alt'):
            self.assertEqual(self.told_of(lambda s: s.cmdlet(0, 'New-ManagementRoleAssignment', '-Role "Mailbox Import Export" -SecurityGroup "x"', user, 500, 'jones@hafen.example', where='rps')),
                             ('proxyshell', 'session'), user)

    def test_ex10_negative(self):
        def make(s):
            s.cmdlet(0, 'New-MailboxExportRequest', '-Mailbox "a" -FilePath "\\\\fs1\\pst$\\a.pst"', 'Administrator', 500, 'HAFEN\\administrator', where='rps')
            s.cmdlet(1, 'Set-Mailbox', '-Identity "a"', 'Administrator', 500, 'administrator@hafen.example', where='rps')
            s.cmdlet(2, 'Set-Mailbox', '-Identity "a"', 'Lund, Anna', 1117, 'HAFEN\\adm.lund', where='rps')
            s.cmdlet(3, 'Get-Mailbox', '-ResultSize "1"', 'HealthMailbox5f1c', 1150, 'hafen\\healthmailbox5f1c', where='rps')
            s.cmdlet(4, 'Get-Mailbox', '', 'Administrator', 500, None, where='rps')
        self.assertIsNone(self.told_of(make))

    def test_ex11_exports(self):
        path = '"\\\\127.0.0.1\\c$\\inetpub\\wwwroot\\aspnet_client\\a.aspx"'
        for where in ('management', 'rps'):
            for file in (path, '"\\\\localhost\\c$\\x.aspx"', '"\\\\mx1\\c$\\Program Files\\x\\FrontEnd\\HttpProxy\\owa\\auth\\b.aspx"', '"\\\\127.0.0.1\\d$\\a.pst"'):
                self.assertEqual(self.told_of(lambda s: s.cmdlet(0, 'New-MailboxExportRequest', f'-Mailbox "a" -FilePath {file}', where=where, failed=True)), ('proxyshell', 'written'), (where, file))
            self.assertEqual(self.told_of(lambda s: s.cmdlet(0, 'New-ExchangeCertificate', f'-GenerateRequest "True" -RequestFile {path}', where=where)), ('proxyshell', 'written'))
        s = Site()
        record = {'CreationTime': '2021-08-13T01:10:01', 'Id': 'a', 'RecordType': 1, 'Operation': 'New-MailboxExportRequest', 'OrganizationId': 'o', 'UserType': 2, 'UserKey': 'k', 'Workload': 'Exchange',
                  'ResultStatus': 'True', 'UserId': 'hafen.example/Users/Administrator', 'OriginatingServer': 'MX1 (15.01.2176.002)', 'ExternalAccess': False,
                  'Parameters': [{'Name': 'Mailbox', 'Value': 'a'}, {'Name': 'FilePath', 'Value': path.strip('"')}]}
        names = 'Timestamp,Server,TenantId,RecordType,Data,UserKey,RecordId,Operation,Workload,ResultStatus,Version,Scope'
        data = json.dumps(record).replace('"', '""')
        s.raw('LocalQueue/Exchange/audit1.LOG', f'{names}\r\n#Software: Microsoft Exchange\r\n#Version: 15.01.2375.007\r\n#Log-type: audit\r\n#Date: 2021-08-13T01:00:00Z\r\n#Fields: {names}\r\n'
              f'2021-08-13T01:10:01Z,MX1,t,1,"{data}",k,a,New-MailboxExportRequest,Exchange,True,1,OnPrem\r\n')
        self.scan(s)
        self.assertEqual([t[1:] for t in self.told()], [('proxyshell', 'written')])

    def test_ex11_roles(self):
        """The role, for a user or a group: worth a finding; a story only beside a session."""
        for who in ('-User "jones"', '-SecurityGroup "Organization Management"'):
            self.assertIsNone(self.told_of(lambda s: s.cmdlet(0, 'New-ManagementRoleAssignment', '-Role "Mailbox Import Export" ' + who, 'adm.lund', 1117, where='management')))
            self.assertIn('Right to export mailboxes granted', self.titles('medium'))

    def test_ex11_negative(self):
        def make(s):
            s.cmdlet(0, 'New-MailboxExportRequest', '-Mailbox "b.dorn" -FilePath "\\\\fs1\\pst$\\b.dorn.pst"', 'adm.lund', 1117)
            s.cmdlet(9, 'New-ExchangeCertificate', '-GenerateRequest "True" -SubjectName "CN=mail" -RequestFile "\\\\fs1\\certs\\mail.req"', 'adm.lund', 1117)
            s.cmdlet(20, 'New-ManagementRoleAssignment', '-Role "Mail Recipients" -User "x"', 'adm.lund', 1117)
        self.assertIsNone(self.told_of(make))
        self.assertEqual({f['level'] for f in self.findings}, {'informational'})

    def test_ex12_foreign_script(self):
        for path in ('/owa/auth/RedirSuiteServerProxy.aspx', '/owa/auth/TimeoutLogout.aspx', '/aspnet_client/system_web/a.aspx', '/ecp/auth/x.ashx', '/owa/auth/Current/themes/errorFE.aspx', '/owa/auth/x.aspx/y.css', '/owa/auth/x.aspx;.png'):
            def make(s):
                s.iis(0, 'POST', path, ip=EVIL, agent=TOOL)
                s.iis(9, 'POST', path, ip=EVIL, agent=TOOL)
            self.assertEqual(self.told_of(make), ('webshell', 'used'), path)

    def test_ex12_read_only(self):
        """As in the one published case: GET with empty parameters, two addresses, days after the file was written; logged in IIS and HttpProxy."""
        def make(s):
            s.cookie(0, DDI + 'SetObject?schema=ResetOABVirtualDirectory#', 200)
            s.web(86400 * 1.8, 'GET', '/owa/auth/TimeoutLogout.aspx', '', OTHER, BROWSERS[0], backend=0)
            s.web(86400 * 3.4, 'GET', '/owa/auth/TimeoutLogout.aspx', '', '203.0.113.77', BROWSERS[1], backend=0)
        self.assertEqual(self.told_of(make), ('proxylogon', 'used'))

    def test_ex12_negative(self):
        def make(s):
            for i, path in enumerate(('/owa/auth/logon.aspx', '/OWA/AUTH/ErrorFE.aspx', '/ecp/auth/TimeoutLogout.aspx', '/ecp/VDirMgmt/EditOABVDir.aspx', '/EWS/Exchange.asmx', '/Autodiscover/Autodiscover.svc',
                                      '/owa/15.1.2176/forms/premium/startpage.aspx', '/owa/auth.owa', '/ecp/DDI/DDIService.svc/GetList')):
                s.iis(i, 'POST', path, ip='192.0.2.7', agent=TOOL)
            for i in range(40):
                s.iis(100 + i, 'GET', '/owa/auth/outlookcn.aspx', ip=f'192.0.2.{i}', agent=BROWSERS[0])
            s.iis(300, 'GET', '/aspnet_client/x.aspx', ip=EVIL, agent=TOOL, status=404)
        self.assertIsNone(self.told_of(make))

    def test_ex13_shell_names(self):
        """Three names or more, none there: somebody looks for others' shells. Two: nothing is said."""
        names = ('discover', 'supp0rt', 'shell', 'OutlookEN')
        for n, want in ((4, ('any', 'probe')), (2, None)):
            def make(s):
                for i, name in enumerate(names[:n]):
                    s.iis(i, 'GET', f'/aspnet_client/{name}.aspx', ip=OTHER, agent=TOOL, status=404)
            self.assertEqual(self.told_of(make), want, n)

        def one_there(s):
            for i, name in enumerate(names):
                s.iis(i, 'GET', f'/aspnet_client/{name}.aspx', ip=OTHER, agent=TOOL, status=200 if name == 'shell' else 404)
            s.iis(50, 'POST', '/aspnet_client/shell.aspx', ip=OTHER, agent=TOOL)
        self.assertEqual(self.told_of(one_there), ('webshell', 'used'))
        self.assertIn('/aspnet_client/shell.aspx', self.incidents()[0]['stages'][-1]['reason'])

    def test_ex14_loopback_write(self):
        for mask in ('0x2', '0x12019f'):
            self.assertEqual(self.told_of(lambda s: s.share_write(0, HTTPPROXY_FOLDER[3:] + 'owa\\auth\\a.aspx', mask)), ('webshell', 'written'))

    def test_ex14_negative(self):
        def make(s):
            s.share_write(0, HTTPPROXY_FOLDER[3:] + 'owa\\auth\\logon.aspx', '0x1')
            s.share_write(1, 'inetpub\\wwwroot\\intranet\\a.aspx', '0x2', ADMIN_PC, 'adm.lund')
            s.share_write(2, 'Windows\\Temp\\a.log')
        self.assertIsNone(self.told_of(make))

    def test_ex15_compiled(self):
        self.assertEqual(self.told_of(lambda s: s.file_made(0, COMPILED + 'ohyeah.aspx.f5dba9b9.compiled', s.w3wp)), ('webshell', 'used'))
        self.assertEqual(self.told_of(lambda s: s.file_made(0, COMPILED + 'App_Web_qkiluaim.0.js', s.w3wp)), ('webshell', 'used'))

    def test_ex15_negative(self):
        def make(s):
            for name in ('logon.aspx.f5dba9b9.compiled', 'App_Web_qkiluaim.0.cs', 'errorfe.aspx.cdcab7d2.compiled'):
                s.file_made(0, COMPILED + name, s.w3wp)
            s.file_made(1, COMPILED.replace('\\owa\\', '\\intranet\\') + 'ticket.aspx.f5dba9b9.compiled', s.w3wp)
        self.assertIsNone(self.told_of(make))

    def test_ex16_oab_generator(self):
        text = "Download failed and temporary file '{}' needs to be removed"
        self.assertEqual(self.told_of(lambda s: s.logs.oab_generator(s.t(0), text.format(HTTPPROXY_FOLDER + 'owa\\auth\\a.aspx'))), ('proxylogon', 'written'))

    def test_ex16_negative(self):
        def make(s):
            s.logs.oab_generator(s.t(0), f"Download failed and temporary file '{V15}ClientAccess\\OAB\\x\\a.oab' needs to be removed")
            s.logs.oab_generator(s.t(1), 'Started generation of the offline address book')
        self.assertIsNone(self.told_of(make))

    def test_ex17_days_missing(self):
        """Days without a log are named for the incident, and the scope table says what there was."""
        s = Site()
        s.chain()
        for at in (-2, -1.9, -1.8, -1, -.9, 1, 1.1, 1.2, 4, 4.1, 5, 5.1):
            s.web(at * 86400, 'GET', '/owa/', '', '192.0.2.7', BROWSERS[0], user='HAFEN\\b.dorn')
        s.web(5 * 86400, 'POST', '/owa/auth/a.aspx', '', EVIL, TOOL, backend=0)
        self.scan(s)
        one = self.incidents()[0]
        self.assertIn('HttpProxy log of mx1 missing for 2021-03-05 to 2021-03-06', ' '.join(one['unknown']))
        self.assertIn('No ECP server log of mx1 was read', ' '.join(one['unknown']))
        log = next(r for r in one['logs'] if r['log'] == 'httpproxy')
        self.assertEqual((log['days'], log['days_missing']), (6, 2))

    def test_ex17_negative(self):
        """A month without a gap: nothing of the kind is said."""
        s = Site()
        s.chain()
        for day in range(-3, 4):
            s.web(day * 86400 + 60, 'GET', '/owa/', '', '192.0.2.7', BROWSERS[0], user='HAFEN\\b.dorn')
        self.scan(s)
        self.assertNotIn('missing for', ' '.join(self.incidents()[0]['unknown']))


class Neighbours(Cases):
    """What the catalogue names beside its items."""

    def test_neighbour_proxytoken(self):
        for status in (200, 500):
            s = Site()
            s.web(0, 'POST', '/ecp/b.dorn@hafen.example/RulesEditor/InboxRules.svc/NewObject', 'msExchEcpCanary=abc', status=status, backend=0)
            self.scan(s)
            self.is_intrusion('proxytoken', ['session'])

    def test_neighbour_modules_and_directories(self):
        """A module of the web server and a virtual directory over a hidden folder belong to a story that is there."""
        s = Site()
        s.chain()
        self.host_event(s, 30, '/system.webServer/modules/add', 'evil, C:\\Windows\\Temp\\x.dll')
        self.host_event(s, 40, '/system.applicationHost/sites/site[@name="Default Web Site"]/application/virtualDirectory[@path="/x"]/@physicalPath', 'C:\\ProgramData\\COM1\\')
        self.scan(s)
        self.assertEqual(self.stages(), ['probe', 'ssrf', 'session', 'enumeration', 'written', 'persistence'])
        self.assertIn('virtual directory', self.incidents()[0]['stages'][-1]['reason'].lower())

    def host_event(self, s, seconds, configuration, value):
        s.host.events.append((s.t(seconds), len(s.host.events), IIS_CONFIGURATION.channel, {
            'channel': IIS_CONFIGURATION.channel, 'provider': IIS_CONFIGURATION.name, 'computer': s.host.computer, 'event_id': 29, 'keywords': '0x8000000000000000', 'level': 4, 'time': s.t(seconds),
            'guid': '{DE095DBE-8667-4168-94C2-48CA61665AAB}', 'version': 0, 'task': 0, 'process_id': 4, 'thread_id': 8,
            'data': [['Configuration', 'string', configuration], ['EditOperationType', 'uint32', 1], ['OldValue', 'string', ''], ['NewValue', 'string', value]]}))

    def test_neighbour_calendar(self):
        """CVE-2021-28480: a POST to the calendar's address: tried, or taken."""
        for status, want in ((503, 'probe'), (500, 'probe'), (302, 'probe'), (200, 'ssrf')):
            s = Site()
            s.web(0, 'POST', '/owa/calendar/a', '', status=status, backend=0)
            self.scan(s)
            self.assertEqual([t[1:] for t in self.told()], [('cve-2021-28480', want)], status)
        s = Site()
        s.web(0, 'GET', '/owa/calendar/b.dorn@hafen.example/Kalender/calendar.html', '', '192.0.2.7', BROWSERS[0], backend=0)
        s.web(1, 'POST', '/owa/service.svc', 'action=GetCalendarView', '192.0.2.7', BROWSERS[0], user='HAFEN\\b.dorn')
        self.scan(s)
        self.assertEqual(self.told(), [])

    def test_neighbour_get_app(self):
        """CVE-2021-42321: Get-App fails in a way it does not otherwise."""
        s = Site()
        s.logs.management(s.host, s.t(0), 'Get-App', '-Identity "x"', 'hafen.example/Users/b.dorn', DOMAIN_SID + '-1200', failed=True)
        self.scan(s)
        self.assertIn('Exchange app list failed while it was read', self.titles())
        self.assertEqual(self.told(), [])


if __name__ == '__main__':
    tap.main()
