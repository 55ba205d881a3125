"""Logs to be damaged, and what of damaged bytes is still a whole record. For the scripts beside this one, which put tools/lib on the path."""
import random, struct
from evtx_writer import EvtxWriter

CHUNK, HEAD = 65536, 4096


def u32(b, at):
    return struct.unpack_from("<I", b, at)[0]


def base_file(k):
    """Five kinds: manifest events, classic ones, forwarded ones, user data, a mixture; six to eight chunks each."""
    r, w = random.Random(k), EvtxWriter()
    for i in range(700 + 40 * k):
        kind = k if k < 4 else r.randrange(4)
        event = {"computer": "host%d" % (i % 3), "channel": "Security", "provider": "Microsoft-Windows-Security-Auditing", "event_id": 4624 + i % 4,
                 "time": "2021-03-%02dT%02d:%02d:%02d.%07dZ" % (1 + i // 86400, i // 3600 % 24, i // 60 % 60, i % 60, r.randrange(10**7))}
        data = [["User", "string", "user%d" % i], ["Text", "string", "x" * r.randrange(20, 400)], ["Number", "uint32", i], ["Where", "guid", "{54849625-5478-4994-A5BA-3E3B0328C30D}"]]
        if kind == 0:
            event.update(guid="{54849625-5478-4994-A5BA-3E3B0328C30D}", data=data)
        elif kind == 1:
            event.update(channel="Application", provider="Service%d" % (i % 5), strings=["one %d" % i, "y" * r.randrange(300)])
        elif kind == 2:
            event.update(layout="literal", data=[[n, "string", str(v)] for n, _, v in data])
        else:
            event.update(guid="{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}", user_data={"name": "Cleared", "xmlns": "http://example/", "data": data})
        w.add(event)
    return w.bytes()


def truth(b):
    """A record that stands twice, byte for byte, counts once."""
    found, i = set(), b.find(b"\x2a\x2a\0\0")
    while i >= 0:
        if i + 32 <= len(b):
            size = u32(b, i + 4)
            if 32 <= size <= CHUNK and i + size <= len(b) and u32(b, i + size - 4) == size:
                found.add(b[i:i + size])
        i = b.find(b"\x2a\x2a\0\0", i + 1)
    return found
