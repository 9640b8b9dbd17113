"""A service whose keyset is wrapped in a hardware module or by a cloud's key service: started with
it, without it, and while it goes away."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.kms import Failing, environment_of, kms_server
from tests.support.service import JETON, Service, jeton
from tests.support.softhsm import PIN, WRONG_PIN, SoftHsm

pytestmark = pytest.mark.system

NIR = {"value": "284057512345672"}
SECONDS = 60.0


def moved(service: Service, spec: str, environment: Mapping[str, str]) -> None:
    """The keyset under another KEK, by the command that does so."""
    service.environment.update(environment)
    jeton("keys", "rewrap", "--to", spec, "--config", str(service.config), environment=environment)
    (service.folder / "kek.key").unlink(missing_ok=True)


def refused(service: Service) -> str:
    """What a start says that fails."""
    service.launch()
    assert service.process is not None
    assert service.process.wait(SECONDS) == 2
    service.process = None
    return service.log.read_text("utf-8").splitlines()[-1]


def required_within(service: Service, seconds: float) -> None:
    service.edit(lambda text: text.replace("[keys]", f"[keys]\nkek_required_within = {seconds}"))


def token_of(service: Service) -> str:
    reply = service.post("tokenise/fr-nir", NIR, service.credentials["intake"])
    assert reply.status == 200
    found: str = reply.body["token"]
    return found


def until(service: Service, status: int) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        reply = service.post("tokenise/fr-nir", NIR, service.credentials["intake"])
        if reply.status == status:
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ready = service.get("readyz")
    assert ready.status == (200 if status == 200 else 503)
    if status != 200:
        assert reply.body["code"] == ready.body["code"] == "keys_unavailable"


def test_a_keyset_in_a_hardware_module(new_service: Callable[[], Service], tmp_path: Path) -> None:
    token = SoftHsm.create(tmp_path / "softhsm")
    service = new_service()
    service.start()
    before = token_of(service)
    service.stop()
    moved(service, token.spec, token.environment)
    assert json.loads((service.folder / "keyset.json").read_text())["kek"] == "pkcs11"
    required_within(service, 2.0)
    service.start()
    assert token_of(service) == before

    token.hide()
    until(service, 503)
    token.show()
    until(service, 200)
    service.stop()

    token.pin(WRONG_PIN)
    assert "the PIN is wrong; it was tried once" in refused(service)
    token.pin(PIN)
    token.hide()
    assert "the module shows no such token" in refused(service)
    token.show()
    service.start()
    assert token_of(service) == before
    service.stop()
    log = service.log.read_text("utf-8")
    assert "keys-unavailable" in log
    assert PIN not in log
    assert WRONG_PIN not in log


def test_a_keyset_in_kms(new_service: Callable[[], Service], tmp_path: Path) -> None:
    service = new_service()
    service.start()
    before = token_of(service)
    service.stop()
    with kms_server(tmp_path) as kms, FaultProxy(kms.port) as proxy:
        moved(service, f"aws-kms:{kms.new_key()}", environment_of(proxy.port))
        required_within(service, 3.0)
        service.start()
        assert token_of(service) == before
        proxy.black_hole = True
        assert token_of(service) == before  # it goes on for a while
        until(service, 503)
        proxy.black_hole = False
        until(service, 200)
        service.stop()
        proxy.delay = 0.5  # slow, and in time
        service.start()
        service.stop()
        proxy.cut()
        assert "cannot be reached" in refused(service)
    for code, status, words in (
        ("AccessDeniedException", 400, "it denies kms:Decrypt: the role needs it"),
        ("ThrottlingException", 400, "it throttles us"),
        ("KMSInternalException", 500, "it failed, 3 times in a row"),
    ):
        with Failing(code, status) as failing:
            service.environment.update(environment_of(failing.port))
            assert words in refused(service)


def test_a_rewrap_that_was_stopped_halfway_goes_on(
    new_service: Callable[[], Service], tmp_path: Path
) -> None:
    token = SoftHsm.create(tmp_path / "softhsm")
    service = new_service()
    service.environment.update(token.environment)
    before = service.config.read_text("utf-8")
    moved(service, token.spec, token.environment)
    service.config.write_text(before, "utf-8")  # as if killed before the configuration
    (service.folder / "kek.key").write_text("")
    arguments = ["keys", "list", "--config", str(service.config)]
    failed = subprocess.run([*JETON, *arguments], capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    moved(service, token.spec, token.environment)
    service.start()
    service.stop()
