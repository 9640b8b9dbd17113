"""Serves an application: binds, runs, reloads, and ends without losing a request."""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from types import FrameType
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from vault.config import Server as Settings
from vault.errors import JetonError, SetUpError
from vault.telemetry import log
from vault.web.connection import Connection
from vault.web.dispatch import Application
from vault.web.server_config import ServerConfig

Reload = Callable[[], Awaitable[object]]
"""Puts the configuration as it now is into force, whole or not at all. Raises JetonError."""

BIND_ADVICE: Final = {
    errno.EADDRINUSE: "something listens there already: end it, or choose another port",
    errno.EACCES: "this user may not: choose a port above 1023",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


class Server(uvicorn.Server):
    """One process."""

    config: ServerConfig

    def __init__(
        self,
        config: ServerConfig,
        reload: Reload | None = None,
        started: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(config)
        self._reload = reload
        self._started = started
        self._reloading: asyncio.Task[bool] | None = None

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Raises what the application did not start for, in the process that was started by
        hand; a worker says it and ends."""
        try:
            super().run(sockets)
        except JetonError as error:
            if self.config.parent is None:
                raise
            sys.stderr.write(f"jeton: {error}\n")
            sys.exit(STARTUP_FAILURE)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            await super().startup(sockets)
        except SystemExit:
            failure = getattr(self.config.loaded_app, "failure", None)
            if failure is None:
                raise
            raise failure from None
        if self._started is not None:
            self._started()
        for sock in sockets or []:
            log.info("serving", host=sock.getsockname()[0], port=sock.getsockname()[1])

    async def on_tick(self, counter: int) -> bool:
        if counter % 5 == 0:
            self._expire()
        if self.config.parent is not None and os.getppid() != self.config.parent:
            return True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("stopping")
        self.config.ending = True
        for _ in range(3):  # who stands in the accept queue was connected: take them in
            await asyncio.sleep(0)
        expiring = asyncio.create_task(self._expire_often())
        try:
            await super().shutdown(sockets)
        finally:
            expiring.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """uvicorn would raise the signal again at the end, and so exit with its number."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    def _expire(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.expire(now)

    async def _expire_often(self) -> None:
        while True:
            self._expire()
            await asyncio.sleep(0.05)

    def _on_hangup(self) -> None:
        """A worker's parent sees to it; a terminal that goes away tells all of them."""
        if self._reload is not None:
            self._reloading = asyncio.create_task(self._reload_after(self._reloading))

    async def _reload_after(self, earlier: "asyncio.Task[bool] | None") -> bool:
        if earlier is not None:
            await asyncio.wait([earlier])
        assert self._reload is not None
        return await reloaded(self._reload)


async def reloaded(reload: Reload) -> bool:
    """Whether the new configuration is in force. Where not, the old one is."""
    try:
        await reload()
    except Exception as error:  # noqa: BLE001 - whatever it is, what serves goes on serving
        log.error("reload-failed", exception=error)
        if isinstance(error, JetonError):  # others' messages may quote what they read
            sys.stderr.write(f"jeton: not reloaded: {error}\n")
        return False
    log.info("reloaded")
    return True


def serve(
    settings: Settings,
    application: Application | str,
    reload: Reload | None = None,
    started: Callable[[], object] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; `started` is called once the addresses are served.

    SIGHUP calls `reload`. With several workers `application` is the ``module:function`` that
    makes one in each, and `reload` only judges the new configuration: the workers are then
    replaced, all or none. Raises SetUpError when an address cannot be bound, and whatever the
    application's lifespan raised when it does not start.
    """
    sockets, metrics_port = listeners(settings)
    config = ServerConfig(application, Connection, settings, metrics_port)
    _warn_of_plain_text(sockets)
    try:
        if settings.workers > 1:
            from vault.web.workers import Workers  # noqa: PLC0415 - it imports this

            Workers(config, sockets, reload, started).run()
        else:
            Server(config, reload, started).run(sockets)
    finally:
        for sock in sockets:
            sock.close()


def listeners(settings: Settings) -> tuple[list[socket.socket], int | None]:
    """The bound sockets, and the port of /metrics where it has one of its own."""
    sockets = bind(settings.host, settings.port)
    if settings.metrics_port is None:
        return sockets, None
    if settings.metrics_port == settings.port != 0:
        raise SetUpError("server.metrics_port must be another port than server.port")
    beside = bind(settings.metrics_host or settings.host, settings.metrics_port)
    return sockets + beside, beside[0].getsockname()[1]


def bind(host: str, port: int) -> list[socket.socket]:
    """A socket for every address that `host` has; port 0: any free one, the same for all."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise SetUpError(f"cannot listen on {host}: no address of that name is known") from None
    sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind((address[0], port, *address[2:]))
        except OSError as error:
            advice = BIND_ADVICE.get(error.errno or 0, os.strerror(error.errno or 0))
            raise SetUpError(f"cannot listen on {host}, port {port}: {advice}") from None
        port = sock.getsockname()[1]
        sockets.append(sock)
    return sockets


def _warn_of_plain_text(sockets: list[socket.socket]) -> None:
    """Values and credentials would cross a network readable by all."""
    for sock in sockets:
        host, port = sock.getsockname()[:2]
        if not ip_address(host.partition("%")[0]).is_loopback:
            log.warning("not-encrypted", host=host, port=port)
