"""Identity without secrets, asked of a real service: tokens by a real issuer, real certificates.

Whatever is refused stands in the record by its cause.
"""

import hmac
import json
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.callers import as_envoy, caller, revoking, showing
from tests.support.calls import Place
from tests.support.certificates import Authority
from tests.support.issuers import Issuer, joined
from tests.support.redis import until
from tests.support.service import Reply, Service, jeton
from tests.support.values import nir_key

pytestmark = [pytest.mark.system, pytest.mark.slow]

WORKLOAD = "system:serviceaccount:billing:api"
URI = "spiffe://example/ns/billing/sa/api"
USER_ISS = "https://professionals.example"
NIR = (body := "2840756123456") + nir_key(body)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer.serving() as one:
        yield one


@pytest.fixture
def professionals() -> Iterator[Issuer]:
    with Issuer.serving(USER_ISS) as one:
        yield one


def add_to_client(text: str, name: str, lines: str) -> str:
    head = f"[clients.{name}]\n"
    assert head in text
    return text.replace(head, f"{head}{lines}\n", 1)


def recorded(service: Service) -> list[dict[str, Any]]:
    """After the service has ended, so that all of it is written."""
    lines = jeton("audit", "export", "--config", str(service.config)).splitlines()
    return [json.loads(line) for line in lines]


def refusals(service: Service, principal: str = "-") -> dict[str, int]:
    found: dict[str, int] = {}
    for one in recorded(service):
        if one["kind"] == "refusals" and one["principal"] == principal:
            found[one["code"]] = found.get(one["code"], 0) + one["count"]
    return found


def ask(service: Service, token: str | None) -> int:
    return service.get("v1/transformations", token).status


def test_tokens_of_a_workload(
    new_service: Callable[[], Service], issuer: Issuer, professionals: Issuer
) -> None:
    service = new_service()
    said = issuer.configuration("cluster", keys_cooldown=0.2)
    said += professionals.configuration("people")
    tokens = f'tokens = [{{ issuer = "cluster", sub = "{WORKLOAD}", claims = {{ tier = "1" }} }}]'
    service.edit(lambda text: add_to_client(text, "intake", tokens) + said)
    service.start()
    good = issuer.token(WORKLOAD, tier="1")
    value = NIR
    assert service.post("tokenise/fr-nir", {"value": value}, good).status == 200
    assert ask(service, service.credentials["intake"]) == 200

    now = int(time.time())
    key = issuer.keys[0]
    unsigned = joined({"alg": "none", "kid": key.kid}, issuer.claims(WORKLOAD, tier="1"), b"x")
    bad = {
        "token_expired": issuer.token(WORKLOAD, iat=now - 900, exp=now - 300),
        "token_early": issuer.token(WORKLOAD, nbf=now + 300),
        "token_audience": issuer.token(WORKLOAD, aud="another"),
        "token_issuer": Issuer("https://another.example").token(WORKLOAD),
        "token_signature": Issuer().token(WORKLOAD),
        "token_algorithm": unsigned,
        "token_subject": issuer.token(WORKLOAD, tier="2"),
        "token_key": issuer.token(WORKLOAD, {"kid": "https://thief.example/jwks"}),
        "token_lifetime": issuer.token(WORKLOAD, exp=now + 90_000),
        "token_malformed": f"{good}.x.y"[: -len(".x.y")] + "=",
    }
    for why, text in bad.items():
        assert ask(service, text) == 401, why
    signed = joined({"alg": "HS256", "kid": key.kid}, issuer.claims(WORKLOAD, tier="1"))
    mac = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
    assert ask(service, f"{signed}.{joined(mac)}") == 401, "its public key is no secret"
    assert ask(service, professionals.token(WORKLOAD, tier="1")) == 401
    assert ask(service, "jeton_intake_guess") == 401

    asked = issuer.asked
    issuer.rotate()
    time.sleep(0.3)  # what keys_cooldown says
    assert ask(service, issuer.token(WORKLOAD, tier="1")) == 200, "a new kid is fetched"
    assert issuer.asked == asked + 1
    assert ask(service, good) == 401, "a key that is gone"
    issuer.away = True
    assert ask(service, issuer.token(WORKLOAD, tier="1", jti="2")) == 200, "cached"
    service.stop()
    found = refusals(service)
    assert found.keys() == bad.keys(), "guesses of credentials are not in the record"
    assert found["token_subject"] == found["token_key"] == found["token_algorithm"] == 2
    assert good not in service.log.read_text()


def test_workers_that_a_reload_brings_know_an_issuer_that_is_away(
    new_service: Callable[[], Service], issuer: Issuer
) -> None:
    service = new_service()
    tokens = f'tokens = [{{ issuer = "cluster", sub = "{WORKLOAD}" }}]'
    said = issuer.configuration("cluster")
    service.edit(lambda text: add_to_client(text, "intake", tokens) + said)
    service.start(2)
    assert ask(service, issuer.token(WORKLOAD)) == 200
    issuer.away = True
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)
    until(lambda: '"reloaded"' in service.log.read_text(), "the workers are others", 60)
    for number in range(20):  # both of them
        assert ask(service, issuer.token(WORKLOAD, jti=f"{number}")) == 200
    service.stop()


def disclose(service: Service, token: str, end_user: str | None, who: str = "portal") -> Reply:
    call = {"portal": "mask/fr-nir", "reimbursement": "detokenise/fr-nir"}[who]
    purpose = {"portal": "display", "reimbursement": "reimbursement"}[who]
    return service.post(call, {"token": token}, service.credentials[who], purpose, end_user)


def test_an_end_user_who_is_proved(
    new_service: Callable[[], Service], issuer: Issuer, professionals: Issuer
) -> None:
    service = new_service()
    said = issuer.configuration("cluster") + professionals.configuration(
        "people", keys_cooldown=0.2
    )

    def edit(text: str) -> str:
        mask = '{ operation = "mask", transformation = "fr-nir", purposes = ["display"]'
        assert mask in text
        text = text.replace(mask, f'{mask}, end_user_issuers = ["people"]')
        text = add_to_client(text, "portal", 'issued_to = ["portal-app"]')
        return add_to_client(text, "reimbursement", 'issued_to = ["another-app"]') + said

    service.edit(edit)
    service.start()
    value = NIR
    intake = service.credentials["intake"]
    token = service.post("tokenise/fr-nir", {"value": value}, intake).body["token"]
    now = int(time.time())
    good = professionals.token("899700001", azp="portal-app")
    assert disclose(service, token, good).status == 200
    bad = {
        "end_user_required": None,
        "end_user_token_malformed": "dr-who",
        "end_user_token_replayed": professionals.token("899700001", azp="another-app"),
        "end_user_token_issuer": issuer.token("899700001", azp="portal-app"),
        "end_user_token_expired": professionals.token(
            "899700001", azp="portal-app", iat=now - 900, exp=now - 300
        ),
    }
    for why, text in bad.items():
        reply = disclose(service, token, text)
        assert (reply.status, reply.body["code"]) == (403, "end_user_required"), why
    assert disclose(service, token, "x" * 129).status == 400
    assert disclose(service, token, "dr-who", "reimbursement").status == 200, "claimed, elsewhere"
    professionals.rotate()
    time.sleep(0.3)  # what keys_cooldown says
    fresh = professionals.token("899700001", azp="portal-app")
    assert disclose(service, token, fresh).status == 200, "a new kid is fetched"
    service.stop()
    entries = [one for one in recorded(service) if one["kind"] == "disclosure"]
    assert [(one["end_user"], one.get("end_user_proof")) for one in entries] == [
        ("people 899700001", "people"),
        ("dr-who", None),
        ("people 899700001", "people"),
    ]
    assert refusals(service, "portal").keys() == bad.keys()
    assert good not in json.dumps(recorded(service))


def test_a_proved_end_user_who_is_trapped_is_locked_alone(
    new_service: Callable[[], Service], professionals: Issuer
) -> None:
    service = new_service()

    def edit(text: str) -> str:
        mask = '{ operation = "mask", transformation = "fr-nir", purposes = ["display"]'
        text = text.replace(mask, f'{mask}, end_user_issuers = ["people"]')
        text = add_to_client(text, "portal", 'issued_to = ["portal-app"]')
        said = professionals.configuration("people")
        return f'{text}{said}\n[honeytokens]\nmask_and_match = "lock"\n'

    service.edit(edit)
    arguments = ("--json", "--count", "1", "--config", str(service.config), "fr-nir")
    honey = json.loads(jeton("honeytokens", "plant", *arguments))[0]["fr-nir"]
    service.start(workers=2)
    intake = service.credentials["intake"]
    token = service.post("tokenise/fr-nir", {"value": NIR}, intake).body["token"]

    def masked(who: str, what: str = token) -> tuple[int, str | None]:
        reply = disclose(service, what, professionals.token(who, azp="portal-app"))
        return reply.status, reply.body.get("code")

    assert masked("thief") == masked("colleague") == (200, None)
    assert masked("thief", honey) == (403, "locked")
    for _ in range(8):  # every worker, whatever token of theirs comes
        assert masked("thief") == (403, "locked")
        assert masked("colleague") == (200, None)
    config = ("--config", str(service.config))
    unlock = ("clients", "unlock", "portal", "--end-user", "people thief", "--reason", "a drill")
    jeton(*unlock, *config)
    deadline = time.monotonic() + 10
    while not all(masked("thief") == (200, None) for _ in range(8)):
        assert time.monotonic() < deadline
    service.stop()
    events = {one["name"]: one["detail"] for one in recorded(service) if one["kind"] == "event"}
    assert events["honeytoken"]["end_user_proof"] == "people"
    for name in ("honeytoken", "lock", "unlock"):
        assert (events[name]["principal"], events[name]["end_user"]) == ("portal", "people thief")


def test_certificates(new_service: Callable[[], Service], tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    ours, theirs = Authority.create(tmp_path / "ours"), Authority.create(tmp_path / "theirs")
    ours.issue("server").put(tmp_path / "tls.crt", tmp_path / "tls.key")
    good, revoked = caller(ours, "billing", [URI]), caller(ours, "billing", [URI])
    (tmp_path / "crl.pem").write_bytes(revoking(ours, revoked))
    service = new_service()
    said = f"""
[identity.certificates]
ca = "{ours.path}"
crl = "{tmp_path / "crl.pem"}"
forwarded_header = "X-Forwarded-Client-Cert"
forwarded_from = ["127.0.0.2/32"]
"""
    lines = f'certificates = [{{ uri = "{URI}" }}]'
    service.edit(lambda text: add_to_client(text, "intake", lines) + said)
    service.environment |= {
        "JETON__SERVER__TLS_CERTIFICATE": str(tmp_path / "tls.crt"),
        "JETON__SERVER__TLS_KEY": str(tmp_path / "tls.key"),
    }
    service.tls = ours.trusting()
    service.start()

    def status(pair: Any, credential: str | None = None) -> int:
        service.tls = showing(ours.trusting(), pair, tmp_path) if pair else ours.trusting()
        return ask(service, credential)

    credentials = service.credentials
    assert status(good) == 200
    assert status(good, credentials["intake"]) == 200
    assert status(None, credentials["portal"]) == 200
    assert status(good, credentials["portal"]) == 401, "they disagree"
    assert status(caller(ours, "nobody")) == 401
    for pair in (revoked, caller(theirs, "billing", [URI])):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            status(pair)
    service.tls = ours.trusting()
    forged = service._ask(
        "GET", "/v1/transformations", None, {"X-Forwarded-Client-Cert": as_envoy(good)}
    )
    assert forged.status == 401
    service.stop()
    assert refusals(service).keys() == {
        "identities_differ",
        "certificate_subject",
        "certificate_revoked",
        "certificate_authority",
        "certificate_forged",
    }


def test_a_revocation_reaches_connections_that_are_open(
    new_service: Callable[[], Service], tmp_path: Path
) -> None:
    ours = Authority.create(tmp_path)
    ours.issue("server").put(tmp_path / "tls.crt", tmp_path / "tls.key")
    good, crl = caller(ours, "billing", [URI]), tmp_path / "crl.pem"
    crl.write_bytes(revoking(ours))
    service = new_service()
    said = f'\n[identity.certificates]\nca = "{ours.path}"\ncrl = "{crl}"\n'
    lines = f'certificates = [{{ uri = "{URI}" }}]'
    service.edit(lambda text: add_to_client(text, "intake", lines) + said)
    service.environment |= {
        "JETON__SERVER__TLS_CERTIFICATE": str(tmp_path / "tls.crt"),
        "JETON__SERVER__TLS_KEY": str(tmp_path / "tls.key"),
    }
    service.tls = ours.trusting()
    service.start()
    connection = Place(service.port, showing(ours.trusting(), good, tmp_path)).connect()

    def status() -> int:
        connection.request("GET", "/v1/transformations")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    assert status() == 200
    kept = connection.sock
    crl.write_bytes(revoking(ours, good))
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while "reloaded" not in service.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status() == 401
    assert connection.sock is kept, "it was the same connection"
    connection.close()
    service.stop()
    assert refusals(service) == {"certificate_revoked": 1}


def test_certificates_that_a_listed_proxy_passes_on(
    new_service: Callable[[], Service], tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    ours, theirs = Authority.create(tmp_path), Authority.create(tmp_path / "theirs")
    good, revoked = caller(ours, "billing", [URI]), caller(ours, "billing", [URI])
    (tmp_path / "crl.pem").write_bytes(revoking(ours, revoked))
    service = new_service()
    said = f"""
[identity.certificates]
ca = "{ours.path}"
crl = "{tmp_path / "crl.pem"}"
forwarded_header = "X-Forwarded-Client-Cert"
forwarded_from = ["127.0.0.0/8"]
"""
    lines = 'certificates = [{ subject = "CN=billing" }]'
    service.edit(lambda text: add_to_client(text, "intake", lines) + said)
    service.start()

    def status(header: str) -> int:
        headers = {"X-Forwarded-Client-Cert": header}
        return service._ask("GET", "/v1/transformations", None, headers).status

    assert status(as_envoy(good)) == 200
    assert status(as_envoy(revoked)) == 401
    assert status(as_envoy(caller(theirs, "billing", [URI]))) == 401
    assert status(f"{as_envoy(good)},{as_envoy(good)}") == 401
    assert ask(service, None) == 401
    service.stop()
    assert refusals(service) == {
        "certificate_revoked": 1,
        "certificate_authority": 1,
        "certificate_header": 1,
    }
