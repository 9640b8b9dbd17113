"""The Unix socket: who may use it, what stands in its way, and that it goes at the end."""

import os
import socket
import stat
from contextlib import closing
from pathlib import Path

import pytest

from vault.config import Server
from vault.errors import SetUpError
from vault.web.addresses import listeners


def alone(path: Path) -> Server:
    return Server(host="", socket=path)


def test_it_is_for_its_owner_and_group_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "jeton.sock"
    with listeners(alone(path)) as (sockets, metrics_port):
        assert [sock.family for sock in sockets] == [socket.AF_UNIX]
        assert metrics_port is None
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()
    assert sockets[0].fileno() == -1


def test_it_stands_beside_the_addresses_of_the_network(tmp_path: Path) -> None:
    path = tmp_path / "jeton.sock"
    with listeners(Server(port=0, socket=path, metrics_port=0)) as (sockets, metrics_port):
        assert [sock.family for sock in sockets] == [socket.AF_INET, socket.AF_INET, socket.AF_UNIX]
        assert sockets[1].getsockname()[1] == metrics_port


def test_what_a_killed_service_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "jeton.sock"
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))
        dead.listen()
    with listeners(alone(path)) as (sockets, _):
        sockets[0].listen()
        with closing(socket.socket(socket.AF_UNIX)) as caller:
            caller.connect(str(path))
        assert path.exists()
    assert not path.exists()


@pytest.mark.parametrize("waiting", [0, 3])
def test_one_that_is_served_is_left_alone(tmp_path: Path, waiting: int) -> None:
    """Also where so many wait for it that nobody can connect just now."""
    path = tmp_path / "jeton.sock"
    callers = [socket.socket(socket.AF_UNIX) for _ in range(waiting)]
    with closing(socket.socket(socket.AF_UNIX)) as alive:
        alive.bind(str(path))
        alive.listen(0)
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(str(path))
        with pytest.raises(SetUpError, match="something listens there already"):
            listeners(alone(path)).__enter__()
        assert path.is_socket()
    for caller in callers:
        caller.close()


def test_another_services_socket_is_not_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "jeton.sock"
    with listeners(alone(path)):
        path.rename(tmp_path / "old")
        with closing(socket.socket(socket.AF_UNIX)) as other:
            other.bind(str(path))
    assert path.is_socket()


def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("keep me")
    with pytest.raises(SetUpError, match="no socket"):
        listeners(alone(path)).__enter__()
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(SetUpError, match="no socket"):
        listeners(alone(link)).__enter__()
    assert path.read_text() == "keep me"


def test_paths_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="its folder does not exist"):
        listeners(alone(tmp_path / "nowhere/jeton.sock")).__enter__()
    with pytest.raises(SetUpError, match="107 bytes"):
        listeners(alone(tmp_path / ("x" * 120))).__enter__()
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(SetUpError, match="Permission denied"):
            listeners(alone(tmp_path / "jeton.sock")).__enter__()
        tmp_path.chmod(0o700)


def test_a_start_that_fails_leaves_no_socket(tmp_path: Path) -> None:
    path = tmp_path / "jeton.sock"
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SetUpError, match=f"port {port}"):
            listeners(Server(port=port, socket=path)).__enter__()
    assert not path.exists()
