#!/usr/bin/env python3
"""Message tracking beside a story: mail sent from an attacker's address, mail that is sent on as the attacker had set it.

    tests/exchange/tracking.py [PROGRAM]"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import EVIL, OTHER, Cases, Site, stamp  # noqa: E402
import tap  # noqa: E402

FIELDS = ('date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,connector-id,source,event-id,internal-message-id,message-id,network-message-id,recipient-address,recipient-status,'
          'total-bytes,recipient-count,related-recipient-address,reference,message-subject,sender-address,return-path,message-info,directionality,tenant-id,original-client-ip,original-server-ip,'
          'custom-data,transport-traffic-type,log-id,schema-version').split(',')


class Mail(Cases):
    def tracking(self, site, rows, columns=30):
        names = FIELDS[:columns]
        lines = ['#Software: Microsoft Exchange Server', '#Version: 15.01.2375.007', '#Log-type: Message Tracking Log', '#Date: 2021-03-03T06:00:00.000Z', '#Fields: ' + ','.join(names)]
        for i, (seconds, cells) in enumerate(rows):
            base = {'date-time': stamp(site.t(seconds)), 'server-ip': site.logs.ip, 'server-hostname': site.name.upper(), 'source': 'STOREDRIVER', 'event-id': 'RECEIVE', 'internal-message-id': str(900 + i),
                    'message-id': f'<{i}@hafen.example>', 'recipient-count': '1', 'sender-address': 'b.dorn@hafen.example', 'recipient-address': 'x@partner.example', 'directionality': 'Originating', **cells}
            lines.append(','.join('"' + base.get(n, '').replace('"', '""') + '"' if ',' in base.get(n, '') else base.get(n, '') for n in names))
        site.raw('TransportRoles/Logs/MessageTracking/MSGTRK2021030306-1.LOG', '\ufeff' + '\r\n'.join(lines) + '\r\n')

    def test_mail_sent_by_the_intruder(self):
        """Phishing from the victim's mailbox, from the address of the session; in both forms of the log."""
        for columns in (30, 27):
            s = Site()
            s.chain()
            self.tracking(s, [(3600 + i, {'original-client-ip': EVIL, 'recipient-address': f'u{i}@partner.example', 'message-subject': 'Invoice, new'}) for i in range(9)]
                          + [(4000, {'original-client-ip': '192.0.2.7'}), (4001, {'client-ip': '10.20.0.11'})], columns)
            self.scan(s)
            self.assertEqual(self.stages(), ['probe', 'ssrf', 'session', 'enumeration', 'written'])
            session = self.incidents()[0]['stages'][2]
            self.assertIn("9 messages sent by b.dorn@hafen.example from an attacker's address", session['reason'])
            cited = [e['line'] for e in session['evidence'] if 'MSGTRK' in e['source'] and e['role'] != 'context']
            self.assertEqual(cited, [6, 7, 8, 9, 14])

    def test_mail_forwarded(self):
        """A mailbox told to forward, in the seconds of the session; the log shows that it did."""
        s = Site()
        s.chain()
        s.cmdlet(60, 'Set-Mailbox', '-Identity "b.dorn" -ForwardingSmtpAddress "smtp:collect@mail.invalid" -DeliverToMailboxAndForward "True"')
        self.tracking(s, [(9000 + i, {'event-id': 'REDIRECT', 'source': 'ROUTING', 'recipient-address': 'collect@mail.invalid', 'related-recipient-address': 'b.dorn@hafen.example',
                                      'sender-address': 'x@partner.example', 'directionality': 'Incoming'}) for i in range(3)]
                      + [(9100, {'event-id': 'REDIRECT', 'source': 'ROUTING', 'recipient-address': 'deputy@hafen.example', 'related-recipient-address': 'c.ernst@hafen.example'})])
        self.scan(s)
        self.assertEqual(self.stages(), ['probe', 'ssrf', 'session', 'enumeration', 'written', 'persistence'])
        last = self.incidents()[0]['stages'][-1]
        self.assertIn('3 messages of b.dorn@hafen.example sent on to collect@mail.invalid', last['reason'])
        self.assertNotIn('deputy', last['reason'])
        self.assertIn({'type': 'email', 'value': 'collect@mail.invalid', 'stage': 'persistence', 'confidence': 'high'}, self.incidents()[0]['indicators'])

    def test_mail_lookalikes(self):
        """A month of mail from outside and of deputies is no story, nor part of one that has nothing to do with it."""
        rows = [(i * 60, {'original-client-ip': f'192.0.2.{i % 250}'}) for i in range(60)]
        rows += [(i * 60, {'event-id': 'REDIRECT', 'source': 'ROUTING', 'recipient-address': 'deputy@hafen.example', 'related-recipient-address': 'c.ernst@hafen.example'}) for i in range(20)]
        rows += [(i, {'source': 'SMTP', 'original-client-ip': OTHER, 'directionality': 'Incoming'}) for i in range(9)]
        s = Site()
        self.tracking(s, rows)
        self.scan(s)
        self.assertEqual(self.findings, [])
        s = Site()
        s.cookie(0, '/autodiscover/autodiscover.xml?#', 200, ip=OTHER)
        self.tracking(s, rows)
        self.scan(s)
        self.is_probe_only('proxylogon')
        s = Site()
        s.cookie(0, '/ecp/proxyLogon.ecp?#', 241)
        self.tracking(s, rows)
        self.scan(s)
        self.assertEqual(self.stages(), ['session'])
        self.assertNotIn('message', self.incidents()[0]['stages'][0]['reason'])


if __name__ == '__main__':
    tap.main()
