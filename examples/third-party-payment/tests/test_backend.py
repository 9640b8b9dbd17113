"""The application as a process of its own, with a real service and a real database."""

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jeton.testing import Service
from tests.support.ports import free_port

pytestmark = pytest.mark.system

EXAMPLE = Path(__file__).parents[1]
NIR, BORN = "284057512345672", "1984-05-12"
CLAIM = {"nir": NIR, "born": BORN, "provider": "Dr. Petit", "cents": 3000}


@dataclass
class Backend:
    port: int
    folder: Path

    def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        return self.ask("POST", path, json.dumps(body))

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def wrote(self) -> str:
        """All that the process logged, and all that the fund got."""
        return (self.folder / "log.txt").read_text()

    def orders(self) -> list[Any]:
        orders = self.folder / "orders.txt"
        return [json.loads(line) for line in orders.open()] if orders.exists() else []


def await_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the process ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("the process does not listen")


@contextmanager
def process(log: Path, port: int, *command: str, **environment: str) -> Iterator[None]:
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, *command],
            cwd=EXAMPLE,
            env=os.environ | environment | {"PYTHONPATH": str(EXAMPLE)},
            stdout=output,
            stderr=output,
        )
    try:
        await_port(port, started)
        yield
    finally:
        started.terminate()
        started.wait(30)


@contextmanager
def running(service: Service, folder: Path, database: str) -> Iterator[Backend]:
    backend = Backend(free_port(), folder)
    fund = free_port()
    environment = {
        "JETON_URL": service.url,
        "INTAKE_CREDENTIAL": service.credentials["intake"],
        "REIMBURSEMENT_CREDENTIAL": service.credentials["reimbursement"],
        "INSURER_URL": f"http://127.0.0.1:{fund}",
        "DATABASE_URL": database,
    }
    uvicorn = ("-m", "uvicorn", "--port", str(backend.port), "backend.app:app")
    log = folder / "log.txt"
    with (
        process(log, fund, "tests/fund.py", str(fund), str(folder / "orders.txt")),
        process(log, backend.port, *uvicorn, **environment),
    ):
        yield backend


@pytest.fixture(scope="module")
def backend(jeton_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("backend")
    with running(jeton_service, folder, f"sqlite:///{folder}/claims.db") as backend:
        yield backend


def test_a_claim_is_taken_found_and_reimbursed(backend: Backend) -> None:
    tells_the_story(backend)
    with closing(sqlite3.connect(backend.folder / "claims.db")) as database:
        dump = "\n".join(database.iterdump())
    assert "Dr. Petit" in dump
    assert NIR not in dump
    assert BORN not in dump


def tells_the_story(backend: Backend) -> None:
    status, described = backend.ask("GET", "/openapi.json")
    assert status == 200
    assert described["components"]["schemas"]["NewClaim"]["properties"]["nir"]["writeOnly"]
    status, taken = backend.post("/claims", CLAIM)
    assert status == 201
    assert taken["nir"] != NIR
    assert int(taken["born"][:4]) >= 2200
    status, found = backend.post("/claims/search", {"nir": NIR})
    assert (status, found) == (200, [taken])
    assert backend.ask("GET", f"/claims/{taken['id']}") == (200, taken)
    assert backend.orders() == []
    status, paid = backend.post(f"/claims/{taken['id']}/reimbursement")
    assert (status, paid) == (200, taken | {"paid": True})
    (order,) = backend.orders()
    assert order == {"claim": taken["id"], "nir": NIR, "provider": "Dr. Petit", "cents": 3000}
    status, _ = backend.post(f"/claims/{taken['id']}/reimbursement")
    assert status == 409
    assert len(backend.orders()) == 1
    assert taken["nir"] in backend.wrote()
    assert NIR not in backend.wrote()


@pytest.mark.parametrize(
    "change",
    [{"nir": "2840575123456AB"}, {"born": "1984-13-45x"}, {"nir": 284057512345672}, {"cents": -1}],
)
def test_what_is_refused_is_not_repeated(backend: Backend, change: dict[str, Any]) -> None:
    status, answer = backend.post("/claims", CLAIM | change)
    assert status == 422
    said = json.dumps(answer) + backend.wrote()
    assert NIR not in said
    assert all(str(value) not in said for name, value in change.items() if name != "cents")
    assert backend.post("/claims", {"nir": NIR})[0] == 422
    assert NIR not in backend.wrote()


def test_postgresql_holds_tokens_too(jeton_service: Service, tmp_path: Path) -> None:
    with postgresql(tmp_path) as url, running(jeton_service, tmp_path, url) as backend:
        tells_the_story(backend)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A database server of the test's own, on a Unix socket."""
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None:
        if os.environ.get("JETON_REQUIRE_COMPONENTS") == "1":
            pytest.fail("the programs initdb and postgres are missing")
        pytest.skip("the programs initdb and postgres are missing")
    # It refuses to run as root, whose tests have a user of its own for it.
    who = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    data = Path(subprocess.check_output(["mktemp", "-d"], text=True, **who).strip())
    log = (folder / "postgres.log").open("wb")
    server = None
    try:
        init = [initdb, "-D", str(data / "data"), "-A", "trust", "-U", "app", "--no-sync"]
        subprocess.run(init, check=True, stdout=log, stderr=log, cwd="/", **who)
        options = ["-c", "listen_addresses=", "-k", str(data), "-c", "fsync=off"]
        command = [postgres, "-D", str(data / "data"), *options]
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **who)
        await_socket(data / ".s.PGSQL.5432", server)
        yield f"postgresql+psycopg://app@/postgres?host={data}"
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)
            server.wait(30)
        log.close()
        shutil.rmtree(data, ignore_errors=True)


def program(name: str) -> str | None:
    """Debian keeps those of each version of the server in a folder of its own."""
    folders = (str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin"))
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


def await_socket(path: Path, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(path)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the database server does not listen")
