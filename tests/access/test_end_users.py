"""End users who are proved: which grants ask, and whose tokens will do."""

import time
from typing import Any

import pytest

from tests.support.issuers import Issuer
from vault.access.end_users import EndUsers
from vault.access.keyring import Keyring
from vault.access.rejected import Rejected, cause_of
from vault.access.tokens import Tokens
from vault.config import Client, Grant, Identity, Settings
from vault.config import Issuer as Configured

NOW = time.time()
PEOPLE = Issuer("https://people.example", NOW)
CLUSTER = Issuer("https://cluster.example", NOW)
WISH = ("portal", "mask", "fr-nir")


def end_users() -> EndUsers:
    issuers = {
        name: Configured(one.iss, ("jeton",), "file:x", ("ES256",))
        for name, one in (("people", PEOPLE), ("cluster", CLUSTER))
    }
    keyrings = {name: Keyring(one) for name, one in issuers.items()}
    keyrings["people"].put(PEOPLE.jwks(), NOW)
    keyrings["cluster"].put(CLUSTER.jwks(), NOW)
    mask = Grant("mask", "fr-nir", ("display",), ("people",))
    clients = {
        "portal": Client(grants=(mask, Grant("match", "fr-nir")), issued_to=("portal-app",)),
        "desk": Client(grants=(mask,), issued_to=("desk-app",)),
    }
    settings = Settings(identity=Identity(issuers), clients=clients)
    return EndUsers(settings, Tokens(issuers, keyrings))


def test_only_grants_that_say_so_ask() -> None:
    known = end_users()
    assert known.asks(*WISH)
    assert not known.asks("portal", "match", "fr-nir")
    assert not known.asks("portal", "mask", "digits")


def test_an_id_that_nobody_can_claim() -> None:
    text = PEOPLE.token("899700001", azp="portal-app")
    assert end_users().prove(*WISH, text, NOW) == ("people", "people 899700001")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "end_user_required"),
        ("dr-who", "end_user_token_malformed"),
        (PEOPLE.token("1", azp="desk-app"), "end_user_token_replayed"),
        (PEOPLE.token("1"), "end_user_token_replayed"),
        (PEOPLE.token("1", azp=["portal-app"]), "end_user_token_replayed"),
        (PEOPLE.token("1", aud=["jeton", "portal-app"]), "end_user_token_replayed"),
        (CLUSTER.token("1", azp="portal-app"), "end_user_token_issuer"),
        (PEOPLE.token("1" * 129, azp="portal-app"), "end_user_token_subject"),
        (PEOPLE.token("1", azp="portal-app", aud="x"), "end_user_token_audience"),
    ],
)
def test_whose_tokens_will_not_do(text: Any, why: str) -> None:
    with pytest.raises(Rejected) as caught:
        end_users().prove(*WISH, text, NOW)
    assert cause_of(caught.value) == why


def test_what_one_client_may_bring_another_may_not() -> None:
    text = PEOPLE.token("1", azp="desk-app")
    assert end_users().prove("desk", "mask", "fr-nir", text, NOW)
