"""What a team would write itself, as running processes: they do what they are compared at."""

import urllib.error
from contextlib import ExitStack
from dataclasses import replace

import pytest

from benchmarks.peers.services import (
    RECORDED,
    Missing,
    fpe,
    hashes,
    need,
    recorded,
    started,
    table,
)
from benchmarks.peers.web import with_key
from benchmarks.service_peers import BARE, OURS, PEOPLE, REVEAL, TOKENISE, figures
from tests.support.components import missing

pytestmark = pytest.mark.system

SOME = PEOPLE[:50]
MAKERS = {"fpe": fpe, "table": table, "hashes": hashes, "recorded": recorded}


def made(maker, stack, **environment):
    try:
        return maker(stack, **environment)
    except (Missing, OSError) as why:
        return missing(str(why))


@pytest.fixture(params=MAKERS, scope="module")
def peer(request):
    with ExitStack() as stack:
        yield made(MAKERS[request.param], stack)


def refused(peer, path, body):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        peer.ask(path, body)
    refusal.value.close()
    return refusal.value.code


def test_values_come_back_and_have_one_token_each(peer):
    tokens = peer.ask("/tokenise/batch", {"values": SOME})["tokens"]
    assert len(set(tokens)) == len(SOME)
    assert not set(tokens) & set(SOME)
    assert all(with_key(token[:-2]) == token for token in tokens)
    again = peer.ask("/tokenise/batch", {"values": SOME[::-1] + PEOPLE[50:60]})["tokens"]
    assert again[:50] == tokens[::-1]
    assert peer.ask("/detokenise/batch", {"tokens": again})["values"][:50] == SOME[::-1]


def test_single_calls_agree_with_batches(peer):
    token = peer.ask("/tokenise", {"value": SOME[0]})["token"]
    assert [token] == peer.ask("/tokenise/batch", {"values": SOME[:1] * 2})["tokens"][1:]
    assert peer.ask("/detokenise", {"token": token}) == {"value": SOME[0]}


def test_what_is_no_nir_and_who_has_no_credential_is_refused(peer):
    assert refused(peer, "/tokenise", {"value": "123456789012345"}) == 422
    assert refused(peer, "/tokenise/batch", {"values": ["x"]}) == 422
    assert refused(replace(peer, credential="x"), "/tokenise", {"value": SOME[0]}) == 401
    if peer.name != "FastAPI and fastfpe":  # which opens whatever it is given
        assert refused(peer, "/detokenise", {"token": with_key("9" * 13)}) == 404


def test_a_limit_holds_for_whom_it_is_written_down():
    with ExitStack() as stack:
        peer = made(recorded, stack, PEER_LIMIT="3")
        tokens = peer.ask("/tokenise/batch", {"values": SOME[:4]})["tokens"]
        assert refused(peer, "/detokenise/batch", {"tokens": tokens}) == 429
        assert peer.ask("/detokenise/batch", {"tokens": tokens[:3]})["values"] == SOME[:3]
        assert refused(peer, "/detokenise", {"token": tokens[0]}) == 429


def test_what_is_missing_is_named_and_the_others_run(monkeypatch):
    with pytest.raises(Missing, match="no_such_package"):
        need("no_such_package")
    monkeypatch.setattr("benchmarks.peers.postgresql_server.program", lambda name: None)
    with ExitStack() as stack:
        made(fpe, stack)
        found, absent = started(stack)
    assert set(absent) == {"FastAPI and PostgreSQL", RECORDED}
    assert all("initdb" in why for why in absent.values())
    assert {"FastAPI and fastfpe"} <= {peer.name for peer in found}


def test_the_best_peer_has_the_target_and_no_other():
    rates = {OURS: [10.0], BARE: [20.0], "a": [1.0], "b": [2.0]}
    assert {one.name: one.target for one in figures(TOKENISE, rates)} == {
        f"{TOKENISE}, beside {BARE}": None,
        f"{TOKENISE}, beside a": None,
        f"{TOKENISE}, beside b": "ratio >= 5",
    }
    assert [one.ratio for one in figures(REVEAL, rates)] == [0.5, 10.0, 5.0]
    assert list(figures(REVEAL, {OURS: [1.0]})) == []
