"""Slow connections of every way, as many as may be at once, while honest calls go on.

How fast these are is for `python -m tests.abuse.slow`; here they only have to be answered.
"""

import asyncio
import resource
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from tests.abuse.flood import files_at_rest, honest_callers, prepared, settled
from tests.abuse.slow_connections import WAYS, hold
from tests.support.certificates import encrypted
from tests.support.service import Service

pytestmark = pytest.mark.system

EACH = 30
ENDS = {
    "silent": {"closed"},
    "first line": {"timeout"},
    "headers": {"timeout"},
    "body": {"timeout"},
    "chunks": {"timeout"},
    "refused body": {"unauthenticated"},
    "trailer": {"timeout"},
    "idle": {"ok"},
    "reader": {"closed"},
}
"""The last answer of each."""


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    patience = {"header_timeout": 3, "body_timeout": 3, "keep_alive_timeout": 3}
    made = prepared(tmp_path_factory.mktemp("slow"), patience).start()
    yield made
    made.kill()


async def test_the_service_ends_every_one_by_itself(service: Service) -> None:
    assert service.process is not None
    files = files_at_rest(service)
    secret = service.credentials["enemy"].encode()
    ways = [name for name in WAYS for _ in range(EACH)]
    with honest_callers(service):
        async with asyncio.timeout(60):
            ends = await asyncio.gather(
                *(hold(service.port, WAYS[name], secret, pause=0.1) for name in ways)
            )
    for name in WAYS:
        assert {end for way, end in zip(ways, ends, strict=True) if way == name} == ENDS[name], name
    assert ENDS.keys() == WAYS.keys()
    assert settled(service.process.pid, files) <= files


Enemy = Callable[[Service], Awaitable[object]]
"""Keeps a connection until the service ends it."""


async def _without_end(service: Service) -> None:
    await hold(service.port, WAYS["first line"], b"", pause=0.1)


async def _silent(service: Service) -> None:
    await hold(service.port, WAYS["silent"], b"", pause=0.1)


async def _silent_once_connected(service: Service) -> None:
    with suppress(OSError):
        reader, _ = await asyncio.open_connection("127.0.0.1", service.port, ssl=service.tls)
        await reader.read()


@pytest.mark.parametrize(
    ("enemy", "is_encrypted"),
    [(_without_end, False), (_silent, True), (_silent_once_connected, True)],
    ids=["plain", "no handshake", "encrypted"],
)
async def test_more_than_there_may_be_files_for_keep_nobody_out(
    tmp_path_factory: pytest.TempPathFactory, enemy: Enemy, is_encrypted: bool
) -> None:
    """A service that may have 400 files, and 600 connections that never end."""
    folder = tmp_path_factory.mktemp("slow")
    service = prepared(folder, patience={})
    if is_encrypted:
        settings, service.tls = encrypted(folder)
        lines = "".join(f'{name} = "{path}"\n' for name, path in settings.items())
        service.edit(lambda text: text.replace("[server]\n", f"[server]\n{lines}"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    service.program = ("prlimit", "--nofile=400:400", *service.program)
    try:
        service.start()
        held = [asyncio.create_task(enemy(service)) for _ in range(600)]
        await asyncio.wait(held, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        with honest_callers(service):
            await asyncio.sleep(1)
        assert sum(task.done() for task in held) < 500
        for task in held:
            task.cancel()
    finally:
        service.kill()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
