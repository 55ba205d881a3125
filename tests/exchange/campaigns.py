#!/usr/bin/env python3
"""Each campaign: probes alone are told as probes, an intrusion that goes on is told stage by stage, and what comes close is neither.

    tests/exchange/campaigns.py [PROGRAM]"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import json  # noqa: E402
from kit import ADMIN_PC, BROWSERS, DOMAIN_SID, EVIL, HTTPPROXY_FOLDER, OTHER, OUTLOOK, PANEL, TAG, TOOL, Cases, Site, token  # noqa: E402
import tap  # noqa: E402

SCANNER = '203.0.113.150'


class ProxyLogon(Cases):
    def test_proxylogon_probes(self):
        for columns in (54, 74):
            s = Site(columns=columns)
            s.cookie(0, '/autodiscover/autodiscover.xml?#', 200)
            s.cookie(2, '/autodiscover/autodiscover.xml?#', 401, ip=OTHER)
            s.cookie(4, '/ecp/default.flt?', 500, host='localhost', stem='/owa/auth/x.js')
            s.cookie(6, '/owa/auth/logon.aspx?', 200)
            s.cookie(7, '/', 200, host='a]@x.burpcollaborator.invalid:443')
            s.cookie(8, '/ecp/proxyLogon.ecp?#', 302)
            s.cookie(9, '/mapi/emsmdb/?#', 401)
            s.cookie(10, '/ecp/DDI/DDIService.svc/SetObject?schema=ResetOABVirtualDirectory#', 500)
            self.scan(s)
            self.is_probe_only('proxylogon')

    def test_proxylogon_probes_of_the_whole_internet(self):
        s = Site()
        for i in range(300):
            s.cookie(i * 60, '/autodiscover/autodiscover.xml?#', (200, 401, 404, 500)[i % 4], ip=f'198.51.100.{i % 250}')
        self.scan(s)
        self.is_probe_only('proxylogon')
        one = self.incidents()[0]
        self.assertEqual((len(one['attackers']), one['attackers_more']), (64, 186))
        self.assertIn('and 244 more', self.text)

    def test_proxylogon_probes_in_iis_only(self):
        s = Site()
        for i, (stem, status) in enumerate((('/ecp/y.js', 500), ('/owa/auth/x.js', 404), ('/ecp/main.css', 302), ('/owa/auth/Current/themes/resources/owafont_ja.css', 405))):
            s.iis(i, 'POST', stem, ip=f'203.0.113.{20 + i}', status=status)
        self.scan(s)
        self.is_probe_only()

    def test_proxylogon_goes_on(self):
        for columns in (54, 74):
            s = Site(columns=columns)
            s.chain()
            s.ecp(9, f"Set-OabVirtualDirectory.ExternalUrl=''{TAG}''.Identity=''a''")
            s.cmdlet(9.1, 'Set-OabVirtualDirectory', f'-ExternalUrl "{TAG}" -Identity "OAB (Default Web Site)"', where='management')
            s.cmdlet(11, 'Remove-OabVirtualDirectory', '-Force "True" -Identity "MX1\\OAB (Default Web Site)"', where='management')
            s.cmdlet(13, 'New-OabVirtualDirectory', '-WebSiteName "Default Web Site" -Server "MX1"', where='management')
            s.application(4.5, PANEL, 4, 'x', "Request for URL 'https://mx1:444/ecp/about.aspx?a=]:444/ecp/y.js(https://localhost/ecp/y.js)' failed with the following error:\r\nSystem.Web")
            s.share_write(10.2, HTTPPROXY_FOLDER[3:] + 'owa\\auth\\ohyeah.aspx')
            s.web(40, 'POST', '/owa/auth/ohyeah.aspx', '', backend=0)
            s.command(40.4, 'whoami')
            self.scan(s)
            self.is_intrusion('proxylogon', ['probe', 'ssrf', 'session', 'enumeration', 'written', 'used', 'commands'])
            self.assertEqual(self.incidents()[0]['attackers'], [EVIL])

    def test_proxylogon_goes_on_under_localhost(self):
        """The public filter drops rows that name localhost: the path decides."""
        s = Site()
        for i, (path, status) in enumerate((('/mapi/emsmdb/?#', 200), ('/ecp/proxyLogon.ecp?#', 241), ('/ecp/DDI/DDIService.svc/SetObject?schema=ResetEcpVirtualDirectory#', 200))):
            s.cookie(i, path, status, host='localhost')
        self.scan(s)
        self.is_intrusion('proxylogon', ['ssrf', 'session', 'written'])

    def test_proxylogon_seen_in_one_log_only(self):
        """ECP's log alone, the event log alone, IIS alone: each tells what it can, and what is missing is named."""
        s = Site()
        s.ecp(0, f"Set-EcpVirtualDirectory.ExternalUrl=''{TAG}''.Identity=''a''")
        self.scan(s)
        self.is_intrusion('proxylogon', ['written'])
        self.assertIn('No HttpProxy log of mx1 was read', ' '.join(self.incidents()[0]['unknown']))
        s = Site()
        s.cmdlet(0, 'Set-OabVirtualDirectory', f'-ExternalUrl "{TAG}"', where='management')
        self.scan(s)
        self.is_intrusion('proxylogon', ['written'])
        s = Site()
        s.iis(0, 'POST', '/ecp/y.js', status=200)
        s.iis(2, 'POST', '/ecp/y.js', status=241)
        self.scan(s)
        self.is_intrusion('proxylogon', ['ssrf', 'session'])

    def test_proxylogon_lookalikes(self):
        """An administrator's work in the control panel, autodiscover rows, a scanner on a patched server, a browser that loads styles."""
        s = Site()
        query = 'msExchEcpCanary=abc.&schema=OABVirtualDirectory'
        for i, verb in enumerate(('GetObject', 'SetObject')):
            s.web(60 * i, 'POST', '/ecp/DDI/DDIService.svc/' + verb, query, ADMIN_PC, BROWSERS[0], user='HAFEN\\adm.lund', anchor=f'Sid~{DOMAIN_SID}-1117', hint='WindowsIdentity')
        url = 'https://mail.hafen.example/OAB'
        s.ecp(61, f"Set-OabVirtualDirectory.ExternalUrl=''{url}''.InternalUrl=''{url}''.Identity=''a''")
        s.cmdlet(62, 'Set-OabVirtualDirectory', f'-ExternalUrl "{url}" -Identity "MX1\\OAB (Default Web Site)"', 'adm.lund', 1117)
        s.cmdlet(600, 'Remove-OabVirtualDirectory', '-Identity "MX1\\OAB (Default Web Site)" -Force "True"', 'adm.lund', 1117)
        s.cmdlet(700, 'New-OabVirtualDirectory', '-WebSiteName "Default Web Site"', 'adm.lund', 1117)
        for i in range(5):
            s.web(800 + i, 'GET', '/owa/auth/Current/themes/resources/logon.css', '', '192.0.2.7', BROWSERS[1], backend=0)
            s.web(810 + i, 'POST', '/ecp/y.js', '', SCANNER, TOOL, (302, 404, 500, 403, 503)[i], backend=0)
            s.cookie(820 + i, '/autodiscover/autodiscover.xml?#', (200, 401, 404, 500, 503)[i], ip=SCANNER)
        s.application(900, PANEL, 4, 'x', "Request for URL 'https://mail.hafen.example:444/ecp/default.aspx(https://mail.hafen.example/ecp/default.aspx)' failed with the following error:\r\nSystem.Web")
        self.scan(s)
        self.nothing_above_probe()
        self.assertEqual(self.titles('critical') + self.titles('high'), ['POST to a static file of Exchange was answered'])  # the autodiscover row with 200


class ProxyShell(Cases):
    def test_proxyshell_probes(self):
        for columns in (54, 74):
            s = Site(columns=columns)
            for i, (target, status) in enumerate((('autodiscover/autodiscover.xml', 401), ('mapi/nspi/', 302), ('mapi/emsmdb/', 404), ('powershell/', 400), ('ews/exchange.asmx', 403), ('owa/', 500))):
                s.autodiscover(i, target, status, ip=f'203.0.113.{30 + i % 3}')
            s.autodiscover(9, 'powershell/', 401, cat='jones@hafen.example')
            self.scan(s)
            self.is_probe_only()

    def test_proxyshell_goes_on(self):
        for columns in (54, 74):
            s = Site(columns=columns, start='2021-08-12 01:00:00')
            s.autodiscover(0, 'autodiscover/autodiscover.xml')
            s.autodiscover(2, 'mapi/emsmdb/')
            for i in range(3):
                s.autodiscover(4 + i, 'powershell/', cat='jones@hafen.example', agent='Python PSRP Client')
            s.iis(4.2, 'POST', '/Powershell', f'X-Rps-CAT={token("jones@hafen.example")}', '10.20.0.11', 'Python PSRP Client', user='HAFEN\\jones', port=444)
            s.rps_http(4.3, 'jones@hafen.example', query='?X-Rps-CAT=' + token('jones@hafen.example'))
            s.cmdlet(8, 'New-ManagementRoleAssignment', '-Role "Mailbox Import Export" -SecurityGroup "Organization Management"', sender='jones@hafen.example')
            s.cmdlet(10, 'New-MailboxExportRequest', '-Mailbox "Jones" -Name "2075" -ContentFilter "Subject -eq \'2075\'" -FilePath "\\\\127.0.0.1\\c$\\inetpub\\wwwroot\\aspnet_client\\tkevsn.aspx"',
                     sender='jones@hafen.example', failed=True)
            s.web(90, 'GET', '/aspnet_client/tkevsn.aspx', 'cmd=Response.Write(1)', backend=0)
            s.command(91, 'whoami')
            s.cmdlet(140, 'Remove-MailboxExportRequest', '-Confirm "False"')
            self.scan(s)
            self.is_intrusion('proxyshell', ['ssrf', 'session', 'written', 'used', 'commands', 'cleanup'])
            story = json.dumps(self.incidents()[0])
            self.assertIn('jones@hafen.example', story)
            self.assertIn('-500', story)

    def test_proxyshell_address_in_a_cookie(self):
        """Where the mailbox is sent in a cookie the query has no Email=."""
        s = Site()
        s.web(0, 'POST', '/autodiscover/autodiscover.json', f'a=dsxvu@fnsso.flq/powershell/?X-Rps-CAT={token("x@hafen.example")}', backend=0)
        self.scan(s)
        self.is_intrusion('proxyshell', ['session'])
        self.assertIn('x@hafen.example', json.dumps(self.incidents()[0]))

    def test_proxyshell_certificate(self):
        """The variant that writes a certificate request instead of a mailbox."""
        s = Site()
        s.autodiscover(0, 'powershell/', cat='jones@hafen.example', agent='Python PSRP Client')
        s.cmdlet(5, 'New-ExchangeCertificate', '-GenerateRequest "True" -SubjectName "CN=x" -RequestFile "\\\\localhost\\C$\\Program Files\\Microsoft\\Exchange Server\\V15\\FrontEnd\\HttpProxy\\ecp\\auth\\blank.aspx" '
                 '-BinaryEncoded "True"')
        self.scan(s)
        self.is_intrusion('proxyshell', ['session', 'written'])

    def test_proxyshell_lookalikes(self):
        s = Site()
        for i, query in enumerate(('Email=b.dorn%40hafen.example&Protocol=ActiveSync&RedirectCount=1', 'Email=b.dorn@hafen.example&Protocol=Ews&RedirectCount=1', 'Email=a@b.example&Protocol=AutodiscoverV1')):
            s.web(i, 'GET', '/autodiscover/autodiscover.json', query, '192.0.2.8', 'Outlook-iOS-Android/1.0', backend=0)
        s.web(5, 'GET', '/autodiscover/autodiscover.json/v1.0/b.dorn@hafen.example', 'Protocol=Ews', '192.0.2.8', 'Outlook-iOS-Android/1.0', backend=0)
        for i, status in enumerate((200, 401)):
            s.iis(10 + i, 'POST', '/powershell', 'clientApplication=ActiveMonitor;PSVersion=5.1.17763.1', '::1', '', status, 'HealthMailbox1@hafen.example', port=444)
            s.rps_http(10 + i, 'HealthMailbox1@hafen.example', '::1', 'Exchange BackEnd Probes', status, '?clientApplication=ActiveMonitor;PSVersion=5.1.17763.1')
        s.web(20, 'GET', '/autodiscover/autodiscover.json', '@test.example/owa/?&Email=autodiscover/autodiscover.json%3F@test.example', SCANNER, 'Mozilla/4.0', 401, backend=0)
        s.web(21, 'GET', '/owa/', '&Email=autodiscover/autodiscover.json%3F@test.example&ClientId=1', SCANNER, 'Mozilla/4.0', 302, backend=0)
        s.cmdlet(30, 'New-ManagementRoleAssignment', '-Role "Mailbox Import Export" -User "adm.lund"', 'adm.lund', 1117, 'HAFEN\\adm.lund')
        s.cmdlet(40, 'New-MailboxExportRequest', '-Mailbox "b.dorn" -FilePath "\\\\fs1\\pst$\\b.dorn.pst"', 'adm.lund', 1117, 'HAFEN\\adm.lund')
        s.cmdlet(50, 'Remove-MailboxExportRequest', '-Identity "b.dorn\\MailboxExport" -Confirm "False"', 'adm.lund', 1117, 'HAFEN\\adm.lund')
        s.cmdlet(60, 'New-ExchangeCertificate', '-GenerateRequest "True" -SubjectName "CN=mail.hafen.example" -RequestFile "\\\\fs1\\certs\\mail.req"', 'adm.lund', 1117)
        self.scan(s)
        self.nothing_above_probe()
        self.assertEqual(self.titles('critical') + self.titles('high'), [])


class ProxyNotShell(Cases):
    def test_proxynotshell_probes(self):
        for columns in (54, 74):
            s = Site(columns=columns, start='2022-10-02 04:00:00')
            for i, status in enumerate((400, 401, 403, 404, 500, 302)):
                s.autodiscover(i, 'powershell/', status, ip=SCANNER, user='HAFEN\\bob' if i == 1 else None)
            s.web(9, 'GET', '/autodiscover/autodiscover.json', '@evil.invalid/owa/&Email=autodiscover/autodiscover.json%3F@evil.invalid&bla=powershell', SCANNER, 'Mozilla/4.0', 400, backend=0)
            self.scan(s)
            self.is_probe_only()

    def test_proxynotshell_goes_on(self):
        s = Site(start='2022-10-02 04:00:00', version='15.01.2507.012')
        for i in range(4):
            s.autodiscover(i, 'powershell/', user='HAFEN\\b.dorn', agent=BROWSERS[0])
            s.rps_http(i + .2, 'HAFEN\\b.dorn', client=BROWSERS[0].replace(',', ' '))
        s.command(20, 'whoami')
        self.scan(s)
        self.is_intrusion('proxynotshell', ['session', 'commands'])
        self.assertIn({'type': 'account', 'value': 'HAFEN\\b.dorn', 'stage': 'session', 'confidence': 'high'}, self.incidents()[0]['indicators'])

    def test_proxynotshell_in_ebcdic(self):
        import urllib.parse
        for user in ('b.dorn@hafen.example', 'müller@hafen.example'):
            plain = f'%17Email%15Autodiscover/autodiscover.json?{user}'
            s = Site(start='2022-10-02 04:00:00')
            agent = 'UP ' + BROWSERS[0]
            s.web(0, 'POST', '/owa/', urllib.parse.quote(plain.encode('latin-1').decode('cp037'), safe='/_'), agent=agent, user='HAFEN\\b.dorn', backend=0)
            s.iis(.1, 'POST', '/PowerShell/', plain.replace('ü', '%C3%BC'), '10.20.0.11', agent, user='HAFEN\\b.dorn', port=444)
            s.rps_http(.2, 'HAFEN\\b.dorn', client=agent.replace(',', ' '))
            self.scan(s)
            self.is_intrusion('proxynotshell', ['session'])
            self.assertIn('utodiscover.json', self.incidents()[0]['stages'][0]['reason'])

    def test_proxynotshell_lookalikes(self):
        """The mitigation service aborts the request; the house's own remote PowerShell."""
        s = Site(start='2022-10-02 04:00:00')
        s.autodiscover(0, 'powershell/', 403, ip=SCANNER)
        for i in range(5):
            s.web(10 + i, 'POST', '/powershell', 'serializationLevel=Full;ExchClientVer=15.1.2507.6;PSVersion=5.1.17763.1', ADMIN_PC, 'Microsoft WinRM Client', 200, 'HAFEN\\adm.lund')
            s.rps_http(10 + i, 'HAFEN\\adm.lund', ADMIN_PC, 'Microsoft WinRM Client')
        s.web(20, 'GET', '/owa/', '', '192.0.2.9', 'UP.Browser/7.2', 302, backend=0)
        self.scan(s)
        self.nothing_above_probe()


class Owassrf(Cases):
    def test_owassrf_probes(self):
        for columns in (54, 74):
            s = Site(columns=columns, start='2022-12-02 04:00:00')
            for i, (address, status) in enumerate((('mastermailbox%40outlook.com', 401), ('x@local.info', 404), ('a@b.local', 302), ('a%40b.c', 500))):
                s.web(i, 'POST', f'/owa/{address}/powershell', '', SCANNER, TOOL, status, backend=0)
            s.web(9, 'GET', '/owa/a@b.example/powershell', '', SCANNER, TOOL, 200, backend=0)
            self.scan(s)
            self.is_probe_only()

    def test_owassrf_goes_on(self):
        for address in ('mastermailbox%40outlook.com', 'x@mail.local', 'a%2540b.example', 'b.dorn@hafen.info'):
            s = Site(start='2022-12-02 04:00:00', version='15.02.1118.015')
            for i in range(3):
                s.web(i, 'POST', f'/owa/{address}/powershell', '', agent=BROWSERS[0], backend_stem='/powershell', backend_user='HAFEN\\b.dorn')
                s.rps_http(i + .2, 'HAFEN\\b.dorn', client=BROWSERS[0].replace(',', ' '))
            s.command(30, 'whoami')
            self.scan(s)
            self.is_intrusion('owassrf', ['session', 'commands'])

    def test_owassrf_lookalikes(self):
        s = Site(start='2022-12-02 04:00:00')
        for i in range(4):
            s.web(i, 'POST', '/owa/service.svc', 'action=FindItem&EP=1', '192.0.2.7', BROWSERS[1], 200, 'HAFEN\\b.dorn')
            s.web(10 + i, 'GET', '/owa/b.dorn@hafen.example/', 'offline=disabled', '192.0.2.7', BROWSERS[1], 200, 'HAFEN\\b.dorn')
        s.rps_http(20, 'HAFEN\\adm.lund', ADMIN_PC, 'Mozilla/5.0 (Windows NT 10.0)', 200)
        self.scan(s)
        self.assertEqual(self.told(), [])


class ViewState(Cases):
    """CVE-2020-0688."""
    QUERY = '__VIEWSTATEGENERATOR=B97B4E27&__VIEWSTATE=%2FwEyhAYAAQAAAP%2F%2F%2F%2F8BAAAA'
    ERROR = ("Request for URL 'https://mx1.hafen.example/ecp/default.aspx?{}(https://mail.hafen.example/ecp/default.aspx?{})' failed with the following error:\r\n"
             'System.Web.HttpException (0x80004005): {}')

    def test_viewstate_probes(self):
        for columns in (54, 74):
            s = Site(columns=columns, start='2020-03-02 04:00:00')
            s.web(0, 'GET', '/ecp/default.aspx', '__VIEWSTATEGENERATOR=B97B4E27&__VIEWSTATE=AAAA', ip=SCANNER, status=302, backend=0)
            s.web(5, 'GET', '/ecp/default.aspx', self.QUERY, ip=SCANNER, status=401, backend=0)
            s.web(6, 'GET', '/ecp/default.aspx', self.QUERY, ip=SCANNER, status=404, backend=0)
            self.scan(s)
            self.is_probe_only('cve-2020-0688')

    def test_viewstate_goes_on(self):
        """The view state is taken apart, the page fails with 500, a command runs as the server."""
        s = Site(start='2020-03-02 04:00:00', version='15.01.1779.002')
        user = 'HAFEN\\b.dorn'
        s.web(0, 'POST', '/owa/auth.owa', '', agent=BROWSERS[0], status=302, user=None, username='HAFEN\\b.dorn', backend=0)
        s.web(3, 'GET', '/ecp/default.aspx', '', agent=BROWSERS[0], user=user)
        s.web(5, 'GET', '/ecp/default.aspx', self.QUERY, agent=BROWSERS[0], status=500, user=user)
        query = self.QUERY.replace('%', '%%').replace('%%', '%')
        s.application(5.1, PANEL, 4, 'hafen.example/Users/b.dorn', self.ERROR.format(query, query, 'The state information is invalid for this page and might be corrupted.'))
        s.command(5.4, 'whoami')
        self.scan(s)
        self.is_intrusion('cve-2020-0688', ['session', 'commands'])
        self.assertIn('b.dorn', json.dumps(self.incidents()[0]['indicators']))

    def test_viewstate_seen_in_event_log_only(self):
        """The web logs are gone: the panel's error has the whole view state."""
        s = Site(start='2020-03-02 04:00:00')
        long = self.QUERY + 'A' * 900
        s.application(0, PANEL, 4, 'hafen.example/Users/b.dorn', self.ERROR.format(long, long, 'The serialized data is invalid'))
        self.scan(s)
        self.is_intrusion('cve-2020-0688', ['session'])
        self.assertIn('No HttpProxy log', ' '.join(self.incidents()[0]['unknown']))

    def test_viewstate_refused(self):
        """Somebody logged on tries, the server has keys of its own: 500 in the web log, and an error that says why."""
        s = Site(start='2020-03-02 04:00:00')
        s.web(5, 'GET', '/ecp/default.aspx', self.QUERY, agent=BROWSERS[0], status=500, user='HAFEN\\b.dorn')
        s.application(5.1, PANEL, 4, 'hafen.example/Users/b.dorn', self.ERROR.format(self.QUERY, self.QUERY, 'Validation of viewstate MAC failed.'))
        self.scan(s)
        self.is_probe_only('cve-2020-0688')
        self.assertEqual(self.incidents()[0]['attackers'], [EVIL])

    def test_viewstate_lookalikes(self):
        """Pages send their view state in the body; errors of expired view states name no view state in the address."""
        s = Site(start='2020-03-02 04:00:00')
        s.web(0, 'POST', '/ecp/default.aspx', '', '192.0.2.7', BROWSERS[0], 200, 'HAFEN\\b.dorn')
        s.web(2, 'GET', '/ecp/UsersGroups/EditMailbox.aspx', 'pwmcid=1&ReturnObjectType=1', '192.0.2.7', BROWSERS[0], 500, 'HAFEN\\b.dorn')
        s.application(2.2, PANEL, 4, 'hafen.example/Users/b.dorn', self.ERROR.format('p=1', 'p=1', 'Validation of viewstate MAC failed.'))
        self.scan(s)
        self.assertEqual(self.told(), [])


if __name__ == '__main__':
    tap.main()
