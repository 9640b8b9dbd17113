"""Tricks with batches: what is asked twice, fails, or is too much."""

import json

import pytest

from tests.support.thief import Clients, House

pytestmark = [pytest.mark.breach, pytest.mark.system]

SMALL = {"reveal.hour": 20, "people.day": 5}
NAMES = ("repeats", "fails", "contexts", "empty", "one-more", "many", "mixed")
CLIENTS: Clients = {name: (["detokenise:fr-nir:care"], SMALL) for name in NAMES}
PEOPLE = 30


def test_a_repeated_token_costs_each_time_and_is_one_person(house: House) -> None:
    thief, token = house.thief("repeats", "care"), house.tokens[0]
    reply = thief.ask("detokenise", {"tokens": [token] * 20})
    assert reply.body == {"values": [house.nirs[0]] * 20, "errors": []}
    again = thief.ask("detokenise", {"token": token})
    assert (again.status, again.body["code"]) == (429, "budget_exhausted")
    assert "reveal.hour" in again.body["detail"]


def test_items_that_fail_are_charged(house: House) -> None:
    """Else guesses at tokens were free."""
    thief = house.thief("fails", "care")
    guesses = [house.nirs[0], "x", *house.nirs[1:18]]
    reply = thief.ask("detokenise", {"tokens": guesses})
    assert reply.body["values"] == [None] * 19
    assert {error["code"] for error in reply.body["errors"]} == {"not_a_token"}
    assert thief.ask("detokenise", {"token": "x"}).status == 422
    assert thief.ask("detokenise", {"token": house.tokens[0]}).status == 429


def test_wrong_contexts_are_charged_as_whomever_they_open(house: House) -> None:
    """A token opens under any context, as somebody: five somebodies, and it ends."""
    thief, opened = house.thief("contexts", "care"), set()
    for number in range(20):
        body = {"token": house.tokens[0], "context": f"guess {number}"}
        reply = thief.ask("detokenise", body)
        if reply.status == 200:
            opened.add(reply.body["value"])
        else:
            assert reply.body["code"] == "budget_exhausted"
    assert len(opened) == 5
    assert house.nirs[0] not in opened


def test_an_empty_batch_is_free_and_says_nothing(house: House) -> None:
    thief = house.thief("empty", "care")
    for _ in range(30):
        reply = thief.ask("detokenise", {"tokens": []})
        assert (reply.status, reply.body) == (200, {"values": [], "errors": []})
        assert "Jeton-Receipt" not in reply.headers
    assert thief.ask("detokenise", {"tokens": house.tokens[:5]}).status == 200
    ungranted = house.thief("empty", "display").ask("detokenise", {"tokens": []})
    assert ungranted.status == 403


def test_one_item_over_the_limit_is_refused_whole_and_charges_nothing(house: House) -> None:
    thief, token = house.thief("one-more", "care"), house.tokens[0]
    for _ in range(3):
        reply = thief.ask("detokenise", {"tokens": [token] * 21})
        assert (reply.status, reply.body["code"]) == (429, "budget_exhausted")
        assert house.leaks(reply) == []
    assert thief.ask("detokenise", {"tokens": [token] * 20}).status == 200


def test_one_person_over_the_limit_is_refused_whole_and_charges_nothing(house: House) -> None:
    thief = house.thief("many", "care")
    for at in range(3):
        reply = thief.ask("detokenise", {"tokens": house.tokens[at : at + 6]})
        assert (reply.status, reply.body["code"]) == (429, "budget_exhausted")
        assert "people.day" in reply.body["detail"]
        assert house.leaks(reply) == []
    assert thief.ask("detokenise", {"tokens": house.tokens[10:15]}).status == 200


def test_the_order_and_the_company_of_tokens_change_nothing(house: House) -> None:
    """Known people, failures and one new person too many: nobody's value leaves."""
    thief = house.thief("mixed", "care")
    assert thief.ask("detokenise", {"tokens": house.tokens[:5]}).status == 200
    company = [house.tokens[0], "x", house.tokens[9], house.tokens[1]]
    for tokens in (company, company[::-1], [house.tokens[9]]):
        reply = thief.ask("detokenise", {"tokens": tokens})
        assert reply.status == 429
        assert house.leaks(reply) == []
    assert house.nirs[9] not in json.dumps(thief.ask("detokenise", {"tokens": company[:2]}).body)
