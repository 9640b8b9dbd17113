"""Bodies: not too large, not too slow, not too many at once."""

import asyncio
from typing import Any

import pytest

from tests.support.asgi import GONE, ask
from tests.support.door import SmallDoor
from tests.support.small_calls import JSON, TOKENISE, WHO, post
from vault.web import Application

# Sizes, times, places -----------------------------------------------------------------------


async def test_a_declared_size_is_judged_before_the_body_is_read(app: Application) -> None:
    never = asyncio.Event()
    reply = await post(app, body=[never], headers=[WHO, JSON, ("Content-Length", "201")])
    assert (reply.status, reply.code) == (413, "too_large")


async def test_a_streamed_body_is_counted(app: Application) -> None:
    fits = [b'{"value":"', *[b"1"] * 188, b'"}']
    assert (await post(app, body=fits)).status == 200
    never = asyncio.Event()
    reply = await post(app, body=[b" " * 150, b" " * 51, never])
    assert (reply.status, reply.code) == (413, "too_large")
    for whole in ([b" " * 201], [b" " * 150, b" " * 51]):
        assert (await post(app, body=whole)).status == 413


async def test_too_many_items(app: Application) -> None:
    assert (await post(app, body=b'{"values":["1","2","3","4","5"]}')).status == 200
    six = b'{"values":["1","2","3","4","5","6"],"contexts":["c"]}'  # too many comes first
    reply = await post(app, body=six)
    assert (reply.status, reply.code) == (413, "too_large")


@pytest.mark.parametrize("first", [[], [b'{"value"']])
async def test_a_slow_body_is_408(app: Application, first: list[bytes]) -> None:
    reply = await post(app, body=[*first, asyncio.Event(), b"x"])
    assert (reply.status, reply.code) == (408, "timeout")
    assert reply["connection"] == "close"
    assert (await post(app)).status == 200


async def test_a_body_is_timed_from_its_own_beginning(app: Application) -> None:
    """The one timer that looks after all bodies neither forgets one nor ends one early."""
    slow = [asyncio.create_task(post(app, body=[asyncio.Event(), b"x"]))]
    await asyncio.sleep(0.03)
    held = asyncio.Event()
    later = asyncio.create_task(post(app, body=[held, b'{"value":"1"}']))
    reply = await slow[0]
    assert reply.status == 408
    held.set()
    assert (await later).status == 200


async def test_cancelling_a_reader_is_no_timeout(app: Application) -> None:
    reading = asyncio.create_task(post(app, body=[asyncio.Event(), b"x"]))
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@pytest.mark.parametrize("body", [[GONE], [b'{"val', GONE], [b"x" * 150, b"x", GONE]])
async def test_nobody_is_left_to_answer(app: Application, door: SmallDoor, body: list[Any]) -> None:
    assert await ask(app, "POST", TOKENISE, [WHO, JSON], body) is None
    assert not door.calls
    assert not door.faults


async def test_overload_is_refused_early(app: Application, door: SmallDoor) -> None:
    door.gate = asyncio.Event()
    working = [asyncio.create_task(post(app)) for _ in range(2)]
    await door.called(2)
    reply = await post(app, body=[asyncio.Event()])
    assert (reply.status, reply.code, reply["retry-after"]) == (503, "overloaded", "1")
    door.gate.set()
    assert [(await work).status for work in working] == [200, 200]
    assert (await post(app)).status == 200


async def test_slow_bodies_take_no_place(app: Application, door: SmallDoor) -> None:
    slow = [asyncio.create_task(post(app, body=[asyncio.Event(), b"x"])) for _ in range(50)]
    await asyncio.sleep(0.01)
    assert (await post(app)).status == 200
    assert {(await body).status for body in slow} == {408}


async def test_places_that_filled_meanwhile(app: Application, door: SmallDoor) -> None:
    held = asyncio.Event()
    late = asyncio.create_task(post(app, body=[held, b'{"value":"1"}']))
    await asyncio.sleep(0.01)
    door.gate = asyncio.Event()
    working = [asyncio.create_task(post(app)) for _ in range(2)]
    await door.called(2)
    held.set()
    assert (await late).code == "overloaded"
    door.gate.set()
    await asyncio.gather(*working)


async def test_unfinished_bodies_hold_so_much_and_no_more(app: Application) -> None:
    held = asyncio.Event()
    bodies = [
        asyncio.create_task(post(app, body=[b'{"value":"' + b"1" * 180, held, b'"}']))
        for _ in range(40)
    ]
    await asyncio.sleep(0.02)
    held.set()
    statuses = [(await body).status for body in bodies]
    assert set(statuses) == {200, 503}
    assert 32 <= statuses.count(200) <= 36
    assert (await post(app, body=[b'{"value":', b'"1"}'])).status == 200
