"""A lane takes what came meanwhile as one group, and answers everybody."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from vault.store.lane import MOST_ITEMS, Lane, Work


class Disk:
    """Doubles numbers, when `open` lets it; keeps what it was given."""

    def __init__(self) -> None:
        self.groups: list[list[Work]] = []
        self.open = threading.Event()
        self.begun = threading.Event()

    def do(self, group: Sequence[Work]) -> list[list[int]]:
        self.groups.append(list(group))
        self.begun.set()
        assert self.open.wait(10)
        if any(work.what == ("fail",) for work in group):
            raise OSError("full")
        return [[2 * item for item in work.items] for work in group]


async def ask_behind_one(disk: Disk, lane: Lane, *asked: tuple[str, list[int]]) -> list[object]:
    """What these are answered, asked while the disk is busy with another one."""
    first = asyncio.create_task(lane.ask(("first",), [1]))
    await asyncio.to_thread(disk.begun.wait, 10)
    tasks = [asyncio.create_task(lane.ask((what,), items)) for what, items in asked]
    await asyncio.sleep(0)
    disk.open.set()
    assert await first == [2]
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_came_meanwhile_is_one_group_and_neighbours_one_work() -> None:
    disk = Disk()
    lane = Lane("test", disk.do)
    answers = await ask_behind_one(
        disk, lane, ("a", [1, 2]), ("a", [3]), ("b", [4]), ("b", []), ("a", [5])
    )
    assert answers == [[2, 4], [6], [8], [], [10]]
    assert disk.groups[1:] == [[Work(("a",), [1, 2, 3]), Work(("b",), [4]), Work(("a",), [5])]]
    await lane.close()


async def test_a_group_fails_whole_and_the_next_is_done() -> None:
    disk = Disk()
    lane = Lane("test", disk.do)
    answers = await ask_behind_one(disk, lane, ("a", [1]), ("fail", [2]), ("a", [3]))
    assert [type(answer) for answer in answers] == [OSError] * 3
    assert await lane.ask(("a",), [4]) == [8]
    await lane.close()


async def test_a_group_is_bounded() -> None:
    disk = Disk()
    lane = Lane("test", disk.do)
    half = list(range(MOST_ITEMS // 2))
    await ask_behind_one(disk, lane, ("a", half), ("a", half), ("a", half))
    assert [sum(len(work.items) for work in group) for group in disk.groups] == [
        1, MOST_ITEMS, MOST_ITEMS // 2,
    ]  # fmt: skip
    await lane.close()


async def test_a_caller_who_left_harms_nobody() -> None:
    disk = Disk()
    lane = Lane("test", disk.do)
    left = asyncio.create_task(lane.ask(("a",), [1]))
    await asyncio.to_thread(disk.begun.wait, 10)
    stays = asyncio.create_task(lane.ask(("a",), [2]))
    await asyncio.sleep(0)
    left.cancel()
    disk.open.set()
    assert await stays == [4]
    assert left.cancelled()
    await lane.close()


async def test_what_was_asked_is_done_before_the_end() -> None:
    disk = Disk()
    lane = Lane("test", disk.do)
    asked = asyncio.create_task(lane.ask(("a",), [1]))
    await asyncio.to_thread(disk.begun.wait, 10)
    last = asyncio.create_task(lane.ask(("b",), [2]))
    await asyncio.sleep(0)
    closing = asyncio.create_task(lane.close())
    await asyncio.sleep(0)
    disk.open.set()
    assert (await asked, await last) == ([2], [4])
    await closing
    with pytest.raises(RuntimeError, match="closed"):
        await lane.ask(("a",), [1])
