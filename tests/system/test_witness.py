"""A service and its witness, both real: killed at any time, away, shown another record."""

import hashlib
import json
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Authority, serial_of
from tests.support.service import JETON, Service, jeton
from tests.support.witnesses import WitnessProcess
from vault.audit.checkpoint import all_lines, load_public_key
from vault.ledger.witnessing import FORKED
from vault.witness.cosignature import is_by, log_of, read
from vault.witness.logs import logs

pytestmark = pytest.mark.system

NIR = {"value": "284057512345672"}
SECONDS = 60.0


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    one = WitnessProcess.create(tmp_path)
    yield one
    one.end()


def reveal(service: Service, token: str) -> int:
    reply = service.post(
        "detokenise/fr-nir", {"token": token}, service.credentials["reimbursement"], "reimbursement"
    )
    assert reply.status in (200, 503)
    if reply.status == 503:
        assert reply.body["code"] in ("audit_unavailable", "store_unavailable")
    return reply.status


def token_of(service: Service) -> str:
    reply = service.post("tokenise/fr-nir", NIR, service.credentials["intake"])
    token: str = reply.body["token"]
    return token


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def watched(service: Service, witness: WitnessProcess, **settings: object) -> None:
    """A service with a witness, and a checkpoint a second. Its record exists already."""
    jeton("tokenise", "fr-nir", NIR["value"], "--config", str(service.config),
          environment={"JETON_CREDENTIAL": service.credentials["intake"]})  # fmt: skip
    witness.trust(service.folder / "audit" / "public.pem")
    service.edit(lambda text: text.replace("[audit]\n", "[audit]\ncheckpoint_seconds = 1.0\n"))
    service.edit(witness.watching(**settings))


def known(witness: WitnessProcess) -> list[bytes]:
    return [line for path in logs(witness.folder).values() for line in all_lines(path)]


def here(service: Service) -> list[bytes]:
    return list(all_lines(service.folder / "audit" / "checkpoints.jsonl"))


def verified(service: Service, *arguments: str) -> dict[str, object]:
    command = [*JETON, "audit", "verify", "--json", "--config", str(service.config), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    assert found["clean"] is (done.returncode == 0) or found["stopped"]
    return found


def test_both_are_killed_and_nothing_is_lost_or_contradicted(
    new_service: Callable[[], Service], witness: WitnessProcess, tmp_path: Path
) -> None:
    authority = Authority.create(tmp_path)
    pair = authority.issue("witness")
    witness.tls = (tmp_path / "w.crt", tmp_path / "w.key")
    pair.put(*witness.tls)
    service = new_service()
    watched(service, witness, tls_ca=f'"{authority.path}"')
    witness.start()
    for _ in range(3):
        service.start(workers=2)
        enough = len(known(witness)) + 2
        token = token_of(service)
        assert reveal(service, token) == 200
        until(lambda least=enough: len(known(witness)) >= least)  # type: ignore[misc]
        witness.kill()
        until(lambda: len(here(service)) > len(known(witness)) + 1)
        assert reveal(service, token) == 200  # nothing is required of it
        witness.start()
        until(lambda: len(here(service)) <= len(known(witness)) + 1)
        service.kill()
    assert here(service)[: len(known(witness))] == known(witness)
    verdict = verified(service, "--witness", witness.url, "--witness-key", str(witness.key))
    assert verdict["clean"], verdict
    cosigned = list(all_lines(service.folder / "audit" / "cosignatures.jsonl"))
    log = log_of(load_public_key(service.folder / "audit" / "public.pem"), "record")
    signed = [read(line) for line in cosigned]
    assert len(signed) > 5
    assert all(one is not None and is_by(load_public_key(witness.key), log, one) for one in signed)
    assert "refused" not in witness.log.read_text("utf-8")


def test_a_service_that_nobody_trusts_yet_waits_and_is_ready_once_its_witness_does(
    new_service: Callable[[], Service], witness: WitnessProcess
) -> None:
    """The first start of all: its record's key is there before a witness can know it."""
    service = new_service()
    service.edit(witness.watching(required_within=5.0))
    with witness:
        service.launch()
        public = service.folder / "audit" / "public.pem"
        until(public.exists)
        until(lambda: "witness-away" in service.log.read_text("utf-8"))
        assert service.get("readyz").status == 503
        witness.trust(public)
        until(lambda: service.get("readyz").status == 200)
        service.stop()


def test_certificate_authority_and_credential_are_renewed_while_both_run(
    new_service: Callable[[], Service], witness: WitnessProcess, tmp_path: Path
) -> None:
    """Renewals send a witness SIGHUP, too: it ended it."""
    first, other = (Authority.create(folder(tmp_path / name)) for name in ("first", "other"))
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(first.path.read_bytes())
    witness.tls = (tmp_path / "w.crt", tmp_path / "w.key")
    first.issue("witness").put(*witness.tls)
    service = new_service()
    watched(service, witness, required_within=4.0, tls_ca=f'"{trusted}"')
    with witness:
        service.start()
        token = token_of(service)
        assert reveal(service, token) == 200
        pair = other.issue("witness")
        pair.put(*witness.tls)
        trusted.write_bytes(other.path.read_bytes())
        assert witness.process is not None
        witness.process.send_signal(signal.SIGHUP)
        context = other.trusting()
        with (
            socket.create_connection(("127.0.0.1", witness.port)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as shown,
        ):
            assert serial_of(shown) == pair.serial
        witness.process.send_signal(signal.SIGTERM)
        assert witness.process.wait(20) == 0
        credential = secrets.token_urlsafe(32)
        digest = hashlib.sha256(credential.encode()).hexdigest()
        (witness.folder / "credential.sha256").write_text(digest)
        witness.folder.with_suffix(".credential").write_text(credential)
        witness.start()
        enough = len(known(witness)) + 3
        until(lambda: len(known(witness)) >= enough)
        assert reveal(service, token) == 200
        service.stop()


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_reveals_stop_where_a_witness_is_required_and_away(
    new_service: Callable[[], Service], witness: WitnessProcess
) -> None:
    service = new_service()
    watched(service, witness, required_within=3.0)
    service.launch()
    until(lambda: _is_up(service))
    assert service.get("readyz").status == 503  # it has never signed
    witness.start()
    until(lambda: service.get("readyz").status == 200)
    token = token_of(service)
    assert reveal(service, token) == 200
    witness.end()
    until(lambda: reveal(service, token) == 503)
    assert token_of(service) == token
    assert service.get("readyz").body["code"] == "audit_unavailable"
    witness.start()
    until(lambda: reveal(service, token) == 200)
    service.stop()
    assert "witness-away" in service.log.read_text("utf-8")


def test_a_record_and_store_put_back_to_an_older_copy_are_noticed_by_the_witness_alone(
    new_service: Callable[[], Service], witness: WitnessProcess, tmp_path: Path
) -> None:
    service = new_service()
    watched(service, witness)
    witness.start()
    service.start()
    token = token_of(service)
    assert reveal(service, token) == 200
    service.stop()
    shutil.copytree(service.folder, tmp_path / "older")
    service.start()
    assert reveal(service, token) == 200
    service.stop()
    assert known(witness) == here(service)

    shutil.rmtree(service.folder)
    shutil.copytree(tmp_path / "older", service.folder)
    assert verified(service)["clean"]  # store, record and checkpoints fit each other
    found = verified(service, "--witness", str(witness.folder))
    assert {one["code"] for one in found["findings"]} >= {"truncated", "checkpoint_gap"}  # type: ignore[attr-defined, index]

    service.launch()
    until(lambda: _is_up(service) and reveal(service, token) == 503)
    service.stop()
    assert verified(service)["stopped"] == FORKED
    (log,) = logs(witness.folder)
    for command in (
        ["witness", "accept", str(witness.folder), log, "--reason", "restored from a backup"],
        ["audit", "accept", "--config", str(service.config), "--reason", "restored from a backup"],
    ):
        jeton(*command)
    service.start()
    assert reveal(service, token) == 200
    until(lambda: len(known(witness)) >= len(here(service)) - 1)
    service.stop()


def _is_up(service: Service) -> bool:
    try:
        return service.get("livez").status == 200
    except OSError:
        return False
