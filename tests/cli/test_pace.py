"""How fast a long piece of work may go."""

from collections.abc import Iterator

import pytest

from vault.cli.pace import Pace


class Clock:
    """Time passes by being slept through, and by saying so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr("vault.cli.pace.time.monotonic", lambda: self.now)
        monkeypatch.setattr("vault.cli.pace.asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Iterator[Clock]:
    with pytest.MonkeyPatch.context() as patched:
        yield Clock(patched)


async def test_only_what_is_changed_takes_time(clock: Clock) -> None:
    pace, began = Pace("testing", 0, rate=100), clock.now
    await pace.went(1_000_000)
    assert clock.now == began
    for _ in range(10):
        clock.now += 0.02  # what the work itself took counts
        await pace.went(1_000, 10)
    assert clock.now == pytest.approx(began + 1.0)


async def test_time_that_nothing_was_changed_in_is_not_made_up_for(clock: Clock) -> None:
    """Else a rewrap that goes on would begin with a rush of what it may do in that time."""
    pace = Pace("testing", 0, rate=100)
    clock.now += 3_600
    await pace.went(1_000_000)
    began = clock.now
    await pace.went(1_000, 10)
    assert clock.now == pytest.approx(began + 0.1)


async def test_without_a_rate_it_goes_as_fast_as_it_can(clock: Clock) -> None:
    pace, began = Pace("testing", 0), clock.now
    await pace.went(1_000, 1_000)
    assert clock.now == began
