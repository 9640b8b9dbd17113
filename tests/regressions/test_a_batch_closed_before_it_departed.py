"""A client closed at the moment a batch departed left its callers waiting for ever: the batch's
task was cancelled before its first step, and nothing of it ran."""

import asyncio
from typing import Any

import pytest

import jeton
from jeton.coalescing import Single
from jeton.protocol import TOKENISE, Question
from jeton.tasks import AsyncCoalescing


async def test_everybody_is_told() -> None:
    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    coalescing = AsyncCoalescing(never)
    question = Question(TOKENISE, "fr-nir", None, None)
    deadline = asyncio.get_running_loop().time() + 20

    async def ask() -> Any:
        return await coalescing.ask(question, Single(("284057512345672",), None), deadline)

    first = asyncio.create_task(ask())
    others = [asyncio.create_task(ask()) for _ in range(3)]
    await asyncio.sleep(0)
    (group,) = coalescing._open.values()
    coalescing._depart(group)
    await coalescing.close()
    for one in others:
        with pytest.raises(jeton.NoAnswer, match="closed"):
            await asyncio.wait_for(one, 5)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
