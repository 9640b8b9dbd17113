"""The client against a real service, as shipped."""

import pytest

import jeton
from tests.support.service import Service

pytestmark = pytest.mark.system

NIR = "284057512345672"


@pytest.fixture
def intake(service: Service) -> jeton.Client:
    return jeton.Client(service.url, service.credentials["intake"])


@pytest.fixture
def reimbursement(service: Service) -> jeton.Client:
    credential = service.credentials["reimbursement"]
    return jeton.Client(service.url, credential, purpose="reimbursement")


@pytest.fixture
def portal(service: Service) -> jeton.Client:
    return jeton.Client(service.url, service.credentials["portal"], purpose="display")


def test_a_value_goes_in_and_comes_out(intake: jeton.Client, reimbursement: jeton.Client) -> None:
    token = intake.tokenise("fr-nir", NIR)
    assert token != NIR
    assert len(token) == len(NIR)
    assert reimbursement.detokenise("fr-nir", token).reveal() == NIR
    bound = intake.tokenise("birth-date", "1984-05-12", context=token)
    born = reimbursement.detokenise("birth-date", bound, context=token)
    assert born == jeton.Sensitive("1984-05-12")


def test_a_batch_keeps_good_and_bad_items_in_place(
    intake: jeton.Client, reimbursement: jeton.Client
) -> None:
    items = intake.tokenise("birth-date", ["1984-05-12", "never", "19840512"], context="c")
    assert isinstance(items[1], jeton.InvalidValue)
    assert items[1].index == 1
    assert items.receipt is None
    good = [item for item in items if isinstance(item, jeton.Token)]
    values = reimbursement.detokenise("birth-date", good, context=["c", "c"])
    assert [value.reveal() for value in values.all()] == ["1984-05-12", "19840512"]
    assert values.receipt is not None
    assert len(intake.tokenise("fr-nir", [])) == 0


def test_a_screen_gets_masks_and_answers_only(intake: jeton.Client, portal: jeton.Client) -> None:
    token = intake.tokenise("fr-nir", NIR)
    assert portal.mask("fr-nir", token, on_behalf_of="agent-1") == "284************"
    assert portal.match("fr-nir", token, NIR, on_behalf_of="agent-1") is True
    other = portal.match("fr-nir", [token], ["184057512345625"], on_behalf_of="agent-1")
    assert other.all() == [False]
    with pytest.raises(jeton.NotAllowed) as caught:
        portal.detokenise("fr-nir", token, on_behalf_of="agent-1")
    assert (caught.value.status, caught.value.code) == (403, "not_allowed")


def test_what_is_refused_is_told_by_kind(service: Service, intake: jeton.Client) -> None:
    with pytest.raises(jeton.InvalidValue) as bad_item:
        intake.tokenise("fr-nir", "no number")
    assert (bad_item.value.status, bad_item.value.index) == (422, 0)
    with pytest.raises(jeton.ContextRequired):
        intake.tokenise("birth-date", "1984-05-12")
    with pytest.raises(jeton.NotFound):
        intake.tokenise("unheard-of", NIR)
    with pytest.raises(jeton.MalformedRequest):
        intake.tokenise("fr-nir", NIR, context="")
    with pytest.raises(jeton.Unauthenticated):
        jeton.Client(service.url, "jeton_intake_nobody_000000").tokenise("fr-nir", NIR)


def test_the_requests_id_is_the_one_the_service_answers_with(intake: jeton.Client) -> None:
    with pytest.raises(jeton.NotAllowed) as caught:
        intake.detokenise("fr-nir", NIR, purpose="reimbursement")
    assert caught.value.request_id is not None
    assert caught.value.request_id in str(caught.value)


def test_a_client_sees_what_it_may_do(portal: jeton.Client) -> None:
    seen = {one.name: one for one in portal.transformations()}
    assert seen["fr-nir"].operations == ("mask", "match")
    assert seen["fr-nir"].token_recognisable
    assert "display" in seen["fr-nir"].purposes
