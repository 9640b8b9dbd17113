"""Malformed requests: every kind has a name, a share of the flood, and the answers it may get.

    for attack in flood(seed=1, count=20_000, credential=...): ...

The same seed gives the same requests.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from random import Random
from typing import NamedTuple

from tests.abuse import bodies
from tests.support.arrow import MEDIA_TYPE

JSON = b"application/json"
ARROW = MEDIA_TYPE.encode()
OK = "ok"
"""Instead of a problem's code: 200."""
CALL = b"/v1/tokenise/fr-nir"


class Manner(Enum):
    """What the client does beside sending."""

    KEEP = auto()
    """Nothing: there is one answer, and if the server keeps the connection, it is used again."""
    LEAVE = auto()
    """Closes after the first answer: what follows it is another request, or none."""
    VANISH = auto()
    """Closes at once, and waits for nothing."""
    DRIBBLE = auto()
    """Sends on, a little at a time, until it is answered or cut off."""


class Attack(NamedTuple):
    kind: str
    sent: bytes
    codes: frozenset[str]
    """What it may be answered with."""
    manner: Manner


class Kind(NamedTuple):
    share: float
    make: Callable[[Random, bytes], bytes]
    """From a credential."""
    codes: Sequence[str]
    manner: Manner = Manner.KEEP


def request(
    credential: bytes,
    body: bytes = bodies.BATCH,
    *more: bytes,
    media: bytes = JSON,
    line: bytes = b"POST " + CALL + b" HTTP/1.1",
    host: bytes = b"Host: localhost",
    length: bytes | None = b"",
) -> bytes:
    """A call with `more` lines; `length` empty: the right one, None: none."""
    lines = [line, host, b"Authorization: Bearer " + credential, b"Content-Type: " + media, *more]
    if length is not None:
        lines.append(b"Content-Length: " + (length or b"%d" % len(body)))
    return b"\r\n".join([*(each for each in lines if each), b"", body])


def _body(make: Callable[[Random], bytes], media: bytes = JSON) -> Callable[[Random, bytes], bytes]:
    return lambda random, credential: request(credential, make(random), media=media)


def _lines(*choices: bytes) -> Callable[[Random, bytes], bytes]:
    """A good request with one more line."""
    return lambda random, credential: request(credential, bodies.BATCH, random.choice(choices))


def _starts(*choices: bytes) -> Callable[[Random, bytes], bytes]:
    return lambda random, credential: request(credential, line=random.choice(choices))


def _hosts(random: Random, credential: bytes) -> bytes:
    host = random.choice([b"", b"Host: a\r\nHost: b", b"Host: a b", b"Host: u@h", b"Host: h/p"])
    return request(credential, host=host)


def _lengths(random: Random, credential: bytes) -> bytes:
    numbers = [
        b"-1" + b" " * 30,
        b"+30",
        b"0x1e",
        b"1 5",
        b"30, 30",
        b"30,31",
        b"\xb2",
        b"9" * 30,
        b"1e3",
    ]
    twice = b"Content-Length: 31"
    if random.random() < 0.2:
        return request(credential, bodies.BATCH, twice)
    return request(credential, length=random.choice(numbers))


def _length_too_small(random: Random, credential: bytes) -> bytes:
    return request(credential, length=b"%d" % random.randrange(len(bodies.BATCH) - 1))


def _length_too_large(random: Random, credential: bytes) -> bytes:
    return request(credential, length=b"%d" % (len(bodies.BATCH) + random.randint(10**3, 10**6)))


def _length_beyond(random: Random, credential: bytes) -> bytes:
    return request(credential, length=b"0" * random.choice([0, 5_000]) + b"%d" % 10**12)


def _codings(random: Random, credential: bytes) -> bytes:
    coding = random.choice([b"gzip, chunked", b"chunked, gzip", b"identity", b"x", b"chunked;q=1"])
    length = random.choice([None, b""])
    return request(credential, CHUNKED, b"Transfer-Encoding: " + coding, length=length)


CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(bodies.BATCH), bodies.BATCH)
STREAMED = b"Transfer-Encoding: chunked"


def _coding_and_length(random: Random, credential: bytes) -> bytes:
    return request(credential, CHUNKED, STREAMED)


def _chunks(random: Random, credential: bytes) -> bytes:
    sizes = [b"-1", b"0x5", b"zz", b"5 ", b"5\n", b"f" * 17, b"", b"5;\0", b"+5", b"3"]
    body = random.choice(sizes) + b'\r\n{"val\r\n0\r\n\r\n'
    return request(credential, body, STREAMED, length=None)


def _trailers(random: Random, credential: bytes) -> bytes:
    trailers = b"authorization: Bearer x\r\nhost: y\r\n" * random.randint(1, 50)
    return request(credential, CHUNKED[:-2] + trailers + b"\r\n", STREAMED, length=None)


def _garbage(random: Random, credential: bytes) -> bytes:
    known = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"EHLO localhost\r\n",
        b"GET\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    if random.random() < 0.5:
        return b"\xff" + random.randbytes(random.randint(1, 400))
    return random.choice(known)


def _cut_head(random: Random, credential: bytes) -> bytes:
    whole = request(credential, b"")
    return whole[: random.randrange(1, len(whole) - 1)]


def _slow_head(random: Random, credential: bytes) -> bytes:
    """Whatever comes next belongs to the credential."""
    whole = request(credential, b"")
    return whole[: whole.index(b"Bearer ") + random.randint(7, 20)]


def _cut_body(random: Random, credential: bytes) -> bytes:
    return request(credential, length=b"%d" % (len(bodies.BATCH) + random.randint(1, 100)))


def _flipped(random: Random, credential: bytes) -> bytes:
    """Any byte of the head is another, but for the credential's."""
    head = bytearray(request(credential, b"").partition(b"Authorization")[0])
    head[random.randrange(len(head))] = random.randrange(256)
    return bytes(head) + b"Connection: close\r\nContent-Length: 0\r\n\r\n"


def _unknown(random: Random, credential: bytes) -> bytes:
    wrong = [b"", b"x", credential[:-1], credential + b"\r\nAuthorization: Bearer x", b"\xff" * 99]
    return request(random.choice(wrong))


def _wrong_media(random: Random, credential: bytes) -> bytes:
    wrong = [b"text/plain", b"application/json; charset=utf-16", b"", b"*/*", b"\xff", JSON + b";x"]
    coded = [b"Content-Encoding: gzip"] if random.random() < 0.2 else []
    return request(credential, bodies.BATCH, *coded, media=JSON if coded else random.choice(wrong))


def _ahead(random: Random, credential: bytes) -> bytes:
    """Several at once, of which the first is none."""
    return request(credential, b"{") + request(credential) * random.randint(1, 100)


BAD = ["malformed_request"]
KINDS: dict[str, Kind] = {
    "json, cut": Kind(60, _body(bodies.cut), BAD),
    "json, deep": Kind(40, _body(bodies.deep), BAD),
    "json, 10^5 deep": Kind(4, _body(bodies.deepest), BAD),
    "json, number of 10^6 digits": Kind(3, _body(bodies.digits), BAD),
    "json, text of 10^6 digits": Kind(2, _body(bodies.text_of_digits), ["invalid_value"]),
    "json, invalid UTF-8": Kind(50, _body(bodies.not_utf8), BAD),
    "json, lone surrogate": Kind(50, _body(bodies.surrogate), BAD),
    "json, duplicate key": Kind(50, _body(bodies.duplicate), BAD),
    "json, misshapen": Kind(80, _body(bodies.misshapen), BAD),
    "json, UTF-16 and 32": Kind(20, _body(bodies.utf16), BAD),
    "json, noise": Kind(30, _body(bodies.noise), BAD),
    "json, a byte flipped": Kind(50, _body(bodies.flipped), [OK, *BAD]),
    "json, too many items": Kind(2, _body(bodies.too_many), ["too_large"]),
    "arrow, forged offsets": Kind(60, _body(bodies.forged_offsets, ARROW), [OK, *BAD, "too_large"]),
    "arrow, forged frames": Kind(60, _body(bodies.forged_frames, ARROW), [OK, *BAD, "too_large"]),
    "arrow, cut": Kind(20, _body(bodies.cut_stream, ARROW), BAD),
    "arrow, noise": Kind(10, _body(bodies.noise, ARROW), BAD),
    "length, no number": Kind(20, _lengths, BAD),
    "length, too small": Kind(20, _length_too_small, BAD, Manner.LEAVE),
    "length, too large": Kind(1, _length_too_large, ["timeout"]),
    "length, beyond": Kind(10, _length_beyond, ["too_large"], Manner.LEAVE),
    "length, and gone": Kind(10, _cut_body, [], Manner.VANISH),
    "coding, not chunked": Kind(20, _codings, BAD),
    "coding, and length": Kind(10, _coding_and_length, BAD),
    "chunk, no size": Kind(20, _chunks, BAD),
    "chunk, trailers": Kind(10, _trailers, [OK]),
    "head, Host": Kind(20, _hosts, BAD),
    "head, garbage": Kind(20, _garbage, BAD),
    "head, cut and gone": Kind(10, _cut_head, [], Manner.VANISH),
    "head, a byte flipped": Kind(
        30, _flipped, [*BAD, "unauthenticated", "not_found", "method_not_allowed", OK], Manner.LEAVE
    ),
    "head, lines": Kind(
        30,
        _lines(b"X : y", b"X: y\r\n z", b"X: \0", b"X: y\rz", b"X: y\nz", b": y", b"x", b"\xff: y"),
        BAD,
    ),
    "head, too large": Kind(5, _lines(b"X: " + b"x" * 20_000, b"X: y\r\n" * 9_000), ["too_large"]),
    "head, first line": Kind(
        20,
        _starts(
            *(b"POST /" + rest for rest in (b" HTTP/2.0", b" HTTP/0.9", b" HTTP/9.9", b"#x")),
            *(b"BREW / HTTP/1.1", b"post / HTTP/1.1", b"POST x HTTP/1.1", b"POST / HTTX/1.1"),
        ),
        BAD,
    ),
    "call, repeated or bad header": Kind(
        20,
        _lines(
            b"Jeton-Purpose: X Y",
            b"Jeton-Request-Id: x",
            b"Jeton-On-Behalf-Of: a b",
            b"Jeton-Purpose: a\r\nJeton-Purpose: a",
            b"Content-Type: application/json",
        ),
        BAD,
    ),
    "call, query": Kind(10, _starts(b"POST " + CALL + b"?value=1 HTTP/1.1"), BAD),
    "call, no such path": Kind(
        10,
        _starts(b"POST /v1/tokenise/XYZZYMARK HTTP/1.1", b"POST /v1/XYZZYMARK/fr-nir HTTP/1.1"),
        ["unknown_transformation", "not_found"],
    ),
    "call, method": Kind(10, _starts(b"PUT " + CALL + b" HTTP/1.1"), ["method_not_allowed"]),
    "call, media type": Kind(10, _wrong_media, ["unsupported_media_type"]),
    "call, no credential": Kind(30, _unknown, ["unauthenticated"]),
    "call, many ahead": Kind(5, _ahead, BAD, Manner.LEAVE),
    "slow, head": Kind(1, _slow_head, ["timeout"], Manner.DRIBBLE),
    "slow, body": Kind(1, _length_too_large, ["timeout"], Manner.DRIBBLE),
}
WAITS = frozenset({"length, too large", "slow, head", "slow, body"})
"""Their answers come when the server's patience is at an end."""


def flood(seed: int, count: int, credential: str) -> Iterator[Attack]:
    """So many, mixed as their shares say; all kinds are among the first."""
    random, secret = Random(seed), credential.encode()
    names, shares = list(KINDS), [kind.share for kind in KINDS.values()]
    first = iter(names)
    for _ in range(count):
        name = next(first, None) or random.choices(names, shares)[0]
        kind = KINDS[name]
        yield Attack(name, kind.make(random, secret), frozenset(kind.codes), kind.manner)
