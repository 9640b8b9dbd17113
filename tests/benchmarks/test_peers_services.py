"""What a team would write itself, as running processes: they do what they are compared at."""

import re
import urllib.error
from contextlib import ExitStack
from dataclasses import replace

import pytest

from benchmarks.pace import Pace
from benchmarks.peers.about import about
from benchmarks.peers.services import (
    FPE,
    HASHES,
    NEEDS,
    RECORDED,
    TABLE,
    absent,
    fpe,
    hashes,
    recorded,
    started,
    table,
)
from benchmarks.peers.web import with_key
from benchmarks.service_peers import BARE, OURS, PEOPLE, REVEAL, TOKENISE, figures, service_peers
from tests.support.components import missing, need_program

pytestmark = pytest.mark.system

SOME = PEOPLE[:50]
MAKERS = {FPE: fpe, TABLE: table, HASHES: hashes, RECORDED: recorded}


def made(name, stack, **environment):
    if name in absent():
        missing(absent()[name])
    return MAKERS[name](stack, **environment)


@pytest.fixture(params=MAKERS, scope="module")
def peer(request):
    with ExitStack() as stack:
        yield made(request.param, stack)


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
    if peer.name != FPE:  # which opens whatever it is given
        assert refused(peer, "/detokenise", {"token": with_key("9" * 13)}) == 404


def test_a_limit_holds_for_whom_it_is_written_down():
    with ExitStack() as stack:
        peer = made(RECORDED, stack, PEER_LIMIT="3")
        tokens = peer.ask("/tokenise/batch", {"values": SOME[:4]})["tokens"]
        assert refused(peer, "/detokenise/batch", {"tokens": tokens}) == 429
        assert peer.ask("/detokenise/batch", {"tokens": tokens[:3]})["values"] == SOME[:3]
        assert refused(peer, "/detokenise", {"token": tokens[0]}) == 429


def test_what_is_missing_is_named_and_the_others_run(monkeypatch):
    monkeypatch.setattr("benchmarks.peers.services.program", lambda name: None)
    monkeypatch.setitem(NEEDS, FPE, (["fastapi", "no_such_package"], []))
    assert absent() == {
        FPE: "the package no_such_package",
        TABLE: "the program initdb, the program postgres",
        HASHES: "the program redis-server",
        RECORDED: "the program initdb, the program postgres",
    }
    monkeypatch.undo()
    with ExitStack() as stack:
        made(FPE, stack)
        monkeypatch.setattr("benchmarks.peers.services.program", lambda name: None)
        assert [peer.name for peer in started(stack)] == [FPE]
    told = about()
    assert told[TABLE] == "not compared: it lacks the program initdb, the program postgres"
    assert re.match(r"\d", told["fastapi"])


def test_a_run_has_a_row_for_each_kind_of_call(monkeypatch):
    need_program("wrk")
    if FPE in absent():
        missing(absent()[FPE])
    monkeypatch.setattr("benchmarks.peers.services.program", lambda name: None)  # one will do
    rows = list(service_peers(Pace(1, 1)))
    assert [one.name for one in rows] == [
        f"{TOKENISE}, beside {BARE}",
        f"{TOKENISE}, beside {FPE}",
        f"{REVEAL}, beside {BARE}",
        f"{REVEAL}, beside {FPE}",
        f"batch of 1,000, beside {FPE}",
    ]
    assert all(one.value > 0 and one.ratio > 0 for one in rows)


def test_the_best_peer_has_the_target_and_no_other():
    rates = {OURS: [10.0], BARE: [20.0], "a": [1.0], "b": [2.0]}
    assert {one.name: one.target for one in figures(TOKENISE, rates)} == {
        f"{TOKENISE}, beside {BARE}": None,
        f"{TOKENISE}, beside a": None,
        f"{TOKENISE}, beside b": "ratio >= 5",
    }
    assert [one.ratio for one in figures(REVEAL, rates)] == [0.5, 10.0, 5.0]
    assert list(figures(REVEAL, {OURS: [1.0]})) == []
