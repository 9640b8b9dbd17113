"""Threads that share a client: leaders that leave, forks, and what is left at the end."""

import ctypes
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import jeton
from jeton import threads
from jeton.coalescing import Single
from jeton.protocol import TOKENISE, Call, Question
from jeton.results import Items
from tests.support.stub import echo_batches, serving

CREDENTIAL = "jeton_intake_s3cret_abc"
QUESTION = Question(TOKENISE, "fr-nir")


class Service:
    """Answers calls made without a network; the first waits for `go`."""

    def __init__(self) -> None:
        self.calls: list[Call[Any]] = []
        self.here, self.go = threading.Event(), threading.Event()
        self.interrupt = False

    def send(self, call: Call[Any], deadline: float) -> Any:
        self.calls.append(call)
        if len(self.calls) == 1:
            self.here.set()
            assert self.go.wait(20)
        assert call.body is not None
        sent = json.loads(call.body)
        if "value" in sent:
            return f"t{sent['value']}"
        if self.interrupt:
            self.interrupt = False
            raise KeyboardInterrupt
        return Items([f"t{value}" for value in sent["values"]], call.request_id)


def waiting_callers(coalescing: threads.Coalescing, count: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with coalescing._lock:
            if sum(len(group.callers) for group in coalescing._open.values()) == count:
                return
        time.sleep(0.001)
    raise AssertionError("the callers did not come")


def ask(coalescing: threads.Coalescing, value: int) -> Any:
    try:
        return coalescing.ask(QUESTION, Single((str(value),), None), time.monotonic() + 10)
    except KeyboardInterrupt:
        return "interrupted"


@pytest.mark.parametrize("times", [1, 2])
def test_a_leader_interrupted_on_the_way_hands_over_the_very_same_request(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "COMPANY_SECONDS", 20.0)
    service = Service()
    left = [True] * times
    real = service.send

    def send(call: Call[Any], deadline: float) -> Any:
        service.interrupt = bool(service.calls) and bool(left) and left.pop()
        return real(call, deadline)

    coalescing = threads.Coalescing(send)
    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(ask, coalescing, 0)]
        assert service.here.wait(20)
        futures += [pool.submit(ask, coalescing, at) for at in range(1, 6)]
        waiting_callers(coalescing, 5)
        service.go.set()
        got = [future.result(20) for future in futures]
    assert got.count("interrupted") == times
    assert all(one in (f"t{at}", "interrupted") for at, one in enumerate(got))
    assert len({call.request_id for call in service.calls[1:]}) == 1
    assert len(service.calls) == 2 + times
    assert (coalescing._open, coalescing._flying) == ({}, {})


def test_a_leader_interrupted_before_it_left_takes_nobody_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "COMPANY_SECONDS", 0.3)
    service = Service()
    coalescing = threads.Coalescing(service.send)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, coalescing, 0)
        assert service.here.wait(20)
        identity: list[int] = []

        def lead() -> Any:
            identity.append(threading.get_ident())
            return ask(coalescing, 1)

        leader = pool.submit(lead)
        waiting_callers(coalescing, 1)
        others = [pool.submit(ask, coalescing, at) for at in (2, 3)]
        waiting_callers(coalescing, 3)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(identity[0]), ctypes.py_object(KeyboardInterrupt)
        )
        assert leader.result(20) == "interrupted"
        assert [future.result(20) for future in others] == ["t2", "t3"]
        service.go.set()
        assert first.result(20) == "t0"
    assert (coalescing._open, coalescing._flying) == ({}, {})


def test_nobody_left_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "COMPANY_SECONDS", 20.0)
    service = Service()
    coalescing = threads.Coalescing(service.send)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, coalescing, 0)
        assert service.here.wait(20)
        other = pool.submit(ask, coalescing, 1)
        waiting_callers(coalescing, 1)
        service.interrupt = True
        service.go.set()
        assert (first.result(20), other.result(20)) == ("t0", "interrupted")
    assert (coalescing._open, coalescing._flying) == ({}, {})


def test_a_batch_that_is_full_goes_although_its_leader_was_told_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`release unlocked lock`: being full and a call coming back both say that it may go."""
    group = threads._Group("key")
    group.go()
    group.go()
    assert group.departs.acquire(blocking=False)


def threads_of_callers() -> int:
    """All but those of the stub, which end when they hear that their connection has."""
    return sum("process_request" not in thread.name for thread in threading.enumerate())


def test_many_threads_get_each_their_own_and_none_is_left() -> None:
    before = threads_of_callers()
    with serving(echo_batches) as stub, jeton.Client(stub.url, CREDENTIAL) as client:

        def work(at: int) -> bool:
            mine = [f"{at}-{turn}" for turn in range(30)]
            got = [client.tokenise("fr-nir", value, context=f"c{value}") for value in mine]
            return got == [f"{value}/c{value}" for value in mine]

        with ThreadPoolExecutor(32) as pool:
            assert all(pool.map(work, range(32)))
    assert len(stub.requests) < 32 * 30 / 2
    assert threads_of_callers() == before


def test_a_forked_child_has_connections_and_locks_of_its_own() -> None:
    with serving(echo_batches) as stub, jeton.Client(stub.url, CREDENTIAL) as client:
        assert client.tokenise("fr-nir", "1") == "1/"
        running = client._running
        with running.coalescing._lock, running.attempts._lock:  # as another thread might
            child = os.fork()
            if child == 0:  # pragma: no cover
                code = 1
                try:
                    code = 0 if client.tokenise("fr-nir", "2") == "2/" else 2
                finally:
                    os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert client.tokenise("fr-nir", "3") == "3/"
    assert [sent["value"] for _, _, sent in stub.requests] == ["1", "2", "3"]
    assert len(stub.connections) == 2


def test_a_closed_client_says_so_and_keeps_no_connection() -> None:
    with serving(echo_batches) as stub:
        client = jeton.Client(stub.url, CREDENTIAL)
        client.tokenise("fr-nir", "1")
        client.close()
        client.close()
        with pytest.raises(jeton.UsageError, match="closed"):
            client.tokenise("fr-nir", "1")
        assert not any(client._running.transport._idle.values())
