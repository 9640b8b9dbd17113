"""Whoever can write to the disk puts back what was spent, or takes the record away."""

import http.client
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.service import JETON, Service, jeton
from tests.support.thief import House, Thief, add_client

pytestmark = [pytest.mark.breach, pytest.mark.system]

PEOPLE = 10


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """One client may see ten people a day, of the twelve there are."""
    service = Service.create(tmp_path_factory.mktemp("template"))
    limits = {"people.day": PEOPLE}
    service.credentials["desk"] = add_client(
        service.config, "desk", ["detokenise:fr-nir:care"], limits
    )
    return service


@pytest.fixture
def installed(template: Service, tmp_path: Path) -> Iterator[Service]:
    """A copy of the template, not started."""
    folder = tmp_path / "jeton-data"
    shutil.copytree(template.folder, folder)
    service = Service(folder / template.config.name, template.credentials)
    yield service
    service.kill()


@pytest.fixture
def house(installed: Service) -> House:
    opened = House(installed.start())
    opened.fill(PEOPLE + 2)
    return opened


def _desk(house: House) -> Thief:
    return house.thief("desk", "care")


def _start_halted(service: Service) -> None:
    """`start`, for a service that is alive and never ready."""
    service.port = free_port()
    command = [*JETON, "serve", "--config", str(service.config), "--port", str(service.port)]
    with service.log.open("ab") as output:
        service.process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env=os.environ | service.environment,
            start_new_session=True,
        )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if service.get("livez").status == http.client.OK:
                return
        except OSError:
            assert service.process.poll() is None
    raise AssertionError("the service did not start")


def _store(service: Service) -> list[Path]:
    """The database and what SQLite keeps beside it."""
    return sorted(service.folder.glob("jeton.db*"))


def test_an_old_store_put_back_gives_nothing_back(house: House, tmp_path: Path) -> None:
    """The machine has not crashed, so the store was put back: reveals stop. And the record is
    the counters' other half: what the store forgot is counted again."""
    service, desk = house.service, _desk(house)
    assert desk.walk("detokenise", house.tokens[:2])[0] == 2
    service.stop()
    for path in _store(service):
        shutil.copy(path, tmp_path)
    service.start()
    assert desk.walk("detokenise", house.tokens)[0] == PEOPLE
    service.stop()
    for path in _store(service):
        path.unlink()
    for path in tmp_path.glob("jeton.db*"):
        shutil.copy(path, service.folder)
    _start_halted(service)
    reply = desk.ask("detokenise", {"token": house.tokens[0]})
    assert (reply.status, reply.body["code"]) == (503, "store_unavailable")
    service.stop()
    jeton("audit", "accept", "--reason", "a drill", "--config", str(service.config))
    service.start()
    reply = desk.ask("detokenise", {"token": house.tokens[PEOPLE]})
    assert (reply.status, reply.body["code"]) == (429, "budget_exhausted")
    service.stop()
    names = [entry.get("name") for entry in house.record()]
    assert "replayed" in names


def test_an_empty_store_stops_reveals_until_an_operator_says_so(house: House) -> None:
    service, desk = house.service, _desk(house)
    assert desk.walk("detokenise", house.tokens)[0] == PEOPLE
    service.stop()
    for path in _store(service):
        path.unlink()
    _start_halted(service)
    for token in house.tokens:
        reply = desk.ask("detokenise", {"token": token})
        assert (reply.status, reply.body["code"]) == (503, "store_unavailable")
        assert house.leaks(reply) == []
    assert service.get("readyz").status == 503
    intake = house.thief("intake").ask("tokenise", {"value": house.nirs[0]})
    assert intake.body == {"token": house.tokens[0]}, "tokenise goes on"
    service.stop()
    config = ("--config", str(service.config))
    jeton("audit", "accept", "--reason", "the disk was replaced", *config)
    service.start()
    reply = desk.ask("detokenise", {"token": house.tokens[PEOPLE]})
    assert (reply.status, reply.body["code"]) == (429, "budget_exhausted"), "spent stays spent"
    service.stop()
    names = [entry.get("name") for entry in house.record() if entry["kind"] == "event"]
    assert "halted" in names
    assert "state_accepted" in names


def test_an_old_store_and_its_record_together_are_missed(house: House, tmp_path: Path) -> None:
    """Both halves put back together: only a checkpoint or receipt held elsewhere can tell."""
    service, desk = house.service, _desk(house)
    desk.walk("detokenise", house.tokens[:2])
    service.stop()
    old = tmp_path / "old"
    shutil.copytree(service.folder, old)
    service.start()
    receipt = desk.ask("detokenise", {"token": house.tokens[2]}).headers["Jeton-Receipt"]
    service.stop()
    config = ("--config", str(service.config))
    jeton("audit", "verify", "--receipt", receipt, *config)
    shutil.rmtree(service.folder)
    shutil.copytree(old, service.folder)
    with pytest.raises(AssertionError, match=r"exit [12]"):
        jeton("audit", "verify", "--receipt", receipt, *config)


@pytest.mark.parametrize("what", ["folder", "chain", "segment", "replaced"])
def test_without_the_record_no_value_leaves(house: House, what: str) -> None:
    service, desk = house.service, _desk(house)
    assert desk.ask("detokenise", {"token": house.tokens[0]}).status == 200
    audit = service.folder / "audit"
    chain = audit / "w0"
    match what:
        case "folder":
            shutil.rmtree(audit)
        case "chain":
            shutil.rmtree(chain)
        case "segment":
            for path in chain.glob("*.jsonl"):
                path.unlink()
        case "replaced":
            audit.rename(service.folder / "hidden")
            audit.mkdir()
            chain.mkdir()
    for token in house.tokens[:5]:
        reply = desk.ask("detokenise", {"token": token})
        assert (reply.status, reply.body["code"]) == (503, "audit_unavailable")
        assert house.leaks(reply) == []
    assert service.get("readyz").status == 503


def test_a_record_that_was_only_away_is_gone_on_with(house: House) -> None:
    service, desk = house.service, _desk(house)
    audit, hidden = service.folder / "audit", service.folder / "hidden"
    audit.rename(hidden)
    assert desk.ask("detokenise", {"token": house.tokens[0]}).status == 503
    hidden.rename(audit)
    assert desk.walk("detokenise", house.tokens)[0] == PEOPLE
    service.stop()
    jeton("audit", "verify", "--config", str(service.config))


def test_counters_somewhere_else_are_no_fresh_start(house: House) -> None:
    """The environment may move the store: to an empty one that the record does not know."""
    service, desk = house.service, _desk(house)
    assert desk.walk("detokenise", house.tokens)[0] == PEOPLE
    service.stop()
    service.environment["JETON__STORE__URL"] = "sqlite:other.db"
    _start_halted(service)
    for token in house.tokens:
        assert desk.ask("detokenise", {"token": token}).status == 503


def test_the_environment_gives_nobody_more(installed: Service) -> None:
    for name, value in (
        ("JETON__CLIENTS__DESK__LIMITS__PEOPLE__DAY", "1000"),
        ("JETON__CLIENTS__DESK", "{}"),
        ("JETON__TRANSFORMATIONS__FR-NIR__BAND", "none"),
    ):
        installed.environment = {name: value}
        assert "Traceback" not in _refuses_to_start(installed)


def test_an_older_keyset_does_not_start(installed: Service, tmp_path: Path) -> None:
    service = installed
    service.start().stop()
    keyset = service.folder / "keyset.json"
    shutil.copy(keyset, tmp_path)
    jeton("keys", "rotate", "--config", str(service.config))
    service.start().stop()
    shutil.copy(tmp_path / "keyset.json", keyset)
    said = _refuses_to_start(service)
    assert "older" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("what", ["keyset.json", "kek.key"])
def test_a_changed_key_file_does_not_start(installed: Service, what: str) -> None:
    path = installed.folder / what
    content = bytearray(path.read_bytes())
    at = len(content) // 2
    content[at] = ord("A") if content[at] != ord("A") else ord("B")
    path.write_bytes(content)
    assert "Traceback" not in _refuses_to_start(installed)


def _refuses_to_start(service: Service) -> str:
    command = [*JETON, "serve", "--config", str(service.config), "--port", str(free_port())]
    environment = os.environ | service.environment
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 2
    return done.stderr
