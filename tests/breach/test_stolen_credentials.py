"""What the thief of each shipped credential gets, and where it is stopped."""

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.support.thief import WITHIN_AN_HOUR, Clients, House, Thief

pytestmark = [pytest.mark.breach, pytest.mark.system]

CLIENTS: Clients = {
    "desks": (
        ["mask:fr-nir:display"],
        WITHIN_AN_HOUR | {"people.day": 2_000, "end_user.people.day": 200},
    ),
    "oracle": (["match:fr-nir:check"], WITHIN_AN_HOUR | {"people.day": 25}),
    "guesser": (["match:fr-nir:check"], {"match.hour": 40, "people.day": 25}),
    "both": ([f"detokenise:{name}:care" for name in ("fr-nir", "birth-date")], {"people.day": 20}),
    "dates-first": (
        [f"detokenise:{name}:care" for name in ("fr-nir", "birth-date")],
        {"people.day": 20},
    ),
    "forms": (["detokenise:fr-nir:care"], {"people.day": 5}),
    "three-ways": (
        [f"{operation}:fr-nir:care" for operation in ("detokenise", "mask", "match")],
        {"people.day": 6},
    ),
    "table": (["tokenise:fr-nir"], {"tokenise.hour": 1_000}),
}
PEOPLE = 2_600
WORKERS = 2


def test_intake_gets_nothing_out(house: House) -> None:
    body = {"tokens": house.tokens[:50]}
    for operation in ("detokenise", "mask", "match"):
        guess = body | ({"candidates": house.nirs[:50]} if operation == "match" else {})
        for purpose in (None, "reimbursement", "display"):
            reply = house.thief("intake", purpose).ask(operation, guess, "clerk-7")
            assert (reply.status, reply.body["code"]) == (403, "not_allowed")
            assert house.leaks(reply) == []


def test_portal_gets_masks_only(house: House) -> None:
    thief = house.thief("portal", "display")
    reply = thief.ask("detokenise", {"tokens": house.tokens[:50]}, "clerk-1")
    assert (reply.status, reply.body["code"]) == (403, "not_allowed")
    assert house.leaks(reply) == []
    reply = thief.ask("mask", {"tokens": house.tokens[:50]}, "clerk-1")
    assert reply.body["masked"] == [nir[:3] + "*" * 12 for nir in house.nirs[:50]]


def test_as_shipped_an_end_user_sees_two_hundred_people(house: House) -> None:
    thief = house.thief("portal", "display")
    got, stopped = thief.walk("mask", house.tokens, "clerk-2", step=50)
    assert (got, stopped.body["code"]) == (200, "budget_exhausted")
    assert int(stopped.headers["Retry-After"]) > 0
    again = thief.ask("mask", {"token": house.tokens[0]}, "clerk-2")
    assert again.status == 200, "whom it has seen it may see again"


def test_invented_end_users_never_raise_the_clients_own_limit(house: House) -> None:
    thief = house.thief("desks", "display")
    people, end_users = 0, 0
    while True:
        got, stopped = thief.walk("mask", house.tokens[people:], f"nobody-{end_users}")
        if got == 0:
            break
        people, end_users = people + got, end_users + 1
    assert (people, end_users) == (2_000, 10)
    assert stopped.body["code"] == "budget_exhausted"
    assert "end_user" not in stopped.body["detail"]
    # Neither does a name in another case, one of a known user, or the client's own.
    for name in ("NOBODY-0", "nobody-0", "desks", "desks/nobody-0", "portal", "*"):
        reply = thief.ask("mask", {"token": house.tokens[2_100]}, name)
        assert reply.status == 429, name


def test_reimbursement_stops_at_exactly_its_people_over_processes(house: House) -> None:
    """Four thieves at once, each with its own part of the database, two workers."""
    results: list[int] = []

    def steal(tokens: list[str]) -> None:
        got, stopped = house.thief("reimbursement", "reimbursement").walk("detokenise", tokens)
        assert stopped.body.get("code") in (None, "budget_exhausted")
        results.append(got)

    parts = [house.tokens[at::4] for at in range(4)]
    threads = [threading.Thread(target=steal, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(results) == 2_000
    last = house.thief("reimbursement", "reimbursement")
    assert last.walk("detokenise", house.tokens[::-1], step=1)[0] <= 2_000


def test_a_nir_and_its_birth_date_are_one_person(house: House) -> None:
    """To ask for both does not double the people, whichever comes first."""
    tokens = house.tokens[:21]
    dates = house.dates(tokens, [f"1970-01-{day:02d}" for day in range(1, 22)])
    both, dates_first = house.thief("both", "care"), house.thief("dates-first", "care")
    assert _nirs(both, tokens[:20]) == 200
    assert _dates(both, dates[:20], tokens[:20]) == 200
    assert _dates(both, dates[20:], tokens[20:]) == 429
    assert _nirs(both, tokens[20:]) == 429
    assert _dates(dates_first, dates[:20], tokens[:20]) == 200
    assert _nirs(dates_first, tokens[20:]) == 429
    assert _nirs(dates_first, tokens[:20]) == 200


def _nirs(thief: Thief, tokens: list[str]) -> int:
    return thief.ask("detokenise", {"tokens": tokens}).status


def _dates(thief: Thief, dates: list[str], nirs: list[str]) -> int:
    body = {"tokens": dates, "contexts": nirs}
    return thief.ask("detokenise", body, transformation="birth-date").status


def test_other_forms_of_a_token_are_no_other_people(house: House) -> None:
    thief = house.thief("forms", "care")
    for token in house.tokens[:5]:
        for form in (token, token[:13], _spaced(token)):
            assert _nirs(thief, [form]) == 200
    for form in (house.tokens[5], house.tokens[5][:13], _spaced(house.tokens[5])):
        assert _nirs(thief, [form]) == 429


def _spaced(nir: str) -> str:
    cuts = (0, 1, 3, 5, 7, 10, 13, 15)
    return " ".join(nir[a:b] for a, b in pairwise(cuts))


def test_match_as_an_oracle_stops_at_its_people(house: House) -> None:
    """A miss tells of somebody too: it counts like a hit."""
    right, wrong = house.nirs[:12], house.nirs[40:60]
    got, stopped = house.thief("oracle", "check").walk(
        "match", house.tokens[:32], candidates=right + wrong, step=5
    )
    assert (got, stopped.body["code"]) == (25, "budget_exhausted")
    assert house.leaks(stopped) == []


def test_guesses_at_one_person_are_limited(house: House) -> None:
    token = house.tokens[0]
    got, stopped = house.thief("guesser", "check").walk(
        "match", [token] * 60, candidates=house.nirs[1:61], step=7
    )
    assert (got, stopped.body["code"]) == (40, "budget_exhausted")


def test_three_operations_have_one_budget_of_people(house: House) -> None:
    thief, guesses = house.thief("three-ways", "care"), house.nirs[100:]
    assert thief.walk("mask", house.tokens[:2])[0] == 2
    assert thief.walk("match", house.tokens[2:4], candidates=guesses)[0] == 2
    assert thief.walk("detokenise", house.tokens[4:6])[0] == 2
    for operation in ("mask", "match", "detokenise"):
        assert thief.walk(operation, house.tokens[6:8], candidates=_guesses(operation))[0] == 0
        assert thief.walk(operation, house.tokens[:6], candidates=_guesses(operation))[0] == 6


def _guesses(operation: str) -> list[str] | None:
    return ["284057512345672"] * 6 if operation == "match" else None


def test_a_table_of_guesses_stops_at_its_limit(house: House) -> None:
    """Tokenise spends leased shares: over both workers still never one too many."""
    thief, made = house.thief("table"), 0
    for at in range(0, len(house.nirs), 40):
        reply = thief.ask("tokenise", {"values": house.nirs[at : at + 40]})
        if reply.status == 200:
            made += len(reply.body["tokens"])
        else:
            assert reply.body["code"] == "budget_exhausted"
    for nir in house.nirs[:50]:
        made += thief.ask("tokenise", {"value": nir}).status == 200
    assert made == 1_000


@pytest.fixture(scope="module", autouse=True)
def verified(house: House) -> Iterator[None]:
    """After all drills: the record is whole, and names nobody shown beyond a limit."""
    yield
    house.service.stop()
    people: dict[str, set[str]] = {}
    for entry in house.record():
        if entry["kind"] == "disclosure":
            people.setdefault(entry["principal"], set()).update(entry["persons"])
    limits = {"desks": 2_000, "reimbursement": 2_000, "oracle": 25, "both": 20, "forms": 5}
    for client, limit in limits.items():
        assert len(people.get(client, ())) in (0, limit), client
    assert "intake" not in people
