"""SIGHUP under load, over every kind of address: what it brings is in force, what it cannot use
changes nothing, and no request fails."""

import hashlib
import http.client
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.calls import Call, Caller, Place, calling
from tests.support.certificates import Authority, Pair, serial_of
from tests.support.processes import children
from tests.support.service import Service, jeton

pytestmark = pytest.mark.system

NIR = "284052A32102552"
SECONDS = 60.0


class House:
    """A service over its addresses; with TLS on the network's, and always with a socket."""

    def __init__(self, service: Service, authority: Authority | None, run: Path) -> None:
        self.service = service
        self.socket = run / "jeton.sock"
        self.authority = authority
        self.pair: Pair | None = None
        settings = f'[server]\nsocket = "{self.socket}"\n'
        if authority is not None:
            settings += 'tls_certificate = "tls.crt"\ntls_key = "tls.key"\n'
            self.pair = self.put(authority.issue("first"))
        service.edit(lambda text: text.replace("[server]\n", settings))

    def put(self, pair: Pair) -> Pair:
        return pair.put(self.service.folder / "tls.crt", self.service.folder / "tls.key")

    def start(self, workers: int) -> None:
        self.service.launch(workers)
        deadline = time.monotonic() + SECONDS
        while not self.is_ready():
            assert self.service.process is not None
            assert self.service.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        self.service.await_workers(workers)

    def is_ready(self) -> bool:
        try:
            with closing(self.places()[-1].connect()) as connection:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
        except OSError:
            return False

    def places(self) -> list[Place]:
        tls = None if self.authority is None else self.authority.trusting()
        return [Place(self.service.port, tls=tls), Place(path=self.socket)]

    def serials(self) -> set[int]:
        """Of the certificates that new connections are shown."""
        found = set()
        for _ in range(6):
            with closing(self.places()[0].connect()) as connection:
                connection.connect()
                found.add(serial_of(connection.sock))
        return found

    def log(self) -> str:
        return self.service.log.read_text("utf-8")

    def hang_up(self, expected: str) -> None:
        """SIGHUP, and wait until this is said once more."""
        before = self.log().count(expected)
        assert self.service.process is not None
        self.service.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + SECONDS
        while self.log().count(expected) == before:
            assert time.monotonic() < deadline, self.log()[-4_000:]
            time.sleep(0.05)

    def ask(self, client: str, path: str, body: object) -> list[tuple[int, bytes]]:
        """Statuses and bodies at every place, over new connections."""
        found = []
        for place in self.places() * 3:
            with closing(place.connect()) as connection:
                answer = tokenise(self.service.credentials[client], path, body)(connection)
                found.append((answer.status, answer.read()))
        return found

    def statuses(self, client: str) -> set[int]:
        return {status for status, _ in self.ask(client, "tokenise/fr-nir", {"value": NIR})}


def tokenise(credential: str, path: str = "tokenise/fr-nir", body: object = None) -> Call:
    text = json.dumps({"value": NIR} if body is None else body)
    headers = {
        "Authorization": f"Bearer {credential}",
        "Content-Type": "application/json",
    }
    if path.startswith("detokenise"):
        headers["Jeton-Purpose"] = "care"

    def call(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        connection.request("POST", f"/v1/{path}", text, headers)
        return connection.getresponse()

    return call


@pytest.fixture(params=["plain", "tls"])
def house(
    request: pytest.FixtureRequest, new_service: Callable[[], Service], tmp_path: Path
) -> Iterator[House]:
    service = new_service()
    for name in ("steady", "revoked"):
        service.add_client(name, ["tokenise:fr-nir", "detokenise:fr-nir:care"])
    authority = Authority.create(tmp_path) if request.param == "tls" else None
    with tempfile.TemporaryDirectory(dir="/tmp") as run:  # the path of a socket has to be short
        yield House(service, authority, Path(run))
        service.kill()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_reload_brings_is_in_force_and_no_request_fails(house: House, workers: int) -> None:
    service = house.service
    config = ("--config", str(service.config))
    house.start(workers)
    old = json.loads(house.ask("steady", "tokenise/fr-nir", {"value": NIR})[0][1])["token"]
    with calling(house.places(), tokenise(service.credentials["steady"])) as callers:
        jeton("clients", "revoke", "revoked", *config)
        service.add_client("added", ["tokenise:fr-nir"])
        assert (house.statuses("revoked"), house.statuses("added")) == ({200}, {401}), "not yet"
        house.hang_up('"reloaded"')
        assert (house.statuses("revoked"), house.statuses("added")) == ({401}, {200})

        jeton("keys", "rotate", *config)
        house.hang_up('"reloaded"')
        made = {body for _, body in house.ask("steady", "tokenise/fr-nir", {"value": NIR})}
        assert len(made) == 1
        new = json.loads(made.pop())["token"]
        assert new != old
        for token in (old, new):
            opened = house.ask("steady", "detokenise/fr-nir", {"token": token})
            assert {json.loads(body)["value"] for _, body in opened} == {NIR}

        if house.authority is not None:
            second = house.put(house.authority.issue("second", is_rsa=True))
            house.hang_up('"reloaded"')
            assert house.serials() == {second.serial}
        _served_on(callers)
    assert service.stop() == 0
    assert not house.socket.exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_used_changes_nothing_and_no_request_fails(
    house: House, workers: int
) -> None:
    service = house.service
    house.start(workers)
    right = service.config.read_text("utf-8")
    keyset = (service.folder / "keyset.json").read_bytes()
    with calling(house.places(), tokenise(service.credentials["steady"])) as callers:
        jeton("clients", "revoke", "revoked", "--config", str(service.config))
        revoked = service.config.read_text("utf-8")
        for broken, said in (
            (f"{revoked}\nhalf of a", "not valid TOML"),
            (revoked.replace("[server]", "[server]\nprot = 1"), "did you mean server.port?"),
            (revoked.replace("[server]", "[server]\nmax_items = 9"), "[server] needs a restart"),
            (revoked.replace("jeton.db", "other.db"), "[store] needs a restart"),
        ):
            service.config.write_text(broken, "utf-8")
            house.hang_up(said)
            assert house.statuses("revoked") == {200}
        service.config.write_text(revoked, "utf-8")
        (service.folder / "keyset.json").write_bytes(keyset[:-40])
        house.hang_up("not reloaded: ")
        assert house.statuses("revoked") == {200}
        (service.folder / "keyset.json").write_bytes(keyset)
        if house.authority is not None and house.pair is not None:
            house.put(Pair(house.pair.certificate, house.authority.issue("other").key, 0))
            house.hang_up("do not belong together")
            assert house.serials() == {house.pair.serial}
            assert house.statuses("revoked") == {200}
        service.config.write_text(right, "utf-8")
        _served_on(callers)


def test_a_worker_that_dies_comes_back_as_it_was_though_the_file_has_changed(house: House) -> None:
    """Nobody has said yet that the change is meant, and it may be half of one."""
    service = house.service
    house.start(2)
    started = house.log().count('"serving", "host"')
    assert started == 2
    jeton("clients", "revoke", "revoked", "--config", str(service.config))
    with service.config.open("a", encoding="utf-8") as file:
        file.write("\nhalf of a")
    assert service.process is not None
    workers = children(service.process.pid)
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + SECONDS
    while house.log().count('"serving", "host"') < started + 2:
        assert time.monotonic() < deadline, house.log()[-4_000:]
        time.sleep(0.05)
    assert house.statuses("revoked") == {200}


def test_over_the_socket_one_is_in_no_network(house: House) -> None:
    service = house.service
    here = service.add_client("here", ["tokenise:fr-nir"])
    service.edit(
        lambda text: "".join(
            line.replace(" }]", ', networks = ["127.0.0.0/8", "::1/128"] }]')
            if "credentials" in line and _digest(here) in line
            else line
            for line in text.splitlines(keepends=True)
        )
    )
    assert "127.0.0.0/8" in service.config.read_text("utf-8")
    house.start(1)
    statuses = []
    for place in house.places():
        with closing(place.connect()) as connection:
            statuses.append(tokenise(here)(connection).status)
    assert statuses == [200, 401]
    record = "".join(path.read_text() for path in (service.folder / "audit").rglob("*.jsonl"))
    with closing(house.places()[1].connect()) as connection:
        token = json.loads(tokenise(service.credentials["steady"])(connection).read())["token"]
        path, body = "detokenise/fr-nir", {"token": token}
        tokenise(service.credentials["steady"], path, body)(connection).read()
    more = "".join(path.read_text() for path in (service.folder / "audit").rglob("*.jsonl"))
    assert '"unix"' in more[len(record) :]


def _digest(credential: str) -> str:
    return hashlib.sha256(credential.encode()).hexdigest()


def _served_on(callers: list[Caller]) -> None:
    """Everybody is answered once more after what has happened."""
    before = [caller.answered for caller in callers]
    deadline = time.monotonic() + SECONDS
    while any(
        caller.answered <= old and not caller.wrong
        for caller, old in zip(callers, before, strict=True)
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)
