"""An Exchange server's text logs: IIS (front and back end), HttpProxy, ECP, remote PowerShell (Rps_Http, Rps_Cmdlet), OAB generator.

One request of a client makes the lines that it makes on a real server: IIS on the front end, HttpProxy, IIS on the back end,
joined by the request id. Column lists are those of Exchange 2016 (CU19 to CU23); a 2013 server has 54 columns in HttpProxy.
Times are FILETIMEs (windows_host.at)."""
from evtx_writer import filetime_text
from windows_host import DAY, HOUR, SECOND

HTTPPROXY = (
    'DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,ClientRequestId,Protocol,UrlHost,UrlStem,ProtocolAction,'
    'AuthenticationType,IsAuthenticated,AuthenticatedUser,Organization,AnchorMailbox,UserAgent,ClientIpAddress,ServerHostName,HttpStatus,'
    'BackEndStatus,ErrorCode,Method,ProxyAction,TargetServer,TargetServerVersion,RoutingType,RoutingHint,BackEndCookie,ServerLocatorHost,'
    'ServerLocatorLatency,RequestBytes,ResponseBytes,TargetOutstandingRequests,AuthModulePerfContext,HttpPipelineLatency,'
    'CalculateTargetBackEndLatency,GlsLatencyBreakup,TotalGlsLatency,AccountForestLatencyBreakup,TotalAccountForestLatency,'
    'ResourceForestLatencyBreakup,TotalResourceForestLatency,ADLatency,SharedCacheLatencyBreakup,TotalSharedCacheLatency,'
    'ActivityContextLifeTime,ModuleToHandlerSwitchingLatency,ClientReqStreamLatency,BackendReqInitLatency,BackendReqStreamLatency,'
    'BackendProcessingLatency,BackendRespInitLatency,BackendRespStreamLatency,ClientRespStreamLatency,KerberosAuthHeaderLatency,'
    'HandlerCompletionLatency,RequestHandlerLatency,HandlerToModuleSwitchingLatency,ProxyTime,CoreLatency,RoutingLatency,HttpProxyOverhead,'
    'TotalRequestTime,RouteRefresherLatency,UrlQuery,BackEndGenericInfo,GenericInfo,GenericErrors,EdgeTraceId,DatabaseGuid,UserADObjectGuid,'
    'PartitionEndpointLookupLatency,RoutingStatus').split(',')
HTTPPROXY_2013 = (
    'DateTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,ClientRequestId,Protocol,UrlStem,ProtocolAction,'
    'AuthenticationType,IsAuthenticated,AuthenticatedUser,Organization,AnchorMailbox,UserAgent,ClientIpAddress,ServerHostName,HttpStatus,'
    'BackEndStatus,ErrorCode,Method,ProxyAction,TargetServer,,TargetServerVersion,RoutingHint,BackEndCookie,ServerLocatorHost,'
    'ServerLocatorLatency,RequestBytes,ResponseBytes,TargetOutstandingRequests,AuthModulePerfContext,HttpPipelineLatency,'
    'CalculateTargetBackEndLatency,GlsLatencyBreakup,TotalGlsLatency,AccountForestLatencyBreakup,TotalAccountForestLatency,'
    'ResourceForestLatencyBreakup,TotalResourceForestLatency,ADLatency,ActivityContextLifeTime,ModuleToHandlerSwitching,'
    'FirstResponseByteReceived,ProxyTime,RequestHandlerLatency,HandlerToModuleSwitching,HttpProxyOverhead,TotalRequestTime,UrlQuery,'
    'GenericInfo,GenericErrors').split(',')
RPS_HTTP = (
    'DateTime,StartTime,RequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,ClientRequestId,UrlHost,UrlStem,AuthenticationType,'
    'IsAuthenticated,AuthenticatedUser,Organization,ManagedOrganization,ClientIpAddress,ServerHostName,FrontEndServer,HttpStatus,SubStatus,'
    'ErrorCode,Action,CommandId,CommandName,SessionId,ShellId,FailFast,ContributeToFailFast,RequestBytes,ClientInfo,CPU,Memory,'
    'ActivityContextLifeTime,TotalTime,UrlQuery,GenericLatency,GenericInfo,GenericErrors').split(',')
RPS_CMDLET = (
    'DateTime,StartTime,RequestId,ClientRequestId,MajorVersion,MinorVersion,BuildVersion,RevisionVersion,ServerHostName,ProcessId,'
    'ProcessName,ThreadId,CultureInfo,Organization,AuthenticatedUser,ExecutingUserSid,EffectiveOrganization,UserServicePlan,IsAdmin,'
    'ClientApplication,Cmdlet,Parameters,CmdletUniqueId,UserBudgetOnStart,ContributeToFailFast,RunspaceSettingsCreationHint,'
    'ADViewEntireForest,ADRecipientViewRoot,ADConfigurationDomainControllers,ADPreferredGlobalCatalogs,ADPreferredDomainControllers,'
    'ADUserConfigurationDomainController,ADUserPreferredGlobalCatalog,ADuserPreferredDomainControllers,ThrottlingInfo,DelayInfo,'
    'ThrottlingDelay,IsOutputObjectRedacted,CmdletProxyStage,CmdletProxyRemoteServer,CmdletProxyRemoteServerVersion,CmdletProxyMethod,'
    'ProxiedObjectCount,CmdletProxyLatency,OutputObjectCount,ParameterBinding,BeginProcessing,ProcessRecord,EndProcessing,StopProcessing,'
    'BizLogic,PowerShellLatency,UserInteractionLatency,ProvisioningLayerLatency,ActivityContextLifeTime,TotalTime,ErrorType,'
    'ExecutionResult,CacheHitCount,CacheMissCount,GenericLatency,GenericInfo,GenericErrors,ObjectGuid,ExternalDirectoryOrganizationId,'
    'ExternalDirectoryObjectId,NonPiiParameters').split(',')
IIS_FIELDS = ('date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus '
              'sc-win32-status time-taken')

# The first part of a path -> the folder and protocol of its HttpProxy log.
PROTOCOLS = {'owa': 'Owa', 'ecp': 'Ecp', 'mapi': 'Mapi', 'ews': 'Ews', 'autodiscover': 'Autodiscover', 'oab': 'Oab', 'rpc': 'RpcHttp',
             'microsoft-server-activesync': 'Eas', 'powershell': 'PowerShell'}
TARGET_PATH = {'Mapi': '/mapi/emsmdb/'}

BROWSERS = (
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/88.0.4324.190 Safari/537.36',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:86.0) Gecko/20100101 Firefox/86.0',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/14.0.3 Safari/605.1.15')
OUTLOOK = 'Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.13628; Pro)'
PHONES = ('Apple-iPhone12C1/1804.52', 'Android-SAMSUNG-SM-G991B/101.1100', 'Outlook-iOS-Android/1.0')


def csv(value):
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def stamp(time, digits=3):
    return filetime_text(time, digits)


class User:
    def __init__(self, domain, suffix, name, rid, domain_sid, rng):
        self.domain, self.name, self.sid = domain, name, f'{domain_sid}-{rid}'
        self.mail = f'{name}@{suffix}'
        self.mailbox = guid(rng)
        self.database = guid(rng)

    @property
    def login(self):
        return f'{self.domain}\\{self.name}'


def guid(rng):
    a, b, c, d = (rng.below(1 << 32) for _ in range(4))
    return f'{a:08x}-{b >> 16:04x}-{0x4000 | b & 0xfff:04x}-{0x8000 | c >> 18:04x}-{c & 0xffff:04x}{d:08x}'


class ExchangeServer:
    """Collects lines; files() gives {path: bytes}. `folder` prefixes the paths."""

    def __init__(self, name, domain, suffix, ip, rng, version='15.01.2176.002', old_httpproxy=False, hourly=False, folder=''):
        self.name, self.domain, self.suffix, self.ip, self.rng = name, domain, suffix, ip, rng
        self.computer = f'{name}.{suffix}'
        self.version, self.old = version, old_httpproxy
        self.numbers = version.split('.')
        self.hourly, self.folder = hourly, folder
        self.host = f'mail.{suffix}'
        self.lines = {}    # path -> [(time, sequence, text)]
        self.headers = {}  # path -> function of the first time
        self.sequence = 0
        columns = HTTPPROXY_2013 if old_httpproxy else HTTPPROXY
        self.columns = columns
        self.places = {name: i for i, name in enumerate(columns)}
        self.empty = [''] * len(columns)

    # Files

    def put(self, path, header, time, text):
        if path not in self.lines:
            self.lines[path], self.headers[path] = [], header
        self.sequence += 1
        self.lines[path].append((time, self.sequence, text))

    def files(self):
        out = {}
        for path, lines in self.lines.items():
            lines.sort(key=lambda line: line[:2])
            out[self.folder + path] = (self.headers[path](lines[0][0]) + '\r\n'.join(text for _, _, text in lines) + '\r\n').encode()
        return out

    def iis_header(self, time):
        first = stamp(time, 0)[:19].replace('T', ' ')
        return ('#Software: Microsoft Internet Information Services 10.0\r\n#Version: 1.0\r\n'
                f'#Date: {first}\r\n#Fields: {IIS_FIELDS}\r\n')

    def exchange_header(self, kind, columns, software='Microsoft Exchange Server', version=None):
        names = ','.join(columns)

        def header(time):
            return (f'\ufeff{names}\r\n#Software: {software}\r\n#Version: {version or self.version}\r\n#Log-type: {kind}\r\n'
                    f'#Date: {stamp(time)}\r\n#Fields: {names}\r\n')
        return header

    def period(self, time):
        text = stamp(time)
        return text[0:4] + text[5:7] + text[8:10] + (text[11:13] if self.hourly else '00')

    # Lines

    def iis(self, time, site, port, method, stem, query, user, client, agent, status, referer='-', substatus=0, win32=0, taken=None):
        text = stamp(time)
        line = (f'{text[:10]} {text[11:19]} {self.ip} {method} {stem} {query or "-"} {port} {user or "-"} {client} '
                f'{agent.replace(" ", "+") if agent else "-"} {referer} {status} {substatus} {win32} {self.rng.between(1, 400) if taken is None else taken}')
        self.put(f'W3SVC{site}/u_ex{text[2:4]}{text[5:7]}{text[8:10]}.log', self.iis_header, time // SECOND * SECOND, line)

    def httpproxy(self, time, protocol, request_id, stem, query, method, status, user='', anchor='', hint='', agent='', client='', backend='',
                  action='Proxy', cookie='', info='', errors='', error='', target=None, authentication=''):
        row = list(self.empty)

        def put(name, value):
            at = self.places.get(name)
            if at is not None:
                row[at] = csv(value)
        target = self.computer if target is None else target
        for name, value in zip(('MajorVersion', 'MinorVersion', 'BuildVersion', 'RevisionVersion'), self.numbers):
            put(name, int(value))
        taken = self.rng.between(2, 300)
        for name, value in (
                ('DateTime', stamp(time)), ('RequestId', request_id), ('Protocol', protocol), ('UrlHost', self.host), ('UrlStem', stem),
                ('AuthenticationType', authentication or ('Negotiate' if user else '')), ('IsAuthenticated', 'true' if user else 'false'),
                ('AuthenticatedUser', user), ('AnchorMailbox', anchor), ('UserAgent', agent.replace(',', ' ')), ('ClientIpAddress', client),
                ('ServerHostName', self.name.upper()), ('HttpStatus', status), ('BackEndStatus', backend), ('ErrorCode', error),
                ('Method', method), ('ProxyAction', action if backend else ''), ('TargetServer', target if backend else ''),
                ('TargetServerVersion', '.'.join(self.numbers[:3]) + '.000' if backend else ''), ('RoutingType', 'IntraForest' if backend else ''),
                ('RoutingHint', hint), ('BackEndCookie', cookie), ('RequestBytes', self.rng.between(0, 2000)),
                ('ResponseBytes', self.rng.between(100, 9000)), ('HttpPipelineLatency', 1), ('TotalRequestTime', taken), ('ProxyTime', taken - 1),
                ('UrlQuery', '?' + query if query else ''), ('GenericInfo', info or 'OnBeginRequest=0;OnAcquireRequestState=0;'),
                ('GenericErrors', errors)):
            put(name, value)
        path = f'Logging/HttpProxy/{protocol}/HttpProxy_{self.period(time)}-1.LOG'
        self.put(path, self.exchange_header('HttpProxy Logs', self.columns), time, ','.join(row))

    def request(self, time, method, stem, query, user, client, agent, status, anchor='', hint='', backend=None, referer='-', backend_stem=None,
                backend_user=None, cookie='', username=None, encoding=True, backend_query=None):
        """A client's request through front end, proxy and back end. user: login or None. Returns the request id."""
        rid = guid(self.rng)
        protocol = PROTOCOLS.get(stem.lstrip('/').split('/')[0].lower(), 'Owa')
        tail = f'&CorrelationID=<empty>;&cafeReqId={rid};' + ('&encoding=;' if encoding else '')
        self.iis(time, 1, 443, method, stem, (query + tail) if query else tail, username if username is not None else user, client, agent, status, referer)
        backend = status if backend is None else backend
        self.httpproxy(time + self.rng.below(SECOND // 5), protocol, rid, stem, query, method, status, user or '', anchor, hint, agent, client,
                       backend or '', cookie=cookie)
        if backend:
            self.iis(time + SECOND // 20, 2, 444, method, backend_stem or stem, query if backend_query is None else backend_query, user if backend_user is None else backend_user, self.ip, agent, backend)
        return rid

    def ecp_server(self, time, data):
        path = f'Logging/ECP/Server/ECPServer{self.period(time)[:8]}-1.LOG'
        self.put(path, self.exchange_header('ECP Server Log', ('TimeStamp', 'ServerName', 'EventId', 'EventData'), version='15.0.0.0'), time,
                 f'{stamp(time)},{self.name.upper()},ECP.Request,{data}')

    def rps_http(self, time, user, client, info, status=200, query='?PSVersion=5.1.17763.1', stem='/powershell', sid=''):
        row = dict.fromkeys(RPS_HTTP, '')
        row.update(DateTime=stamp(time), StartTime=stamp(time - SECOND // 10), RequestId=guid(self.rng), MajorVersion=int(self.numbers[0]),
                   MinorVersion=int(self.numbers[1]), BuildVersion=int(self.numbers[2]), RevisionVersion=int(self.numbers[3]), UrlHost=self.host,
                   UrlStem=stem, AuthenticationType='Kerberos', IsAuthenticated='True', AuthenticatedUser=user, ClientIpAddress=client,
                   ServerHostName=self.name.upper(), FrontEndServer=self.computer, HttpStatus=status, SubStatus=0, Action='Command', ClientInfo=info,
                   UrlQuery=query, TotalTime=self.rng.between(5, 900))
        path = f'Logging/CmdletInfra/Powershell-Proxy/Http/Rps_Http_{self.period(time)}-1.LOG'
        self.put(path, self.exchange_header('Rps Http Logs', RPS_HTTP), time, ','.join(csv(row[c]) for c in RPS_HTTP))

    def rps_cmdlet(self, time, user, sid, cmdlet, parameters, sender=None, result='Success', error=''):
        row = dict.fromkeys(RPS_CMDLET, '')
        row.update(DateTime=stamp(time), StartTime=stamp(time - SECOND // 5), RequestId=guid(self.rng), MajorVersion=int(self.numbers[0]),
                   MinorVersion=int(self.numbers[1]), BuildVersion=int(self.numbers[2]), RevisionVersion=int(self.numbers[3]),
                   ServerHostName=self.name.upper(), ProcessId=9120, ProcessName='w3wp#MSExchangePowerShellAppPool', ThreadId=41, CultureInfo='en-US',
                   AuthenticatedUser=user, ExecutingUserSid=sid, IsAdmin='True', ClientApplication='PowerShell', Cmdlet=cmdlet, Parameters=parameters,
                   CmdletUniqueId=guid(self.rng), ErrorType=error, ExecutionResult=result, TotalTime=self.rng.between(10, 2000),
                   GenericInfo=f'PSSenderInfo={sender};' if sender else '')
        path = f'Logging/CmdletInfra/Powershell-Proxy/Cmdlet/Rps_Cmdlet_{self.period(time)}-1.LOG'
        self.put(path, self.exchange_header('Rps Cmdlet Logs', RPS_CMDLET), time, ','.join(csv(row[c]) for c in RPS_CMDLET))

    def oab_generator(self, time, text):
        path = f'Logging/OABGeneratorLog/OABGenerator_{self.period(time)[:8]}-1.log'
        self.put(path, self.exchange_header('OAB Generator Log', ('DateTime', 'Thread', 'Message')), time, f'{stamp(time)},12,{csv(text)}')

    def management(self, host, time, cmdlet, parameters, caller, sid, failed=False):
        """An event of the MSExchange Management log, on the Windows host that the server runs on."""
        data = [cmdlet, parameters, caller, sid, sid, 'Remote-PowerShell-Unknown' if 'Users/' in caller else 'Remote-ManagementShell-Unknown',
                '9120 w3wp#MSExchangePowerShellAppPool', '', '41', '00:00:00.4531072', 'View Entire Forest: \'True\'',
                'Microsoft.Exchange.Management: failed' if failed else '', '', '', '', '', '', 'False', '', '0 objects execution has been proxied to remote server.',
                '', '', '0', f'ActivityId: {guid(self.rng)}', 'ServicePlan:;IsAdmin:True;', '', 'en-US']
        host.log(time, MANAGEMENT, 6 if failed else 1, strings=data, task=1, level=2 if failed else 4, qualifiers=16384)


class _Management:
    name, guid, channel, source, keywords, level, nested = 'MSExchange CmdletLogs', None, 'MSExchange Management', None, '0x80000000000000', 4, 'fragment'


MANAGEMENT = _Management()


class Traffic:
    """What an office does with its mail server. Every method is one kind of client; all lines are honest."""

    def __init__(self, server, users, offices, rng):
        self.server, self.users, self.offices, self.rng = server, users, offices, rng
        self.kinds = ((self.outlook, 34), (self.outlook_nspi, 4), (self.activesync, 24), (self.owa, 14), (self.ews, 8), (self.autodiscover, 5),
                      (self.oab, 2), (self.logon, 2), (self.probe, 6), (self.control_panel, 1))
        self.total = sum(weight for _, weight in self.kinds)
        self.health = f'HealthMailbox{guid(rng).replace("-", "")[:32]}@{server.suffix}'

    def one(self, time):
        pick = self.rng.below(self.total)
        for kind, weight in self.kinds:
            if pick < weight:
                return kind(time)
            pick -= weight
        return None

    def client(self, user):
        return self.offices[hash_of(user.name) % len(self.offices)] if self.rng.chance(.7) else f'192.0.2.{1 + hash_of(user.mail) % 250}'

    def database(self, u):
        return f'Database~{u.database}~~2021-04-01T00:00:00~{self.server.suffix}~1'

    def outlook(self, time):
        u = self.rng.choice(self.users)
        self.server.request(time, 'POST', '/mapi/emsmdb/', f'MailboxId={u.mailbox}@{self.server.suffix}', u.login, self.client(u), OUTLOOK, 200,
                            f'MailboxGuid~{u.mailbox}', 'MailboxGuidWithDomain', cookie=self.database(u))

    def outlook_nspi(self, time):
        u = self.rng.choice(self.users)
        self.server.request(time, 'POST', '/mapi/nspi/', f'MailboxId={u.mailbox}@{self.server.suffix}', u.login, self.client(u), OUTLOOK, 200,
                            f'MailboxGuid~{u.mailbox}', 'MailboxGuidWithDomain', cookie=self.database(u))

    def activesync(self, time):
        u = self.rng.choice(self.users)
        phone = PHONES[hash_of(u.name) % len(PHONES)]
        command = self.rng.choice(('Ping', 'Ping', 'Ping', 'Sync', 'FolderSync', 'SendMail'))
        self.server.request(time, 'POST', '/Microsoft-Server-ActiveSync/default.eas',
                            f'Cmd={command}&User={u.domain}%5C{u.name}&DeviceId=D{hash_of(u.mail):08X}&DeviceType=iPhone', u.login,
                            f'192.0.2.{1 + hash_of(u.mail) % 250}', phone, 200, f'Sid~{u.sid}', 'WindowsIdentity', cookie=self.database(u))

    def owa(self, time):
        u = self.rng.choice(self.users)
        agent = BROWSERS[hash_of(u.name) % len(BROWSERS)]
        client = self.client(u)
        which = self.rng.below(10)
        home = f'https://{self.server.host}/owa/'
        if which < 2:
            self.server.request(time, 'GET', '/owa/', 'bO=1', u.login, client, agent, 200, f'Sid~{u.sid}', 'WindowsIdentity', cookie=self.database(u))
        elif which < 5:
            action = self.rng.choice(('GetConversationItems', 'FindConversation', 'GetFolder', 'SubscribeToNotification', 'CreateItem', 'UpdateItem'))
            self.server.request(time, 'POST', '/owa/service.svc', f'action={action}&EP=1&ID=-{self.rng.below(900)}&AC=1', u.login, client, agent, 200,
                                f'Sid~{u.sid}', 'WindowsIdentity', referer=home, cookie=self.database(u))
        elif which < 7:
            self.server.request(time, 'POST', '/owa/ev.owa2', 'ns=PendingRequest&ev=FinishNotificationRequest&UA=0', u.login, client, agent, 200,
                                f'Sid~{u.sid}', 'WindowsIdentity', referer=home, cookie=self.database(u))
        else:
            name = self.rng.choice(('logon.css', 'owafont_ja.css', 'lgnbotl.gif', 'SegoeUI-Regular.ttf', 'favicon.ico'))
            self.server.request(time, 'GET', f'/owa/auth/15.1.2176/themes/resources/{name}', '', None, client, agent, self.rng.choice((200, 304, 304)),
                                backend=0, referer=f'https://{self.server.host}/owa/auth/logon.aspx')

    def logon(self, time):
        u = self.rng.choice(self.users)
        agent, client = BROWSERS[hash_of(u.name) % len(BROWSERS)], self.client(u)
        url = f'https%3a%2f%2f{self.server.host}%2fowa%2f'
        self.server.request(time, 'GET', '/owa/auth/logon.aspx', f'url={url}&reason=0', None, client, agent, 200, backend=0)
        self.server.request(time + 6 * SECOND, 'POST', '/owa/auth.owa', '', u.login, client, agent, 302, backend=0, username=u.name,
                            referer=f'https://{self.server.host}/owa/auth/logon.aspx')
        if self.rng.chance(.3):
            self.server.request(time + 900 * SECOND, 'GET', self.rng.choice(('/owa/auth/logoff.aspx', '/owa/auth/signout.aspx', '/ecp/auth/TimeoutLogout.aspx')),
                                'Cmd=logoff', u.login, client, agent, 200, backend=0, referer=f'https://{self.server.host}/owa/')

    def ews(self, time):
        u = self.rng.choice(self.users)
        agent = self.rng.choice((OUTLOOK, 'MacOutlook/16.46.21021202 (Intelx64 Mac OS X 10.15.7)', 'AppleExchangeWebServices/818.120.2 accountsd/113'))
        self.server.request(time, 'POST', '/EWS/Exchange.asmx', '', u.login, self.client(u), agent, 200, f'Sid~{u.sid}', 'WindowsIdentity', cookie=self.database(u))

    def autodiscover(self, time):
        u = self.rng.choice(self.users)
        if self.rng.chance(.3):
            self.server.request(time, 'GET', '/autodiscover/autodiscover.json', f'Email={u.name}%40{self.server.suffix}&Protocol=ActiveSync&RedirectCount=1',
                                None, self.client(u), PHONES[hash_of(u.name) % len(PHONES)], 200, f'{u.mail}', 'Smtp')
            return
        self.server.request(time, 'POST', '/autodiscover/autodiscover.xml', '', None, self.client(u), OUTLOOK, 401, backend=0)
        self.server.request(time + SECOND, 'POST', '/autodiscover/autodiscover.xml', '', u.login, self.client(u), OUTLOOK, 200, f'Sid~{u.sid}',
                            'WindowsIdentity', cookie=self.database(u))

    def oab(self, time):
        u = self.rng.choice(self.users)
        self.server.request(time, 'GET', '/OAB/2e9a1f50-8d4d-4a8c-9a6e-5f0b8f3f8c11/oab.xml', '', u.login, self.client(u), 'Microsoft BITS/7.8', 200,
                            f'Sid~{u.sid}', 'WindowsIdentity')

    def probe(self, time):
        """Managed availability looks after itself, over the loop-back address."""
        which = self.rng.below(4)
        if which == 0:
            self.server.request(time, 'GET', self.rng.choice(('/owa/healthcheck.htm', '/ecp/healthcheck.htm', '/mapi/healthcheck.htm', '/EWS/healthcheck.htm')),
                                '', None, '127.0.0.1', 'AMProbe/Local/ClientAccess', 200, backend=0)
        elif which == 1:
            self.server.request(time, 'POST', '/mapi/emsmdb/', f'mailboxId=x@{self.server.suffix}', self.health, '::1', 'AMProbe/Local/ClientAccess', 200,
                                f'Smtp~{self.health}', 'MailboxGuidWithDomain')
        elif which == 2:
            status = self.rng.choice((200, 200, 401))
            self.server.iis(time, 2, 444, 'POST', '/powershell', 'clientApplication=ActiveMonitor;PSVersion=5.1.17763.1', self.health, '::1', '', status)
            self.server.rps_http(time, self.health, '::1', 'Exchange BackEnd Probes', status, '?clientApplication=ActiveMonitor;PSVersion=5.1.17763.1')
        else:
            self.server.request(time, 'GET', '/owa/', '', self.health, '127.0.0.1', 'AMProbe/Local/ClientAccess', 200, f'Smtp~{self.health}', 'WindowsIdentity')

    def control_panel(self, time):
        """An administrator or a user with their settings."""
        u = self.rng.choice(self.users)
        client, agent = self.client(u), BROWSERS[hash_of(u.name) % len(BROWSERS)]
        schema, page = self.rng.choice((('MailboxService', '/ecp/UsersGroups/Mailboxes.slab'), ('InboxRules', '/ecp/RulesEditor/InboxRules.slab'),
                                        ('OABVirtualDirectory', '/ecp/VDirMgmt/VirtualDirectories.slab')))
        canary = guid(self.rng).replace('-', '')
        query = f'msExchEcpCanary={canary}.&schema={schema}'
        for i, (method, path, q) in enumerate((('GET', '/ecp/default.aspx', ''), ('POST', '/ecp/DDI/DDIService.svc/GetList', query),
                                               ('POST', '/ecp/DDI/DDIService.svc/GetObject', query))):
            self.server.request(time + i * 2 * SECOND, method, path, q, u.login, client, agent, 200, f'Sid~{u.sid}', 'WindowsIdentity',
                                referer=f'https://{self.server.host}{page}')
        self.server.ecp_server(time + 2 * SECOND, f'S:TIME={self.rng.between(9, 400)};S:SID={guid(self.rng)};S:CMD=Get-{"InboxRule" if schema == "InboxRules" else "Mailbox"};'
                               f'S:REQID=;S:URL=/ecp/DDI/DDIService.svc/GetList?{query};S:REFERRER=;S:EX=;S:ACTID={guid(self.rng)};S:RS=0;'
                               f'S:BLD={self.server.version};S:TNAME=<null>;S:TID=;S:USID={u.sid};S:EDOID=;S:ACID=')


def hash_of(text):
    h = 2166136261
    for c in text.encode():
        h = (h ^ c) * 16777619 & 0xffffffff
    return h


def work_hours(rng, midnight, end=None):
    """A time of day as offices have it: most between 7 and 18, some around the clock (phones)."""
    if rng.chance(.35):
        return midnight + rng.below(DAY)
    return midnight + 7 * HOUR + rng.below(11 * HOUR)
