"""Many items are cut into batches that the service takes, and come back in order."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jeton
from jeton import batches as cutting
from jeton.batches import MOST_BYTES, MOST_ITEMS, async_batches, batches, one_batch
from jeton.protocol import MATCH, TOKENISE, Question
from tests.support.stub import KINDS, client_of, echo_batches, in_turn, refuse, serving

CREDENTIAL = "jeton_intake_s3cret_abc"
texts = st.lists(st.text(max_size=8), max_size=40)


async def async_texts(source: Iterable[str]) -> AsyncIterator[str]:
    for text in source:
        await asyncio.sleep(0)
        yield text


@given(texts, st.integers(1, 7), st.integers(1, 60), st.booleans())
def test_every_item_is_in_one_batch_in_order(
    values: list[str], items: int, size: int, bound: bool
) -> None:
    contexts = [f"c{at}" for at in range(len(values))] if bound else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "MOST_ITEMS", items)
        patch.setattr(cutting, "MOST_BYTES", size)
        cut = list(batches([iter(values)], contexts))

        async def asked() -> list[cutting.Batch]:
            return [one async for one in async_batches([async_texts(values)], contexts)]

        assert asyncio.run(asked()) == cut
    seen = [text for batch in cut for text in batch.given[0]]
    assert seen == values
    if bound:
        assert [text for batch in cut for text in batch.context or ()] == contexts
    assert [batch.offset for batch in cut] == [
        sum(len(one.given[0]) for one in cut[:at]) for at in range(len(cut))
    ]
    assert all(0 < len(batch.given[0]) <= items for batch in cut)


def test_a_batch_fits_the_services_limits_whatever_the_letters() -> None:
    worst = ['\N{MUSICAL SYMBOL G CLEF}\x00"é' * 40] * 45_000
    contexts = ["\N{BULLET}" * 80] * 45_000
    question = Question(MATCH, "digits")
    cut = list(batches([worst, worst], contexts))
    assert sum(len(batch.given[0]) for batch in cut) == 45_000
    for batch in cut:
        body = question.batch(batch.given, batch.context).body
        assert body is not None
        assert len(body) <= 8 * 1024 * 1024
    assert not one_batch([worst[:5_000], worst[:5_000]], contexts[:5_000])
    assert one_batch([["1" * 15] * MOST_ITEMS], None)
    assert not one_batch([["1" * 15] * (MOST_ITEMS + 1)], None)
    short = ["a" * (MOST_BYTES // 12)]
    assert one_batch([short], None)
    body = Question(TOKENISE, "digits").batch([["\x00" * (MOST_BYTES // 12)]], None).body
    assert body is not None
    assert len(body) <= 8 * 1024 * 1024


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_larger_than_a_batch_comes_back_whole(kind: str) -> None:
    values = [str(at) for at in range(2 * MOST_ITEMS + 5)]
    contexts = [f"c{at}" for at in range(len(values))]
    with serving(echo_batches) as stub, client_of(kind, stub.url, CREDENTIAL) as client:
        items = client.tokenise("fr-nir", values, context=contexts)
        assert list(items) == [f"{at}/c{at}" for at in range(len(values))]
        assert len(set(items.request_ids)) == len(stub.requests) == 3
        assert list(client.tokenise("fr-nir", [])) == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_iterable_is_read_as_its_results_are_taken(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "MOST_ITEMS", 10)
    read: list[int] = []

    def source() -> Iterable[str]:
        for at in range(1_000):
            read.append(at)
            yield str(at)

    with serving(echo_batches) as stub, client_of(kind, stub.url, CREDENTIAL) as client:
        results = client.tokenise("fr-nir", source(), context="c")
        assert [next(results) for _ in range(15)] == [f"{at}/c" for at in range(15)]
        assert (len(stub.requests), len(read)) == (2, 21)
        assert list(results) == [f"{at}/c" for at in range(15, 1_000)]


async def test_async_iterables_stream_through_the_asynchronous_client() -> None:
    values = [str(at) for at in range(25_000)]
    with serving(echo_batches) as stub:
        async with jeton.AsyncClient(stub.url, CREDENTIAL) as client:
            stream = client.tokenise(
                "fr-nir", async_texts(values), context=(f"c{value}" for value in values)
            )
            assert [token async for token in stream] == [f"{v}/c{v}" for v in values]
    assert len(stub.requests) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_answered_before_a_list_failed_is_not_lost(kind: str) -> None:
    respond = in_turn(echo_batches, refuse(429, "budget_exhausted", Retry_After="900"))
    values = ["1"] * (MOST_ITEMS + 1)
    with serving(respond) as stub, client_of(kind, stub.url, CREDENTIAL) as client:
        with pytest.raises(jeton.BudgetExhausted) as caught:
            client.tokenise("fr-nir", values)
        answered = caught.value.answered
        assert answered is not None
        assert list(answered) == ["1/"] * MOST_ITEMS


@pytest.mark.parametrize(
    ("operation", "given_", "context"),
    [
        ("tokenise", (17,), None),
        ("tokenise", (None,), None),
        ("tokenise", (b"123",), None),
        ("tokenise", ([1, 2],), None),
        ("tokenise", (["1", None],), None),
        ("tokenise", (lambda: iter(["1", None]),), None),
        ("tokenise", (lambda: iter(["1", "2"]),), ["c"]),
        ("tokenise", (["1", "2"],), lambda: iter(["c", "d", "e"])),
        ("tokenise", ("1",), ["c"]),
        ("tokenise", ("1",), lambda: iter("c")),
        ("tokenise", (["1"] * 10_001,), ["c"]),
        ("match", (["1"], "1"), None),
        ("match", ("1", ["1"]), None),
        ("match", (lambda: iter(["1"]), "1"), None),
        ("match", (["1", "2"], ["1"]), None),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_misuse_is_refused_before_anything_is_sent(
    kind: str, operation: str, given_: Any, context: Any
) -> None:
    with serving(echo_batches) as stub, client_of(kind, stub.url, CREDENTIAL) as client:
        fresh = [one() if callable(one) else one for one in (*given_, context)]
        with pytest.raises(jeton.UsageError):
            list(getattr(client, operation)("fr-nir", *fresh[:-1], context=fresh[-1]))
        assert stub.requests == []


@pytest.mark.parametrize("kind", KINDS)
def test_one_deadline_covers_all_batches_of_a_list(kind: str) -> None:
    release = threading.Event()

    def respond(handler: BaseHTTPRequestHandler) -> None:
        if len(stub.requests) > 1:
            release.wait(20)
        echo_batches(handler)

    with serving(respond) as stub, client_of(kind, stub.url, CREDENTIAL, timeout=2) as client:
        began = time.monotonic()
        with pytest.raises(jeton.NoAnswer) as caught:
            client.tokenise("fr-nir", ["1"] * 30_001)
        assert time.monotonic() - began < 3.5
        release.set()
    assert caught.value.answered is not None
    assert len(caught.value.answered) == MOST_ITEMS


class Column:
    """Can be looped over and has a length, and is neither true nor false, as a Series is."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_are_neither_true_nor_false_are_iterables(kind: str) -> None:
    with serving(echo_batches) as stub, client_of(kind, stub.url, CREDENTIAL) as client:
        got = client.tokenise("fr-nir", Column(["1", "2"]), context=Column(["c", "d"]))
        assert list(got) == ["1/c", "2/d"]
