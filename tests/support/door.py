"""A small service with the manners of the real one: digits travel upside down."""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from vault.errors import InvalidValue, ItemError, NotAToken, Refusal
from vault.service import ItemFailure
from vault.web.door import Answer, Call, Caller, Principal, Readiness

CREDENTIAL = "jeton_test_credential"
TURNED = str.maketrans("0123456789", "9876543210")


@dataclass
class SmallDoor:
    """A `vault.web.door.Door`. Tokens begin with ``9``, values do not."""

    development: bool = False
    refusal: Refusal | None = None
    fault: Exception | None = None
    unready: Refusal | None = None
    pool: Executor | None = None
    gate: asyncio.Event | None = None
    """Where set, calls wait here before they are answered."""
    most: int = 0
    """Calls that were waited for at once."""
    calls: list[Call] = field(default_factory=list)
    observed: list[tuple[str, str, str, int, int]] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    rejections: list[str] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def authenticate(
        self, authorization: str | None, source: str, caller: Caller | None = None
    ) -> Principal:
        self.sources.append(source)
        if authorization != f"Bearer {CREDENTIAL}":
            raise Refusal("unauthenticated", "send a credential that is valid here and now")
        return Principal("test", "0123abcd")

    def rejected(self, cause: str) -> None:
        self.rejections.append(cause)

    def knows(self, transformation: str) -> bool:
        return transformation == "digits"

    async def called(self, times: int) -> None:
        """Until so many calls are being worked on, or were."""
        while len(self.calls) < times:
            self._news.clear()
            await self._news.wait()

    def at_once(self, call: Call) -> Answer | None:
        """Tokenise is, unless there is a gate."""
        if call.operation != "tokenise" or self.gate is not None:
            return None
        return self._answer(call)

    async def perform(self, call: Call) -> Answer:
        if self.gate is None:
            return self._answer(call)
        self.calls.append(call)
        self._news.set()
        await self.gate.wait()
        return self._answered(call)

    def _answer(self, call: Call) -> Answer:
        self.calls.append(call)
        self._news.set()
        return self._answered(call)

    def _answered(self, call: Call) -> Answer:
        if self.fault is not None:
            raise self.fault
        if self.refusal is not None:
            raise self.refusal
        answer = Answer([], receipt=None if call.operation == "tokenise" else "w0.7.abc123")
        results: list[str | bool | None] = []
        for index, item in enumerate(call.items):
            try:
                results.append(_result(call, index, item))
            except ItemError as error:
                results.append(None)
                answer.errors.append(ItemFailure(index, error.code, error.detail))
        answer.results = results
        return answer

    def fingerprint(self, *parts: bytes) -> bytes:
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(b"a test's key", framed, hashlib.sha256)

    def transformations(self, principal: Principal) -> Sequence[Mapping[str, object]]:
        return [
            {
                "name": "digits",
                "format": "digits",
                "method": "fpe",
                "context": "optional",
                "operations": ["tokenise"],
                "purposes": [],
                "token_recognisable": True,
            }
        ]

    async def readiness(self) -> Readiness:
        if self.unready is not None and not isinstance(self.unready, Refusal):
            raise self.unready
        reveals = dict.fromkeys(("detokenise", "mask", "match"), self.unready is None)
        return Readiness({"tokenise": True, **reveals}, self.unready)

    def observe(
        self,
        operation: str,
        transformation: str,
        code: str,
        items: int,
        seconds: float,
        failed: int = 0,
    ) -> None:
        assert 0 <= seconds < 60
        self.observed.append((operation, transformation, code, items, failed))

    def working(self, count: int) -> None:
        self.most = max(self.most, count)

    def failed(self, error: Exception) -> None:
        self.faults.append(error)

    def render_metrics(self) -> tuple[bytes, str]:
        return b"jeton_up 1\n", "text/plain; version=1.0.0; charset=utf-8"


def _result(call: Call, index: int, item: str) -> str | bool:
    digits = item.isascii() and item.isdigit()
    if call.operation == "tokenise":
        if not digits or item.startswith("9"):
            raise InvalidValue("values have digits, and no 9 first")
        return "9" + item.translate(TURNED)
    if not digits or not item.startswith("9"):
        raise NotAToken("tokens have digits, and a 9 first")
    value = item[1:].translate(TURNED)
    if call.operation == "match":
        assert call.candidates is not None
        return value == call.candidates[index]
    return value[:1] + "*" * (len(value) - 1) if call.operation == "mask" else value
