"""Who was connected after the end had looked into the accept queue for the last time, and before
it stopped listening, was reset, and lost a request: seldom, and on busy machines oftener."""

import errno
import select
import socket
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace

import pytest

from vault.web.serving import Server
from vault.web.turning_away import turn_away


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["4", "6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family, host = request.param
    with closing(socket.socket(family)) as sock:
        try:
            sock.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no such address")
        sock.listen()
        yield sock


class Listening:
    """A listener, and a caller who comes as it is about to be closed."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.caller = socket.socket(sock.family)
        self.caller.setblocking(False)

    def close(self) -> None:
        self.caller.connect_ex(self._sock.getsockname())
        self._sock.close()


async def test_it_finds_it_closed_and_has_sent_nothing(listener: socket.socket) -> None:
    listening = Listening(listener)
    ending = SimpleNamespace(config=SimpleNamespace(parent=None), servers=[listening])
    await Server._accept_the_last(ending, [listener])  # type: ignore[arg-type]
    with closing(listening.caller) as caller:
        select.select([], [caller], [], 30)
        found = caller.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert found == errno.ECONNREFUSED


def test_who_was_there_before_is_served(listener: socket.socket) -> None:
    with closing(socket.create_connection(listener.getsockname()[:2], 30)) as caller:
        caller.sendall(b"asked")
        turn_away([listener])
        with closing(listener.accept()[0]) as accepted:
            assert accepted.recv(5) == b"asked"
            caller.sendall(b"more")
            assert accepted.recv(4) == b"more"
            accepted.sendall(b"answered")
        assert caller.recv(8) == b"answered"


async def test_a_worker_that_ends_alone_turns_nobody_away(listener: socket.socket) -> None:
    ending = SimpleNamespace(config=SimpleNamespace(parent=1), servers=[])
    await Server._accept_the_last(ending, [listener])  # type: ignore[arg-type]
    socket.create_connection(listener.getsockname()[:2], 30).close()


def test_unix_sockets_are_left_alone() -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        turn_away([ours])
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
