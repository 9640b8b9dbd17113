"""Sends attacks over raw sockets, many at once, and judges what comes back.

tally = asyncio.run(Client(port).send(flood(seed, count, credential), at_once=64))
assert tally.broken == []
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, NamedTuple, cast

from tests.abuse.bodies import MARK
from tests.abuse.requests import OK, WAITS, Attack, Manner
from tests.support.processes import waited_for_processor
from vault.web.problem import STATUS

LONGEST: Final = 1.0
"""Seconds that an answer may take, where nobody is slow on purpose."""
PATIENCE: Final = 15.0
TICK: Final = 0.02
DRIBBLE: Final = 0.1
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_CODE = re.compile(rb'"code":"([a-z_]+)"')


class Answer(NamedTuple):
    status: int
    code: str
    is_last: bool
    is_sound: bool
    """It has the form that every answer has, and repeats nothing."""


def parsed(received: bytes) -> tuple[Answer, bytes] | None:
    """The first answer, and what comes after it; None while it is not whole."""
    head, mark, rest = received.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    if not mark or length is None or len(rest) < int(length[1]):
        return None
    body = rest[: int(length[1])]
    status, lines = int(head[9:12]), head.lower()
    found = _CODE.search(body)
    code = OK if status == 200 else found[1].decode() if found else "no problem"
    is_problem = b"content-type: application/problem+json" in lines and MARK.encode() not in body
    is_sound = b"\r\njeton-request-id: " in lines and (status == 200 or is_problem)
    if code != OK:
        documented = {431, 413} if code == "too_large" else {STATUS.get(code)}
        is_sound = is_sound and status in documented
    return Answer(status, code, b"\r\nconnection: close" in lines, is_sound), rest[int(length[1]) :]


class _Lane(asyncio.Protocol):
    """A connection, if there is one, and what has come over it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.received = bytearray()
        self._news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._news.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self._news.set()

    async def answer(self) -> Answer | None:
        """The next; None where the connection ended before it was whole."""
        while True:
            self._news.clear()
            found = parsed(bytes(self.received)) if self.received else None
            if found is not None:
                self.received = bytearray(found[1])
                return found[0]
            if self.transport is None:
                return None
            await self._news.wait()


@dataclass
class Tally:
    """What came of a flood."""

    sent: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    """Of every kind, by status and code."""
    slowest: dict[str, float] = field(default_factory=dict)
    longest: float = LONGEST
    broken: list[str] = field(default_factory=list)
    """Promises, in words; only the first hundred."""

    def note(self, attack: Attack, answer: Answer | None, seconds: float) -> None:
        kind = attack.kind
        self.sent[kind] += 1
        self.slowest[kind] = max(seconds, self.slowest.get(kind, 0.0))
        if answer is None:
            self.answers[kind, 0, "closed"] += 1
            if attack.manner is not Manner.VANISH:
                self._break(f"{kind}: closed without an answer")
        else:
            self.answers[kind, answer.status, answer.code] += 1
            if answer.code not in attack.codes or not answer.is_sound:
                self._break(f"{kind}: answered {answer.status} {answer.code}")
        if seconds > self.longest and kind not in WAITS:
            self._break(f"{kind}: took {seconds:.2f} seconds")

    def hung(self, attack: Attack) -> None:
        self.sent[attack.kind] += 1
        self._break(f"{attack.kind}: neither answered nor closed in {PATIENCE:g} seconds")

    def _break(self, promise: str) -> None:
        if len(self.broken) < 100:
            self.broken.append(promise)


class Client:
    """`progress` is called with the tally after every `each` requests.

    The second that an answer may take is the service's: what the machine did not give to this
    process, or to that of the service (`pid`), does not count.
    """

    def __init__(
        self,
        port: int,
        pid: int,
        progress: Callable[[Tally], None] | None = None,
        each: int = 10_000,
        longest: float = LONGEST,
    ) -> None:
        self.port = port
        self._pid = pid
        self._progress = progress
        self._each = each
        self._longest = longest
        self._stalled = 0.0

    async def send(self, attacks: Iterator[Attack], at_once: int) -> Tally:
        tally = Tally(longest=self._longest)
        async with self._clock(), asyncio.TaskGroup() as lanes:
            for _ in range(at_once):
                lanes.create_task(self._walk(attacks, tally))
        return tally

    async def _walk(self, attacks: Iterator[Attack], tally: Tally) -> None:
        lane = _Lane()
        for attack in attacks:
            try:
                async with asyncio.timeout(PATIENCE):
                    lane = await self._attack(lane, attack, tally)
            except TimeoutError:
                tally.hung(attack)
                lane = self._left(lane)
            if self._progress is not None and tally.sent.total() % self._each == 0:
                self._progress(tally)
        self._left(lane)

    async def _attack(self, lane: _Lane, attack: Attack, tally: Tally) -> _Lane:
        """The lane for the next one."""
        if lane.transport is None or lane.transport.is_closing():
            lane = _Lane()
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: lane, "127.0.0.1", self.port)
        transport = lane.transport
        assert transport is not None
        began, stalled = monotonic(), self._stalled
        transport.write(attack.sent)
        answer = None
        if attack.manner is Manner.DRIBBLE:
            answer = await _dribble(lane)
        elif attack.manner is not Manner.VANISH:
            answer = await lane.answer()
        seconds = monotonic() - began - (self._stalled - stalled)
        tally.note(attack, answer, seconds)
        is_good = answer is not None and not answer.is_last and attack.manner is Manner.KEEP
        return lane if is_good else self._left(lane)

    @staticmethod
    def _left(lane: _Lane) -> _Lane:
        if lane.transport is not None:
            lane.transport.close()
        return _Lane()

    @asynccontextmanager
    async def _clock(self) -> AsyncIterator[None]:
        async def tick() -> None:
            now, waited = monotonic(), waited_for_processor(self._pid)
            while True:
                before, waited_before = now, waited
                await asyncio.sleep(TICK)
                now, waited = monotonic(), waited_for_processor(self._pid)
                self._stalled += max(now - before - TICK, waited - waited_before)

        ticking = asyncio.create_task(tick())
        try:
            yield
        finally:
            ticking.cancel()


async def _dribble(lane: _Lane) -> Answer | None:
    """A byte now and then, until it is answered."""
    answer = asyncio.create_task(lane.answer())
    while not (await asyncio.wait([answer], timeout=DRIBBLE))[0]:
        if lane.transport is not None:
            lane.transport.write(b"x")
    return await answer
