"""One service as shipped, over HTTP: the contract's calls, its refusals, its record."""

import uuid

import pytest
from stdnum.fr import nir as stdnum_nir

from tests.support.service import Service, jeton

pytestmark = pytest.mark.system

NIR = "2 84 05 2A 321 025 52"
OTHER = "185017864600119"


@pytest.fixture(scope="module")
def token(service: Service) -> str:
    reply = service.post("tokenise/fr-nir", {"value": NIR}, service.credentials["intake"])
    assert reply.status == 200
    return str(reply.body["token"])


def test_a_token_has_the_form_of_its_value(token: str) -> None:
    assert [len(part) for part in token.split(" ")] == [1, 2, 2, 2, 3, 3, 2]
    assert stdnum_nir.is_valid(token)
    assert token != NIR


def test_only_the_named_machine_gets_it_back_for_its_purpose(service: Service, token: str) -> None:
    machine = service.credentials["reimbursement"]
    reply = service.post("detokenise/fr-nir", {"token": token}, machine, "reimbursement")
    assert (reply.status, reply.body) == (200, {"value": NIR})
    receipt = reply.headers["Jeton-Receipt"]
    jeton("audit", "verify", "--config", str(service.config), "--receipt", receipt)
    refused = {
        service.post("detokenise/fr-nir", {"token": token}, credential, purpose).body["code"]
        for credential, purpose in (
            (machine, "curiosity"),
            (machine, None),
            (service.credentials["intake"], "reimbursement"),
            (None, "reimbursement"),
            (service.credentials["portal"], "display"),
        )
    }
    assert refused == {"not_allowed", "purpose_required", "unauthenticated"}


def test_the_portal_sees_masks_and_matches(service: Service, token: str) -> None:
    portal = service.credentials["portal"]
    masked = service.post("mask/fr-nir", {"tokens": [token, "x"]}, portal, "display", "clerk-7")
    assert masked.status == 200
    assert masked.body["masked"] == ["2 84 ** ** *** *** **", None]
    assert [(e["index"], e["code"]) for e in masked.body["errors"]] == [(1, "not_a_token")]
    for candidate, same in ((NIR, True), (NIR.replace(" ", ""), True), (OTHER, False)):
        body = {"token": token, "candidate": candidate}
        reply = service.post("match/fr-nir", body, portal, "display", "clerk-7")
        assert (reply.status, reply.body) == (200, {"match": same})
    nobody = service.post("mask/fr-nir", {"token": token}, portal, "display")
    assert nobody.body["code"] == "end_user_required"


def test_a_birth_date_counts_as_its_persons_nir(new_service) -> None:  # type: ignore[no-untyped-def]
    """One person's NIR and birth date together cost one person."""
    service = new_service()
    grants = [f"detokenise:{name}:care" for name in ("fr-nir", "birth-date")]
    reader = service.add_client("reader", grants, {"people.day": 1})
    service.start()
    intake = service.credentials["intake"]
    nirs = [
        service.post("tokenise/fr-nir", {"value": nir}, intake).body["token"]
        for nir in (NIR, OTHER)
    ]
    dates = [
        service.post("tokenise/birth-date", {"value": day, "context": nir}, intake).body["token"]
        for day, nir in zip(("1984-13-00", "1985-01-01"), nirs, strict=True)
    ]
    first = service.post("detokenise/fr-nir", {"token": nirs[0]}, reader, "care")
    same = {"token": dates[0], "context": nirs[0]}
    second = service.post("detokenise/birth-date", same, reader, "care")
    assert (first.status, second.status) == (200, 200)
    assert second.body == {"value": "1984-13-00"}
    other = {"token": dates[1], "context": nirs[1]}
    third = service.post("detokenise/birth-date", other, reader, "care")
    assert (third.status, third.body["code"]) == (429, "budget_exhausted")
    assert int(third.headers["Retry-After"]) > 0


def test_batches_keep_their_order_and_length(service: Service) -> None:
    intake = service.credentials["intake"]
    values = [OTHER, "nonsense", NIR, OTHER] * 300
    reply = service.post("tokenise/fr-nir", {"values": values}, intake)
    assert reply.status == 200
    tokens, errors = reply.body["tokens"], reply.body["errors"]
    assert len(tokens) == len(values)
    assert tokens[0] == tokens[3] != tokens[2]
    assert [e["index"] for e in errors] == list(range(1, 1200, 4))
    assert service.post("tokenise/fr-nir", {"values": []}, intake).body == {
        "tokens": [],
        "errors": [],
    }


def test_what_a_caller_may_do_is_told(service: Service) -> None:
    reply = service.get("v1/transformations", service.credentials["reimbursement"])
    told = {each["name"]: each for each in reply.body["transformations"]}
    assert told["birth-date"] == {
        "name": "birth-date",
        "format": "birth-date",
        "method": "fpe",
        "context": "required",
        "operations": ["detokenise"],
        "purposes": ["reimbursement"],
        "token_recognisable": True,
    }
    assert set(told) == {"fr-nir", "birth-date"}


def test_every_answer_names_its_request(service: Service) -> None:
    for path in ("livez", "nowhere", "v1/tokenise/fr-nir", "v1/transformations"):
        assert uuid.UUID(service.get(path).headers["Jeton-Request-Id"])


def test_metrics_count(service: Service, token: str) -> None:
    connection = service.get("metrics")
    assert connection.status == 200
