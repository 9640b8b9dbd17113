"""Receivers of alarms and of the record that answered a byte at a time held a thread, and the end
of its process, for ever; so did one that was merely slow while alarms were left."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.certificates import Authority
from tests.support.receiver import Receiver as Alarmed
from tests.support.records import disclosure
from tests.support.siem import server_context
from vault.audit import shipping
from vault.audit.shipping import Http, Receiver, Syslog, Unconfirmed
from vault.ledger import alarms as alarms_module
from vault.ledger.alarms import Alarms

BATCH = [("w0", disclosure(seq=1, time="2026-11-27T22:00:00.000000Z"))]
MOST_SECONDS = 10.0


@contextmanager
def dripping(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of one that begins an answer and never comes to its end."""
    listener, ending = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        while not ending.is_set():
            with suppress(OSError), listener.accept()[0] as raw:
                whole = context.wrap_socket(raw, server_side=True) if context else raw
                with whole as connection:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nA-Header: ")
                    while not ending.wait(0.02):
                        connection.sendall(b"a")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ending.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def made(tmp_path: Path, told: list[str]) -> Callable[[str], Alarms]:
    def make(url: str) -> Alarms:
        return Alarms(tmp_path / "alarms", url, bytes(32), lambda name, _: told.append(name))

    return make


async def test_an_alarm_is_tried_again(
    made: Callable[[str], Alarms], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms_module, "TIMEOUT_SECONDS", 0.1)
    with dripping() as port:
        alarms = made(f"http://127.0.0.1:{port}/")
        await alarms.put({}, 1.0)
        alarms.start()
        async with asyncio.timeout(MOST_SECONDS):
            while not told:  # noqa: ASYNC110 - what is told is a list
                await asyncio.sleep(0.01)
        await alarms.close()


async def test_the_end_waits_for_one_post_and_not_for_all(
    tmp_path: Path, made: Callable[[str], Alarms]
) -> None:
    with Alarmed() as receiver:
        receiver.willing.set()
        alarms = made(receiver.url)
        await alarms.put({}, 1.0)
        await alarms.put({}, 2.0)
        await alarms.close()
        assert not alarms._deliver(receiver.url)
        assert receiver.taken == []
    assert len(list((tmp_path / "alarms").glob("*.json"))) == 2


@pytest.mark.parametrize("scheme", ["http", "https", "syslog+tls"])
def test_a_batch_is_not_confirmed(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "TIMEOUT_SECONDS", 0.3)
    authority = Authority.create(tmp_path)
    tls = ssl.create_default_context(cafile=authority.path)
    secured = scheme != "http"
    with dripping(server_context(authority.issue("siem"), tmp_path) if secured else None) as port:
        url = urlsplit(f"{scheme}://127.0.0.1:{port}")
        receiver: Receiver = (
            Syslog(url, lambda: tls)
            if scheme == "syslog+tls"
            else Http(url, (lambda: tls) if secured else None, None)
        )
        began = time.monotonic()
        with pytest.raises((OSError, Unconfirmed)):
            receiver.send(BATCH)
        assert time.monotonic() - began < MOST_SECONDS
