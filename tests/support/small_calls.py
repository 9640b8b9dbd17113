"""Calls of the small door through the application, as a test sends them."""

from collections.abc import Iterable
from typing import Any

from tests.support.asgi import Reply, ask
from tests.support.door import CREDENTIAL
from vault.config import Server
from vault.web import Application

TOKENISE, REVEAL = "/v1/tokenise/digits", "/v1/detokenise/digits"
WHO = ("Authorization", f"Bearer {CREDENTIAL}")
JSON = ("Content-Type", "application/json")
ID = "0e37df36-f698-41e6-8df4-3e2a39fbd30d"
SECRET = b"284127645108946"
LIMITS = Server(max_items=5, max_body=200, arrow_max_body=200, body_timeout=0.05, max_in_flight=2)


async def post(
    app: Application,
    path: str | bytes = TOKENISE,
    body: Any = b'{"value":"123456"}',
    headers: Iterable[tuple[str | bytes, str | bytes]] = (WHO, JSON),
    **more: Any,
) -> Reply:
    reply = await ask(app, more.pop("method", "POST"), path, headers, body, **more)
    assert reply is not None
    return reply
