"""Callers who were connected but not yet accepted when SIGTERM came were reset, and lost their
request with the connection."""

import os
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.door import CREDENTIAL
from tests.support.small_service import running

pytestmark = pytest.mark.system

REQUEST = (
    b"POST /v1/tokenise/digits HTTP/1.1\r\nhost: here\r\n"
    b"authorization: Bearer " + CREDENTIAL.encode() + b"\r\n"
    b'content-type: application/json\r\ncontent-length: 15\r\n\r\n{"value":"123"}'
)
CALLERS = 50


def test_they_are_answered() -> None:
    with running({"shutdown_timeout": 10.0}) as service, ExitStack() as stack:
        pid = service.process.pid
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        callers = []
        for _ in range(CALLERS):  # the kernel connects them: the service is not asked
            caller = stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            caller.settimeout(10)
            caller.sendall(REQUEST)
            callers.append(caller)
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        assert {caller.recv(12) for caller in callers} == {b"HTTP/1.1 200"}
        stack.close()
        assert service.wait() == 0


def test_the_queue_holds_so_many() -> None:
    assert int(Path("/proc/sys/net/core/somaxconn").read_text()) >= CALLERS
