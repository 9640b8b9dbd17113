"""What stands behind the proxy: its endpoints, which of them are well, and the way to them."""

import asyncio
import errno
import http
import importlib
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, Final

import aiohttp
from aiohttp.http_parser import HttpResponseParserPy
from yarl import URL

from vault.config import Upstream as Configured
from vault.errors import Refusal, SetUpError
from vault.proxy.client import Address, Body, Pool, Response, Unsent
from vault.telemetry import log
from vault.web.headers import Header

AWAY_SECONDS: Final = 2.0
"""An endpoint that could not be connected to is left alone for this long, if there are others."""
_LAST_STATUS: Final = 599


class Endpoint:
    def __init__(self, address: Address) -> None:
        self.address = address
        self.well = True
        self.away_until = 0.0

    def usable(self, now: float) -> bool:
        return self.well and self.away_until <= now


class Upstream:
    """One system, at one or more addresses."""

    def __init__(self, name: str, configured: Configured) -> None:
        """Raises SetUpError for certificates that cannot be used."""
        self.name = name
        self.configured = configured
        self._endpoints: list[Endpoint] = []
        self._turn = count()
        self._context = _context(name, configured)
        self._pool: Pool | None = None
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        read_strictly()
        configured = self.configured
        timeout = aiohttp.ClientTimeout(
            connect=configured.connect_timeout,
            sock_connect=configured.connect_timeout,
            sock_read=configured.answer_timeout,
        )
        self._pool = Pool(
            limit=configured.max_connections,
            ssl=self._context or True,
            ttl_dns_cache=10,
            socket_factory=partial(_socket, configured.answer_timeout),
        )
        self._endpoints = [Endpoint(Address(url, self._pool, timeout)) for url in configured.urls]
        if configured.health is not None:
            self._watching = asyncio.create_task(
                self._watch(URL(configured.health).raw_path_qs.encode("ascii"))
            )

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        if self._pool is not None:
            await self._pool.close()

    async def ask(
        self,
        method: str,
        target: bytes,
        headers: Sequence[Header],
        body: Body,
        *,
        switching: bool = False,
    ) -> Response:
        """The head of the answer, whose body is still to be read: release or close it.

        What was not sent is sent to another endpoint. Raises Refusal: ``upstream_unavailable``,
        ``upstream_timeout``, ``upstream_invalid``.
        """
        for endpoint in self._in_turn():
            try:
                answer = await endpoint.address.ask(method, target, headers, body)
            except Unsent:
                endpoint.away_until = time.monotonic() + AWAY_SECONDS
                log.warning("upstream-away", upstream=self.name)
            except TimeoutError:
                raise Refusal("upstream_timeout", "the upstream did not answer in time") from None
            except aiohttp.ServerDisconnectedError:
                raise Refusal(
                    "upstream_unavailable", "the upstream hung up without an answer", 1
                ) from None
            except (aiohttp.ClientError, ValueError) as error:
                if getattr(error, "errno", None) == errno.ETIMEDOUT:
                    words = "the upstream did not take the request in time"
                    raise Refusal("upstream_timeout", words) from None
                raise Refusal("upstream_invalid", "the upstream's answer is no HTTP/1.1") from None
            else:
                _check(answer, switching=switching)
                answer.release_at_end()
                return answer
        raise Refusal("upstream_unavailable", "the upstream cannot be reached", 1)

    def _in_turn(self) -> Sequence[Endpoint]:
        """The endpoints that are well from the next one on; all of them where none is."""
        if len(self._endpoints) == 1:
            return self._endpoints
        now, first = time.monotonic(), next(self._turn) % len(self._endpoints)
        turned = self._endpoints[first:] + self._endpoints[:first]
        return [one for one in turned if one.usable(now)] or turned

    async def _watch(self, path: bytes) -> None:
        while True:
            await asyncio.gather(*(self._look(one, path) for one in self._endpoints))
            await asyncio.sleep(self.configured.health_seconds)

    async def _look(self, endpoint: Endpoint, path: bytes) -> None:
        well = False
        with suppress(Unsent, aiohttp.ClientError, TimeoutError, ValueError):
            async with asyncio.timeout(self.configured.health_seconds):
                answer = await endpoint.address.ask("GET", path, [], None)
            well = http.HTTPStatus.OK <= answer.status < http.HTTPStatus.MULTIPLE_CHOICES
            answer.release()
        if well is not endpoint.well:
            log.info("upstream-health", upstream=self.name, well=well)
        endpoint.well = well


def _socket(patience: float, address: tuple[Any, ...]) -> socket.socket:
    """One whose peer may leave what was sent untaken for `patience` seconds."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(patience * 1_000))
    return made


def read_strictly() -> None:
    """Make aiohttp refuse answers with bare line feeds, folded headers, or spaces about names and
    sizes. It does so in Python's development mode only, and has no other switch for it."""
    for parser in ("aiohttp._http_parser", "aiohttp.http_parser"):  # in C, where it is built
        with suppress(ImportError):
            vars(importlib.import_module(parser))["DEBUG"] = True
    HttpResponseParserPy.lax = False


def _check(answer: Response, *, switching: bool) -> None:
    """Whether everybody would end its body where aiohttp does. Raises Refusal
    ``upstream_invalid``."""
    codings = [value for name, value in answer.raw_headers if name.lower() == b"transfer-encoding"]
    version = answer.version
    switches = switching and answer.status == http.HTTPStatus.SWITCHING_PROTOCOLS
    fits = (
        (switches or http.HTTPStatus.OK <= answer.status <= _LAST_STATUS)
        and version.major == 1
        and (not codings or [one.strip().lower() for one in codings] == [b"chunked"])
        and not (codings and version.minor == 0)
    )
    if not fits:
        answer.close()
        raise Refusal("upstream_invalid", "the upstream's answer is no HTTP/1.1")


def _context(name: str, configured: Configured) -> ssl.SSLContext | None:
    if not any(url.startswith("https:") for url in configured.urls):
        return None
    try:
        context = ssl.create_default_context(cafile=configured.tls_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if configured.tls_certificate is not None:
            context.load_cert_chain(configured.tls_certificate, configured.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise SetUpError(
            f"proxy.upstreams.{name}: its certificates cannot be used: {error.strerror}"
        ) from None
    return context
