"""Where a service listens: addresses of the network, and a Unix socket.

Sockets are bound here and listened on by whoever serves, so that a worker that is replaced
leaves no moment in which a caller is refused.
"""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from vault.config import Server
from vault.errors import SetUpError
from vault.telemetry import log

UNIX_MODE: Final = 0o660
"""Whoever can write to the socket can call: its owner and group, as with any daemon's."""
IN_USE: Final = "something listens there already: end it, or choose another"
BIND_ADVICE: Final = {
    errno.EADDRINUSE: f"{IN_USE} port",
    errno.EACCES: "this user may not: choose a port above 1023",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}
UNIX_ADVICE: Final = {
    None: "the path is too long for a socket's, which has 107 bytes at most",
    errno.EADDRINUSE: f"{IN_USE} path",
    errno.ENOENT: "its folder does not exist",
}


@contextmanager
def listeners(settings: Server) -> Iterator[tuple[list[socket.socket], int | None]]:
    """The bound sockets, and the port of /metrics where it has one of its own. At the end they
    are closed, and the Unix socket is gone. Raises SetUpError where one cannot be bound."""
    sockets: list[socket.socket] = []
    metrics_port = None
    with ExitStack() as stack:
        if settings.host:
            bound = bind(settings.host, settings.port)
            sockets += [stack.enter_context(closing(sock)) for sock in bound]
        if settings.metrics_port is not None:
            beside = bind(settings.metrics_host or settings.host, settings.metrics_port)
            sockets += [stack.enter_context(closing(sock)) for sock in beside]
            metrics_port = beside[0].getsockname()[1]
        if settings.socket is not None:
            sockets.append(stack.enter_context(_unix(settings.socket)))
        yield sockets, metrics_port


def bind(host: str, port: int) -> list[socket.socket]:
    """A socket for every address that `host` has; port 0: any free one, the same for all."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise SetUpError(f"cannot listen on {host}: no address of that name is known") from None
    sockets: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind((address[0], port, *address[2:]))
        except OSError as error:
            advice = BIND_ADVICE.get(error.errno or 0, os.strerror(error.errno or 0))
            raise SetUpError(f"cannot listen on {host}, port {port}: {advice}") from None
        port = sock.getsockname()[1]
        sockets.append(sock)
    return sockets


@contextmanager
def _unix(path: Path) -> Iterator[socket.socket]:
    """A socket at `path`, which is removed at the end unless it is another's by then."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
        try:
            _make_way(path)
            sock.bind(os.fspath(path))
            ours = _identity(path)
            path.chmod(UNIX_MODE)  # nobody can connect before it is listened on
        except OSError as error:
            advice = UNIX_ADVICE.get(error.errno, os.strerror(error.errno or 0))
            raise SetUpError(f"cannot listen on {path}: {advice}") from None
        try:
            yield sock
        finally:
            if _identity(path) == ours:
                path.unlink(missing_ok=True)


def _make_way(path: Path) -> None:
    """Remove what a killed service left; raises where it is anything else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SetUpError(f"cannot listen on {path}: there is a file there, and it is no socket")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.setblocking(False)  # a service that has much to do lets callers wait: it lives
        refused = probe.connect_ex(os.fspath(path))
    if refused in (0, errno.EAGAIN):
        raise OSError(errno.EADDRINUSE, None)
    if refused != errno.ECONNREFUSED:
        raise OSError(refused, None)
    path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_unix(sock: socket.socket) -> bool:
    return sock.family == socket.AF_UNIX


def tell(sockets: list[socket.socket], encrypted: bool) -> None:
    """Say in the log where callers are served."""
    for sock in sockets:
        if is_unix(sock):
            log.info("serving", path=sock.getsockname())
        else:
            host, port = sock.getsockname()[:2]
            log.info("serving", host=host, port=port, encrypted=encrypted)


def warn_of_plain_text(sockets: list[socket.socket]) -> None:
    """Values and credentials would cross a network readable by all."""
    for sock in sockets:
        if is_unix(sock):
            continue
        host, port = sock.getsockname()[:2]
        if not ip_address(host.partition("%")[0]).is_loopback:
            log.warning("not-encrypted", host=host, port=port)
