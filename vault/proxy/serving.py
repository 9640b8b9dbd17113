"""All listeners of the proxy in one process, and its own pages beside them."""

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from functools import partial
from typing import Any

import uvloop
from msgspec.structs import replace

from vault.config import Server as Limits
from vault.config import Settings
from vault.errors import JetonError
from vault.proxy.connection import ProxyConnection
from vault.proxy.exchange import Holder, Proxy
from vault.telemetry import log
from vault.web import Certificate, listeners
from vault.web.server_config import ServerConfig
from vault.web.serving import Server

Reload = Callable[[], Awaitable[None]]


class Listeners:
    """Bound, and not yet served."""

    def __init__(self, settings: Settings, pages: Any, holder: Holder) -> None:
        """`pages` is the ASGI callable at the proxy's own address. Raises SetUpError where an
        address cannot be bound or a certificate cannot be served with."""
        self._servers: list[tuple[Server, list[socket.socket]]] = []
        self._certified: list[tuple[Server, Callable[[], Certificate | None]]] = []
        """Listeners, and what reads the certificate of each."""
        self._reloading: asyncio.Task[None] | None = None
        proxy, server = settings.proxy, settings.server
        with ExitStack() as stack:
            self._bind(stack, pages, _limits(server, host=proxy.host, port=proxy.port), None)
            for name, one in proxy.listeners.items():
                limits = _limits(
                    server,
                    host=one.host,
                    port=one.port,
                    socket=one.socket,
                    tls_certificate=one.tls_certificate,
                    tls_key=one.tls_key,
                )
                read = partial(Certificate.of, limits, one.client_ca)
                proxied = Proxy(name, holder, server.max_in_flight)
                self._certified.append((self._bind(stack, proxied, limits, read()), read))
            self._bound = stack.pop_all()

    def _bind(
        self, stack: ExitStack, app: Any, limits: Limits, certificate: Certificate | None
    ) -> Server:
        sockets, _ = stack.enter_context(listeners(limits))
        config = ServerConfig(app, ProxyConnection, limits, None, certificate, alone=False)
        self._servers.append((server := Server(config), sockets))
        return server

    def run(
        self,
        around: AbstractAsyncContextManager[object],
        reload: Reload,
        started: Callable[[], object] | None = None,
    ) -> None:
        """Serve within `around` until SIGTERM or SIGINT; SIGHUP calls `reload`, `started` is
        called once all addresses are served. Raises what `around` does."""
        with self._bound:
            uvloop.run(self._serve(around, reload, started))

    async def _serve(
        self,
        around: AbstractAsyncContextManager[object],
        reload: Reload,
        started: Callable[[], object] | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        async with around:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._end)
            running = [
                # uvicorn's `serve` without its signals: one process has several of them.
                asyncio.create_task(server._serve(sockets))  # noqa: SLF001
                for server, sockets in self._servers
            ]
            while not all(server.started for server, _ in self._servers):
                if any(task.done() for task in running):
                    break
                await asyncio.sleep(0.005)
            loop.add_signal_handler(signal.SIGHUP, self._on_hangup, reload)
            if started is not None:
                started()
            await asyncio.gather(*running)

    def _end(self) -> None:
        for server, _ in self._servers:
            server.should_exit = True

    def _on_hangup(self, reload: Reload) -> None:
        renewing = partial(self._renew, reload)
        self._reloading = asyncio.create_task(_reload_after(self._reloading, renewing))

    async def _renew(self, reload: Reload) -> None:
        """`reload`, and the certificates as they now are. Raises SetUpError, and all stays."""
        certificates = [read() for _, read in self._certified]
        await reload()
        for (server, _), certificate in zip(self._certified, certificates, strict=True):
            server.renew(certificate)


async def _reload_after(earlier: "asyncio.Task[None] | None", reload: Reload) -> None:
    if earlier is not None:
        await asyncio.wait([earlier])
    try:
        await reload()
    except Exception as error:  # noqa: BLE001 - whatever it is, what serves goes on serving
        log.error("reload-failed", exception=error)
        if isinstance(error, JetonError):  # others' messages may quote what they read
            sys.stderr.write(f"jeton: not reloaded: {error}\n")
        return
    log.info("reloaded")


def _limits(server: Limits, **changed: Any) -> Limits:
    """The service's limits at another address."""
    plain = {"socket": None, "tls_certificate": None, "tls_key": None, "workers": 1}
    beside = {"metrics_host": None, "metrics_port": None}
    return replace(server, **{**plain, **beside, **changed})
