"""Serves an application: runs, reloads, and ends without losing a request."""

import asyncio
import math
import os
import select
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import chain, islice
from types import FrameType
from typing import Final, cast
from weakref import WeakSet

import uvicorn

from vault.config import Identity
from vault.config import Server as Settings
from vault.errors import JetonError
from vault.telemetry import log
from vault.web.addresses import is_unix, listeners, tell, warn_of_plain_text
from vault.web.connection import LINGER, Connection
from vault.web.crowd import capacity, make_room
from vault.web.dispatch import Application
from vault.web.handshakes import LATEST, Handshake
from vault.web.server_config import BACKLOG, ServerConfig
from vault.web.tls import Certificate, Encryption, cause_of
from vault.web.turning_away import turn_away

LATE: Final = 1.0
"""Seconds since connections were last looked at (as a rule it is half a one) that tell of a process
that stood still."""

Factory = Callable[[], Application]
"""Makes the application of a worker process; it is pickled on its way there."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a reload gives to those who serve."""

    certificate: Certificate | None = None
    application: Factory | None = None
    """With several workers: what the new ones serve."""


Reload = Callable[[], Awaitable[Renewal]]
"""Puts the configuration as it now is into force, whole or not at all. Raises JetonError."""


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
        config.max_connections = capacity(config.limits.max_connections)
        self._reload = reload
        self._started = started
        self._reloading: asyncio.Task[bool] | None = None
        self._looked = math.inf
        self._spared = False
        self._accepted: WeakSet[Connection | Handshake] = WeakSet()
        certificate = config.certificate
        self._encryption = None if certificate is None else Encryption(certificate)
        self._handshakes: dict[Handshake, None] = {}

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Raises what the application did not start for."""
        sockets = sockets or []
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            await super().startup([])  # uvicorn would listen on all of them alike
        except SystemExit:
            failure = getattr(self.config.loaded_app, "failure", None)
            if failure is None:
                raise
            raise failure from None
        for sock in sockets:
            self.servers.append(await self._listen(sock))
        if self._started is not None:
            self._started()
        tell(sockets, encrypted=self._encryption is not None)

    async def _listen(self, sock: socket.socket) -> asyncio.Server:
        plain = self._encryption is None or is_unix(sock)
        accept = self._connection if plain else self._handshake
        return await asyncio.get_running_loop().create_server(accept, sock=sock, backlog=BACKLOG)

    def _connection(self) -> Connection:
        self._make_room(max(0, len(self._handshakes) - LATEST))
        connection = self._connected()
        self._accepted.add(connection)
        return connection

    def _handshake(self) -> Handshake:
        assert self._encryption is not None
        self._make_room(max(0, len(self._handshakes) - LATEST))
        context, timeout = self._encryption.context, self.config.limits.header_timeout
        handshake = Handshake(self._handshakes, context, timeout, self._shaken, self._rejected)
        self._accepted.add(handshake)
        return handshake

    def _shaken(self) -> Connection:
        self._make_room(0)
        return self._connected()

    def _rejected(self, error: ssl.SSLCertVerificationError) -> None:
        tell_of = getattr(self.config.loaded_app, "rejected", None)
        if tell_of is not None:
            tell_of(cause_of(error))

    def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        protocol = cast("type[Connection]", self.config.http_protocol_class)
        return protocol(self.config, self.server_state, self.lifespan.state, loop)

    def _make_room(self, handshakes: int) -> None:
        """For one more beside the connections and the `handshakes` oldest of those under way."""
        connections = cast("set[Connection]", self.server_state.connections)
        most = self.config.max_connections
        if len(connections) + handshakes >= most:
            make_room(chain(connections, islice(self._handshakes, handshakes)), most)

    async def on_tick(self, counter: int) -> bool:
        if counter % 5 == 0:
            self._expire()
        if self.config.parent is not None and os.getppid() != self.config.parent:
            return True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("stopping")
        self.config.ending = True
        await self._accept_the_last(sockets or [])
        expiring = asyncio.create_task(self._expire_often())
        try:
            await self._hands_shaken()
            await super().shutdown(sockets)
        finally:
            expiring.cancel()

    async def _accept_the_last(self, sockets: list[socket.socket]) -> None:
        """Who stands in an accept queue is connected, and would lose a request with it: stop
        listening when nobody does. A worker's parent turns away who comes after, and not where
        other workers go on."""
        if self.config.parent is None:
            turn_away(sockets)
        queues = select.poll()
        for sock in sockets:
            queues.register(sock, select.POLLIN)
        for _ in range(BACKLOG):
            await asyncio.sleep(0)
            if not queues.poll(0):
                break
        for server in self.servers:
            server.close()

    async def _hands_shaken(self) -> None:
        """Let those that have begun end: a request comes after them."""
        now = asyncio.get_running_loop().time
        deadline = now() + min(LINGER, self.config.limits.shutdown_timeout / 2)
        while any(one.is_in_handshake for one in self._accepted):  # those that fail tell nobody
            if now() > deadline:
                break
            await asyncio.sleep(0.01)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """uvicorn would raise the signal again at the end, and so exit with its number."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    def _expire(self) -> None:
        """End what is overdue. Where nobody could look for long, what came meanwhile has not been
        read either, so that once it is not held against those who sent it."""
        now = asyncio.get_running_loop().time()
        is_late, self._looked = now - self._looked > LATE, now
        self._spared = is_late and not self._spared
        if self._spared:
            return
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.expire(now)

    async def _expire_often(self) -> None:
        while True:
            self._expire()
            await asyncio.sleep(0.05)

    def renew(self, certificate: Certificate | None) -> None:
        """Serve with another certificate from now on, where there is one."""
        if self._encryption is not None and certificate is not None:
            self._encryption.renew(certificate)

    def _on_hangup(self) -> None:
        """A worker's parent sees to it; a terminal that goes away tells all of them."""
        if self._reload is not None:
            self._reloading = asyncio.create_task(self._reload_after(self._reloading))

    async def _reload_after(self, earlier: "asyncio.Task[bool] | None") -> bool:
        if earlier is not None:
            await asyncio.wait([earlier])
        assert self._reload is not None
        renewal = await renewed(self._reload)
        if renewal is None:
            return False
        self.renew(renewal.certificate)
        log.info("reloaded")
        return True


async def renewed(reload: Reload) -> Renewal | None:
    """What `reload` gives; None, and said, where the old configuration stays in force."""
    try:
        return await reload()
    except Exception as error:  # noqa: BLE001 - whatever it is, what serves goes on serving
        log.error("reload-failed", exception=error)
        if isinstance(error, JetonError):  # others' messages may quote what they read
            sys.stderr.write(f"jeton: not reloaded: {error}\n")
        return None


def certificate_of(settings: Settings, identity: Identity | None) -> Certificate | None:
    """What to serve with; where client certificates are known, whoever has one may show it.
    Raises SetUpError."""
    believed = None if identity is None else identity.certificates
    if believed is None:
        return Certificate.of(settings)
    return Certificate.of(settings, believed.ca, believed.crl, optional=True)


def serve(
    settings: Settings,
    application: Application | Factory,
    reload: Reload | None = None,
    started: Callable[[], object] | None = None,
    identity: Identity | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; `started` is called once the addresses are served.

    SIGHUP calls `reload`. With several workers `application` makes one in each, and `reload`
    only judges the new configuration: the workers are then replaced, all or none. Raises
    SetUpError when an address cannot be bound, a certificate cannot be served with or workers
    do not start, and whatever the application's lifespan raised when it does not start.
    """
    certificate = certificate_of(settings, identity)
    with listeners(settings) as (sockets, metrics_port):
        config = ServerConfig(application, Connection, settings, metrics_port, certificate)
        if certificate is None:
            warn_of_plain_text(sockets)
        if settings.workers > 1:
            from vault.web.workers import Workers  # noqa: PLC0415 - it imports this

            Workers(config, sockets, reload, started).run()
        else:
            Server(config, reload, started).run(sockets)
