"""A process that stood still for longer than a caller has for its request (its machine was busy, or
was moved) closed connections whose requests had come meanwhile, unread and unanswered."""

import asyncio
import os
import signal
import socket
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from tests.regressions.test_callers_in_the_accept_queue import REQUEST
from tests.support.small_service import running
from vault.web.connection import Connection
from vault.web.serving import LATE, Server

HEADER_TIMEOUT = 1.0


class Overdue(Connection):
    def __init__(self) -> None:
        self.ended = 0

    def expire(self, now: float) -> None:
        self.ended += 1


def stood_still(server: SimpleNamespace) -> None:
    server._looked = asyncio.get_running_loop().time() - 2 * LATE
    Server._expire(server)  # type: ignore[arg-type]


async def test_what_came_is_read_before_anybody_is_late() -> None:
    overdue = Overdue()
    state = SimpleNamespace(connections={overdue})
    server = SimpleNamespace(server_state=state, _spared=False)
    stood_still(server)
    assert overdue.ended == 0
    Server._expire(server)  # type: ignore[arg-type]
    assert overdue.ended == 1


async def test_a_process_that_is_always_late_spares_nobody_for_long() -> None:
    overdue = Overdue()
    state = SimpleNamespace(connections={overdue})
    server = SimpleNamespace(server_state=state, _spared=False)
    for _ in range(10):
        stood_still(server)
    assert overdue.ended == 5


@pytest.mark.system
@pytest.mark.parametrize("whole", [True, False])
def test_who_sent_all_is_answered_and_who_did_not_is_given_up(whole: bool) -> None:
    with running({"header_timeout": HEADER_TIMEOUT}) as service:
        pid = service.process.pid
        with closing(socket.create_connection(("127.0.0.1", service.port))) as caller:
            caller.settimeout(30)
            caller.sendall(REQUEST[:10])
            time.sleep(0.2)  # so that it is accepted, and its time runs; nothing tells
            os.kill(pid, signal.SIGSTOP)
            os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
            if whole:
                caller.sendall(REQUEST[10:])
            time.sleep(3 * HEADER_TIMEOUT)
            os.kill(pid, signal.SIGCONT)
            answer = caller.recv(12)
        assert answer == b"HTTP/1.1 200" if whole else answer in (b"HTTP/1.1 408", b"")
