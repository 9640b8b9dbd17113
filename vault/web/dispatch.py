"""The outer ASGI callable: answers everything under /v1 itself and hands on the rest.

A call is judged in the contract's order: 401, 404, 405, 415, 413, 408, 400, and then whatever
the service says. All that the headers can tell is judged before the body is read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, nullcontext
from time import perf_counter
from typing import Any, Final, TypeVar

import msgspec

from vault.config import Operation, Server
from vault.errors import Refusal
from vault.web import headers as head
from vault.web import problem
from vault.web.body import Codec, Content
from vault.web.codecs import codecs
from vault.web.door import Answer, Call, Door, Holder, Principal
from vault.web.intake import (
    BODIES_AT_ONCE,
    LARGE_AT_ONCE,
    Disconnected,
    Intake,
    Message,
    Receive,
    too_large,
)
from vault.web.pages import METRICS, pages, public
from vault.web.problem import Headers, HTTPRefusal

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]
Lifespan = Callable[[], AbstractAsyncContextManager[object]]
T = TypeVar("T")

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


class Application:
    """The whole HTTP side of one process, as an ASGI callable.

    `metrics_only` is the part of it for an address of its own, where there is one. Whatever
    `lifespan` opens is there before the first request and goes after the last.
    """

    def __init__(
        self, holder: Holder, settings: Server, lifespan: Lifespan = nullcontext[None]
    ) -> None:
        self._holder = holder
        self._codecs = codecs(settings)
        largest = max(codec.max_body for codec in self._codecs.values())
        room = max(BODIES_AT_ONCE * settings.max_body, LARGE_AT_ONCE * largest)
        self._intake = Intake(settings.body_timeout, room)
        self._most = settings.max_in_flight
        self._working = 0
        self._routes: dict[bytes, Route] = {}
        """Of known transformations only, so that nobody can make it grow."""
        self._lifespan = lifespan
        self.failure: Exception | None = None
        """Why the application did not start."""
        self._pages: ASGI = pages(holder, public(settings))
        metrics: ASGI = pages(holder, METRICS)

        async def metrics_only(scope: Scope, receive: Receive, send: Send) -> None:
            await self._page(metrics, scope, receive, send)

        self.metrics_only: ASGI = metrics_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._live(receive, send)
        elif scope["raw_path"].startswith(b"/v1/"):
            await self._answer(scope, receive, send)
        else:
            await self._page(self._pages, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call, from its headers to its answer."""
        started = perf_counter()
        door = self._holder.door
        fields: dict[bytes, bytes] = dict(scope["headers"])
        sent_id = head.request_id(fields) if head.REQUEST_ID in fields else None
        request_id = sent_id or head.new_request_id()
        operation, transformation, code, items, failed, sent = "", "", "ok", 0, 0, b""
        try:
            authorization = head.authorization(fields, scope["headers"])
            source = scope["client"][0] if scope["client"] else ""
            principal = door.authenticate(authorization, source)
            path = scope["raw_path"]
            if path == TRANSFORMATIONS:
                status, headers, body = _transformations(door, principal, scope["method"])
            else:
                route = self._known(door, path)
                operation, transformation = route
                codec = self._judge(scope["method"], fields)
                sent = await self._intake.read(receive, codec.max_body)
                started = perf_counter()
                content = await _work(codec, door, _content, route[0], codec, sent, scope, fields)
                call = _call(route, principal, source, content, fields, request_id)
                if sent_id is not None:
                    marks = (door, scope, fields)
                    call.request_id_sent = True
                    call.fingerprint = await _work(codec, door, _fingerprint, *marks, sent)
                answer = await self._perform(door, call)
                items, failed = len(content.items), len(answer.errors)
                made = (route[0], codec, content, answer)
                status, headers, body = await _work(codec, door, _answered, *made)
        except Disconnected:
            return
        except asyncio.CancelledError:  # the shutdown's patience is at an end
            status, headers, body = problem.answer(_ending())
            await _send(send, status, headers, body)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, its message stays here
            code, status, headers, body = _refused(door, error)
        finally:
            self._intake.release(sent)
        headers.append((b"jeton-request-id", request_id.encode()))
        if door.development:
            headers.append(DEVELOPMENT)
        door.observe(operation, transformation, code, items, perf_counter() - started, failed)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _known(self, door: Door, path: bytes) -> Route:
        """Raises Refusal ``not_found`` or ``unknown_transformation``."""
        route = self._routes.get(path) or _route(path)
        if not door.knows(route[1]):
            raise Refusal("unknown_transformation", "no transformation has this name")
        self._routes[path] = route
        return route

    def _judge(self, method: str, fields: Mapping[bytes, bytes]) -> Codec:
        """What the headers alone can be refused for."""
        if method != "POST":
            raise HTTPRefusal(
                "method_not_allowed", "this call is a POST", headers=[(b"allow", b"POST")]
            )
        media = fields.get(head.CONTENT_TYPE, b"")
        codec = self._codecs.get(media) or self._codecs.get(head.media_type(media))
        if codec is None:
            known = ", ".join(name.decode() for name in self._codecs)
            raise Refusal("unsupported_media_type", f"send {known}, in UTF-8")
        if fields.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refusal("unsupported_media_type", "send the body without a content coding")
        length = fields.get(b"content-length")
        # The server lets by only digits, of a number that has at most 20 without its zeros.
        if length is not None and int(length[-20:]) > codec.max_body:
            raise too_large(codec.max_body)
        self._check_room()
        return codec

    def _check_room(self) -> None:
        """Rather a refusal now than an answer too late."""
        if self._working >= self._most:
            raise Refusal("overloaded", "more is being worked on than can be answered in time", 1)

    async def _perform(self, door: Door, call: Call) -> Answer:
        self._check_room()  # it may have filled while the body was waited for
        self._working += 1
        try:
            return await door.perform(call)
        finally:
            self._working -= 1

    async def _page(self, page: ASGI, scope: Scope, receive: Receive, send: Send) -> None:
        """An answer of Starlette's, with the headers that every answer has."""
        door = self._holder.door
        request_id = head.request_id(dict(scope["headers"])) or head.new_request_id()
        stamp = [(b"jeton-request-id", request_id.encode())]
        if door.development:
            stamp.append(DEVELOPMENT)

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *stamp]
            await send(message)

        try:
            await page(scope, receive, stamped)
        except Exception as error:  # noqa: BLE001 - it was answered; its message stays here
            door.failed(error)

    async def _live(self, receive: Receive, send: Send) -> None:
        """The lifespan protocol."""
        await receive()
        stage = "startup"
        try:
            async with self._lifespan():
                await send({"type": "lifespan.startup.complete"})
                stage = "shutdown"
                await receive()
        except Exception as error:  # noqa: BLE001 - whoever started us is told
            self.failure = error
            await send({"type": f"lifespan.{stage}.failed", "message": type(error).__name__})
        else:
            await send({"type": "lifespan.shutdown.complete"})


async def _work(codec: Codec, door: Door, work: Callable[..., T], *given: object) -> T:
    """Here and now, or beside the loop where the codec's bodies are large."""
    if not codec.aside:
        return work(*given)
    return await asyncio.get_running_loop().run_in_executor(door.pool, work, *given)


def _route(path: bytes) -> Route:
    """A name is compared as it was sent: an escaped one is unknown."""
    parts = path.split(b"/")
    operation = OPERATIONS.get(parts[2]) if len(parts) == 4 else None
    if operation is None:
        raise Refusal("not_found", "there is nothing at this path")
    return operation, parts[3].decode("latin-1")


def _content(
    operation: Operation, codec: Codec, body: bytes, scope: Scope, fields: Mapping[bytes, bytes]
) -> Content:
    """Raises Refusal for whatever is malformed that has no place in a `Call`."""
    if len(fields) != len(scope["headers"]):
        head.check_once(scope["headers"])
    if head.REQUEST_ID in fields and head.request_id(fields) is None:
        raise Refusal("malformed_request", "Jeton-Request-Id is a UUID")
    if scope["query_string"]:
        raise Refusal("malformed_request", "a call has no query: nothing sensitive in a URL")
    return codec.decode(operation, body)


def _call(
    route: Route,
    principal: Principal,
    source: str,
    content: Content,
    fields: Mapping[bytes, bytes],
    request_id: str,
) -> Call:
    return Call(
        operation=route[0],
        transformation=route[1],
        principal=principal.name,
        items=content.items,
        contexts=content.contexts,
        candidates=content.candidates,
        purpose=head.purpose(fields) if head.PURPOSE_HEADER in fields else None,
        end_user=head.end_user(fields) if head.END_USER in fields else None,
        request_id=request_id,
        source=source,
        credential=principal.credential,
    )


def _refused(door: Door, error: Exception) -> tuple[str, int, Headers, bytes]:
    """The problem's code, and the answer."""
    if not isinstance(error, Refusal):
        door.failed(error)
        error = Refusal("internal", "the service failed")
    return error.code, *problem.answer(error)


def _fingerprint(door: Door, scope: Scope, fields: Mapping[bytes, bytes], body: bytes) -> bytes:
    """Of all that makes two requests with one id the same request."""
    return door.fingerprint(
        scope["method"].encode(),
        scope["raw_path"],
        head.media_type(fields[head.CONTENT_TYPE]),
        fields.get(head.PURPOSE_HEADER, b""),
        fields.get(head.END_USER, b""),
        body,
    )


def _answered(
    operation: Operation, codec: Codec, content: Content, answer: Answer
) -> tuple[int, Headers, bytes]:
    """Raises HTTPRefusal with the item's code where a single call's item failed."""
    receipt = None if answer.receipt is None else (b"jeton-receipt", answer.receipt.encode())
    if content.single and answer.errors:
        failure = answer.errors[0]
        headers = [] if receipt is None else [receipt]
        raise HTTPRefusal(failure.code, failure.detail, headers=headers)
    body = codec.encode(operation, content, answer)
    kind, size = (b"content-type", codec.media_type), len(body)
    length = LENGTHS[size] if size < len(LENGTHS) else (b"content-length", b"%d" % size)
    if receipt is None:
        return 200, [kind, length], body
    return 200, [kind, length, NO_STORE, receipt], body


def _transformations(door: Door, principal: Principal, method: str) -> tuple[int, Headers, bytes]:
    if method not in {"GET", "HEAD"}:
        raise HTTPRefusal(
            "method_not_allowed", "this path takes GET", headers=[(b"allow", b"GET, HEAD")]
        )
    body = msgspec.json.encode({"transformations": door.transformations(principal)})
    return (
        200,
        [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), NO_STORE],
        body,
    )


def _ending() -> Refusal:
    return HTTPRefusal("overloaded", "the service is ending", headers=[(b"connection", b"close")])


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
