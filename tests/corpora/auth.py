#!/usr/bin/env python3
"""Authentication events against the lines that fail2ban's authors annotated (own corpus, not in this tree).
usage: auth.py PROGRAM SOURCE_ROOT [-v]      TAP; skipped when the corpus is not there ($EXHIBIT_CORPORA, or ../shared/corpora)

The samples of a file are one log, in their order. A line that must match is right when an event that rests on it gives the stated address. A line
that must not match is wrong when a failure rests on lines of that kind alone: what is joined to another line's attempt is no attempt of its own.
A line that is annotated both ways (it depends on options of fail2ban) may be either; so may two that differ in their time alone. Hosts that are names are not counted: an event has addresses only.
Of the lines that record a login at least 99 in 100 must be right, over all groups but the others; for those FLOORS are what is reached, and must not fall."""
import ipaddress, json, os, re, subprocess, sys, tempfile

PROGRAM, ROOT, LOUD = os.path.abspath(sys.argv[1]), sys.argv[2], "-v" in sys.argv
C = os.environ.get("EXHIBIT_CORPORA") or os.path.join(ROOT, "..", "shared", "corpora")
LOGS = os.path.join(C, "logs", "fail2ban")
GROUPS = {
    "ssh": "sshd sshd-journal dropbear pam-generic cowrie".split(),
    "mail": "dovecot postfix exim sendmail-auth courier-auth courier-smtp cyrus-imap qmail perdition solid-pop3d uwimap-auth sieve kerio oracleims "
            "roundcube-auth squirrelmail horde openwebmail sogo-auth domino-smtp".split(),
    "web": "apache-auth apache-pass nginx-http-auth lighttpd-auth webmin-auth phpmyadmin-syslog drupal-auth froxlor-auth gitlab grafana guacamole groupoffice "
           "bitwarden vaultwarden centreon directadmin haproxy-http-auth monit monitorix openhab proxmox tine20 traefik-auth zoneminder nagios".split(),
    "vpn, remote desktops, databases": "openvpn softethervpn xrdp screensharingd mysqld-auth mssql-auth mongodb-auth slapd routeros-auth".split(),
    "others": "asterisk freeswitch vsftpd proftpd pure-ftpd wuftpd gssftpd 3proxy dante ejabberd-auth murmur squid znc-adminlog xinetd-fail".split(),
}
# Lines that must match and record no login: mail that is refused, blacklists, access rules, handshakes, connections alone.
NO_LOGIN = {
    "postfix": r"reject: |PREGREET|HANGUP|COMMAND (TIME|COUNT) LIMIT|pipelining after (DATA|RSET|NOOP)|after (CONNECT|STARTTLS|RCPT)|does not resolve|rate limit exceeded",
    "exim": r"rejected RCPT|sender verify fail|synchronization error|too many|no MAIL in|closed by DROP|no host name|no IP address|dropped by",
    "kerio": r"Spam attack|DNS blacklist|Relay attempt|unknown recipient|no reverse DNS|Message from IP", "qmail": r"rbl", "courier-smtp": r"550 User",
    "domino-smtp": r"for policy reasons", "apache-auth": r"SNI|client denied", "apache-pass": r".", "nginx-http-auth": r"SSL_(do_handshake|read)",
    "monitorix": r"NOTEXIST|NOTALLOWED", "cowrie": r"session\.connect", "nagios": r".",
}
# Services of the others' list that have logins; not part of the goal.
FLOORS = {"asterisk": 29, "freeswitch": 9, "vsftpd": 8, "proftpd": 9, "pure-ftpd": 1, "wuftpd": 3, "gssftpd": 1, "dante": 4, "ejabberd-auth": 3, "murmur": 3, "znc-adminlog": 3}
GOAL = 0.99


def samples(name):
    """[(line, the annotations that stand for it)]: the same text twice in a row of options is one line."""
    got, note = [], None
    for raw in open(os.path.join(LOGS, name), "rb"):
        line = raw.rstrip(b"\r\n")
        if line.replace(b" ", b"").startswith(b"#failJSON:"):
            note = json.loads(line.split(b":", 1)[1])
        elif line.startswith(b"#") or not line.strip():
            continue
        else:
            got.append((line, note or {"match": False}))
            note = None
    return got


def events(lines):
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "sample.log")
        open(path, "wb").write(b"".join(l + b"\n" for l in lines))
        p = subprocess.run([PROGRAM, "events", "--auth", path], capture_output=True, timeout=60)
        if p.returncode not in (0, 3):
            raise AssertionError(f"exit {p.returncode}: {p.stderr[-200:]}")
        return [json.loads(l) for l in p.stdout.splitlines()]


def address(text):
    try:
        a = ipaddress.ip_address(text)
    except (ValueError, TypeError):
        return None
    return str(getattr(a, "ipv4_mapped", None) or a)


def timeless(line):
    return re.sub(rb"[ :T]\d\d:\d\d:\d\d", b"", line, count=1)


def judge(name):
    """(right, of, [wrong-host lines], [missed lines], [false failures]) of the lines that record a login"""
    log = samples(name)
    wanted = {}
    for line, note in log:
        wanted.setdefault(timeless(line), set()).add(bool(note["match"]))
    hosts, false = {}, []
    for e in events([l for l, _ in log]):
        rests = [x["line"] - 1 for x in e["evidence"]]
        for i in rests:
            hosts.setdefault(i, set()).add(e.get("auth.src_ip"))
        if e["auth.outcome"] == "failure" and all(wanted[timeless(log[i][0])] == {False} for i in rests):
            false += rests
    right, of, wrong, missed = 0, 0, [], []
    for i, (line, note) in enumerate(log):
        host = address(note.get("host"))
        if not note["match"] or not host or (name in NO_LOGIN and re.search(NO_LOGIN[name], line.decode("utf-8", "replace"))):
            continue
        of += 1
        mine = hosts.get(i, set()) - {None}
        if host in mine:
            right += 1
        else:
            (wrong if mine else missed).append(i)
    return right, of, [log[i][0] for i in wrong], [log[i][0] for i in missed], [log[i][0] for i in false]


def main():
    if not os.path.isdir(LOGS):
        print("1..0 # SKIP the corpus is not there")
        return
    n, bad, goal = 0, False, [0, 0]
    for group, names in GROUPS.items():
        total = [0, 0]
        for name in [x for x in names if os.path.exists(os.path.join(LOGS, x))]:
            right, of, wrong, missed, false = judge(name)
            total = [total[0] + right, total[1] + of]
            n += 1
            ok = right >= FLOORS.get(name, 0) and not wrong and not false
            bad |= not ok
            print(f"{'ok' if ok else 'not ok'} {n} - {name}: {right} of {of} with the stated address, {len(wrong)} with another, {len(false)} failures that are none")
            for kind, v in (("WRONG", wrong), ("FALSE", false), ("missed", missed)):
                for line in v if LOUD else []:
                    print(f"#   {kind} {line[:300].decode('utf-8', 'replace')}")
        print(f"# {group}: {total[0]} of {total[1]}")
        if group != "others":
            goal = [goal[0] + total[0], goal[1] + total[1]]
    n += 1
    reached = goal[0] >= GOAL * goal[1]
    print(f"{'ok' if reached else 'not ok'} {n} - {goal[0]} of {goal[1]} lines that record a login have the stated address: {100 * goal[0] / goal[1]:.1f} %, goal {100 * GOAL:.0f} %")
    print(f"1..{n}")
    sys.exit(bad or not reached)


main()
