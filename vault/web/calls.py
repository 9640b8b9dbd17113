"""Everything under /v1: from a request's head and body to the answer, whoever carries them.

A call is judged in the contract's order: 401, 404, 405, 415, 413, 408, 400, and then whatever
the service says. All that the head can tell is judged before the body is read.

Most calls are answered where they stand, without a task of their own: nothing about a small
tokenise within its lease has to be waited for.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from time import perf_counter
from typing import Any, Final

import msgspec

from vault.config import Operation, Server
from vault.errors import Refusal
from vault.web import headers as head
from vault.web import problem
from vault.web.body import Codec, Content
from vault.web.codecs import codecs
from vault.web.door import Answer, Call, Door, Holder, KeysAwaited, Principal
from vault.web.headers import Header
from vault.web.in_flight import InFlight
from vault.web.intake import (
    BODIES_AT_ONCE,
    LARGE_AT_ONCE,
    Disconnected,
    Intake,
    Receive,
    too_large,
)
from vault.web.problem import Headers, HTTPRefusal

OPERATIONS: Final[Mapping[bytes, Operation]] = {
    b"tokenise": "tokenise",
    b"detokenise": "detokenise",
    b"mask": "mask",
    b"match": "match",
}
TRANSFORMATIONS: Final = b"/v1/transformations"
NO_STORE: Final = (b"cache-control", b"no-store")
DEVELOPMENT: Final = (b"jeton-development", b"true")
LENGTHS: Final = [(b"content-length", b"%d" % size) for size in range(1024)]
"""Most answers are short: their lengths are printed once."""

Route = tuple[Operation, str]
"""The operation, and the name of the transformation."""

Reply = tuple[int, Headers, bytes]
"""Status, headers (with the content's type and length) and body."""

Later = Coroutine[Any, Any, Reply]


class Request:
    """The head of a request: `headers` as they came, `fields` with the last of each name.
    `source` is an IP address, ``unix``, or empty; `certificate` what its connection showed, in
    DER."""

    __slots__ = ("certificate", "fields", "headers", "method", "path", "query", "source")

    def __init__(
        self,
        method: str,
        path: bytes,
        query: bytes,
        headers: list[Header],
        fields: dict[bytes, bytes],
        source: str,
        certificate: bytes | None = None,
    ) -> None:
        self.certificate = certificate
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.fields = fields
        self.source = source


class _Asked:
    """A request on its way, and what has become known of it."""

    __slots__ = (
        "code",
        "codec",
        "door",
        "failed",
        "fields",
        "items",
        "principal",
        "request",
        "request_id",
        "route",
        "sent_id",
        "started",
    )

    codec: Codec
    principal: Principal

    def __init__(self, door: Door, request: Request) -> None:
        self.started = perf_counter()
        self.door = door
        self.request = request
        self.fields = fields = request.fields
        self.sent_id = head.request_id(fields) if head.REQUEST_ID in fields else None
        self.request_id = self.sent_id or head.new_request_id()
        self.route: Route | None = None
        self.code = "ok"
        self.items = self.failed = 0


class Calls:
    """The calls of one process."""

    def __init__(self, holder: Holder, settings: Server) -> None:
        self._holder = holder
        self._codecs = codecs(settings)
        largest = max(codec.max_body for codec in self._codecs.values())
        room = max(BODIES_AT_ONCE * settings.max_body, LARGE_AT_ONCE * largest)
        self._intake = Intake(settings.body_timeout, room)
        self._in_flight = InFlight(settings.max_in_flight, self._tell)
        self._known: dict[tuple[bytes, bytes], tuple[Route, Codec]] = {}
        """By path and media type, of those that there are, so that nobody can make it grow."""
        self._known_to: Door | None = None

    def answer(self, request: Request, body: bytes) -> Reply | Later:
        """The reply to a request whose body is here; a coroutine where it is to be waited for."""
        asked = _Asked(self._holder.door, request)
        try:
            reply = self._judge(asked)
            if reply is None:
                if len(body) > asked.codec.max_body:
                    raise too_large(asked.codec.max_body)
                return self._answer(asked, body)
        except KeysAwaited as awaited:
            return self._held_for(awaited, request, body)
        except Exception as error:  # noqa: BLE001 - whatever it is, its message stays here
            reply = _refused(asked, error)
        return _told(asked, reply)

    async def converse(self, request: Request, receive: Receive) -> Reply:
        """The reply to a request whose body is still to come.

        Raises Disconnected where the caller goes away before it is whole."""
        asked = _Asked(self._holder.door, request)
        try:
            try:
                reply = self._judge(asked)
            except KeysAwaited as awaited:
                reply = await self._judge_later(asked, awaited)
            if reply is None:
                _check_length(asked)
                body = await self._intake.read(receive, asked.codec.max_body)
                asked.started = perf_counter()
                later = self._answer(asked, body)
                return later if isinstance(later, tuple) else await later
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            reply = _refused(asked, error)
        return _told(asked, reply)

    async def _held_for(self, awaited: KeysAwaited, request: Request, body: bytes) -> Reply:
        """The reply once the keys are there that its token may be good by, or are not."""
        self._intake.hold(len(body))
        try:
            await awaited.fetched
        finally:
            self._intake.release(len(body))
        later = self.answer(request, body)
        return later if isinstance(later, tuple) else await later

    async def _judge_later(self, asked: _Asked, awaited: KeysAwaited) -> Reply | None:
        while True:
            await awaited.fetched
            try:
                return self._judge(asked)
            except KeysAwaited as again:  # nothing is fetched so soon again: it ends
                awaited = again

    def _judge(self, asked: _Asked) -> Reply | None:
        """What the head alone can be refused for; the answer where it needs no body."""
        request, fields = asked.request, asked.fields
        authorization = head.authorization(fields, request.headers)
        asked.principal = asked.door.authenticate(authorization, request.source, request)
        if request.path == TRANSFORMATIONS:
            return _transformations(asked.door, asked.principal, request.method)
        if self._known_to is not asked.door:  # a reload may have taken some away
            self._known, self._known_to = {}, asked.door
        known = None
        if request.method == "POST":
            known = self._known.get((request.path, fields.get(head.CONTENT_TYPE, b"")))
        asked.route, asked.codec = known or self._look_up(asked)
        if b"content-encoding" in fields and fields[b"content-encoding"].lower() != b"identity":
            raise Refusal("unsupported_media_type", "send the body without a content coding")
        self._in_flight.check()
        return None

    def _look_up(self, asked: _Asked) -> tuple[Route, Codec]:
        """Raises Refusal for a path, a method or a media type that there is not."""
        path, fields = asked.request.path, asked.fields
        route = _route(path)
        if not asked.door.knows(route[1]):
            raise Refusal("unknown_transformation", "no transformation has this name")
        asked.route = route
        if asked.request.method != "POST":
            raise HTTPRefusal(
                "method_not_allowed", "this call is a POST", headers=[(b"allow", b"POST")]
            )
        media = fields.get(head.CONTENT_TYPE, b"")
        codec = self._codecs.get(media)
        if codec is not None:
            self._known[path, media] = route, codec
            return route, codec
        codec = self._codecs.get(head.media_type(media))
        if codec is None:
            known = ", ".join(name.decode() for name in self._codecs)
            raise Refusal("unsupported_media_type", f"send {known}, in UTF-8")
        return route, codec

    def _answer(self, asked: _Asked, body: bytes) -> Reply | Later:
        if asked.codec.aside:
            return self._held(asked, len(body), self._aside(asked, body))
        content, call = _read(asked, body)
        answer = asked.door.at_once(call)
        if answer is None:
            return self._held(asked, len(body), self._soon(asked, content, call))
        return _told(asked, _answered(asked, content, answer))

    async def _held(self, asked: _Asked, size: int, work: Later) -> Reply:
        """The reply that `work` gives, whose body takes room meanwhile."""
        self._intake.hold(size)
        try:
            reply = await work
        except Exception as error:  # noqa: BLE001 - as above
            reply = _refused(asked, error)
        finally:
            self._intake.release(size)
        return _told(asked, reply)

    async def _soon(self, asked: _Asked, content: Content, call: Call) -> Reply:
        answer = await self._perform(asked.door, call)
        return _answered(asked, content, answer)

    async def _aside(self, asked: _Asked, body: bytes) -> Reply:
        """Large bodies are worked on beside the loop."""
        run, pool = asyncio.get_running_loop().run_in_executor, asked.door.pool
        content, call = await run(pool, _read, asked, body)
        answer = await self._perform(asked.door, call)
        return await run(pool, _answered, asked, content, answer)

    async def _perform(self, door: Door, call: Call) -> Answer:
        came = self._in_flight.enter()  # it may have filled while the body was waited for
        try:
            return await door.perform(call)
        finally:
            self._in_flight.leave(came)

    def _tell(self, count: int) -> None:
        self._holder.door.working(count)


def ending() -> Reply:
    """To whom the service would still owe an answer when its patience is at an end."""
    return problem.answer(
        HTTPRefusal("overloaded", "the service is ending", headers=[(b"connection", b"close")])
    )


def _route(path: bytes) -> Route:
    """A name is compared as it was sent: an escaped one is unknown."""
    parts = path.split(b"/")
    operation = OPERATIONS.get(parts[2]) if len(parts) == 4 else None
    if operation is None:
        raise Refusal("not_found", "there is nothing at this path")
    return operation, parts[3].decode("latin-1")


def _check_length(asked: _Asked) -> None:
    """Of a body that is said to be too large nothing is read."""
    length = asked.fields.get(b"content-length")
    # The server lets by only digits, of a number that has at most 20 without its zeros.
    if length is not None and int(length[-20:]) > asked.codec.max_body:
        raise too_large(asked.codec.max_body)


def _read(asked: _Asked, body: bytes) -> tuple[Content, Call]:
    """Raises Refusal ``malformed_request``, and ``too_large`` for too many items."""
    request, fields, route, codec = asked.request, asked.fields, asked.route, asked.codec
    assert route is not None
    if len(fields) != len(request.headers):
        head.check_once(request.headers)
    if head.REQUEST_ID in fields and asked.sent_id is None:
        raise Refusal("malformed_request", "Jeton-Request-Id is a UUID")
    if request.query:
        raise Refusal("malformed_request", "a call has no query: nothing sensitive in a URL")
    content = codec.decode(route[0], body)
    call = Call(
        route[0],
        route[1],
        asked.principal.name,
        content.items,
        content.contexts,
        content.candidates,
        head.purpose(fields) if head.PURPOSE_HEADER in fields else None,
        head.end_user(fields) if head.END_USER in fields else None,
        asked.request_id,
        source=request.source,
        credential=asked.principal.credential,
    )
    if asked.sent_id is not None:
        call.request_id_sent = True
        call.fingerprint = _fingerprint(asked, body)
    return content, call


def _fingerprint(asked: _Asked, body: bytes) -> bytes:
    """Of all that makes two requests with one id the same request."""
    fields = asked.fields
    return asked.door.fingerprint(
        asked.request.method.encode(),
        asked.request.path,
        head.media_type(fields[head.CONTENT_TYPE]),
        fields.get(head.PURPOSE_HEADER, b""),
        fields.get(head.END_USER, b""),
        body,
    )


def _answered(asked: _Asked, content: Content, answer: Answer) -> Reply:
    """Raises HTTPRefusal with the item's code where a single call's item failed."""
    asked.items, asked.failed = len(content.items), len(answer.errors)
    receipt = None if answer.receipt is None else (b"jeton-receipt", answer.receipt.encode())
    if content.single and answer.errors:
        failure = answer.errors[0]
        headers = [] if receipt is None else [receipt]
        raise HTTPRefusal(failure.code, failure.detail, headers=headers)
    assert asked.route is not None
    body = asked.codec.encode(asked.route[0], content, answer)
    kind, size = (b"content-type", asked.codec.media_type), len(body)
    length = LENGTHS[size] if size < len(LENGTHS) else (b"content-length", b"%d" % size)
    if receipt is None:
        return 200, [kind, length], body
    return 200, [kind, length, NO_STORE, receipt], body


def _refused(asked: _Asked, error: Exception) -> Reply:
    if not isinstance(error, Refusal):
        asked.door.failed(error)
        error = Refusal("internal", "the service failed")
    asked.code = error.code
    return problem.answer(error)


def _told(asked: _Asked, reply: Reply) -> Reply:
    """The reply as it goes out, counted."""
    headers = reply[1]
    headers.append((b"jeton-request-id", asked.request_id.encode()))
    if asked.door.development:
        headers.append(DEVELOPMENT)
    operation, transformation = asked.route or ("", "")
    seconds = perf_counter() - asked.started
    asked.door.observe(operation, transformation, asked.code, asked.items, seconds, asked.failed)
    return reply


def _transformations(door: Door, principal: Principal, method: str) -> Reply:
    if method not in {"GET", "HEAD"}:
        raise HTTPRefusal(
            "method_not_allowed", "this path takes GET", headers=[(b"allow", b"GET, HEAD")]
        )
    body = msgspec.json.encode({"transformations": door.transformations(principal)})
    length = (b"content-length", b"%d" % len(body))
    return 200, [(b"content-type", b"application/json"), length, NO_STORE], body
