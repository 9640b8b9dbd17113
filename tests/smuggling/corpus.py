"""The corpus: each case is what one connection sends. Whoever reads it the wrong way finds a
second request in it, for a target that nobody asked for.

``/@`` in a case stands for its own number, so that what arrives can be told apart.
"""

from collections.abc import Iterator
from typing import NamedTuple

INNER = b"GET /plain/@-smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
GOOD, BAD, EITHER = "good", "bad", "either"


class Case(NamedTuple):
    family: str
    sent: bytes
    verdict: str
    """Whether the proxy has to pass it (`good`), to refuse it (`bad`), or may do either."""

    def numbered(self, number: int) -> bytes:
        return self.sent.replace(b"/@", b"/%d" % number)


def post(*headers: bytes, body: bytes = b"", line: bytes = b"POST /plain/@ HTTP/1.1") -> bytes:
    return b"\r\n".join([line, b"Host: x", *headers, b"", body])


def corpus() -> list[Case]:
    return [
        Case(family, sent, verdict)
        for family, cases in FAMILIES.items()
        for sent, verdict in cases()
    ]


Cases = Iterator[tuple[bytes, str]]

_CHUNKED = b"0\r\n\r\n" + INNER
_LENGTH = b"Content-Length: %d" % len(_CHUNKED)


def both_lengths() -> Cases:
    """Content-Length and Transfer-Encoding, in every disguise of the second."""
    codings = (
        b"Transfer-Encoding: chunked",
        b"transfer-encoding: CHUNKED",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:chunked",
        b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding: chunked ",
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding: chunked\x0b",
        b"Transfer-Encoding: \x00chunked",
        b"Transfer-Encoding: chunked\x00",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunkedx",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: identity, chunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: gzip, chunked",
        b'Transfer-Encoding: "chunked"',
        b"Transfer-Encoding: chunked;q=1",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding:",
        b" Transfer-Encoding: chunked",
        b"X: y\r\n Transfer-Encoding: chunked",
        b"X: y\nTransfer-Encoding: chunked",
        b"X: y\rTransfer-Encoding: chunked",
        b"Transfer_Encoding: chunked",
        b"Transfer-Encoding\x00: chunked",
        b"\x00Transfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\n identity",
        b"Transfer-Encoding:\r\n chunked",
        b"TRANSFER-ENCODING: cHuNkEd",
        b"Transfer-Encoding: chun\r\n ked",
        b"Transfer-Encoding: \xc3\xa7hunked",
    )
    # This one is another header, which nobody here has to take for a coding.
    harmless = (b"Transfer_Encoding: chunked",)
    for coding in codings:
        verdict = EITHER if coding in harmless else BAD
        yield post(_LENGTH, coding, body=_CHUNKED), verdict
        yield post(coding, _LENGTH, body=_CHUNKED), verdict


def codings_alone() -> Cases:
    for coding in (
        b"gzip",
        b"gzip, chunked",
        b"identity",
        b"chunked, identity",
        b"chunked,chunked",
        b"chunkd",
        b"",
        b"\tchunked\t,",
        b"chunked\x0c",
        b"x, y, chunked",
    ):
        yield post(b"Transfer-Encoding: " + coding, body=_CHUNKED), BAD
    yield post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"), GOOD
    yield post(b"Transfer-Encoding: Chunked", body=b"3\r\nabc\r\n0\r\n\r\n"), GOOD


def lengths() -> Cases:
    """Content-Length that is none, or two."""
    for text in (
        b"+5",
        b"-1",
        b"0x5",
        b"5.0",
        b"5e0",
        b"5,5",
        b"5, 5",
        b"5 5",
        b"5;",
        b'"5"',
        b"",
        b"five",
        b"\x0b5",
        b"5\x00",
        b"99999999999999999999999",
        b"18446744073709551621",
        b"\xd9\xa5",
        b"0_5",
        b"5\r\n 0",
    ):
        yield post(b"Content-Length: " + text, body=b"hello" + INNER), BAD
    for first, second in ((b"5", b"0"), (b"0", b"5"), (b"5", b"5"), (b"5", b"05"), (b"0", b"0")):
        pair = (b"Content-Length: " + first, b"Content-Length: " + second)
        yield post(*pair, body=b"hello" + INNER), BAD
    for name in (
        b"Content-Length : 0",
        b"Content-Length\t: 0",
        b" Content-Length: 0",
        b"Content Length: 0",
        b"Content-Length\x00: 0",
        b"Content-Length\r: 0",
    ):
        yield post(name, b"Content-Length: 5", body=b"hello" + INNER), BAD
    yield post(b"Content-Length: 5", body=b"hello"), GOOD
    yield post(b"Content-Length:5", body=b"hello"), GOOD
    yield post(b"Content-Length: 005", body=b"hello"), EITHER
    yield post(b"Content_Length: 0", b"Content-Length: 5", body=b"hello"), EITHER


def chunks() -> Cases:
    """Chunked bodies that are none: the sizes, their ends, extensions, trailers."""
    for size in (
        b"+3",
        b"-3",
        b"0x3",
        b" 3",
        b"3 ",
        b"\t3",
        b"3\t",
        b"3_",
        b"g",
        b"",
        b"ffffffffffffffffffff",
        b"10000000000000003",
        b"3;\n",
        b"3\x00",
        b"\x003",
        b"3,3",
        b"3 3",
        b'3"',
        b"\xef\xbc\x93",
        b"3.0",
        b"3;a\rb",
        b"3;a\x00b",
    ):
        body = size + b"\r\nabc\r\n0\r\n\r\n" + INNER
        yield post(b"Transfer-Encoding: chunked", body=body), EITHER if size == b"3 " else BAD
    for body in (
        b"3\nabc\n0\n\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nab\r\n0\r\n\r\n",
        b"3\r\nabcXX0\r\n\r\n",
        b"3\r\nabc\r0\r\n\r\n",
        b"3\rabc\r\n0\r\n\r\n",
        b"3\r\r\nabc\r\n0\r\n\r\n",
        b"3;x=\n\r\nabc\r\n0\r\n\r\n",
        b"0\r\nContent-Length: 9 : 9\n\r\n\r\n",
        b"0\r\n Folded: trailer\r\n\r\n",
        b"0\r\nBad Trailer: x\r\n\r\n",
        b"0\r\nX\x00: y\r\n\r\n",
        b"0\r\n\n",
        b"\r\n0\r\n\r\n",
    ):
        yield post(b"Transfer-Encoding: chunked", body=body + INNER), BAD
    for body in (
        b"3\r\nabc\r\n0\r\n\r\n",
        b"3;x=y\r\nabc\r\n0\r\n\r\n",
        b'3;x="y"\r\nabc\r\n0\r\n\r\n',
        b"003\r\nabc\r\n000\r\n\r\n",
        b"3\r\nabc\r\n0\r\nX-Trailer: y\r\n\r\n",
    ):
        yield post(b"Transfer-Encoding: chunked", body=body), GOOD
    body = b"3\r\nabc\r\n0\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield post(b"Transfer-Encoding: chunked", body=body), EITHER


def line_ends() -> Cases:
    inner = b"X: y\n\nGET /plain/@-smuggled HTTP/1.1\nHost: x\n"
    yield post(b"A: b\nB: c"), BAD
    yield post(b"A: b\rB: c"), BAD
    yield post(b"A: b\r\rB: c"), BAD
    yield post(b"A: b\x00B: c"), BAD
    yield post(b"A: b\r\r"), BAD
    yield post(inner), BAD
    yield b"POST /plain/@ HTTP/1.1\nHost: x\nContent-Length: 0\n\n" + INNER, BAD
    yield b"POST /plain/@ HTTP/1.1\r\nHost: x\nContent-Length: 0\r\n\r\n" + INNER, BAD
    yield b"POST /plain/@ HTTP/1.1\nHost: x\r\nContent-Length: 0\r\n\r\n" + INNER, BAD
    yield b"GET /plain/@ HTTP/1.1\r\nHost: x\r\n\n" + INNER, BAD
    yield b"GET /plain/@ HTTP/1.1\r\nHost: x\n\r\n" + INNER, BAD
    yield b"GET /plain/@ HTTP/1.1\rHost: x\r\r" + INNER, BAD
    yield b"GET /plain/@ HTTP/1.1\r\n\r\nHost: x\r\n\r\n", BAD
    yield b"\r\nGET /plain/@ HTTP/1.1\r\nHost: x\r\n\r\n", EITHER
    yield b"\nGET /plain/@ HTTP/1.1\r\nHost: x\r\n\r\n", EITHER
    yield b"\x00GET /plain/@ HTTP/1.1\r\nHost: x\r\n\r\n", BAD


def header_names() -> Cases:
    for line in (
        b"A : b",
        b"A\t: b",
        b" A: b",
        b"\tA: b",
        b": b",
        b"A",
        b"A b: c",
        b"A\x00: b",
        b"A\x7f: b",
        b"A\xff: b",
        b"(A): b",
        b"A/B: c",
        b"A[]: b",
        b"X: y\r\n folded",
        b"X: y\r\n\tfolded",
        b"X:\r\n y",
        b"X: a\x01b",
        b"X: a\x7fb",
        b"X: a\x0bb",
        b"X_Forwarded_For: 10.0.0.1",
        b"X_Forwarded-For: 10.0.0.1",
    ):
        yield post(line, b"Content-Length: 5", body=b"hello" + INNER), BAD
    yield post(b"A_B: c", b"Content-Length: 5", body=b"hello"), EITHER
    yield post(b"A: \xc3\xa9", b"Content-Length: 5", body=b"hello"), EITHER


def hosts() -> Cases:
    yield b"GET /plain/@ HTTP/1.1\r\n\r\n", BAD
    for second in (b"y", b"x", b""):
        yield post(b"Host: " + second), BAD
    for host in (b"a b", b"you@x", b"x/y", b"x,y", b"x:y", b"x#", b"x?", b"[::1", b"x\x00"):
        line = b"GET /plain/@ HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
        yield line, EITHER if host == b"x,y" else BAD
    yield b"GET http://y/plain/@ HTTP/1.1\r\nHost: x\r\n\r\n", EITHER
    yield b"GET //y/plain/@ HTTP/1.1\r\nHost: x\r\n\r\n", BAD


def request_lines() -> Cases:
    for line in (
        b"GET\t/plain/@ HTTP/1.1",
        b"GET /plain/@ HTTP/1.1 ",
        b" GET /plain/@ HTTP/1.1",
        b"GET /plain/@ HTTP/1.2",
        b"GET /plain/@ HTTP/2.0",
        b"GET /plain/@ HTTP/1",
        b"GET /plain/@ HTTP/1.10",
        b"GET /plain/@ http/1.1",
        b"GET /plain/@ HTTP/ 1.1",
        b"GET /plain/@ XTTP/1.1",
        b"GET /plain/@",
        b"get /plain/@ HTTP/1.1",
        b"G\xcbT /plain/@ HTTP/1.1",
        b"FROBNICATE /plain/@ HTTP/1.1",
        b"GET plain/@ HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET /plain/@#x HTTP/1.1",
        b"GET /plain/@\x00 HTTP/1.1",
        b"GET /plain/@\x7f HTTP/1.1",
        b"GET /plain/@\xff HTTP/1.1",
        b"CONNECT x:80 HTTP/1.1",
        b"TRACE /plain/@ HTTP/1.1",
        b"GET ?@ HTTP/1.1",
        b"GET /plain/@ HTTP/1.1\r\n HTTP/1.1",
    ):
        yield line + b"\r\nHost: x\r\n\r\n" + INNER.replace(b"-smuggled", b"-after"), BAD
    for path in (
        b"/plain//@",
        b"/plain/./@",
        b"/plain/../plain/@",
        b"/plain/%2e%2e/@",
        b"/plain/@%2f",
        b"/plain/@%5c",
        b"/%70lain/@",
        b"/plain/@\\",
        b"/plain/@%",
        b"/plain/@%zz",
        b"/plain/@/..",
    ):
        yield b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n", BAD
    yield b"GET /plain/@?a=b&c=%20 HTTP/1.1\r\nHost: x\r\n\r\n", GOOD
    yield b"GET /plain/@ HTTP/1.0\r\n\r\n", GOOD
    # Blanks around a target: it is passed on with one.
    yield b"GET  /plain/@ HTTP/1.1\r\nHost: x\r\n\r\n", EITHER
    yield b"GET /plain/@  HTTP/1.1\r\nHost: x\r\n\r\n", EITHER


def hops() -> Cases:
    """Headers that say of others that they end here."""
    for option in (b"content-length", b"host", b"content-type", b"close, content-length"):
        yield post(b"Connection: " + option, b"Content-Length: 5", body=b"hello"), GOOD
    yield (
        post(
            b"Connection: transfer-encoding",
            b"Transfer-Encoding: chunked",
            body=b"3\r\nabc\r\n0\r\n\r\n",
        ),
        GOOD,
    )
    yield post(b"Keep-Alive: 300", b"Content-Length: 5", body=b"hello"), GOOD
    yield post(b"TE: trailers", b"Content-Length: 5", body=b"hello"), GOOD
    yield post(b"Upgrade: websocket", b"Connection: upgrade", b"Content-Length: 0", body=INNER), BAD
    yield post(b"Upgrade: h2c", b"Connection: upgrade", b"Content-Length: 5", body=b"hello"), EITHER
    yield post(b"HTTP2-Settings: x", b"Content-Length: 5", body=b"hello"), GOOD
    yield post(b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"), GOOD
    yield post(b"Expect: 200-ok", b"Content-Length: 5", body=b"hello"), EITHER
    yield post(b"Expect: 100-continue, x", b"Content-Length: 5", body=b"hello"), EITHER
    get = b"GET /plain/@ HTTP/1.1"
    yield post(b"Content-Length: 5", body=b"hello", line=get), GOOD
    yield post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n", line=get), GOOD
    yield post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=_CHUNKED, line=get), BAD
    ten = b"POST /plain/@ HTTP/1.0"
    yield post(b"Transfer-Encoding: chunked", body=_CHUNKED, line=ten), BAD
    yield post(b"Content-Length: 5", body=b"hello", line=ten), GOOD


FAMILIES = {
    "both lengths": both_lengths,
    "codings": codings_alone,
    "lengths": lengths,
    "chunks": chunks,
    "line ends": line_ends,
    "header names": header_names,
    "hosts": hosts,
    "request lines": request_lines,
    "hops": hops,
}
