"""Requests over asyncio: aiohttp, one session an address.

No proxy is used, whatever the environment says, no redirect is followed, no cookie is kept.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import lru_cache
from math import inf
from typing import Any

import aiohttp
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from yarl import URL

from jeton.attempts import Send
from jeton.endpoints import Endpoint
from jeton.errors import NoAnswer, Unreachable
from jeton.protocol import Answer, Call

CONNECTIONS = 100
"""Open at an address at most; more calls than that wait for one, within their deadline."""
CONNECT_SECONDS = 3.0
LARGEST_ANSWER = 256 * 1024 * 1024


class AsyncTransport:
    """Connections to all addresses, for one event loop at a time."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._sessions: dict[Endpoint, ClientSession] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def exchange(
        self, call: Call[Any], send: Send, headers: Mapping[str, str]
    ) -> Answer | Unreachable | NoAnswer:
        """The answer, or what came instead; nothing else is raised by the network."""
        session = self._session(send.endpoint)
        url = _url(send.endpoint, call.path)
        timeout = ClientTimeout(
            total=send.seconds,
            sock_connect=CONNECT_SECONDS,
            ceil_threshold=inf,  # it would round a deadline up to the next whole second
        )
        try:
            async with session.request(
                call.method,
                url,
                data=call.body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                parts, size = [], 0
                while part := await response.content.readany():
                    parts.append(part)
                    size += len(part)
                    if size > LARGEST_ANSWER:
                        raise ClientError
                seen = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, seen, b"".join(parts))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Unreachable(_why(send.endpoint, error), request_id=call.request_id)
        except (ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
            return NoAnswer(_why(send.endpoint, error), request_id=call.request_id)

    async def close(self) -> None:
        """Close all connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            if self._loop is asyncio.get_running_loop():
                await session.close()
            else:
                _leave_behind(session)

    def _session(self, endpoint: Endpoint) -> ClientSession:
        """That of this loop: another's selector must not be touched from here."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            for session in self._sessions.values():
                _leave_behind(session)
            self._loop, self._sessions = loop, {}
        if endpoint not in self._sessions:
            self._sessions[endpoint] = self._new_session(endpoint)
        return self._sessions[endpoint]

    def _new_session(self, endpoint: Endpoint) -> ClientSession:
        connector: aiohttp.BaseConnector
        if endpoint.socket:
            connector = aiohttp.UnixConnector(endpoint.socket, limit=CONNECTIONS)
        elif self._tls is not None and endpoint.scheme == "https":
            connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=self._tls)
        else:
            connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        return ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "jeton-sdk"},
            auto_decompress=False,
            trust_env=False,
            raise_for_status=False,
        )


def _leave_behind(session: ClientSession) -> None:
    """Its loop has ended, or is the parent's: no word, and no call to it, when it is collected."""
    connector = session.connector
    session.detach()
    if connector is not None:
        connector._closed = True  # noqa: SLF001 # closing it would call the loop


@lru_cache(maxsize=256)
def _url(endpoint: Endpoint, path: str) -> URL:
    return URL(f"{endpoint.base}{endpoint.prefix}{path}", encoded=True)


def _why(endpoint: Endpoint, error: Exception) -> str:
    """The kind alone: the words of an error may quote what was sent or what came."""
    return f"{endpoint}: {type(error).__name__}"
