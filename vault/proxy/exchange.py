"""One request and its answer, from a listener to the upstream and back, as an ASGI callable."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final, Protocol

from vault.errors import Refusal
from vault.proxy.answering import Answer
from vault.proxy.asking import Asker, Back
from vault.proxy.bodies.pieces import Unparsable
from vault.proxy.client import Response
from vault.proxy.guard import Guard
from vault.proxy.head import Head, check_request, forwarded
from vault.proxy.message import Message
from vault.proxy.refusing import of_request
from vault.proxy.requesting import Incoming, Request
from vault.proxy.routes import Route
from vault.proxy.rules import Rules
from vault.proxy.tunnel import SWITCHING, asked_for, is_switching, tunnel
from vault.proxy.upstream import Upstream
from vault.telemetry import log
from vault.web import problem
from vault.web.dispatch import Scope, Send
from vault.web.exchange import CLOSE
from vault.web.headers import Header, new_request_id
from vault.web.intake import Disconnected, Receive
from vault.web.problem import HTTPRefusal

NEVER: Final = frozenset(("CONNECT", "TRACE"))
_VIA: Final = (b"via", b"1.1 jeton")


class Door(Back, Protocol):
    """The vault under the configuration in force."""

    @property
    def development(self) -> bool: ...

    def failed(self, error: Exception) -> None:
        """A fault of ours was answered with ``internal``: for the log."""
        ...

    def proxied(self, route: str, code: str, seconds: float) -> None:
        """A message went through, or did not: `code` is ``ok`` or a problem's."""
        ...

    def real_values(self, route: str, count: int) -> None:
        """The guard has found so many."""
        ...


@dataclass(slots=True)
class Edge:
    """What one configuration says, replaced whole by a reload."""

    door: Door
    routes: Mapping[str, Sequence[Route]]
    """By listener."""
    upstreams: Mapping[str, Upstream]
    whole: int
    expansion: int
    working: int = 0
    """Messages on their way under it."""
    _left: asyncio.Event | None = None

    def enter(self) -> None:
        self.working += 1

    def leave(self) -> None:
        self.working -= 1
        if self._left is not None and not self.working:
            self._left.set()

    async def left(self) -> None:
        """Until the last message is done, of those that have begun under it."""
        self._left = asyncio.Event()
        if self.working:
            await self._left.wait()


class Holder:
    """The edge in force: every request reads it once."""

    __slots__ = ("edge", "working")

    edge: Edge

    def __init__(self) -> None:
        self.working = 0


class Proxy:
    """What one listener answers."""

    def __init__(self, listener: str, holder: Holder, most: int) -> None:
        """`most`: how many messages may be on their way through this process."""
        self._listener = listener
        self._holder = holder
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        edge = self._holder.edge
        exchange = Exchange(edge, scope, receive, send)
        began = perf_counter()
        try:
            if self._holder.working >= self._most:
                raise Refusal("overloaded", "more is being passed on than can be in time", 1)
            self._holder.working += 1
            edge.enter()
            try:
                await exchange.run(self._listener)
            finally:
                self._holder.working -= 1
                edge.leave()
        except Disconnected:
            exchange.code = "disconnected"
        except Exception as error:  # noqa: BLE001 - whatever it is, its message stays here
            await exchange.refuse(error)
        exchange.count(perf_counter() - began)


class Exchange:
    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self._edge = edge
        self._scope = scope
        self._receive = receive
        self._send = send
        self.code = "ok"
        self._route: Route | None = None
        self._answer: Answer | None = None

    async def run(self, listener: str) -> None:
        """Raises Refusal, and Disconnected where nobody waits for an answer."""
        scope = self._scope
        method, headers = scope["method"], scope["headers"]
        head = Head(headers, scope["raw_path"], scope["query_string"])
        fields = head.fields
        if method in NEVER:
            raise HTTPRefusal("method_not_allowed", "this method is not passed on")
        route, captured = self._find(listener, method, fields)
        self._route = route
        check_request(head, route.end_user.header, route.twins)
        head.captured = captured
        switching = b"upgrade" in fields and asked_for(
            head, method, scope["http_version"], route.configured.upgrade
        )
        ask = self._asker(route, headers)
        incoming = Incoming(self._receive, head)
        request = Request(
            route,
            head,
            self._message(head, route.request, ask, route.configured.guard_requests),
            incoming,
            self._edge.whole,
            self._edge.expansion,
        )
        body = await request.body()
        source = scope["client"][0] if scope["client"] else ""
        host = fields.get(b"host", b"")
        sent = request.headers([*forwarded(source, scope["scheme"], host), _VIA])
        if switching:
            sent += SWITCHING
        if isinstance(body, bytes) and not any(name == b"content-length" for name, _ in sent):
            sent.append((b"content-length", b"%d" % len(body)))
        target = head.path + (b"?" + head.query if head.query else b"")
        upstream = self._edge.upstreams[route.configured.upstream]
        try:
            asking = partial(upstream.ask, method, target, sent, body, switching=switching)
            response = await self._unless_gone(asking)
            try:
                if switching and is_switching(response, head):
                    patience = upstream.configured.answer_timeout
                    await tunnel(scope["jeton.connection"].switch, response, patience)
                else:
                    await self._give(route, response, ask, incoming)
            finally:
                # Back to the pool if both went to their ends; otherwise it is closed.
                whole = response.content.at_eof() and not incoming.more
                response.release() if whole else response.close()
        except Refusal:
            if request.failure is not None:
                raise request.failure from None
            raise

    async def _unless_gone(self, asking: Callable[[], Awaitable[Response]]) -> Response:
        """What comes of it. Raises Disconnected where the caller hangs up before."""
        connection = self._scope["jeton.connection"]
        if connection.is_lost:
            raise Disconnected
        connection.waiting = task = asyncio.current_task()
        try:
            return await asking()
        except asyncio.CancelledError:
            if not connection.is_lost or task is None:
                raise
            task.uncancel()
            raise Disconnected from None
        finally:
            connection.waiting = None

    async def _give(self, route: Route, response: Any, ask: Asker, incoming: Incoming) -> None:
        # An answer that is all there is gone before anybody could know that its caller is.
        gone = None
        if not incoming.more and not response.content.is_eof():
            gone = asyncio.create_task(self._hung_up())
        try:
            edge = self._edge
            answer = Answer(route, response, self._send, gone, edge.whole, edge.expansion)
            self._answer = answer
            guard = route.configured.guard_responses
            await answer.give(self._message(answer.head, route.response, ask, guard))
        finally:
            if gone is not None:
                gone.cancel()
                with suppress(asyncio.CancelledError):
                    await gone

    async def _hung_up(self) -> None:
        """Until the caller is gone. A request without a body says first that it has none."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _find(
        self, listener: str, method: str, fields: Mapping[bytes, bytes]
    ) -> tuple[Route, dict[str, tuple[int, int]]]:
        host, path = fields.get(b"host", b""), self._scope["raw_path"]
        content_type = fields.get(b"content-type", b"").decode("latin-1")
        for route in self._edge.routes.get(listener, ()):
            captured = route.fits(method, host, path, content_type)
            if captured is not None:
                return route, captured
        raise Refusal("not_found", "no route of this listener is for such a request")

    def _asker(self, route: Route, headers: Sequence[Header]) -> Asker:
        certificate = self._scope["jeton.connection"].certificate
        return Asker(
            self._edge.door,
            route.client,
            route.configured.purpose,
            route.purposeful,
            route.proving,
            route.end_user.of(headers, certificate),
            self._scope["client"][0] if self._scope["client"] else "",
        )

    def _message(self, head: Head, rules: Rules, ask: Asker, mode: str) -> Message | None:
        """None where no rule is about it and nothing looks at it."""
        if not rules and mode == "off":
            return None
        guard = None if mode == "off" else Guard(mode, self._leaked)
        try:
            return Message(head, rules, ask, guard)
        except Unparsable as error:
            raise of_request(error) from None

    def _leaked(self, count: int) -> None:
        assert self._route is not None
        if not count:
            log.warning("unread-body", route=self._route.name)
            return
        log.warning("real-values", route=self._route.name, count=count)
        self._edge.door.real_values(self._route.name, count)

    def count(self, seconds: float) -> None:
        """What became of it, for the metrics."""
        route = "" if self._route is None else self._route.name
        self._edge.door.proxied(route, self.code, seconds)

    async def refuse(self, error: Exception) -> None:
        """Answer with a problem, or break off what has begun: an answer that is not whole must
        not look as if it were."""
        self.code = error.code if isinstance(error, Refusal) else "internal"
        if self._route is not None:
            log.warning("message-blocked", route=self._route.name, code=self.code)
        if not isinstance(error, Refusal):
            self._edge.door.failed(error)
            error = Refusal("internal", "the proxy failed")
        if self._answer is not None and self._answer.begun:
            return  # returning from an unfinished answer closes the connection
        status, headers, body = problem.answer(error)
        headers.append((b"jeton-request-id", new_request_id().encode()))
        if error.code == "malformed_request":  # what comes after it may be read in two ways, too
            headers.append(CLOSE)
        if self._edge.door.development:
            headers.append((b"jeton-development", b"true"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
