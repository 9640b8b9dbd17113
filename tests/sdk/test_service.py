"""Both clients against a real service, as shipped."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import jeton
from tests.support.service import Service
from tests.support.stub import KINDS, client_of

pytestmark = pytest.mark.system

NIR = "284057512345672"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def intake(kind: str, service: Service) -> Iterator[Any]:
    with client_of(kind, service.url, service.credentials["intake"]) as client:
        yield client


@pytest.fixture
def reimbursement(kind: str, service: Service) -> Iterator[Any]:
    credential = service.credentials["reimbursement"]
    with client_of(kind, service.url, credential, purpose="reimbursement") as client:
        yield client


@pytest.fixture
def portal(kind: str, service: Service) -> Iterator[Any]:
    credential = service.credentials["portal"]
    with client_of(kind, service.url, credential, purpose="display") as client:
        yield client


def test_a_value_goes_in_and_comes_out(intake: Any, reimbursement: Any) -> None:
    token = intake.tokenise("fr-nir", NIR)
    assert token != NIR
    assert len(token) == len(NIR)
    assert reimbursement.detokenise("fr-nir", token).reveal() == NIR
    bound = intake.tokenise("birth-date", "1984-05-12", context=token)
    born = reimbursement.detokenise("birth-date", bound, context=token)
    assert born == jeton.Sensitive("1984-05-12")


def test_a_batch_keeps_good_and_bad_items_in_place(intake: Any, reimbursement: Any) -> None:
    items = intake.tokenise("birth-date", ["1984-05-12", "never", "19840512"], context="c")
    assert isinstance(items[1], jeton.InvalidValue)
    assert items[1].index == 1
    assert items.receipt is None
    good = [item for item in items if isinstance(item, jeton.Token)]
    values = reimbursement.detokenise("birth-date", good, context=["c", "c"])
    assert [value.reveal() for value in values.all()] == ["1984-05-12", "19840512"]
    assert values.receipt is not None
    assert len(intake.tokenise("fr-nir", [])) == 0


def test_a_screen_gets_masks_and_answers_only(intake: Any, portal: Any) -> None:
    token = intake.tokenise("fr-nir", NIR)
    assert portal.mask("fr-nir", token, on_behalf_of="agent-1") == "284************"
    assert portal.match("fr-nir", token, NIR, on_behalf_of="agent-1") is True
    other = portal.match("fr-nir", [token], ["184057512345625"], on_behalf_of="agent-1")
    assert other.all() == [False]
    with pytest.raises(jeton.NotAllowed) as caught:
        portal.detokenise("fr-nir", token, on_behalf_of="agent-1")
    assert (caught.value.status, caught.value.code) == (403, "not_allowed")


def test_what_is_refused_is_told_by_kind(kind: str, service: Service, intake: Any) -> None:
    with pytest.raises(jeton.InvalidValue) as bad_item:
        intake.tokenise("fr-nir", "no number")
    assert (bad_item.value.status, bad_item.value.index) == (422, 0)
    with pytest.raises(jeton.ContextRequired):
        intake.tokenise("birth-date", "1984-05-12")
    with pytest.raises(jeton.NotFound):
        intake.tokenise("unheard-of", NIR)
    with pytest.raises(jeton.MalformedRequest):
        intake.tokenise("fr-nir", NIR, context="")
    with (
        client_of(kind, service.url, "jeton_intake_nobody_000000") as nobody,
        pytest.raises(jeton.Unauthenticated),
    ):
        nobody.tokenise("fr-nir", NIR)


def test_the_requests_id_is_the_one_the_service_answers_with(intake: Any) -> None:
    with pytest.raises(jeton.NotAllowed) as caught:
        intake.detokenise("fr-nir", NIR, purpose="reimbursement")
    assert caught.value.request_id is not None
    assert caught.value.request_id in str(caught.value)


def test_a_client_sees_what_it_may_do(portal: Any) -> None:
    seen = {one.name: one for one in portal.transformations()}
    assert seen["fr-nir"].operations == ("mask", "match")
    assert seen["fr-nir"].token_recognisable
    assert "display" in seen["fr-nir"].purposes


def test_a_stream_of_three_batches_comes_back_as_it_went(intake: Any) -> None:
    days = [f"{1900 + at // 360}{at // 30 % 12 + 1:02}{at % 28 + 1:02}" for at in range(25_000)]
    days[12_345] = "never"
    tokens = list(intake.tokenise("birth-date", iter(days), context="c"))
    assert isinstance(tokens[12_345], jeton.InvalidValue)
    assert tokens[12_345].index == 12_345
    whole = intake.tokenise("birth-date", days, context="c")
    assert [item for item in whole if isinstance(item, str)] == [
        token for token in tokens if isinstance(token, str)
    ]
    assert whole.errors[0].index == 12_345


@pytest.mark.parametrize("client_kind", KINDS)
def test_who_travels_together_may_spend_exactly_what_is_there(
    client_kind: str, new_service: Callable[[], Service]
) -> None:
    """A batch that is refused because it is larger than what is left starves nobody."""
    service = new_service()
    credential = service.add_client("few", ["detokenise:fr-nir:test"], {"reveal.hour": 10})
    service.start()
    with jeton.Client(service.url, service.credentials["intake"]) as client:
        token = client.tokenise("fr-nir", NIR)

    def reveal(client: jeton.Client) -> str:
        try:
            return client.detokenise("fr-nir", token).reveal()
        except jeton.BudgetExhausted:
            return "spent"

    async def reveals() -> list[str]:
        async with jeton.AsyncClient(service.url, credential, purpose="test") as client:
            calls = [client.detokenise("fr-nir", token) for _ in range(32)]
            got = await asyncio.gather(*calls, return_exceptions=True)
            return [one.reveal() if isinstance(one, jeton.Sensitive) else "spent" for one in got]

    if client_kind == "asyncio":
        got = asyncio.run(reveals())
    else:
        with (
            jeton.Client(service.url, credential, purpose="test") as client,
            ThreadPoolExecutor(32) as pool,
        ):
            got = list(pool.map(reveal, [client] * 32))
    assert sorted(got) == [NIR] * 10 + ["spent"] * 22
