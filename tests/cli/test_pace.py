"""How fast a long piece of work may go."""

import time

from vault.cli.pace import Pace


async def test_only_what_is_changed_takes_time() -> None:
    async with Pace("testing", 0, rate=100) as pace:
        began = time.monotonic()
        await pace.went(1_000_000)
        assert time.monotonic() - began < 0.05
        await pace.went(1_000, 10)
        assert 0.09 < time.monotonic() - began < 0.5


async def test_time_that_nothing_was_changed_in_is_not_made_up_for() -> None:
    """Else a rewrap that goes on would begin with a rush of what it may do in that time."""
    async with Pace("testing", 0, rate=100) as pace:
        pace._free -= 3_600
        await pace.went(1_000_000)
        began = time.monotonic()
        await pace.went(1_000, 10)
        assert time.monotonic() - began > 0.09
