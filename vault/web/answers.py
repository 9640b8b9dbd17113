"""The calls of one connection, being answered: here and now where nothing has to be waited for,
else by a task."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vault.web.calls import Calls, Reply, ending
from vault.web.exchange import CONTINUE, Exchange
from vault.web.intake import Disconnected, Message, Receive

AT_ONCE: Final = 16
"""Requests of one chunk that are answered as they are read; others have their turn between
those that come after them."""


class Answers:
    """Of a connection that is made. `done` is called after each answer."""

    def __init__(
        self, calls: Calls, connection: HttpToolsProtocol, done: Callable[[], None]
    ) -> None:
        self._calls = calls
        self._transport = connection.transport
        self._flow = connection.flow
        self._loop = connection.loop
        self._tasks = connection.tasks
        self._state = connection.server_state
        self._done = done
        self.at_once = 0
        """Requests of this chunk that were answered as they were read."""

    def begin(self, exchange: Exchange) -> None:
        """Answer a call whose turn it is; its body may still be coming."""
        if exchange.more_body or self._flow.write_paused or self.at_once >= AT_ONCE:
            self._attend(exchange, self._calls.converse(exchange, self._receiver(exchange)))
            return
        self.at_once += 1
        reply = self._calls.answer(exchange, exchange.take())
        if isinstance(reply, tuple):
            self._reply(exchange, reply)
        else:
            self._attend(exchange, reply)

    def _attend(self, exchange: Exchange, work: Coroutine[Any, Any, Reply]) -> None:
        task = self._loop.create_task(self._reply_of(exchange, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply_of(self, exchange: Exchange, work: Coroutine[Any, Any, Reply]) -> None:
        try:
            reply = await work
            if self._flow.write_paused:
                await self._flow.drain()
        except Disconnected:
            return
        except asyncio.CancelledError:  # the shutdown's patience is at an end
            self._reply(exchange, ending())
            raise
        self._reply(exchange, reply)

    def _receiver(self, exchange: Exchange) -> Receive:
        async def receive() -> Message:
            if exchange.asks_to_continue:
                exchange.asks_to_continue = False
                if not exchange.has_news():
                    self._transport.write(CONTINUE)
            self._flow.resume_reading()
            return await exchange.news()

        return receive

    def _reply(self, exchange: Exchange, reply: Reply) -> None:
        if exchange.disconnected or self._transport.is_closing():
            return
        self._transport.write(exchange.rendered(reply, self._state.default_headers))
        exchange.response_complete = True
        if not exchange.keep_alive:
            self._transport.close()
        self._done()
