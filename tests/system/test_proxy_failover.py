"""Upstreams of several endpoints: one dies, is ill or falls silent, and requests go on."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.proxied import Edge
from tests.support.upstream import Process, Reply, Seen, upstream

pytestmark = pytest.mark.system

TWO = """
[proxy.upstreams.two]
urls = ["http://127.0.0.1:{}", "http://127.0.0.1:{}"]
{}
[proxy.routes.main]
listener = "main"
upstream = "two"
"""
HEALTH = 'health = "/health"\nhealth_seconds = 0.3\n'


def answered(edge: Edge, times: int = 12) -> set[bytes]:
    """Who answered."""
    got = [edge.ask("GET", "/") for _ in range(times)]
    assert [one.status for one in got] == [200] * times
    return {one.body for one in got}


def told(edge: Edge, well: bool, since: int) -> int:
    """Until the proxy has noticed that an endpoint is (not) well: the log's length."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        lines = edge.log[since:].splitlines()
        words = f'"well": {str(well).lower()}'
        if any("upstream-health" in line and words in line for line in lines):
            return len(edge.log)
        time.sleep(0.02)
    raise AssertionError(edge.log[-2_000:])


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Edge, Process, Process]]:
    with Process("one", free_port()) as one, Process("two", free_port()) as two:
        edge = Edge.create(tmp_path, one.port, TWO.format(one.port, two.port, ""))
        with edge.running():
            yield edge, one, two


def test_one_dies_and_comes_back(two: tuple[Edge, Process, Process]) -> None:
    edge, one, _ = two
    assert answered(edge) == {b"one", b"two"}
    one.kill()
    assert answered(edge) == {b"two"}

    def pieces() -> Iterator[bytes]:
        yield b"a"
        time.sleep(0.02)  # it is on its way before it is whole
        yield b"b" * 400_000

    before, until = edge.log.count("upstream-away"), time.monotonic() + 10
    assert before == 1  # it is not asked each time
    while edge.log.count("upstream-away") == before:  # until it is tried again, with a body
        assert time.monotonic() < until
        answer = edge.ask("POST", "/", pieces())
        assert (answer.status, answer.body) == (200, b"two")
    with Process("one", one.port):
        while answered(edge, 2) != {b"one", b"two"}:
            assert time.monotonic() < until


def test_who_is_not_well_is_left_alone(tmp_path: Path) -> None:
    health = [Reply(200)]

    def answers(name: bytes, known: list[Reply]) -> Callable[[Seen], Reply]:
        def answer(seen: Seen) -> Reply:
            return known[0] if seen.target == "/health" else Reply(200, {}, name)

        return answer

    with ExitStack() as stack:
        one, other = (stack.enter_context(upstream()) for _ in range(2))
        one.answers = answers(b"one", health)
        other.answers = answers(b"other", [Reply(204)])
        edge = Edge.create(tmp_path, one.port, TWO.format(one.port, other.port, HEALTH))
        stack.enter_context(edge.running())
        assert answered(edge) == {b"one", b"other"}
        at = len(edge.log)
        for ill in (Reply(503), Reply(302, {"Location": f"{other.url}/health"}), Reply(404)):
            health[0] = ill
            at = told(edge, False, at)
            assert answered(edge) == {b"other"}
            health[0] = Reply(200)
            at = told(edge, True, at)
            assert answered(edge) == {b"one", b"other"}


def test_who_falls_silent_is_left_alone(tmp_path: Path) -> None:
    with Process("one", free_port()) as one, Process("two", free_port()) as two:
        edge = Edge.create(tmp_path, one.port, TWO.format(one.port, two.port, HEALTH))
        with edge.running():
            at = len(edge.log)
            one.pause()
            told(edge, False, at)
            assert answered(edge) == {b"two"}
            two.kill()
            told(edge, False, at)
            assert edge.ask("GET", "/").status in {503, 504}  # there is nobody else
