"""Calls at a steady rate, however long the answers take: tokenise and detokenise in turn.

load = Load(port, rate=500, write="...", reveal="...")
async with load: ...
load.failures, load.receipts
"""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from time import monotonic
from types import TracebackType

import aiohttp

PURPOSE = "rollout"
CATCH_UP = 0.2
"""Seconds' worth of calls that are made up for at once where this process was held up: what is
offered is a rate, not bursts of it."""


@dataclass
class Load:
    url: str
    rate: float
    """Calls a second."""
    write: str = field(repr=False)
    """The credential that tokenises."""
    reveal: str = field(repr=False)
    """The one that detokenises; both may be changed meanwhile."""
    values: Sequence[str] = field(repr=False)
    tls: ssl.SSLContext | None = None
    answered: int = 0
    receipts: list[str] = field(default_factory=list, repr=False)
    """Of all reveals that were answered."""
    failures: Counter[str] = field(default_factory=Counter)
    """What went wrong, with the second of the run."""
    slowest: float = 0.0
    _tokens: list[str] = field(default_factory=list, repr=False)

    async def __aenter__(self) -> "Load":
        connector = aiohttp.TCPConnector(limit=0, ssl=True if self.tls is None else self.tls)
        timeout = aiohttp.ClientTimeout(total=30)
        self._client = aiohttp.ClientSession(self.url, connector=connector, timeout=timeout)
        body = {"values": list(self.values)}
        async with self._client.post(
            "/v1/tokenise/fr-nir", json=body, headers=_headers(self.write)
        ) as answer:
            assert answer.status == 200, await answer.text()
            self._tokens = (await answer.json())["tokens"]
        self._began = monotonic()
        self._ending = asyncio.Event()
        self._driver = asyncio.create_task(self._drive())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._ending.set()
        await self._driver
        await self._client.close()

    async def _drive(self) -> None:
        pairs = cycle(zip(self.values, self._tokens, strict=True))
        began, sent = monotonic(), 0
        async with asyncio.TaskGroup() as calls:
            while not self._ending.is_set():
                due = (monotonic() - began) * self.rate
                sent = max(sent, int(due - CATCH_UP * self.rate))
                while sent < due:
                    value, token = next(pairs)
                    calls.create_task(self._call(value, token, reveals=sent % 2 == 1))
                    sent += 1
                await asyncio.sleep(0.002)

    async def _call(self, value: str, token: str, *, reveals: bool) -> None:
        began = monotonic()
        operation = "detokenise" if reveals else "tokenise"
        body = {"token": token} if reveals else {"value": value}
        headers = _headers(self.reveal, PURPOSE) if reveals else _headers(self.write)
        try:
            async with self._client.post(
                f"/v1/{operation}/fr-nir", json=body, headers=headers
            ) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._fail(f"{operation}: {type(error).__name__}")
            return
        self.slowest = max(self.slowest, monotonic() - began)
        expected = {"value": value} if reveals else {"token": token}
        said = json.loads(content) if "json" in answer.content_type else {}
        if answer.status != 200 or said != expected:
            code = said.get("code", "not said by the service")
            self._fail(f"{operation}: {answer.status} {code}")
            return
        self.answered += 1
        if reveals:
            self.receipts.append(answer.headers["Jeton-Receipt"])

    def _fail(self, what: str) -> None:
        self.failures[f"{what} at {monotonic() - self._began:.0f} s"] += 1


def _headers(credential: str, purpose: str | None = None) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {credential}"}
    return headers if purpose is None else headers | {"Jeton-Purpose": purpose}
