"""A Windows host that logs: what samples are made of. Knows the events' fields, keeps processes and logon sessions, and gives
each channel's events in order with record ids. Everything follows from the seed; nothing reads a clock.

Field lists and constants: Microsoft's event documentation and Sysmon's schema."""
import hashlib
import random
import uuid

from evtx_writer import EvtxWriter, filetime, filetime_text

SECOND = 10_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND


class Rng:
    """Numbers that are the same in every version of Python: built on random() alone."""

    def __init__(self, seed):
        self.source = random.Random(seed)

    def real(self, low=0.0, high=1.0):
        return low + (high - low) * self.source.random()

    def below(self, n):
        return int(self.source.random() * n)

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def choice(self, items):
        return items[self.below(len(items))]

    def chance(self, p):
        return self.source.random() < p

    def text(self, alphabet, n):
        return ''.join(self.choice(alphabet) for _ in range(n))


def fields(text):
    """"A:sid B" -> [('A', 'sid'), ('B', 'string')]; '_' in a name stands for a blank."""
    out = []
    for word in text.split():
        name, _, kind = word.partition(':')
        out.append((name.replace('_', ' '), kind or 'string'))
    return out


class Provider:
    def __init__(self, name, guid, channel, source=None, keywords='0x8000000000000000', level=4, nested='fragment'):
        self.name, self.guid, self.channel, self.source = name, guid, channel, source
        self.keywords, self.level, self.nested = keywords, level, nested


SECURITY = Provider('Microsoft-Windows-Security-Auditing', '{54849625-5478-4994-a5ba-3e3b0328c30d}', 'Security',
                    keywords='0x8020000000000000', level=0)
SYSMON = Provider('Microsoft-Windows-Sysmon', '{5770385f-c22a-43e0-bf4c-06f5698ffbd9}', 'Microsoft-Windows-Sysmon/Operational')
POWERSHELL = Provider('Microsoft-Windows-PowerShell', '{a0c1853b-5c40-4b15-8766-3cf1c58f985a}',
                      'Microsoft-Windows-PowerShell/Operational', keywords='0x0', level=5)
TASKS = Provider('Microsoft-Windows-TaskScheduler', '{de7b24ea-73c8-4a09-985d-5bdadcfa9017}',
                 'Microsoft-Windows-TaskScheduler/Operational')
SERVICES = Provider('Service Control Manager', '{555908d1-a6d7-4695-8e1e-26931d2012f4}', 'System',
                    source='Service Control Manager', keywords='0x8080000000000000')
DEFENDER = Provider('Microsoft-Windows-Windows Defender', '{11cd958a-c507-4ef3-b3f2-5fd9dfbd2c78}',
                    'Microsoft-Windows-Windows Defender/Operational')
SESSIONS = Provider('Microsoft-Windows-TerminalServices-LocalSessionManager', '{5d896912-022d-40aa-a3a8-4fa5515c76d7}',
                    'Microsoft-Windows-TerminalServices-LocalSessionManager/Operational', keywords='0x1000000000000000')
EVENTLOG_SECURITY = Provider('Microsoft-Windows-Eventlog', '{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}', 'Security',
                             keywords='0x4020000000000000')
EVENTLOG_SYSTEM = Provider('Microsoft-Windows-Eventlog', '{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}', 'System')
EVENTLOG_CLASSIC = Provider('EventLog', None, 'System', keywords='0x80000000000000')
TIME_SERVICE = Provider('Microsoft-Windows-Time-Service', '{06edcfeb-0fd1-4e53-acca-a6f8bbf81bcb}', 'System')
UPDATES = Provider('Microsoft-Windows-WindowsUpdateClient', '{945a8954-c147-4acd-923f-40c45405a658}', 'System',
                   keywords='0x8000000000000018')
DCOM = Provider('Microsoft-Windows-DistributedCOM', '{1b562e86-b7aa-4131-badc-b6f3a001407e}', 'System', source='DCOM',
                keywords='0x8080000000000000', level=2)

SUBJECT = 'SubjectUserSid:sid SubjectUserName SubjectDomainName SubjectLogonId:hex64'

# (provider, event id) -> (version, task, fields). Only what the samples use.
CATALOGUE = {
    (SECURITY, 4624): (2, 12544, SUBJECT + ' TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:hex64 LogonType:uint32 '
                       'LogonProcessName AuthenticationPackageName WorkstationName LogonGuid:guid TransmittedServices LmPackageName '
                       'KeyLength:uint32 ProcessId:hex64 ProcessName IpAddress IpPort ImpersonationLevel RestrictedAdminMode '
                       'TargetOutboundUserName TargetOutboundDomainName VirtualAccount TargetLinkedLogonId:hex64 ElevatedToken'),
    (SECURITY, 4625): (0, 12544, SUBJECT + ' TargetUserSid:sid TargetUserName TargetDomainName Status:hex32 FailureReason '
                       'SubStatus:hex32 LogonType:uint32 LogonProcessName AuthenticationPackageName WorkstationName '
                       'TransmittedServices LmPackageName KeyLength:uint32 ProcessId:hex64 ProcessName IpAddress IpPort'),
    (SECURITY, 4634): (0, 12545, 'TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:hex64 LogonType:uint32'),
    (SECURITY, 4648): (0, 12544, SUBJECT + ' LogonGuid:guid TargetUserName TargetDomainName TargetLogonGuid:guid TargetServerName '
                       'TargetInfo ProcessId:hex64 ProcessName IpAddress IpPort'),
    (SECURITY, 4672): (0, 12548, SUBJECT + ' PrivilegeList'),
    (SECURITY, 4688): (2, 13312, SUBJECT + ' NewProcessId:hex64 NewProcessName TokenElevationType ProcessId:hex64 CommandLine '
                       'TargetUserSid:sid TargetUserName TargetDomainName TargetLogonId:hex64 ParentProcessName MandatoryLabel:sid'),
    (SECURITY, 4698): (1, 12804, SUBJECT + ' TaskName TaskContent ClientProcessStartKey:uint64 ClientProcessId:uint32 '
                       'ParentProcessId:uint32 RpcCallClientLocality FQDN'),
    (SECURITY, 4702): (0, 12804, SUBJECT + ' TaskName TaskContentNew'),
    (SECURITY, 4720): (0, 13824, 'TargetUserName TargetDomainName TargetSid:sid ' + SUBJECT + ' PrivilegeList SamAccountName '
                       'DisplayName UserPrincipalName HomeDirectory HomePath ScriptPath ProfilePath UserWorkstations PasswordLastSet '
                       'AccountExpires PrimaryGroupId AllowedToDelegateTo OldUacValue NewUacValue UserAccountControl UserParameters '
                       'SidHistory LogonHours'),
    (SECURITY, 4722): (0, 13824, 'TargetUserName TargetDomainName TargetSid:sid ' + SUBJECT),
    (SECURITY, 4724): (0, 13824, 'TargetUserName TargetDomainName TargetSid:sid ' + SUBJECT),
    (SECURITY, 4732): (0, 13826, 'MemberName MemberSid:sid TargetUserName TargetDomainName TargetSid:sid ' + SUBJECT + ' PrivilegeList'),
    (SECURITY, 4776): (0, 14336, 'PackageName TargetUserName Workstation Status:hex32'),
    (SECURITY, 4799): (0, 13826, 'TargetUserName TargetDomainName TargetSid:sid ' + SUBJECT + ' CallerProcessId:hex64 CallerProcessName'),
    (SECURITY, 5145): (0, 12811, SUBJECT + ' ObjectType IpAddress IpPort ShareName ShareLocalPath RelativeTargetName AccessMask:hex32 '
                       'AccessList AccessReason'),
    (SYSMON, 1): (5, 1, 'RuleName UtcTime ProcessGuid:guid ProcessId:uint32 Image FileVersion Description Product Company '
                  'OriginalFileName CommandLine CurrentDirectory User LogonGuid:guid LogonId:hex64 TerminalSessionId:uint32 '
                  'IntegrityLevel Hashes ParentProcessGuid:guid ParentProcessId:uint32 ParentImage ParentCommandLine ParentUser'),
    (SYSMON, 3): (5, 3, 'RuleName UtcTime ProcessGuid:guid ProcessId:uint32 Image User Protocol Initiated:bool SourceIsIpv6:bool '
                  'SourceIp SourceHostname SourcePort:uint16 SourcePortName DestinationIsIpv6:bool DestinationIp DestinationHostname '
                  'DestinationPort:uint16 DestinationPortName'),
    (SYSMON, 5): (3, 5, 'RuleName UtcTime ProcessGuid:guid ProcessId:uint32 Image User'),
    (SYSMON, 10): (3, 10, 'RuleName UtcTime SourceProcessGUID:guid SourceProcessId:uint32 SourceThreadId:uint32 SourceImage '
                   'TargetProcessGUID:guid TargetProcessId:uint32 TargetImage GrantedAccess:hex32 CallTrace SourceUser TargetUser'),
    (SYSMON, 11): (2, 11, 'RuleName UtcTime ProcessGuid:guid ProcessId:uint32 Image TargetFilename CreationUtcTime User'),
    (SYSMON, 13): (2, 13, 'RuleName EventType UtcTime ProcessGuid:guid ProcessId:uint32 Image TargetObject Details User'),
    (SYSMON, 17): (1, 17, 'RuleName EventType UtcTime ProcessGuid:guid ProcessId:uint32 PipeName Image User'),
    (SYSMON, 19): (3, 19, 'RuleName EventType UtcTime Operation User EventNamespace Name Query'),
    (SYSMON, 20): (3, 20, 'RuleName EventType UtcTime Operation User Name Type Destination'),
    (SYSMON, 21): (3, 21, 'RuleName EventType UtcTime Operation User Consumer Filter'),
    (SYSMON, 22): (5, 22, 'RuleName UtcTime ProcessGuid:guid ProcessId:uint32 QueryName QueryStatus QueryResults Image User'),
    (SYSMON, 23): (5, 23, 'RuleName UtcTime ProcessGuid:guid ProcessId:uint32 User Image TargetFilename Hashes IsExecutable:bool Archived'),
    (POWERSHELL, 4103): (1, 106, 'ContextInfo UserData Payload'),
    (POWERSHELL, 4104): (1, 2, 'MessageNumber:int32 MessageTotal:int32 ScriptBlockText ScriptBlockId Path'),
    (POWERSHELL, 40961): (1, 4, ''),
    (POWERSHELL, 40962): (1, 4, ''),
    (POWERSHELL, 53504): (1, 111, 'param1 param2'),
    (TASKS, 100): (0, 100, 'TaskName UserContext InstanceId:guid'),
    (TASKS, 102): (0, 102, 'TaskName UserContext InstanceId:guid'),
    (TASKS, 106): (0, 106, 'TaskName UserContext'),
    (TASKS, 129): (0, 129, 'TaskName Path ProcessID:uint32 Priority:uint32'),
    (TASKS, 140): (0, 140, 'TaskName UserName'),
    (TASKS, 200): (1, 200, 'TaskName ActionName TaskInstanceId:guid EnginePID:uint32'),
    (TASKS, 201): (2, 201, 'TaskName TaskInstanceId:guid ActionName ResultCode:uint32 EnginePID:uint32'),
    (SERVICES, 7036): (0, 0, 'param1 param2'),
    (SERVICES, 7040): (0, 0, 'param1 param2 param3 param4'),
    (SERVICES, 7045): (0, 0, 'ServiceName ImagePath ServiceType StartType AccountName'),
    (DEFENDER, 1000): (0, 0, 'Product_Name Product_Version Scan_ID Scan_Type_Index Scan_Type Scan_Parameters_Index Scan_Parameters '
                       'Domain User SID'),
    (DEFENDER, 1001): (0, 0, 'Product_Name Product_Version Scan_ID Scan_Type_Index Scan_Type Scan_Parameters_Index Scan_Parameters '
                       'Domain User SID Scan_Time_Hours Scan_Time_Minutes Scan_Time_Seconds'),
    (DEFENDER, 2000): (0, 0, 'Product_Name Product_Version Current_Signature_Version Previous_Signature_Version Domain User SID '
                       'Signature_Type_Index Signature_Type Update_Type_Index Update_Type Current_Engine_Version Previous_Engine_Version'),
    (DEFENDER, 5001): (0, 0, 'Product_Name Product_Version'),
    (DEFENDER, 5007): (0, 0, 'Product_Name Product_Version Old_Value New_Value'),
    (SESSIONS, 21): (0, 0, 'User SessionID:uint32 Address'),
    (SESSIONS, 23): (0, 0, 'User SessionID:uint32'),
    (SESSIONS, 24): (0, 0, 'User SessionID:uint32 Address'),
    (TIME_SERVICE, 37): (0, 0, 'TimeSource'),
    (UPDATES, 19): (1, 1, 'updateTitle updateGuid:guid updateRevisionNumber:uint32 serviceGuid:guid'),
    (UPDATES, 43): (1, 1, 'updateTitle updateGuid:guid updateRevisionNumber:uint32'),
    (DCOM, 10016): (0, 0, 'param1 param2 param3 param4 param5 param6 param7 param8 param9 param10 param11'),
}
CATALOGUE = {key: (version, task, fields(text)) for key, (version, task, text) in CATALOGUE.items()}

LEVELS = {(POWERSHELL, 4103): 4, (POWERSHELL, 40961): 4, (POWERSHELL, 40962): 4, (POWERSHELL, 53504): 4, (DCOM, 10016): 2}
OPCODES = {(POWERSHELL, 4103): 20, (POWERSHELL, 4104): 15, (POWERSHELL, 40961): 1, (POWERSHELL, 40962): 2, (POWERSHELL, 53504): 10}
EMPTY = {'sid': 'S-1-0-0', 'string': '-', 'guid': '{00000000-0000-0000-0000-000000000000}', 'bool': False}

SYSTEM = 'S-1-5-18'
MANDATORY = {'Medium': 'S-1-16-8192', 'High': 'S-1-16-12288', 'System': 'S-1-16-16384'}

# image -> (description, company, original file name)
KNOWN = {
    'cmd.exe': ('Windows Command Processor', 'Microsoft Corporation', 'Cmd.Exe'),
    'powershell.exe': ('Windows PowerShell', 'Microsoft Corporation', 'PowerShell.EXE'),
    'whoami.exe': ('whoami - displays logged on user information', 'Microsoft Corporation', 'whoami.exe'),
    'net.exe': ('Net Command', 'Microsoft Corporation', 'net.exe'),
    'net1.exe': ('Net Command', 'Microsoft Corporation', 'net1.exe'),
    'nltest.exe': ('Microsoft\u00ae Logon Server Test Utility', 'Microsoft Corporation', 'nltestrk.exe'),
    'schtasks.exe': ('Task Scheduler Configuration Tool', 'Microsoft Corporation', 'schtasks.exe'),
    'rundll32.exe': ('Windows host process (Rundll32)', 'Microsoft Corporation', 'RUNDLL32.EXE'),
    'vssadmin.exe': ('Command Line Interface for Microsoft\u00ae Volume Shadow Copy Service', 'Microsoft Corporation', 'VSSADMIN.EXE'),
    'wevtutil.exe': ('Eventing Command Line Utility', 'Microsoft Corporation', 'wevtutil.exe'),
    'svchost.exe': ('Host Process for Windows Services', 'Microsoft Corporation', 'svchost.exe'),
    'w3wp.exe': ('IIS Worker Process', 'Microsoft Corporation', 'w3wp.exe'),
    'PSEXESVC.exe': ('PsExec Service', 'Sysinternals', 'psexesvc.exe'),
}


class Account:
    def __init__(self, domain, name, sid):
        self.domain, self.name, self.sid = domain, name, sid

    def __str__(self):
        return f'{self.domain}\\{self.name}'


class Session:
    def __init__(self, account, logon_id, terminal=0, level='High'):
        self.account, self.logon_id, self.terminal, self.level = account, logon_id, terminal, level


class Process:
    def __init__(self, pid, guid, image, command, session, parent):
        self.pid, self.guid, self.image, self.command, self.session, self.parent = pid, guid, image, command, session, parent


class Host:
    """name: short name; domain: NetBIOS; suffix: DNS suffix or None; start: FILETIME from which it logs."""

    def __init__(self, name, domain, suffix, ip, seed, start, machine_sid):
        self.name, self.domain, self.ip, self.start = name, domain, ip, start
        self.computer = f'{name}.{suffix}' if suffix else name
        self.rng = Rng(seed)
        self.machine_sid = machine_sid
        self.events = []  # (time, sequence, channel, event)
        self.system = Session(Account('NT AUTHORITY', 'SYSTEM', SYSTEM), 0x3e7, 0, 'System')
        self.machine = Account(domain, name + '$', SYSTEM)
        self.next_pid = 4000
        self.audit_processes = True   # Security 4688
        boot = start - 9 * DAY
        self.kernel = self._process(boot, 4, 'System', '', self.system, None)
        self.services = self._process(boot + 20 * SECOND, 712, r'C:\Windows\System32\services.exe', r'C:\Windows\system32\services.exe',
                                      self.system, self.kernel)
        self.lsass = self._process(boot + 20 * SECOND, 724, r'C:\Windows\System32\lsass.exe', r'C:\Windows\system32\lsass.exe',
                                   self.system, self.kernel)
        self.netsvcs = self._process(boot + 25 * SECOND, 1108, r'C:\Windows\System32\svchost.exe',
                                     r'C:\Windows\system32\svchost.exe -k netsvcs -p', self.system, self.services)

    # Plumbing

    def log(self, time, provider, event_id, values=None, user=None, process_id=None, keywords=None, user_data=None, strings=None, **more):
        event = {'channel': provider.channel, 'provider': provider.name, 'computer': self.computer, 'event_id': event_id,
                 'keywords': keywords or provider.keywords, 'level': LEVELS.get((provider, event_id), provider.level),
                 'opcode': OPCODES.get((provider, event_id), 0), 'time': time,
                 'process_id': process_id if process_id is not None else 4, 'thread_id': 1000 + 4 * self.rng.below(2000), **more}
        if provider.guid:
            event['guid'] = provider.guid
        if provider.source:
            event['source'] = provider.source
            event['qualifiers'] = 16384 if provider is SERVICES else 0
        if user:
            event['user'] = user
        if user_data:
            event['user_data'] = user_data
        elif strings is not None:
            event['strings'] = strings
        else:
            event['version'], event['task'], layout = CATALOGUE[provider, event_id]
            values = values or {}
            unknown = set(values) - {name for name, _ in layout}
            if unknown:
                raise KeyError(f'{provider.name} {event_id} has no {unknown}')
            event['data'] = [[name, kind, values.get(name, EMPTY.get(kind, 0))] for name, kind in layout]
        self.events.append((time, len(self.events), provider.channel, event))
        return event

    def write(self, channel, since=None, until=None, first_record=1, **options):
        """The file of a channel: its events in [since, until). Record ids count over the whole channel."""
        writer = EvtxWriter(**options)
        number = first_record
        for time, _, name, event in sorted(self.events, key=lambda e: e[:2]):
            if name != channel:
                continue
            if (since is None or time >= since) and (until is None or time < until):
                writer.add({**event, 'record_id': number})
            number += 1
        return writer

    def guid(self, time, pid):
        return '{' + str(uuid.UUID(bytes=hashlib.md5(f'{self.name} {time} {pid}'.encode()).digest())) + '}'

    def _process(self, time, pid, image, command, session, parent):
        return Process(pid, self.guid(time, pid), image, command, session, parent)

    def jitter(self):
        return self.rng.below(9 * SECOND // 10)

    # Sysmon and Security together: what happens on the host

    def start_process(self, time, image, command=None, parent=None, session=None, folder='C:\\Windows\\system32\\', sysmon=True, company=None):
        parent = parent or self.netsvcs
        session = session or parent.session
        self.next_pid += 4 * self.rng.between(1, 9)
        if self.next_pid > 14000:
            self.next_pid = 2000 + 4 * self.rng.below(300)
        command = command or image
        p = self._process(time, self.next_pid, image, command, session, parent)
        if self.audit_processes:
            who = self.machine if session is self.system else session.account
            self.log(time, SECURITY, 4688, {
                'SubjectUserSid': SYSTEM if session is self.system else who.sid, 'SubjectUserName': who.name, 'SubjectDomainName': who.domain,
                'SubjectLogonId': session.logon_id, 'NewProcessId': p.pid, 'NewProcessName': image,
                'TokenElevationType': '%%1936' if session is self.system else '%%1937' if session.level == 'High' else '%%1938',
                'ProcessId': parent.pid, 'CommandLine': command, 'ParentProcessName': parent.image,
                'MandatoryLabel': MANDATORY[session.level]})
        if sysmon:
            self._sysmon_start(time + 6000 + self.rng.below(9000), p, folder, company)
        return p

    def _sysmon_start(self, time, p, folder, company):
        base = p.image.rsplit('\\', 1)[-1]
        description, maker, original = KNOWN.get(base, ('-', company or ('Microsoft Corporation' if '\\Windows\\' in p.image else '-'), base))
        known = maker != '-'
        digest = hashlib.sha256(p.image.lower().encode()).hexdigest().upper()
        self.log(time, SYSMON, 1, {
            'UtcTime': utc_time(time), 'ProcessGuid': p.guid, 'ProcessId': p.pid, 'Image': p.image,
            'FileVersion': '10.0.17763.1 (WinBuild.160101.0800)' if known else '-', 'Description': description,
            'Product': 'Microsoft\u00ae Windows\u00ae Operating System' if maker == 'Microsoft Corporation' else '-', 'Company': maker,
            'OriginalFileName': original if known else '-', 'CommandLine': p.command, 'CurrentDirectory': folder,
            'User': str(p.session.account), 'LogonGuid': self.guid(p.session.logon_id, 0), 'LogonId': p.session.logon_id,
            'TerminalSessionId': p.session.terminal, 'IntegrityLevel': p.session.level,
            'Hashes': f'MD5={digest[:32]},SHA256={digest},IMPHASH={digest[32:]}', 'ParentProcessGuid': p.parent.guid,
            'ParentProcessId': p.parent.pid, 'ParentImage': p.parent.image, 'ParentCommandLine': p.parent.command,
            'ParentUser': str(p.parent.session.account)}, user=SYSTEM, process_id=2884)

    def _sysmon(self, time, event_id, p, values, user=True):
        values = {'UtcTime': utc_time(time), **values}
        if p:
            values.update({'ProcessGuid': p.guid, 'ProcessId': p.pid, 'Image': p.image})
            if user:
                values['User'] = str(p.session.account)
        return self.log(time, SYSMON, event_id, values, user=SYSTEM, process_id=2884)

    def end_process(self, time, p):
        self._sysmon(time, 5, p, {})

    def file_created(self, time, p, path):
        self._sysmon(time, 11, p, {'TargetFilename': path, 'CreationUtcTime': utc_time(time)})

    def registry_set(self, time, p, key, details):
        self._sysmon(time, 13, p, {'EventType': 'SetValue', 'TargetObject': key, 'Details': details})

    def dns_query(self, time, p, name, results):
        self._sysmon(time, 22, p, {'QueryName': name, 'QueryStatus': '0' if results else '9003', 'QueryResults': results or '-'})

    def connection(self, time, p, ip, port, hostname='-', initiated=True):
        local = self.rng.between(49200, 65000)
        a, b = (self.ip, local), (ip, port)
        if not initiated:
            a, b = (ip, local), (self.ip, port)
        names = {443: 'https', 80: 'http', 3389: 'ms-wbt-server', 445: 'microsoft-ds', 88: 'kerberos', 389: 'ldap', 53: 'domain'}
        self._sysmon(time, 3, p, {
            'Protocol': 'tcp', 'Initiated': initiated, 'SourceIp': a[0], 'SourcePort': a[1],
            'SourceHostname': self.computer if initiated else '-', 'DestinationIp': b[0], 'DestinationPort': b[1],
            'DestinationHostname': hostname if initiated else self.computer, 'DestinationPortName': names.get(b[1], '-')})

    def pipe_created(self, time, p, name):
        self._sysmon(time, 17, p, {'EventType': 'CreatePipe', 'PipeName': name})

    def opened(self, time, p, target, access, trace):
        self.log(time, SYSMON, 10, {
            'UtcTime': utc_time(time), 'SourceProcessGUID': p.guid, 'SourceProcessId': p.pid, 'SourceThreadId': p.pid + 8,
            'SourceImage': p.image, 'TargetProcessGUID': target.guid, 'TargetProcessId': target.pid, 'TargetImage': target.image,
            'GrantedAccess': access, 'CallTrace': trace, 'SourceUser': str(p.session.account), 'TargetUser': str(target.session.account)},
            user=SYSTEM, process_id=2884)

    # Security

    def subject(self, session):
        who = self.machine if session is self.system else session.account
        return {'SubjectUserSid': SYSTEM if session is self.system else who.sid, 'SubjectUserName': who.name,
                'SubjectDomainName': who.domain, 'SubjectLogonId': session.logon_id}

    def logon(self, time, account, kind, ip='-', port='-', workstation='-', process='-', package='Kerberos', elevated=True, terminal=0, privileges=True):
        logon_id = 0x100000 + self.rng.below(0x7fffff)
        remote = kind in (3, 10)
        self.log(time, SECURITY, 4624, {
            **(self.subject(self.system) if not (kind == 3) else {}),
            'TargetUserSid': account.sid, 'TargetUserName': account.name, 'TargetDomainName': account.domain, 'TargetLogonId': logon_id,
            'LogonType': kind, 'LogonProcessName': {3: 'NtLmSsp ' if package == 'NTLM' else 'Kerberos', 5: 'Advapi  ', 10: 'User32 '}.get(kind, 'User32 '),
            'AuthenticationPackageName': package, 'WorkstationName': workstation, 'LmPackageName': 'NTLM V2' if package == 'NTLM' else '-',
            'KeyLength': 128 if package == 'NTLM' else 0, 'ProcessId': 0 if kind == 3 else self.services.pid,
            'ProcessName': process, 'IpAddress': ip if remote else '-', 'IpPort': str(port),
            'ImpersonationLevel': '%%1833', 'VirtualAccount': '%%1843', 'ElevatedToken': '%%1842' if elevated else '%%1843'},
            process_id=self.lsass.pid)
        session = Session(account, logon_id, terminal, 'System' if account.sid == SYSTEM else 'High' if elevated else 'Medium')
        if elevated and privileges:
            self.log(time, SECURITY, 4672, {**self.subject(session), 'PrivilegeList': '\r\n\t\t\t'.join((
                'SeSecurityPrivilege', 'SeBackupPrivilege', 'SeRestorePrivilege', 'SeTakeOwnershipPrivilege', 'SeDebugPrivilege',
                'SeSystemEnvironmentPrivilege', 'SeLoadDriverPrivilege', 'SeImpersonatePrivilege'))}, process_id=self.lsass.pid)
        return session

    def logoff(self, time, session, kind):
        a = session.account
        self.log(time, SECURITY, 4634, {'TargetUserSid': a.sid, 'TargetUserName': a.name, 'TargetDomainName': a.domain,
                                        'TargetLogonId': session.logon_id, 'LogonType': kind}, process_id=self.lsass.pid)

    def failed_logon(self, time, domain, name, ip, workstation='-', kind=3, exists=True, port=0):
        self.log(time, SECURITY, 4625, {
            'TargetUserName': name, 'TargetDomainName': domain, 'Status': '0xc000006d', 'FailureReason': '%%2313',
            'SubStatus': '0xc000006a' if exists else '0xc0000064', 'LogonType': kind, 'LogonProcessName': 'NtLmSsp ',
            'AuthenticationPackageName': 'NTLM', 'WorkstationName': workstation, 'IpAddress': ip, 'IpPort': str(port)},
            keywords='0x8010000000000000', process_id=self.lsass.pid)

    # Services, tasks, PowerShell, sessions

    def service_state(self, time, display, name, state):
        code = '34' if state == 'running' else '31'
        self.log(time, SERVICES, 7036, {'param1': display, 'param2': state}, process_id=self.services.pid,
                 binary=(name + '/' + code[1:] + '\0').encode('utf-16-le').hex())

    def service_installed(self, time, name, path, start='demand start', account='LocalSystem', session=None):
        self.log(time, SERVICES, 7045, {'ServiceName': name, 'ImagePath': path, 'ServiceType': 'user mode service', 'StartType': start,
                                        'AccountName': account}, user=(session or self.system).account.sid, process_id=self.services.pid)

    def task_run(self, time, name, action, seconds=2, user='NT AUTHORITY\\SYSTEM', result=0, sparse=False):
        instance = self.guid(time, name)
        pid = self.netsvcs.pid
        if not sparse:
            self.log(time, TASKS, 100, {'TaskName': name, 'UserContext': user, 'InstanceId': instance}, user=SYSTEM, process_id=pid)
        self.log(time + 3 * SECOND // 100, TASKS, 200, {'TaskName': name, 'ActionName': action, 'TaskInstanceId': instance, 'EnginePID': pid},
                 user=SYSTEM, process_id=pid)
        end = time + seconds * SECOND + self.jitter()
        self.log(end, TASKS, 201, {'TaskName': name, 'TaskInstanceId': instance, 'ActionName': action, 'ResultCode': result, 'EnginePID': pid},
                 user=SYSTEM, process_id=pid)
        if not sparse:
            self.log(end + SECOND // 100, TASKS, 102, {'TaskName': name, 'UserContext': user, 'InstanceId': instance}, user=SYSTEM, process_id=pid)

    def task_registered(self, time, name, content, session, fqdn=None):
        self.log(time, TASKS, 106, {'TaskName': name, 'UserContext': str(session.account)}, user=SYSTEM, process_id=self.netsvcs.pid)
        self.log(time + SECOND // 50, SECURITY, 4698, {
            **self.subject(session), 'TaskName': name, 'TaskContent': content, 'RpcCallClientLocality': '0', 'FQDN': fqdn or self.computer},
            process_id=self.lsass.pid)

    def script_block(self, time, p, text, path='', level=None):
        e = self.log(time, POWERSHELL, 4104, {
            'MessageNumber': 1, 'MessageTotal': 1, 'ScriptBlockText': text,
            'ScriptBlockId': self.guid(time, 'script').strip('{}'), 'Path': path}, user=p.session.account.sid, process_id=p.pid)
        if level:
            e['level'] = level

    def powershell_start(self, time, p):
        for event_id, values in ((40961, {}), (53504, {'param1': str(p.pid), 'param2': 'DefaultAppDomain'}), (40962, {})):
            self.log(time, POWERSHELL, event_id, values, user=p.session.account.sid, process_id=p.pid)
            time += SECOND // 20 + self.rng.below(SECOND // 10)

    def remote_session(self, time, event_id, account, number, address=None):
        data = [['User', 'string', str(account)], ['SessionID', 'uint32', number]]
        if address:
            data.append(['Address', 'string', address])
        self.log(time, SESSIONS, event_id, user=SYSTEM, process_id=1320,
                 user_data={'name': 'EventXML', 'xmlns': 'Event_NS', 'data': data})

    def log_cleared(self, time, session, channel):
        a = session.account
        if channel == 'Security':
            data = [['SubjectUserSid', 'sid', a.sid], ['SubjectUserName', 'string', a.name], ['SubjectDomainName', 'string', a.domain],
                    ['SubjectLogonId', 'hex64', session.logon_id]]
            provider, event_id = EVENTLOG_SECURITY, 1102
        else:
            data = [['SubjectUserName', 'string', a.name], ['SubjectDomainName', 'string', a.domain], ['Channel', 'string', channel],
                    ['BackupPath', 'string', '']]
            provider, event_id = EVENTLOG_SYSTEM, 104
        self.log(time, provider, event_id, task=104, process_id=1036, user=a.sid if event_id == 104 else None, layout='v20',
                 user_data={'name': 'LogFileCleared', 'xmlns': 'http://manifests.microsoft.com/win/2004/08/windows/eventlog', 'data': data})


def utc_time(time):
    return filetime_text(time, 3).replace('T', ' ').rstrip('Z')


def at(text):
    """FILETIME of "2023-05-11 01:12:33[.fraction]"."""
    return filetime(text.replace(' ', 'T'))
