"""The whole HTTP side of one process, as an ASGI callable: calls, pages and the lifespan."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from vault.config import Server
from vault.web import headers as head
from vault.web.calls import DEVELOPMENT, Calls, Reply, Request, ending
from vault.web.door import Holder
from vault.web.intake import Disconnected, Message, Receive
from vault.web.pages import METRICS, pages, public

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]
Lifespan = Callable[[], AbstractAsyncContextManager[object]]


class Application:
    """Answers everything under /v1 by itself (`calls`, which the service's own connections ask
    without ASGI) and hands on the rest.

    `metrics_only` is the part of it for an address of its own, where there is one. Whatever
    `lifespan` opens is there before the first request and goes after the last.
    """

    def __init__(
        self, holder: Holder, settings: Server, lifespan: Lifespan = nullcontext[None]
    ) -> None:
        self._holder = holder
        self.calls = Calls(holder, settings)
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
            await self._call(scope, receive, send)
        else:
            await self._page(self._pages, scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = scope["client"][0] if scope["client"] else ""
        path, query, headers = scope["raw_path"], scope["query_string"], scope["headers"]
        request = Request(scope["method"], path, query, headers, dict(headers), source)
        try:
            reply = await self.calls.converse(request, receive)
        except Disconnected:
            return
        except asyncio.CancelledError:  # the shutdown's patience is at an end
            await _send(send, ending())
            raise
        await _send(send, reply)

    def rejected(self, cause: str) -> None:
        """A certificate ended a handshake, so that no request came of it."""
        self._holder.door.rejected(cause)

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


async def _send(send: Send, reply: Reply) -> None:
    status, headers, body = reply
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
