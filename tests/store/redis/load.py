"""A link under load while something goes wrong, and what of it was acknowledged."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.redis import eventually
from vault.errors import Refusal
from vault.store.redis.link import Link, Script

PUT = Script("return redis.call('APPEND', KEYS[1], ARGV[1])")
"""Each key is written once: whatever was carried out twice is seen."""


@dataclass
class Load:
    """Writes all the time under keys that begin with `prefix`, and what was acknowledged; `gap` is
    the longest time without, `asked` when the last of them was sent."""

    link: Link
    prefix: str
    acknowledged: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    gap: float = 0.0
    last: float = 0.0
    asked: float = 0.0
    refusals: set[str] = field(default_factory=set)

    async def run(self) -> None:
        self.last = time.monotonic()
        while True:
            self.sent += 1
            key, asked = f"{self.prefix}:{self.sent}", time.monotonic()
            try:
                await self.link.run(PUT, [key], [self.sent], writes=True)
            except Refusal as refusal:
                self.refusals.add(refusal.detail)
                await asyncio.sleep(0.005)
            else:
                self.acknowledged[key] = self.sent
                self.gap = max(self.gap, time.monotonic() - self.last)
                self.last, self.asked = time.monotonic(), asked

    async def lost(self) -> int:
        """How many of the acknowledged do not stand there exactly once."""
        keys = list(self.acknowledged)
        found = await self.link.ask([("GET", key) for key in keys])
        return sum(
            value != str(self.acknowledged[key]).encode()
            for key, value in zip(keys, found, strict=True)
        )


async def through(load: Load, fault: Callable[[], None], healed: Callable[[], bool]) -> None:
    """Half a second of load, the fault, and load until half a second after it is healed."""
    task = asyncio.create_task(load.run())
    try:
        await asyncio.sleep(0.5)
        await asyncio.to_thread(fault)
        async with asyncio.timeout(20):
            await eventually(healed, "healed")
            before = len(load.acknowledged)
            await eventually(lambda: len(load.acknowledged) >= before + 50, "writes go on")
    finally:
        task.cancel()
        await asyncio.wait([task])
