"""Every place of an HTTP request that a value may be put into by mistake, and malformed ones.

    for name, carrier in CARRIERS.items():
        answer = await exchange(port, carrier(value, f"Bearer {credential}"))

A carrier makes the bytes of one request, after whose answer the service closes the connection.
Those of `CUT` end in the middle: whoever sends them hangs up, or is waited for in vain.
"""

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from tests.support.arrow import MEDIA_TYPE
from tests.support.arrow_carriers import ARROW

Carrier = Callable[[str, str], bytes]
"""A value, and what the Authorization header says -> the bytes of a request."""

ANSWER_SECONDS = 10.0
JSON = "application/json"
CALL = b"/v1/detokenise/digits"
OPERATIONS = ("tokenise", "detokenise", "mask", "match")


def request(
    authorization: str,
    content: bytes = b'{"token":"1"}',
    *,
    method: bytes = b"POST",
    target: bytes = CALL,
    version: bytes = b"HTTP/1.1",
    media: str | None = JSON,
    length: bool = True,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """A request with a purpose, unless `headers` has one, after which the connection closes."""
    lines = [(b"Host", b"jeton"), (b"Connection", b"close"), *headers]
    names = {name.lower() for name, _ in headers}
    if authorization and b"authorization" not in names:
        lines.append((b"Authorization", authorization.encode()))
    if media is not None and b"content-type" not in names:
        lines.append((b"Content-Type", media.encode()))
    if b"jeton-purpose" not in names:
        lines.append((b"Jeton-Purpose", b"care"))
    if length:
        lines.append((b"Content-Length", b"%d" % len(content)))
    head = b"".join(b"%b: %b\r\n" % line for line in lines)
    return b"%b %b %b\r\n%b\r\n%b" % (method, target, version, head, content)


def _at(target: bytes, value: str, authorization: str, method: bytes = b"POST") -> bytes:
    return request(authorization, target=target.replace(b"@", value.encode()), method=method)


TARGETS = (
    b"/@ /v1/@ /v1/@/digits /v1/detokenise/@ /v1/detokenise/digits/@ /v1/detokenise//@ "
    b"/v1/detokenise/digits?q=@ /v1/detokenise/digits?@ /v1/detokenise/digits;@ "
    b"/v1/detokenise/digits%20@ /v1/detokenise/%2e%2e/@ /v1/detokenise/digits%00@ "
    b"/v1/detokenise/\xff@ /v1/detokenise/digits#@ http://@/v1/detokenise/digits "
    b"http://user:@@host/v1/transformations //@/v1 @ *@"
).split()
PAGES = b"/v1/transformations /livez /readyz /metrics /openapi.json".split()
HEADERS = (
    "Authorization Cookie Jeton-Purpose Jeton-On-Behalf-Of Jeton-Request-Id Content-Type "
    "Content-Length Content-Encoding Host Transfer-Encoding Expect Connection Upgrade Accept "
    "Accept-Encoding User-Agent Referer Origin Forwarded X-Forwarded-For X-Real-IP traceparent "
    "Range If-Match TE Trailer Date Via Proxy-Authorization Jeton-Receipt Keep-Alive"
).split()


def _header(name: str, text: str, value: str, authorization: str) -> bytes:
    said = text.replace("@", value).encode("latin-1")
    return request(authorization, headers=((name.encode(), said),), length=name != "Content-Length")


def _raw(template: bytes, value: str, authorization: str) -> bytes:
    """`@` is the value, `~` the usual headers with the credential."""
    usual = (
        b"Host: jeton\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Jeton-Purpose: care\r\nAuthorization: " + authorization.encode() + b"\r\n"
    )
    return template.replace(b"~", usual).replace(b"@", value.encode())


_POST = b"POST " + CALL + b" HTTP/1.1\r\n"
_CHUNKED = _POST + b"~Transfer-Encoding: chunked\r\n\r\n"
LINES: dict[str, bytes] = {
    "a line alone": b"@\r\n\r\n",
    "as method": b"@ /v1/detokenise/digits HTTP/1.1\r\n~\r\n",
    "before the method": b"@GET / HTTP/1.1\r\n~\r\n",
    "as version": b"POST / HTTP/@\r\n~\r\n",
    "after the version": b"POST / HTTP/1.1 @\r\n~\r\n",
    "without version": b"POST /@\r\n~\r\n",
    "as HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n@",
    "as TLS": b"\x16\x03\x01\x02\x00\x01@\r\n\r\n",
    "as CONNECT": b"CONNECT @:443 HTTP/1.1\r\n~\r\n",
    "as header name": _POST + b"@: 1\r\n~Content-Length: 0\r\n\r\n",
    "as header without colon": _POST + b"@\r\n~\r\n",
    "as header without name": _POST + b": @\r\n~\r\n",
    "as header with a blank": _POST + b"X @ : 1\r\n~\r\n",
    "as folded header": _POST + b"X: 1\r\n @\r\n~\r\n",
    "as header with NUL": _POST + b"X: \0@\r\n~\r\n",
    "as header after bare CR": _POST + b"X: 1\r@\r\n~\r\n",
    "two lengths": _POST + b"Content-Length: 1\r\nContent-Length: @\r\n~\r\n@",
    "two credentials": _POST + b"Authorization: Bearer @\r\n~Content-Length: 0\r\n\r\n",
    "two purposes": _POST + b"Jeton-Purpose: @\r\n~Content-Length: 0\r\n\r\n",
    "as chunk size": _CHUNKED + b"@\r\n{}\r\n0\r\n\r\n",
    "as chunk extension": _CHUNKED + b"2;@=@\r\n{}\r\n0\r\n\r\n",
    "in chunks": _CHUNKED + b'5\r\n{"tok\r\n4\r\n@\r\n0\r\n\r\n',
    "as trailer": _CHUNKED + b"2\r\n{}\r\n0\r\n@: @\r\n\r\n",
    "beyond a chunk": _CHUNKED + b"2\r\n{}@\r\n0\r\n\r\n",
    "beyond the length": _POST + b"~Content-Length: 2\r\n\r\n{}@",
    "after an upgrade": _POST + b"Upgrade: h2c\r\nConnection: upgrade\r\n~\r\n@",
    "in long headers": _POST + b"~X: " + b"@" * 3_000 + b"\r\n\r\n",
    "in many headers": _POST + b"~" + b"@: @\r\n" * 1_000 + b"\r\n",
}
CUT: dict[str, Carrier] = {
    name: partial(_raw, template)
    for name, template in {
        "cut in the line": b"POST /@",
        "cut in a header": _POST + b"~X: @",
        "cut in the body": _POST + b'~Content-Length: 99\r\n\r\n{"token":"@"',
        "cut in a chunk": _CHUNKED + b"ff\r\n@",
        "cut in a chunk size": _CHUNKED + b"2\r\n{}\r\n@",
    }.items()
}

BODIES: dict[str, str | bytes] = {
    "item": '{"#":"@"}',
    "items": '{"#s":["@","@"]}',
    "context": '{"#":"1234567890","context":"@"}',
    "contexts": '{"#s":["1234567890"],"contexts":["@"]}',
    "candidate": '{"token":"1234567890","candidate":"@"}',
    "candidates": '{"tokens":["1234567890"],"candidates":["@"]}',
    "wrong member": '{"nir":"@"}',
    "member name": '{"@":"1"}',
    "nested name": '{"#":{"@":{"@":1}}}',
    "nested": '{"#":["@",["@"]]}',
    "twice": '{"#":"@","#":"@"}',
    "single and batch": '{"#":"@","#s":["@"]}',
    "unequal": '{"#s":["@","@"],"contexts":["@"]}',
    "null beside": '{"#s":["@",null]}',
    "text alone": '"@"',
    "list alone": '["@"]',
    "no JSON": "@",
    "not a number": '{"#":"@","context":NaN}',
    "single quotes": "{'#':'@'}",
    "cut": '{"#":"@',
    "and more": '{"#":"@"}@',
    "lone surrogate": '{"#":"\\ud800@"}',
    "surrogate context": '{"#":"1234567890","context":"\\udfff@"}',
    "bad escape": '{"#":"\\x@"}',
    "NUL": '{"#":"\\u0000@"}',
    "not NFC": '{"#":"1234567890","context":"e\\u0301@"}',
    "long context": '{"#":"1234567890","context":"' + "@" * 40 + '"}',
    "invalid UTF-8": b'{"#":"\xff@"}',
    "invalid UTF-8 after": b'{"#":"@\xc3"}',
    "with a mark": b'\xef\xbb\xbf{"#":"@"}',
    "deep": "[" * 2_000 + '"@"' + "]" * 2_000,
    "many": '{"#s":[' + '"@",' * 300 + '"@"]}',
    "large": '{"#":"' + "@" * 9_000 + '"}',
}
"""`@` is the value, `#` the name of the operation's item."""
NUMBERS: dict[str, str] = {
    "number": '{"#":@}',
    "numbers": '{"#s":[@,-@,@.5]}',
    "number as context": '{"#":"1234567890","context":@}',
    "long number": '{"#":' + "@" * 3_000 + "}",
    "exponent": '{"#":1e@}',
}
"""For values of digits."""


def _body(template: str | bytes, operation: str, value: str, authorization: str) -> bytes:
    text = template if isinstance(template, bytes) else template.encode()
    item = b"value" if operation == "tokenise" else b"token"
    content = text.replace(b"#", item).replace(b"@", value.encode())
    return request(authorization, content, target=f"/v1/{operation}/digits".encode())


ENCODED: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "form": ("application/x-www-form-urlencoded", lambda v: f"token={v}".encode()),
    "multipart": ("multipart/form-data; boundary=x", lambda v: f"--x\r\n\r\n{v}".encode()),
    "text": ("text/plain", lambda v: v.encode()),
    "XML": ("application/xml", lambda v: f"<a b='{v}'>{v}</a>".encode()),
    "UTF-16": (JSON, lambda v: json.dumps({"token": v}).encode("utf-16")),
    "compressed": (JSON, lambda v: gzip.compress(json.dumps({"token": v}).encode())),
    "Arrow called JSON": (JSON, lambda v: ARROW["value"](v, "token")),
    "JSON called Arrow": (MEDIA_TYPE, lambda v: json.dumps({"token": v}).encode()),
}


def _encoded(
    media: str, content: Callable[[str], bytes], target: bytes, value: str, authorization: str
) -> bytes:
    return request(authorization, content(value), media=media, target=target)


def _all() -> Mapping[str, Carrier]:
    made: dict[str, Carrier] = {}
    for target in TARGETS:
        made[f"target {target!r}"] = partial(_at, target)
    for page in PAGES:
        for method in (b"GET", b"POST", b"OPTIONS"):
            for suffix in (b"?@", b"/@"):
                name = f"{method.decode()} {(page + suffix).decode()}"
                made[name] = partial(_at, page + suffix, method=method)
    for name in HEADERS:
        for text in ("@", "Bearer @", "application/json; charset=@", "\xe9@", "a, @; q=@"):
            if (name, text) != ("Jeton-On-Behalf-Of", "@"):  # that is an id, and recorded
                made[f"header {name}: {text!r}"] = partial(_header, name, text)
    made |= {name: partial(_raw, template) for name, template in LINES.items()}
    for operation in OPERATIONS:
        for name, template in BODIES.items():
            if not name.startswith("candidate") or operation == "match":
                made[f"{operation} body: {name}"] = partial(_body, template, operation)
        for name, content in ARROW.items():
            target = f"/v1/{operation}/digits".encode()
            item = "value" if operation == "tokenise" else "token"
            stream = partial(_stream, content, item)
            made[f"{operation} Arrow: {name}"] = partial(_encoded, MEDIA_TYPE, stream, target)
    for name, (media, content) in ENCODED.items():
        made[f"body as {name}"] = partial(_encoded, media, content, CALL)
    return made


def _stream(content: Callable[[str, str], bytes], item: str, value: str) -> bytes:
    return content(value, item)


CARRIERS: Mapping[str, Carrier] = _all()
NUMERIC: Mapping[str, Carrier] = {
    f"{operation} body: {name}": partial(_body, template, operation)
    for operation in OPERATIONS
    for name, template in NUMBERS.items()
}


async def exchange(port: int, sent: bytes, *, hang_up: bool = False) -> bytes:
    """All that is answered until the service closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        with suppress(ConnectionError):
            writer.write(sent)
            await writer.drain()
            if hang_up:
                writer.write_eof()
            async with asyncio.timeout(ANSWER_SECONDS):
                while got := await reader.read(65_536):
                    answer += got
    finally:
        writer.close()
    return answer
