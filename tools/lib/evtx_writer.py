"""Writes Windows event logs (EVTX) from descriptions of events. Python's standard library only.

What comes out is laid out as Windows lays it out: file and chunk headers with checksums, the name and template tables,
a template for the System part and one for the content, referenced by every later record of the chunk. Nothing in it comes
from a clock or a random source: the same events give the same bytes.

An event is a dict:

    channel, provider, computer   text
    guid          provider GUID "{...}"; absent for event sources without a manifest
    source        EventSourceName, makes the record of the V20 kind (see `layout`)
    event_id, version, level, task, opcode, keywords ("0x..." or int), qualifiers
    time          "2021-03-01T12:00:00.1234567Z" (up to 7 digits) or a FILETIME as int; 0 = none
    written       the record header's time, same forms; default `time`
    record_id     EventRecordID; default: previous + 1. header_id: default the same
    user          SID text; process_id, thread_id; activity_id, related_activity_id: GUIDs
    data          content: [[NAME, TYPE, VALUE], ...] for EventData/Data Name=..., NAME "" for unnamed Data
    user_data     {"name": ELEMENT, "xmlns": NAMESPACE, "data": [[ELEMENT, TYPE, VALUE], ...]} for UserData
    strings       content of events without a manifest: unnamed Data from one string array
    binary        hex, EventData/Binary (with `strings` or `data`)
    layout        "v18"  (default with guid): provider and channel are values, as manifest providers write it
                  "v20"  (default with source): provider, source name and channel stand in the template
                  "classic" (default without guid): as v20, without Version, Opcode, Correlation, Execution
                  "literal": no template at all, every value is text: what event collectors forward
                  TYPE xml: a value that is XML itself: VALUE is [NAME, {ATTRIBUTE: TEXT}, CHILD...], a CHILD is text or another such list;
                  TYPE xmltemplate: the same by a template of its own, its texts as values
    nested        how the content stands in its value: "fragment" (default), "bare" (template instance without
                  fragment header), "element" (an element stream without template)

TYPE: string ansi int8 uint8 int16 uint16 int32 uint32 int64 uint64 float double bool binary guid size32 size64
filetime systemtime sid hex32 hex64 strings (array) null (value: number of bytes, not read by anybody); rawNN: VALUE is hex,
the bytes of a value whose type has that number (rawa1).

Format facts: [MS-EVEN6] 2.2.12 ff. (BinXml), and the libevtx format description for headers and tables.
"""
import datetime
import hashlib
import struct
import uuid
import zlib

CHUNK = 65536
FILE_HEADER = 4096
CHUNK_HEADER = 512
NAMES, TEMPLATES = 128, 384  # tables in the chunk header
N_NAMES, N_TEMPLATES = 64, 32

FLAG_DIRTY, FLAG_FULL, FLAG_NO_CRC = 1, 2, 4

EVENT_NAMESPACE = 'http://schemas.microsoft.com/win/2004/08/events/event'

TYPES = {
    'null': 0x00, 'string': 0x01, 'ansi': 0x02, 'int8': 0x03, 'uint8': 0x04, 'int16': 0x05, 'uint16': 0x06,
    'int32': 0x07, 'uint32': 0x08, 'int64': 0x09, 'uint64': 0x0a, 'float': 0x0b, 'double': 0x0c, 'bool': 0x0d,
    'binary': 0x0e, 'guid': 0x0f, 'size32': 0x10, 'size64': 0x10, 'filetime': 0x11, 'systemtime': 0x12, 'sid': 0x13,
    'hex32': 0x14, 'hex64': 0x15, 'binxml': 0x21, 'xml': 0x21, 'xmltemplate': 0x21, 'strings': 0x81,
    **{f'raw{n:02x}': n for n in range(256)},
}
PACK = {'int8': '<b', 'uint8': '<B', 'int16': '<h', 'uint16': '<H', 'int32': '<i', 'uint32': '<I', 'int64': '<q',
        'uint64': '<Q', 'float': '<f', 'double': '<d', 'size32': '<I', 'size64': '<Q', 'hex32': '<I', 'hex64': '<Q'}

EPOCH = datetime.datetime(1601, 1, 1)


class EvtxError(Exception):
    """The description cannot be written as a record."""


def filetime(value):
    """FILETIME (100 ns since 1601, UTC) of an int, or of "YYYY-MM-DDTHH:MM:SS[.fraction][Z]"."""
    if isinstance(value, int):
        return value
    text = value.rstrip('Z')
    whole, _, fraction = text.partition('.')
    seconds = (datetime.datetime.strptime(whole, '%Y-%m-%dT%H:%M:%S') - EPOCH)
    return (seconds.days * 86400 + seconds.seconds) * 10_000_000 + int((fraction + '0000000')[:7])


def filetime_text(value, digits=7):
    """The reverse of filetime(), as it stands in forwarded (literal) records."""
    moment = EPOCH + datetime.timedelta(seconds=value // 10_000_000)
    fraction = f'{value % 10_000_000:07d}00'[:digits]
    return moment.strftime('%Y-%m-%dT%H:%M:%S') + '.' + fraction + 'Z'


def number(value):
    return int(value, 0) if isinstance(value, str) else int(value)


def utf16(text):
    return text.encode('utf-16-le', 'surrogatepass')


def sid_bytes(text):
    parts = text.split('-')
    if parts[0] != 'S' or len(parts) < 3:
        raise EvtxError(f'no SID: {text!r}')
    subs = [int(p) for p in parts[3:]]
    return struct.pack('<BB', int(parts[1]), len(subs)) + int(parts[2]).to_bytes(6, 'big') + struct.pack(f'<{len(subs)}I', *subs)


def systemtime_bytes(text):
    if not text:
        return bytes(16)
    whole, _, fraction = text.rstrip('Z').partition('.')
    t = datetime.datetime.strptime(whole, '%Y-%m-%dT%H:%M:%S')
    milli = int((fraction + '000')[:3])
    return struct.pack('<8H', t.year, t.month, (t.weekday() + 1) % 7, t.day, t.hour, t.minute, t.second, milli)


def value_bytes(kind, value):
    """The bytes of one substitution value."""
    if kind == 'null':
        return bytes(int(value or 0))
    if kind == 'string':
        return utf16(value)
    if kind == 'ansi':
        return value.encode('cp1252') + b'\0'
    if kind in PACK:
        return struct.pack(PACK[kind], float(value) if kind in ('float', 'double') else number(value))
    if kind == 'bool':
        return struct.pack('<I', 1 if value is True else 0 if value is False else int(value))
    if kind == 'binary' or kind.startswith('raw'):
        return bytes.fromhex(value)
    if kind == 'guid':
        return uuid.UUID(value).bytes_le
    if kind == 'filetime':
        return struct.pack('<Q', filetime(value))
    if kind == 'systemtime':
        return systemtime_bytes(value)
    if kind == 'sid':
        return sid_bytes(value)
    if kind == 'strings':
        return b''.join(utf16(item) + b'\0\0' for item in value)
    raise EvtxError(f'unknown type {kind!r}')


def value_text(kind, value):
    """The text of a value in a literal record."""
    if kind == 'null':
        return ''
    if kind in ('hex32', 'hex64', 'size32', 'size64'):
        return hex(number(value))
    if kind == 'guid':
        return '{' + str(uuid.UUID(value)) + '}'
    if kind == 'bool':
        return 'true' if value else 'false'
    if kind == 'filetime':
        return filetime_text(filetime(value), 9)
    return str(value)


# A template is a tree: ('element', name, dependency or None, attributes, children); attributes: [(name, part)], children:
# elements or parts; a part is literal text or ('value', slot, type name, optional). The tree is also the template's
# identity: its GUID is a hash of it, so equal trees are one template in every chunk and file, as on Windows.

def element(name, *children, dep=None, attributes=()):
    return ('element', name, dep, tuple(attributes), tuple(children))


def slot(index, kind, optional=True):
    return ('value', index, kind, optional)


def system_template(event, layout, content_slot, content):
    """The tree of a record's own template: System, then the place of the content."""
    v18 = layout == 'v18'
    provider = [('Name', slot(14, 'string') if v18 else event['provider'])]
    if v18:
        provider.append(('Guid', slot(15, 'guid')))
    elif event.get('guid'):
        provider.append(('Guid', event['guid']))
    if layout == 'v20' and event.get('source'):
        provider.append(('EventSourceName', event['source']))
    system = [
        element('Provider', attributes=provider),
        element('EventID', slot(3, 'uint16'), dep=3, attributes=[('Qualifiers', slot(4, 'uint16'))]),
    ]
    if layout != 'classic':
        system.append(element('Version', slot(11, 'uint8'), dep=11))
    system.append(element('Level', slot(0, 'uint8'), dep=0))
    system.append(element('Task', slot(2, 'uint16'), dep=2))
    if layout != 'classic':
        system.append(element('Opcode', slot(1, 'uint8'), dep=1))
    system += [
        element('Keywords', slot(5, 'hex64'), dep=5),
        element('TimeCreated', attributes=[('SystemTime', slot(6, 'filetime'))]),
        element('EventRecordID', slot(10, 'uint64'), dep=10),
    ]
    if layout != 'classic':
        system.append(element('Correlation', attributes=[('ActivityID', slot(7, 'guid')),
                                                         ('RelatedActivityID', slot(13 if v18 else 18, 'guid'))]))
        system.append(element('Execution', attributes=[('ProcessID', slot(8, 'uint32')), ('ThreadID', slot(9, 'uint32'))]))
    system += [
        element('Channel', slot(16, 'string'), dep=16) if v18 else element('Channel', event['channel']),
        element('Computer', event['computer']),
        element('Security', attributes=[('UserID', slot(12, 'sid'))]),
    ]
    children = [element('System', *system)]
    if content == 'user_data':
        children.append(element('UserData', slot(content_slot, 'binxml'), dep=content_slot))
    else:
        children.append(slot(content_slot, 'binxml'))
    return element('Event', *children, dep=content_slot if content == 'event_data' else None,
                   attributes=[('xmlns', EVENT_NAMESPACE)])


def content_of(event):
    """(tree, values) of the content, or None. values: [(type, value)] in slot order."""
    values = []
    children = []

    def add(kind, value):
        values.append((kind, value))
        return slot(len(values) - 1, kind, optional=False)

    if event.get('user_data'):
        user = event['user_data']
        for name, kind, value in user.get('data', []):
            children.append(element(name, add(kind, value)))
        attributes = [('xmlns', user['xmlns'])] if user.get('xmlns') else []
        return element(user['name'], *children, attributes=attributes), values
    if event.get('strings') is not None:
        add('strings', event['strings'])
        children.append(element('Data', slot(0, 'strings'), dep=0))
    for name, kind, value in event.get('data', []):
        part = add(kind, value)
        children.append(element('Data', part, attributes=[('Name', name)] if name else []))
    blob = event.get('binary')
    if blob is not None or event.get('strings') is not None:
        values.append(('uint32', len(blob or '') // 2))  # its size; no slot shows it
        values.append(('binary', blob) if blob else ('null', 0))
        optional = event.get('strings') is not None
        children.append(element('Binary', slot(len(values) - 1, 'binary', optional), dep=len(values) - 1 if optional else None))
    if not children and not event.get('empty_content'):
        return None
    return element('EventData', *children), values


def literal_tree(tree, values):
    """The tree with every substitution replaced by its text; what has an absent value goes."""
    kind, name, dep, attributes, children = tree
    if dep is not None and (values[dep] is None or values[dep][0] == 'null'):
        return None
    attrs = []
    for key, part in attributes:
        if not isinstance(part, str):
            if values[part[1]] is None:
                continue
            part = value_text(*values[part[1]])
        attrs.append((key, part))
    out = []
    for child in children:
        if isinstance(child, str):
            out.append(child)
        elif child[0] == 'element':
            sub = literal_tree(child, values)
            if sub:
                out.append(sub)
        else:
            given = values[child[1]]
            if given is None:
                continue
            if given[0] == 'strings':  # an array repeats its element
                return [(kind, name, None, tuple(attrs), (item,) if item else ()) for item in given[1]]
            text = value_text(*given)
            if text:
                out.append(text)
    flat = []
    for child in out:
        flat += child if isinstance(child, list) else [child]
    return (kind, name, None, tuple(attrs), tuple(flat))


class Full(Exception):
    """The record does not fit into what is left of the chunk."""


class Chunk:
    """64 KiB that stand on their own: every name and template offset is relative to it, first use is inline."""

    def __init__(self, number):
        self.buf = bytearray(CHUNK)
        self.free = CHUNK_HEADER
        self.names = {}       # name -> offset
        self.templates = {}   # GUID bytes -> offset
        self.undo = []        # (table offset, old head, dict, key): takes back what a record that did not fit has filed
        self.first_number = number
        self.records = 0
        self.first_id = self.last_id = 0
        self.last_record = 0

    # Writing at self.at, which runs ahead of self.free until the record is complete.
    def put(self, data):
        end = self.at + len(data)
        if end > CHUNK:
            raise Full()
        self.buf[self.at:end] = data
        self.at = end

    def u8(self, *values):
        self.put(bytes(values))

    def u16(self, value):
        self.put(struct.pack('<H', value))

    def u32(self, value):
        self.put(struct.pack('<I', value))

    def patch32(self, at, value):
        struct.pack_into('<I', self.buf, at, value)

    def file_in_table(self, table, bucket, where, key):
        head = table + 4 * bucket
        old = struct.unpack_from('<I', self.buf, head)[0]
        self.undo.append((head, old, where, key))
        where[key] = self.at
        self.patch32(head, self.at)
        self.u32(old)  # chain: newest first

    def name(self, text):
        known = self.names.get(text)
        if known is not None:
            self.u32(known)
            return
        self.u32(self.at + 4)
        units = utf16(text)
        h = 0
        for (unit,) in struct.iter_unpack('<H', units):
            h = (h * 65599 + unit) & 0xffffffff
        h &= 0xffff
        self.file_in_table(NAMES, h & 63, self.names, text)
        self.u16(h)
        self.u16(len(units) // 2)
        self.put(units + b'\0\0')

    def text_value(self, text, more):
        units = utf16(text)
        self.u8(0x45 if more else 0x05, 1)
        self.u16(len(units) // 2)
        self.put(units)

    def part(self, part):
        if isinstance(part, str):
            self.text_value(part, False)
            return
        _, index, kind, optional = part
        self.u8(0x0e if optional else 0x0d)
        self.u16(index)
        self.u8(TYPES[kind])

    def element(self, tree, in_template):
        """Tokens of one element. The u16 dependency id exists only inside template definitions."""
        _, name, dep, attributes, children = tree
        self.u8(0x41 if attributes else 0x01)
        if in_template:
            self.u16(0xffff if dep is None else dep)
        length_at = self.at
        self.u32(0)
        self.name(name)
        if attributes:
            list_at = self.at
            self.u32(0)
            for i, (key, part) in enumerate(attributes):
                self.u8(0x46 if i + 1 < len(attributes) else 0x06)
                self.name(key)
                self.part(part)
            self.patch32(list_at, self.at - list_at - 4)
        if children:
            self.u8(0x02)
            for child in children:
                if isinstance(child, tuple) and child[0] == 'element':
                    self.element(child, in_template)
                else:
                    self.part(child)
            self.u8(0x04)
        else:
            self.u8(0x03)
        self.patch32(length_at, self.at - length_at - 4)

    def fragment_header(self):
        self.u8(0x0f, 1, 1, 0)

    def instance(self, tree, values):
        """A template instance: the definition on first use in the chunk, then the values.
        values: [(type, bytes) | ('binxml', callable that writes) | None]."""
        guid = hashlib.sha256(repr(tree).encode()).digest()[:16]
        self.u8(0x0c, 1)
        self.put(guid[:4])
        known = self.templates.get(guid)
        if known is not None:
            self.u32(known)
        else:
            self.u32(self.at + 4)
            h = 0
            for word in struct.unpack('<8H', guid):
                h = (h * 65599 + word) & 0xffffffff
            self.file_in_table(TEMPLATES, h & 31, self.templates, guid)
            self.put(guid)
            size_at = self.at
            self.u32(0)
            self.fragment_header()
            self.element(tree, True)
            self.u8(0x00)
            self.patch32(size_at, self.at - size_at - 4)
        self.u32(len(values))
        at = self.at
        for given in values:
            if given is None or given[0] == 'binxml':
                size, kind = 0, TYPES['binxml'] if given else 0
            else:
                size, kind = len(given[1]), TYPES[given[0]]
            if size > 0xffff:
                raise EvtxError(f'a value of {size} bytes does not fit into a record')
            self.u16(size)
            self.u8(kind, 0)
        for i, given in enumerate(values):
            if given is None:
                continue
            if given[0] == 'binxml':
                start = self.at
                given[1]()
                struct.pack_into('<H', self.buf, at + 4 * i, self.at - start)
            else:
                self.put(given[1])

    def record(self, header_id, written, body):
        """One record; body() writes the fragment. Raises Full, leaving the chunk as it was."""
        self.at = self.free
        self.undo.clear()
        try:
            self.put(b'**\0\0' + struct.pack('<IQQ', 0, header_id, written))
            body()
            pad = -(self.at + 4 - self.free) % 8
            self.put(bytes(pad))
            size = self.at + 4 - self.free
            self.u32(size)
        except Full:
            for head, old, where, key in reversed(self.undo):
                self.patch32(head, old)
                del where[key]
            end = min(self.at, CHUNK)
            self.buf[self.free:end] = bytes(end - self.free)
            raise
        self.patch32(self.free + 4, size)
        self.last_record = self.free
        self.free = self.at
        if not self.records:
            self.first_id = header_id
        self.last_id = header_id
        self.records += 1

    def bytes(self, crc=True):
        head = bytearray(128)
        last_number = self.first_number + self.records - 1
        flags = 1 if crc else FLAG_NO_CRC  # Windows sets bit 0 in every chunk it wrote records to
        struct.pack_into('<8sQQQQIII', head, 0, b'ElfChnk\0', self.first_number, last_number, self.first_id, self.last_id,
                         128, self.last_record, self.free)
        if crc:
            struct.pack_into('<I', head, 52, zlib.crc32(self.buf[CHUNK_HEADER:self.free]))
        struct.pack_into('<I', head, 120, flags)
        self.buf[0:128] = head
        if crc:
            struct.pack_into('<I', self.buf, 124, zlib.crc32(self.buf[128:CHUNK_HEADER], zlib.crc32(self.buf[0:120])))
        return bytes(self.buf)


class EvtxWriter:
    """Collects events; bytes() gives the file.

    records_per_chunk: start a new chunk after so many records (default: when full)
    allocated: total number of chunks in the file, the rest are zeros, as a log has that Windows preallocated
    crc: False writes no checksums and says so in the flags; dirty: sets the flag of a log that was not closed
    stale_header: with dirty, the file header still tells of the first chunk only, as after a crash
    """

    def __init__(self, records_per_chunk=None, allocated=0, crc=True, dirty=False, stale_header=False, first_number=1):
        self.records_per_chunk, self.allocated, self.crc = records_per_chunk, allocated, crc
        self.dirty, self.stale_header = dirty, stale_header
        self.chunks = []
        self.next_number = first_number
        self.next_id = 1
        self.system_cache = {}
        self.records = []  # (offset in the file, size, record id), for tests that damage the file

    def add(self, event):
        try:
            self._add(event)
        except Full:
            raise EvtxError('record does not fit into a chunk') from None

    def _add(self, event):
        record_id = event.get('record_id', self.next_id)
        header_id = event.get('header_id', record_id)
        time = filetime(event['time'])
        written = filetime(event['written']) if 'written' in event else time
        chunk = self.chunks[-1] if self.chunks else self._new_chunk()
        if self.records_per_chunk and chunk.records >= self.records_per_chunk:
            chunk = self._new_chunk()
        try:
            chunk.record(header_id, written, lambda: self._body(chunk, event, record_id, time))
        except Full:
            if not chunk.records:
                raise
            chunk = self._new_chunk()
            chunk.record(header_id, written, lambda: self._body(chunk, event, record_id, time))
        offset = FILE_HEADER + (len(self.chunks) - 1) * CHUNK + chunk.last_record
        self.records.append((offset, chunk.free - chunk.last_record, record_id))
        self.next_id = record_id + 1
        self.next_number += 1

    def _new_chunk(self):
        self.chunks.append(Chunk(self.next_number))
        return self.chunks[-1]

    def _layout(self, event):
        layout = event.get('layout')
        if not layout:
            layout = 'v20' if event.get('source') else 'v18' if event.get('guid') else 'classic'
        if layout not in ('v18', 'v20', 'classic', 'literal'):
            raise EvtxError(f'unknown layout {layout!r}')
        return layout

    def _system(self, event, layout, content):
        """The System tree; made once for events that share it."""
        kind = 'user_data' if event.get('user_data') else 'event_data' if content else 'none'
        key = (layout, kind, event['computer']) if layout == 'v18' else \
            (layout, kind, event['computer'], event['provider'], event.get('guid'), event.get('source'), event['channel'])
        tree = self.system_cache.get(key)
        if not tree:
            tree = self.system_cache[key] = system_template(event, layout, 17 if layout == 'v18' else 19, kind)
        return tree

    def _body(self, chunk, event, record_id, time):
        layout = self._layout(event)
        content = content_of(event)
        values = self._values(event, layout, record_id, time, content)
        chunk.fragment_header()
        if layout == 'literal':
            self._literal(chunk, event, values, content)
        else:
            packed = [None if v is None else
                      ('binxml', lambda: self._content(chunk, event, content)) if v[0] == 'binxml' else
                      (v[0], value_bytes(*v)) for v in values]
            chunk.instance(self._system(event, layout, content), packed)
        chunk.u8(0x00)

    def _values(self, event, layout, record_id, time, content):
        v18 = layout in ('v18', 'literal')
        values = [None] * (18 if v18 else 20)

        def put(index, kind, key, default=None):
            given = event.get(key, default)
            if given is not None:
                values[index] = (kind, given)
        put(0, 'uint8', 'level', 0)
        put(1, 'uint8', 'opcode', 0)
        put(2, 'uint16', 'task', 0)
        put(3, 'uint16', 'event_id')
        put(4, 'uint16', 'qualifiers', 0 if layout == 'classic' else None)
        put(5, 'hex64', 'keywords', '0x80000000000000' if layout == 'classic' else '0x8000000000000000')
        values[6] = ('filetime', time)
        put(7, 'guid', 'activity_id')
        put(8, 'uint32', 'process_id', 0)
        put(9, 'uint32', 'thread_id', 0)
        values[10] = ('uint64', record_id)
        put(11, 'uint8', 'version', 0)
        put(12, 'sid', 'user')
        put(13 if v18 else 18, 'guid', 'related_activity_id')
        if v18:
            put(14, 'string', 'provider')
            put(15, 'guid', 'guid')
            put(16, 'string', 'channel')
        if content:
            values[-1] = ('binxml', None)
        return values

    def _content(self, chunk, event, content):
        tree, values = content
        nested = event.get('nested', 'fragment')
        if nested == 'element':
            chunk.fragment_header()
            chunk.element(literal_tree(tree, values), False)
            chunk.u8(0x00)
            return
        if nested == 'fragment':
            chunk.fragment_header()
        chunk.instance(tree, [('binxml', lambda kind=kind, value=value: self._xml(chunk, kind, value)) if kind in ('xml', 'xmltemplate') else
                              (kind, value_bytes(kind, value)) for kind, value in values])
        if nested == 'fragment':
            chunk.u8(0x00)

    def _xml(self, chunk, kind, value):
        """A value that is XML: an element stream, or a template with its texts as values."""
        values = []

        def tree(item):
            name, attributes, *children = item
            out = []
            for child in children:
                if isinstance(child, (list, tuple)):
                    out.append(tree(child))
                elif kind == 'xml':
                    out.append(child)
                else:
                    values.append(('string', value_bytes('string', child)))
                    out.append(slot(len(values) - 1, 'string'))
            return element(name, *out, attributes=list(attributes.items()))
        made = tree(value)
        chunk.fragment_header()
        if kind == 'xml':
            chunk.element(made, False)
        else:
            chunk.instance(made, values)
        chunk.u8(0x00)

    def _literal(self, chunk, event, values, content):
        """The whole record as an element stream, every value as text."""
        shown = list(values)
        shown[-1] = None
        tree = literal_tree(self._literal_system(event), shown)
        if content:
            inner = literal_tree(*content)
            if event.get('user_data'):
                inner = ('element', 'UserData', None, (), (inner,))
            tree = tree[:4] + (tree[4] + (inner,),)
        chunk.element(tree, False)

    def _literal_system(self, event):
        layout = 'v18' if event.get('guid') else 'classic'
        _, name, _, attributes, children = system_template(event, layout, 17, 'event_data')
        return ('element', name, None, attributes, children[:1])

    def bytes(self):
        chunks = self.chunks or [Chunk(1)]
        told = chunks[:1] if self.stale_header else chunks
        head = bytearray(FILE_HEADER)
        flags = (FLAG_DIRTY if self.dirty else 0) | (0 if self.crc else FLAG_NO_CRC)
        next_id = (told[-1].last_id if told[-1].records else 0) + 1
        struct.pack_into('<8sQQQIHHHH', head, 0, b'ElfFile\0', 0, len(told) - 1, next_id, 128, 1, 3, FILE_HEADER, len(told) & 0xffff)
        if self.crc:
            struct.pack_into('<I', head, 124, zlib.crc32(head[0:120]))
        struct.pack_into('<I', head, 120, flags)
        body = b''.join(c.bytes(self.crc) for c in chunks)
        return bytes(head) + body + bytes(CHUNK * max(0, self.allocated - len(chunks)))
