"""Bodies that are no call's: JSON that is cut, deep, huge or ambiguous, Arrow that is forged.

Each is made from a `Random`, so that a seed names all of them. The large ones are few and made
once: it is the service that is to have work with them.
"""

import json
import struct
from functools import cache
from random import Random

import pyarrow as pa

from tests.support import arrow

MARK = "XYZZYMARK"
"""In whatever is sent; in nothing that is answered."""
VALUE = "185012A00401008"
BATCH = json.dumps({"values": [VALUE, MARK, VALUE], "context": MARK}).encode()
DEEPEST = 100_000
DIGITS = 1_000_000


def cut(random: Random) -> bytes:
    """A batch that ends before its end."""
    return BATCH[: random.randrange(len(BATCH))]


def deep(random: Random) -> bytes:
    return _nested(random.choice("[{"), random.randint(2, 500), random.random() < 0.5)


def deepest(random: Random) -> bytes:
    return _nested(random.choice("[{"), DEEPEST, random.random() < 0.5)


@cache
def _nested(bracket: str, depth: int, closed: bool) -> bytes:
    opening, closing = ("[", "]") if bracket == "[" else ('{"value":', "}")
    inner = opening * depth + "1" + closing * depth * closed
    return b'{"value":%b}' % inner.encode()


def digits(random: Random) -> bytes:
    """A number of a million digits, in the places where numbers may stand in JSON."""
    return _digits(random.choice(["%s", "-%s", "0.%s", "%se9", "1e%s", '[1,"x",%s]', '{"x":%s}']))


@cache
def _digits(form: str) -> bytes:
    return b'{"value":%b}' % (form % ("7" * DIGITS)).encode()


def text_of_digits(random: Random) -> bytes:
    """As a text they are well-formed, and no value of any format."""
    return _digits(random.choice(['"%s"', '"\\u0031%s"']))


def not_utf8(random: Random) -> bytes:
    bad = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"]
    at = random.choice([b'{"value":"%b"}', b'{"values":["1","%b"]}', b'{"val%bue":"1"}'])
    return at % (MARK.encode() + random.choice(bad))


def surrogate(random: Random) -> bytes:
    alone = random.choice(["\\ud800", "\\udfff", "\\ud800\\ud800", "\\udc00\\ud800", "\\ud83dx"])
    at = random.choice(['{"value":"%s"}', '{"values":["%s"]}', '{"value":"1","context":"%s"}'])
    return (at % (MARK + alone)).encode()


def duplicate(random: Random) -> bytes:
    """Some of them hide behind escapes."""
    first = random.choice(['"value":"1"', '"value":"x:y"', '"value":"1","context":"c"'])
    second = random.choice(['"value":"2"', '"v\\u0061lue":"2"', '"\\u0076alue" : "2"'])
    pair = [first, second] if random.random() < 0.5 else [second, first]
    return b"{%b}" % ",".join(pair).encode()


SHAPES = [
    "",
    "null",
    "[]",
    "{}",
    '"value"',
    '{"value":null}',
    '{"value":1}',
    '{"value":NaN}',
    '{"value":Infinity}',
    '{"value":-0}',
    '{"value":1e99999}',
    '{"value":true}',
    '{"value":["1"]}',
    '{"values":{"0":"1"}}',
    '{"values":["1",null]}',
    '{"values":["1",2]}',
    '{"values":"1"}',
    '{"value":"1","values":["1"]}',
    '{"value":"1","context":""}',
    '{"value":"1","context":"e\\u0301"}',
    '{"value":"1","contexts":["c"]}',
    '{"values":["1","2"],"contexts":["c"]}',
    '{"value":"1","context":"%s"}' % ("c" * 257),
    '{"value":"1","XYZZYMARK":1}',
    '{"value":"1",}',
    '{"value":"1"} x',
    '{"value":"1"}{"value":"1"}',
    '{"value":"1"}\0',
    "{'value':'1'}",
    '{"value":"1"/**/}',
    '{"value":"\n"}',
    '{"value":"\\x31"}',
    '{"value":"\\u12"}',
    '\ufeff{"value":"1"}',
    '{value:"1"}',
    '{"token":"1"}',
]


def misshapen(random: Random) -> bytes:
    return random.choice(SHAPES).encode()


def utf16(random: Random) -> bytes:
    return BATCH.decode().encode(random.choice(["utf-16", "utf-16-le", "utf-32"]))


def noise(random: Random) -> bytes:
    return random.randbytes(random.randint(1, 2_000))


def flipped(random: Random) -> bytes:
    """One byte of a good batch is another: it may still be one."""
    return _flip(random, BATCH, 1)


@cache
def _too_many() -> bytes:
    return json.dumps({"values": ["1"] * 10_001}).encode()


def too_many(_: Random) -> bytes:
    return _too_many()


# Arrow --------------------------------------------------------------------------------------


@cache
def _streams() -> list[tuple[bytes, list[int]]]:
    """Good streams of many layouts, and where the buffers of each begin and end."""
    texts = [VALUE, MARK, None, "", VALUE * 4]
    columns = [arrow.laid_out(texts, kind, ["x"]) for kind in arrow.TEXTS + arrow.DICTIONARIES]
    batches = [arrow.batch(value=column) for column in columns]
    batches += [arrow.batch(value=column, context=column) for column in columns]
    return [_located(arrow.stream(batch)) for batch in batches]


def _located(stream: bytes) -> tuple[bytes, list[int]]:
    """Where the bodies of the stream's messages are: there are the offsets and the views."""
    places, at = [], 0
    while (size := struct.unpack_from("<II", stream, at)[1]) != 0:
        with pa.BufferReader(stream[at:]) as reader:
            message = pa.ipc.read_message(reader)
        length = 0 if message.body is None else message.body.size
        begin = at + 8 + size
        places += range(begin, begin + length - 3, 4)
        at = begin + length
    return stream, places


def forged_offsets(random: Random) -> bytes:
    """Offsets, indices, views and lengths that lead elsewhere: below, beyond, backwards."""
    stream, places = random.choice(_streams())
    forged = bytearray(stream)
    for _ in range(random.randint(1, 4)):
        lie = random.choice(
            [-1, 2**31 - 1, -(2**31), 1, 2**24, random.randint(-(2**31), 2**31 - 1)]
        )
        struct.pack_into("<i", forged, random.choice(places), lie)
    return bytes(forged)


def forged_frames(random: Random) -> bytes:
    """Any byte may be another: lengths, types, counts, the descriptions of buffers."""
    return _flip(random, random.choice(_streams())[0], random.randint(1, 6))


def cut_stream(random: Random) -> bytes:
    stream = random.choice(_streams())[0]
    return stream[: random.randrange(len(stream))]


def _flip(random: Random, body: bytes, times: int) -> bytes:
    flipped = bytearray(body)
    for _ in range(times):
        flipped[random.randrange(len(flipped))] = random.randrange(256)
    return bytes(flipped)
