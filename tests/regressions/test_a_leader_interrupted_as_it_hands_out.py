"""A thread that was interrupted while it handed out a batch's results took its companions along:
the next leader woke those again who had theirs, which raised, and the others waited in vain."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jeton import threads
from jeton.coalescing import Single
from jeton.protocol import TOKENISE, Call, Question
from jeton.results import Items
from tests.sdk.test_threads import waiting_callers

CALLERS = 5


@pytest.mark.parametrize("handed_out", range(1, CALLERS))
def test_the_others_get_their_results(handed_out: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "COMPANY_SECONDS", 20.0)
    here, go = threading.Event(), threading.Event()

    def send(call: Call[Any], deadline: float) -> Any:
        sent = json.loads(call.body or b"")
        if "value" in sent:
            here.set()
            assert go.wait(20)
            return f"t{sent['value']}"
        return Items([f"t{value}" for value in sent["values"]], call.request_id)

    interrupts = [True]
    real = threads.outcomes

    def interrupted_on_the_way(items: Items[Any]) -> Iterator[object]:
        interrupt = interrupts and interrupts.pop()
        for at, one in enumerate(real(items)):
            if interrupt and at == handed_out:
                raise KeyboardInterrupt
            yield one

    monkeypatch.setattr(threads, "outcomes", interrupted_on_the_way)
    coalescing = threads.Coalescing(send)

    def ask(value: int) -> Any:
        single = Single((str(value),), None)
        try:
            return coalescing.ask(Question(TOKENISE, "fr-nir"), single, time.monotonic() + 5)
        except KeyboardInterrupt:
            return "interrupted"

    with ThreadPoolExecutor(CALLERS + 1) as pool:
        first = pool.submit(ask, 0)
        assert here.wait(20)
        others = [pool.submit(ask, at) for at in range(1, CALLERS + 1)]
        waiting_callers(coalescing, CALLERS)
        go.set()
        assert first.result(20) == "t0"
        got = [one.result(20) for one in others]
    assert got.count("interrupted") == 1
    assert all(one in (f"t{at}", "interrupted") for at, one in enumerate(got, 1))
    assert (coalescing._open, coalescing._flying) == ({}, {})
