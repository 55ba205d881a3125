#!/usr/bin/env python3
"""The EVTX writer against a small reader of its own that knows only the format, and against evtx_dump where it is installed."""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

ROOT = os.environ.get('EXHIBIT_SOURCE_ROOT', os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
sys.path[:0] = [os.path.join(ROOT, 'tools/lib'), os.path.join(ROOT, 'tests')]
import tap  # noqa: E402
from evtx_writer import EvtxError, EvtxWriter, filetime, filetime_text  # noqa: E402

SECURITY = {'channel': 'Security', 'provider': 'Microsoft-Windows-Security-Auditing',
            'guid': '{54849625-5478-4994-a5ba-3e3b0328c30d}', 'computer': 'WS01', 'event_id': 4624, 'task': 12544,
            'keywords': '0x8020000000000000', 'time': '2021-03-01T12:00:00.1234567Z', 'process_id': 700, 'thread_id': 712}


def event(**members):
    return {**SECURITY, 'data': [['LogonType', 'uint32', 3], ['IpAddress', 'string', '10.0.0.5']], **members}


def u16(b, at):
    return struct.unpack_from('<H', b, at)[0]


def u32(b, at):
    return struct.unpack_from('<I', b, at)[0]


class Walk:
    """Checks what a reader relies on: sizes, checksums, tables, that every reference goes backward to the right thing."""

    def __init__(self, test, data):
        self.test, self.data, self.records = test, data, []
        test.assertEqual(data[:8], b'ElfFile\0')
        test.assertEqual(len(data) % 65536, 4096)
        test.assertEqual(u32(data, 124), zlib.crc32(data[:120]))
        for at in range(4096, len(data), 65536):
            chunk = data[at:at + 65536]
            if any(chunk[:8]):
                self.chunk(chunk)

    def chunk(self, c):
        t = self.test
        t.assertEqual(c[:8], b'ElfChnk\0')
        free, last = u32(c, 48), u32(c, 44)
        t.assertEqual(u32(c, 52), zlib.crc32(c[512:free]))
        t.assertEqual(u32(c, 124), zlib.crc32(c[128:512], zlib.crc32(c[:120])))
        t.assertFalse(any(c[free:]), 'bytes behind the last record')
        first_number, last_number, first_id, last_id = struct.unpack_from('<4Q', c, 8)
        self.names, self.templates = self.table(c, 128, 64), self.table(c, 384, 32)
        self.used_names, self.used_templates = set(), set()
        at, ids = 512, []
        while at < free:
            t.assertEqual(c[at:at + 4], b'**\0\0')
            size, rid, _ = struct.unpack_from('<IQQ', c, at + 4)
            t.assertEqual(size % 8, 0)
            t.assertEqual(u32(c, at + size - 4), size)
            end = self.tokens(c, at + 24, at + size - 4, False)
            t.assertLess(at + size - 4 - end, 8)
            ids.append(rid)
            t.assertTrue(at <= last)
            last_seen, at = at, at + size
        t.assertEqual((last_seen, at), (last, free))
        t.assertEqual((ids[0], ids[-1], len(ids)), (first_id, last_id, last_number - first_number + 1))
        t.assertEqual(self.used_names, set(self.names))
        t.assertEqual(self.used_templates, set(self.templates))
        self.records += ids

    def table(self, c, base, n):
        found = {}
        for bucket in range(n):
            at = u32(c, base + 4 * bucket)
            while at:
                self.test.assertNotIn(at, found)
                found[at] = bucket
                following = u32(c, at)
                self.test.assertTrue(following < at)
                at = following
        return found

    def name(self, c, at):
        offset = u32(c, at)
        self.test.assertLessEqual(offset, at + 4)
        h = 0
        n = u16(c, offset + 6)
        for (unit,) in struct.iter_unpack('<H', c[offset + 8:offset + 8 + 2 * n]):
            h = (h * 65599 + unit) & 0xffffffff
        self.test.assertEqual(u16(c, offset + 4), h & 0xffff)
        self.test.assertEqual(self.names[offset], h & 63)
        self.test.assertEqual(u16(c, offset + 8 + 2 * n), 0)
        self.used_names.add(offset)
        return at + 4 + (10 + 2 * n if offset == at + 4 else 0)

    def tokens(self, c, at, end, in_template):
        depth, ends = 0, []
        while at < end:
            token = c[at]
            if token == 0x0f:
                self.test.assertEqual(c[at:at + 4], b'\x0f\1\1\0')
                at += 4
            elif token in (0x01, 0x41):
                at += 3 if in_template else 1
                length_at = at
                at = self.name(c, at + 4)
                ends.append(length_at + 4 + u32(c, length_at))
                if token == 0x41:
                    self.attributes_end = at + 4 + u32(c, at)
                    at += 4
            elif token in (0x02, 0x03):
                at += 1
                if token == 0x03:
                    self.test.assertEqual(ends.pop(), at)
            elif token == 0x04:
                at += 1
                self.test.assertEqual(ends.pop(), at)
            elif token == 0x05:
                at += 4 + 2 * u16(c, at + 2)
            elif token in (0x06, 0x46):
                at = self.name(c, at + 1)
            elif token in (0x0d, 0x0e):
                at += 4
            elif token == 0x0c:
                at = self.instance(c, at)
            elif token == 0x00:
                self.test.assertEqual(ends, [])
                return at + 1
            else:
                self.test.fail(f'token {token:#x} at {at:#x}')
        return at

    def instance(self, c, at):
        offset = u32(c, at + 6)
        self.test.assertLessEqual(offset, at + 10)
        self.test.assertEqual(c[at + 2:at + 6], c[offset + 4:offset + 8])
        h = 0
        for (word,) in struct.iter_unpack('<H', c[offset + 4:offset + 20]):
            h = (h * 65599 + word) & 0xffffffff
        self.test.assertEqual(self.templates[offset], h & 31)
        self.used_templates.add(offset)
        if offset == at + 10:
            body, size = offset + 24, u32(c, offset + 20)
            self.test.assertEqual(self.tokens(c, body, body + size, True), body + size)
            at = body + size
        else:
            at += 10
        n = u32(c, at)
        value = at + 4 + 4 * n
        for i in range(n):
            size, kind = u16(c, at + 4 + 4 * i), c[at + 6 + 4 * i]
            if kind == 0x21 and size:
                self.test.assertEqual(self.tokens(c, value, value + size, False), value + size)
            value += size
        return value


def dumped(data):
    tool = shutil.which('evtx_dump') or os.path.expanduser('~/.cargo/bin/evtx_dump')
    if not os.path.exists(tool):
        raise unittest.SkipTest('evtx_dump is not installed')
    with tempfile.NamedTemporaryFile(suffix='.evtx') as f:
        f.write(data)
        f.flush()
        out = subprocess.run([tool, '-o', 'jsonl', '-t', '1', f.name], capture_output=True, check=True)
    return [json.loads(line)['Event'] for line in out.stdout.decode().splitlines()]


def many():
    """One event of every layout and value type."""
    w = EvtxWriter()
    w.add(event(record_id=100, user='S-1-5-18', activity_id='{00000001-0002-0003-0405-060708090a0b}'))
    w.add(event(computer='WS02'))
    w.add(event(channel='System', provider='Service Control Manager', source='Service Control Manager', event_id=7036,
                qualifiers=16384, data=[['param1', 'string', 'x'], ['param2', 'string', 'running']], binary='5700'))
    w.add({'channel': 'Windows PowerShell', 'provider': 'PowerShell', 'computer': 'WS01', 'event_id': 400, 'level': 4,
           'time': '2021-03-01T12:00:03Z', 'strings': ['Available', 'None', '']})
    w.add({'layout': 'literal', 'channel': 'MSExchange Management', 'provider': 'MSExchange CmdletLogs', 'computer': 'MX',
           'event_id': 1, 'qualifiers': 16384, 'time': '2021-03-01T12:00:05Z', 'strings': ['Set-Mailbox', '-X "<y>"', '']})
    user_data = {'name': 'LogFileCleared', 'xmlns': 'urn:x', 'data': [['SubjectUserName', 'string', 'bob']]}
    w.add(event(event_id=1102, data=[], user_data=user_data))
    w.add(event(event_id=1102, data=[], user_data=user_data, layout='literal'))
    w.add(event(nested='bare', data=[
        ['i8', 'int8', -1], ['u8', 'uint8', 255], ['i16', 'int16', -2], ['u16', 'uint16', 65535], ['i32', 'int32', -3],
        ['u32', 'uint32', 4294967295], ['i64', 'int64', -4], ['u64', 'uint64', 2 ** 64 - 1], ['f', 'float', 1.5],
        ['d', 'double', 0.1], ['b', 'bool', True], ['bin', 'binary', '00ff'], ['ft', 'filetime', '2021-03-01T12:00:04.5Z'],
        ['st', 'systemtime', '2021-03-01T12:00:04.5Z'], ['s32', 'size32', '0x12'], ['s64', 'size64', '0x1234'],
        ['an', 'ansi', 'h\u00e4llo'], ['null', 'null', 2], ['sid', 'sid', 'S-1-5-21-1-2-3-500'], ['h32', 'hex32', '0xc000006d'],
        ['h64', 'hex64', '0x3e7'], ['g', 'guid', '{00000001-0002-0003-0405-060708090a0b}'], ['emoji', 'string', '\U0001f600']]))
    w.add(event(nested='element', data=[['a', 'int8', -1], ['s', 'string', 'x<&>"y']]))
    w.add(event(data=[]))
    w.add(event(time=0))
    return w.bytes()


class EvtxWriterTest(unittest.TestCase):
    def test_structure_of_every_layout(self):
        self.assertEqual(Walk(self, many()).records, list(range(100, 111)))

    def test_chunks_fill_up_and_stand_alone(self):
        w = EvtxWriter()
        for i in range(700):
            w.add(event(data=[['Text', 'string', 'x' * (i % 300)]]))
        data = w.bytes()
        self.assertGreater(len(w.chunks), 4)
        self.assertEqual(Walk(self, data).records, list(range(1, 701)))
        for offset, size, rid in w.records:
            self.assertEqual(data[offset:offset + 4], b'**\0\0')
            self.assertEqual(struct.unpack_from('<IQ', data, offset + 4), (size, rid))

    def test_record_that_does_not_fit_leaves_no_trace(self):
        w = EvtxWriter()
        w.add(event())
        w.add(event(data=[['Big', 'string', 'x' * 31000]]))
        w.add(event(data=[['Other', 'string', 'y' * 31000], ['NewName', 'string', '']]))
        self.assertEqual(len(w.chunks), 2)
        Walk(self, w.bytes())
        with self.assertRaises(EvtxError):
            w.add(event(data=[['Huge', 'string', 'x' * 40000]]))
        with self.assertRaises(EvtxError):
            w.add(event(data=[['A', 'string', 'x' * 32000], ['B', 'string', 'x' * 32000]]))

    def test_options(self):
        w = EvtxWriter(records_per_chunk=2, allocated=5, dirty=True, stale_header=True)
        for _ in range(5):
            w.add(event())
        data = w.bytes()
        self.assertEqual(len(data), 4096 + 5 * 65536)
        self.assertEqual((u16(data, 42), u32(data, 120)), (1, 1))
        self.assertEqual(Walk(self, data).records, [1, 2, 3, 4, 5])
        plain = EvtxWriter(crc=False)
        plain.add(event())
        data = plain.bytes()
        self.assertEqual((u32(data, 120), u32(data, 124), u32(data, 4096 + 120), u32(data, 4096 + 52)), (4, 0, 4, 0))

    def test_time(self):
        self.assertEqual(filetime('1601-01-01T00:00:00.0000001Z'), 1)
        self.assertEqual(filetime('2021-03-01T12:00:00Z'), 132590736000000000)
        self.assertEqual(filetime_text(filetime('2021-03-01T12:00:00.1234567Z')), '2021-03-01T12:00:00.1234567Z')

    def test_same_input_same_bytes(self):
        self.assertEqual(many(), many())

    def test_evtx_dump_reads_it(self):
        events = dumped(many())
        self.assertEqual(len(events), 11)
        system = events[0]['System']
        self.assertEqual((system['EventID'], system['EventRecordID'], system['Channel']), (4624, 100, 'Security'))
        self.assertEqual(system['TimeCreated']['#attributes']['SystemTime'], '2021-03-01T12:00:00.1234567Z')
        self.assertEqual(system['Security']['#attributes']['UserID'], 'S-1-5-18')
        self.assertEqual(events[0]['EventData'], {'LogonType': 3, 'IpAddress': '10.0.0.5'})
        self.assertEqual(events[1]['System']['Computer'], 'WS02')
        self.assertEqual(events[2]['System']['Provider']['#attributes']['EventSourceName'], 'Service Control Manager')
        self.assertEqual(events[2]['EventData'], {'param1': 'x', 'param2': 'running', 'Binary': '5700'})
        self.assertNotIn('Version', events[3]['System'])
        self.assertEqual(events[3]['EventData']['Data']['#text'], ['Available', 'None', ''])
        self.assertEqual(events[4]['System']['EventID']['#text'], '1')
        self.assertEqual(events[4]['EventData'], {'Data': {'#text': ['Set-Mailbox', '-X "<y>"', '']}})
        for e in events[5:7]:
            self.assertEqual(e['UserData']['LogFileCleared']['SubjectUserName'], 'bob')
        events[7]['EventData']['g'] = '{' + events[7]['EventData']['g'].strip('{}').lower() + '}'  # versions differ in this
        self.assertEqual(events[7]['EventData'] | {'null': None}, {
            'i8': -1, 'u8': 255, 'i16': -2, 'u16': 65535, 'i32': -3, 'u32': 4294967295, 'i64': -4, 'u64': 2 ** 64 - 1,
            'f': '1.5', 'd': '0.1', 'b': True, 'bin': '00FF', 'ft': '2021-03-01T12:00:04.5000000Z',
            'st': '2021-03-01T12:00:04.5000000Z', 's32': '0x12', 's64': '0x1234', 'an': 'h\u00e4llo', 'null': None,
            'sid': 'S-1-5-21-1-2-3-500', 'h32': '0xc000006d', 'h64': '0x3e7',
            'g': '{00000001-0002-0003-0405-060708090a0b}', 'emoji': '\U0001f600'})
        self.assertEqual(events[8]['EventData'], {'a': '-1', 's': 'x<&>"y'})
        self.assertIsNone(events[9].get('EventData'))


if __name__ == '__main__':
    tap.main()
