"""A benchmark whose calls fail measures nothing, and ends."""

import json
import multiprocessing
import socket
import threading
from contextlib import contextmanager, suppress

import pytest

import jeton
from benchmarks import fairness, http, redis_server, sdk
from benchmarks.population import nirs
from tests.support.components import need_program

pytestmark = pytest.mark.system

GOOD, PATH = list(nirs(100, seed=2)), "/v1/tokenise/fr-nir"
WRONG = [*GOOD[1:], "1" * 15]
FULL = ["tokenise.hour=25000", "tokenise.day=25000"]
CLIENTS = http.CLIENTS | {"bench-bulk": (["tokenise:fr-nir"], FULL)}


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    """Its address, and its clients' credentials, which nothing shows."""
    config = http.initialised(tmp_path_factory.mktemp("vault") / "data")
    credentials = http.add_clients(config, CLIENTS)
    with http.vault(config) as (url, _):
        yield url, credentials.__getitem__


def batch(vault, body, media_type="application/json"):
    return http.Work("batch", PATH, [body], 2, vault[1]("bench-in"), "", 100, media_type)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", lambda values: json.dumps({"values": values}).encode()),
        (http.ARROW, http.arrow_stream),
    ],
)
def test_an_item_that_fails_in_an_answer_of_200_ends_the_run(vault, media_type, body):
    work = batch(vault, body(GOOD), media_type)
    http.answered(vault[0], work, work.bodies[0])
    with pytest.raises(SystemExit, match="1 items of a request failed"):
        http.answered(vault[0], work, body(WRONG))


def test_a_refusal_ends_the_run(vault):
    with pytest.raises(SystemExit, match="answered 400"):
        http.answered(vault[0], batch(vault, b"{}"), b"{}")


@contextmanager
def answering_once():
    """A server that answers a single request, and hangs up on all that come later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(ConnectionError):
                    connection.recv(1 << 16)
                    connection.sendall(answer)
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_connections_that_break_end_the_run(tmp_path):
    need_program("wrk")
    work = http.Work("broken", "/", [b"{}"], 1, "")
    with answering_once() as url, pytest.raises(SystemExit, match="the load failed"):
        http.wrk((url, 1), work, 1, tmp_path)


def test_a_program_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="apt-get install wrk"):
        http.wrk(("http://127.0.0.1:1", 1), http.Work("x", "/", [b"{}"], 1, ""), 1, tmp_path)
    with pytest.raises(SystemExit, match="apt-get install redis-server"), redis_server.serving():
        pass


def test_batches_that_are_refused_are_no_load_beside_small_calls(vault):
    port = int(vault[0].rpartition(":")[2])
    bulk = vault[1]("bench-bulk")  # may send two full batches, and then none

    def beside_batches():
        with fairness._bulk(port, bulk):
            for process in multiprocessing.active_children():
                process.join(60)

    with pytest.raises(SystemExit, match="not answered as it should be"):
        beside_batches()


def test_a_call_that_fails_in_a_thread_is_not_counted_as_made(vault):
    one = sdk.Threads(vault[0], "x")
    with pytest.raises(jeton.Unauthenticated):
        one.concurrent(coalesce=False)
    one.close()
