"""Writes systemd journal files from entries, after the public description of the format: for samples and tests.

An entry is (realtime, monotonic, boot id, [(name, value bytes), ...]) with times in microseconds. What is written is whole: hash tables,
chains and entry arrays lead to everything, so that journalctl reads it too."""
import lzma
import struct

MASK = 0xffffffffffffffff


def siphash24(key, data):
    k0, k1 = struct.unpack('<QQ', key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def rotl(x, b):
        return (x << b | x >> (64 - b)) & MASK

    def rounds(n):
        for _ in range(n):
            v[0] = v[0] + v[1] & MASK; v[1] = rotl(v[1], 13) ^ v[0]; v[0] = rotl(v[0], 32)
            v[2] = v[2] + v[3] & MASK; v[3] = rotl(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & MASK; v[3] = rotl(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & MASK; v[1] = rotl(v[1], 17) ^ v[2]; v[2] = rotl(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    for (m,) in struct.iter_unpack('<Q', padded):
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def lookup3(data):
    m32 = 0xffffffff

    def rot(x, k):
        return (x << k | x >> (32 - k)) & m32

    a = b = c = 0xdeadbeef + len(data) & m32
    if not data:
        return c << 32 | b
    while len(data) > 12:
        x, y, z = struct.unpack('<III', data[:12])
        a, b, c = a + x & m32, b + y & m32, c + z & m32
        a = (a - c & m32) ^ rot(c, 4); c = c + b & m32
        b = (b - a & m32) ^ rot(a, 6); a = a + c & m32
        c = (c - b & m32) ^ rot(b, 8); b = b + a & m32
        a = (a - c & m32) ^ rot(c, 16); c = c + b & m32
        b = (b - a & m32) ^ rot(a, 19); a = a + c & m32
        c = (c - b & m32) ^ rot(b, 4); b = b + a & m32
        data = data[12:]
    x, y, z = struct.unpack('<III', data.ljust(12, b'\0'))
    a, b, c = a + x & m32, b + y & m32, c + z & m32
    c = (c ^ b) - rot(b, 14) & m32
    a = (a ^ c) - rot(c, 11) & m32
    b = (b ^ a) - rot(a, 25) & m32
    c = (c ^ b) - rot(b, 16) & m32
    a = (a ^ c) - rot(c, 4) & m32
    b = (b ^ a) - rot(a, 14) & m32
    c = (c ^ b) - rot(b, 24) & m32
    return c << 32 | b


def lz4_plain(data):
    """One LZ4 block of literals only."""
    n, head = len(data), b''
    if n < 15:
        return bytes([n << 4]) + data
    n -= 15
    while n >= 255:
        head += b'\xff'
        n -= 255
    return b'\xf0' + head + bytes([n]) + data


def zstd_plain(data):
    """A zstd frame of raw blocks, its size stated in 8 bytes."""
    out = struct.pack('<IBQ', 0xfd2fb528, 0xe0, len(data))
    blocks = [data[i:i + 100000] for i in range(0, len(data), 100000)] or [b'']
    for i, block in enumerate(blocks):
        out += struct.pack('<I', (i == len(blocks) - 1) | len(block) << 3)[:3] + block
    return out


PACKERS = {'xz': (1, 1, lambda d: lzma.compress(d, lzma.FORMAT_XZ, lzma.CHECK_NONE, preset=0)),
           'lz4': (2, 2, lambda d: struct.pack('<Q', len(d)) + lz4_plain(d)), 'zstd': (4, 8, zstd_plain)}
BUCKETS = 64


class Journal:
    def __init__(self, file_id, machine_id, compact=False, keyed=True, compress=None, least=64, state=2, header=264):
        self.id, self.machine, self.compact, self.keyed, self.compress, self.least, self.state = file_id, machine_id, compact, keyed, compress, least, state
        self.header = header
        self.out = bytearray(header)
        self.data, self.fields = {}, {}            # payload -> offset; name -> offset
        self.n = dict(objects=0, entries=0, data=0, fields=0, arrays=0)
        self.entries = []                          # (offset, realtime, monotonic, boot)
        self.field_table = self.add(5, bytes(16 * BUCKETS))
        self.data_table = self.add(4, bytes(16 * BUCKETS))
        self.uses = {}                             # data offset -> entries

    def add(self, kind, payload, flags=0):
        self.out += bytes(-len(self.out) % 8)
        at = len(self.out)
        self.out += struct.pack('<BB6xQ', kind, flags, 16 + len(payload)) + payload
        self.n['objects'] += 1
        self.tail = at
        return at

    def hash(self, payload):
        return siphash24(self.id, payload) if self.keyed else lookup3(payload)

    def put(self, at, value):
        struct.pack_into('<Q', self.out, at, value)

    def get(self, at):
        return struct.unpack_from('<Q', self.out, at)[0]

    def chain(self, table, h, at, next_at):
        """Hangs the object behind the last of its bucket."""
        bucket = table + 16 + 16 * (h % BUCKETS)
        if self.get(bucket + 8):
            self.put(self.get(bucket + 8) + next_at, at)
        else:
            self.put(bucket, at)
        self.put(bucket + 8, at)

    def field(self, name):
        if name not in self.fields:
            h = self.hash(name)
            self.fields[name] = self.add(2, struct.pack('<QQQ', h, 0, 0) + name)
            self.chain(self.field_table, h, self.fields[name], 24)
            self.n['fields'] += 1
        return self.fields[name]

    def datum(self, name, value):
        payload = name + b'=' + value
        if payload in self.data:
            return self.data[payload]
        h, flags, stored = self.hash(payload), 0, payload
        if self.compress and len(payload) >= self.least:
            packed = PACKERS[self.compress][2](payload)
            flags, stored = PACKERS[self.compress][0], packed
        at = self.add(1, struct.pack('<QQQQQQ', h, 0, 0, 0, 0, 0) + (bytes(8) if self.compact else b'') + stored, flags)
        self.data[payload] = at
        self.chain(self.data_table, h, at, 24)
        field = self.field(name)
        self.put(at + 32, self.get(field + 32))
        self.put(field + 32, at)
        self.n['data'] += 1
        return at

    def entry(self, realtime, monotonic, boot, values):
        items = sorted({self.datum(k.encode(), v if isinstance(v, bytes) else v.encode()) for k, v in values})
        xor = 0
        by_offset = {self.datum(k.encode(), v if isinstance(v, bytes) else v.encode()): k.encode() + b'=' + (v if isinstance(v, bytes) else v.encode()) for k, v in values}
        for at in items:
            xor ^= lookup3(by_offset[at])
        body = struct.pack('<QQQ16sQ', len(self.entries) + 1, realtime, monotonic, boot, xor)
        for at in items:
            body += struct.pack('<I', at) if self.compact else struct.pack('<QQ', at, self.get(at + 16))
        at = self.add(3, body)
        self.entries.append((at, realtime, monotonic, boot))
        self.n['entries'] += 1
        for d in items:
            self.uses.setdefault(d, []).append(at)
        return at

    def array(self, offsets):
        self.n['arrays'] += 1
        return self.add(6, struct.pack('<Q', 0) + struct.pack('<%d%s' % (len(offsets), 'I' if self.compact else 'Q'), *offsets))

    def finish(self, room=0):
        """Writes arrays and header; `room` zeros behind, as the journal sets aside."""
        for d, entries in self.uses.items():
            self.put(d + 40, entries[0])
            self.put(d + 56, len(entries))
            if len(entries) > 1:
                at = self.array(entries[1:])
                self.put(d + 48, at)
                if self.compact:
                    struct.pack_into('<II', self.out, d + 64, at, len(entries) - 1)
        main = self.array([e[0] for e in self.entries]) if self.entries else 0
        self.out += bytes(-len(self.out) % 8) + bytes(room)
        first, last = (self.entries[0], self.entries[-1]) if self.entries else ((0, 0, 0, bytes(16)),) * 2
        flags = (16 if self.compact else 0) | (4 if self.keyed else 0) | (PACKERS[self.compress][1] if self.compress else 0)
        head = struct.pack('<8sIIB7x16s16s16s16sQQ', b'LPKSHHRH', 0, flags, self.state, self.id, self.machine, last[3], self.id, self.header,
                           len(self.out) - self.header)
        head += struct.pack('<QQQQ', self.data_table + 16, 16 * BUCKETS, self.field_table + 16, 16 * BUCKETS)
        head += struct.pack('<QQQQQQQQQ', self.tail, self.n['objects'], self.n['entries'], len(self.entries), 1 if self.entries else 0, main, first[1], last[1], last[2])
        head += struct.pack('<QQQQQQII', self.n['data'], self.n['fields'], 0, self.n['arrays'], 0, 0, main if self.compact else 0, len(self.entries) if self.compact else 0)
        self.out[:len(head)] = head
        return bytes(self.out)


def export(entries):
    """The export format of the same entries."""
    out = bytearray()
    for i, (realtime, monotonic, boot, values) in enumerate(entries):
        out += b'__CURSOR=c%d\n__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n' % (i, realtime, monotonic, boot.hex().encode())
        for k, v in values:
            if k == '_BOOT_ID':
                continue
            v = v if isinstance(v, bytes) else v.encode()
            plain = all(32 <= c < 127 or c == 9 for c in v)
            out += k.encode() + (b'=' + v if plain else b'\n' + struct.pack('<Q', len(v)) + v) + b'\n'
        out += b'\n'
    return bytes(out)
