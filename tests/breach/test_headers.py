"""Headers that two readers could read in two ways are refused, whatever is in them."""

import pytest

from tests.support.thief import Clients, House, send

pytestmark = [pytest.mark.breach, pytest.mark.system]

CLIENTS: Clients = {
    "desk": (["mask:fr-nir:display"], {"people.day": 50, "end_user.people.day": 2}),
}
PEOPLE = 5

PURPOSE, END_USER = "Jeton-Purpose", "Jeton-On-Behalf-Of"
GOOD = [("Content-Type", "application/json"), (PURPOSE, "display"), (END_USER, "clerk-1")]


def _send(house: House, headers: list[tuple[str, str]], bearers: int = 1) -> tuple[int, str]:
    """Status and code; no answer but a success may hold anything of anybody."""
    bearer = f"Bearer {house.service.credentials['desk']}"
    sent = [*[("Authorization", bearer)] * bearers, *headers]
    reply = send(house.service.port, "/v1/mask/fr-nir", {"token": house.tokens[0]}, sent)
    if reply.status != 200:
        assert house.nirs[0][:3] not in str(reply.body)
    return reply.status, reply.body.get("code", "")


def test_the_plain_request_passes(house: House) -> None:
    assert _send(house, GOOD) == (200, "")


@pytest.mark.parametrize(
    "second",
    [
        (PURPOSE, "display"),
        (PURPOSE, "reimbursement"),
        (PURPOSE.lower(), "display"),
        (PURPOSE.upper(), "reimbursement"),
        (END_USER, "clerk-1"),
        (END_USER.lower(), "clerk-2"),
        (END_USER.upper(), "clerk-2"),
        ("content-type", "application/json"),
    ],
)
def test_a_second_header_is_refused(house: House, second: tuple[str, str]) -> None:
    for headers in ([*GOOD, second], [second, *GOOD]):
        assert _send(house, headers) == (400, "malformed_request")


def test_two_credentials_are_none(house: House) -> None:
    assert _send(house, GOOD, bearers=2) == (401, "unauthenticated")
    assert _send(house, [("authorization", "Bearer x"), *GOOD]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "purpose",
    ["Display", "display,reimbursement", "display;q=1", "d" * 65, "", "display\xa0", "d\xefsplay"],
)
def test_a_purpose_is_one_plain_word(house: House, purpose: str) -> None:
    headers = [GOOD[0], (PURPOSE, purpose), GOOD[2]]
    assert _send(house, headers) == (400, "malformed_request")


@pytest.mark.parametrize("end_user", ["", "clerk 1", "clerk\t1", "cl\xe9rk", "c" * 129])
def test_an_end_user_is_one_opaque_word(house: House, end_user: str) -> None:
    headers = [*GOOD[:2], (END_USER, end_user)]
    assert _send(house, headers) == (400, "malformed_request")


def test_headers_that_only_look_alike_are_not_read(house: House) -> None:
    underscored = [GOOD[0], ("Jeton_Purpose", "display"), GOOD[2]]
    assert _send(house, underscored) == (403, "purpose_required")
    renamed = [*GOOD[:2], ("X-Jeton-On-Behalf-Of", "clerk-1")]
    assert _send(house, renamed) == (403, "end_user_required")
    house.service.stop()
    refusals = [entry for entry in house.record() if entry["kind"] == "refusals"]
    house.service.start()
    assert {entry["principal"] for entry in refusals} == {"desk"}
    refused: dict[str, int] = {}
    for entry in refusals:
        refused[entry["code"]] = refused.get(entry["code"], 0) + entry["count"]
    assert refused["purpose_required"] == refused["end_user_required"] == 1
