"""A bare proxy: aiohttp's client behind an ASGI callable. The most that those two allow, beside
which the edge proxy is read. The upstream is in ``UPSTREAM``."""

import os
from typing import Any

import aiohttp
from yarl import URL

UPSTREAM = os.environ.get("UPSTREAM", "http://127.0.0.1:8400")
_sessions: list[aiohttp.ClientSession] = []


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Pass a request on whole, and its answer back."""
    if scope["type"] != "http":
        return
    if not _sessions:
        _sessions.append(
            aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
        )
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    url = URL(UPSTREAM + scope["raw_path"].decode(), encoded=True)
    async with _sessions[0].request(
        scope["method"], url, headers=headers, data=b"".join(pieces), allow_redirects=False
    ) as answer:
        body = await answer.read()
        raw = [(name.lower(), value) for name, value in answer.raw_headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})
