"""Tens of thousands of malformed requests, 64 at once, against a service that goes on serving."""

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest

from tests.abuse.bodies import MARK
from tests.abuse.client import Client
from tests.abuse.flood import prepared, run
from tests.abuse.requests import KINDS, Attack, Manner, flood
from tests.support.processes import resident
from tests.support.service import Service

pytestmark = pytest.mark.system


STRETCH = 10_000
"""Requests in which a worker that is warm grows by less than `LEVEL` bytes: 500 for a request would
be too many. How many it takes to be warm is chance, since its memory is that of the most that it
ever held at once; to wait for it takes a machine's time, and hides no leak."""
LEVEL = 5_000_000
MOST = 25_000_000
"""Bytes by which it grows in any stretch, the first quarter of it aside."""


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = prepared(tmp_path_factory.mktemp("flood")).start()
    yield made
    made.kill()


@pytest.mark.timeout(600)
def test_a_flood_breaks_no_promise(service: Service) -> None:
    assert service.process is not None
    grown = []
    for seed in range(1, 9):
        before = resident(service.process.pid)
        # A busy machine may take its time: `python -m tests.abuse.flood` holds the second.
        assert run(service, STRETCH, at_once=64, seed=seed, longest=5, memory=MOST) == []
        grown.append(resident(service.process.pid) - before)
        if grown[-1] < LEVEL:
            break
    assert 1 < len(grown) < 8, f"it went on growing: {grown}"
    assert service.stop() == 0


def test_a_seed_names_every_request() -> None:
    first, again, other = (list(flood(seed, 500, "c" * 43)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert {attack.kind for attack in first} == KINDS.keys()


GOOD = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
ID = b"jeton-request-id: x\r\n"


def answer(head: bytes, body: bytes = b'{"code":"malformed_request"}') -> Callable[[], bytes]:
    return lambda: b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


@pytest.mark.parametrize(
    ("answered", "found"),
    [
        (answer(GOOD + ID), None),
        (answer(GOOD), "answered 400"),
        (answer(GOOD + ID, b'{"code":"malformed_request","detail":"%b"}' % MARK.encode()), "400"),
        (answer(GOOD + ID, b'{"code":"unheard_of"}'), "answered 400 unheard_of"),
        (answer(GOOD.replace(b"400", b"500") + ID), "answered 500 malformed_request"),
        (answer(GOOD.replace(b"problem+", b"") + ID), "answered 400"),
        (answer(b"HTTP/1.1 200 OK\r\n" + ID, b"{}"), "answered 200 ok"),
        (lambda: b"", "closed without an answer"),
        (lambda: b"HTTP/1.1 400 Ba", "closed without an answer"),
    ],
)
async def test_a_wrong_answer_would_be_found(
    answered: Callable[[], bytes], found: str | None
) -> None:
    broken = await _broken(answered, late=0)
    assert (broken == []) if found is None else (found in broken[0])


async def test_a_late_answer_would_be_found() -> None:
    (broken,) = await _broken(answer(GOOD + ID), late=0.3, longest=0.1)
    assert "seconds" in broken


async def _broken(answered: Callable[[], bytes], late: float, longest: float = 60) -> list[str]:
    """What is said of a server that answers so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        await asyncio.sleep(late)
        writer.write(answered())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = Client(port, os.getpid(), longest=longest)
        attack = Attack("a test", b"x" * 10, frozenset({"malformed_request"}), Manner.LEAVE)
        return (await client.send(iter([attack]), at_once=1)).broken
