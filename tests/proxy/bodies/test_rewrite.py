"""Batches, contexts that are tokens, and what a failed field does."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.proxy.bodies.reversing import Reversing, rule
from vault.proxy.bodies.pieces import Field, Piece, Rule
from vault.proxy.bodies.rewrite import Blocked, Rewriter


class Given:
    """A parser of pieces that are there."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        return self.pieces

    def close(self) -> Sequence[Piece]:
        return []


def field(text: str, by: Rule, context: str | Field | None = None) -> Field:
    return Field(text, by, text.encode(), str.encode, context=context, dropped=b"-")


async def run(pieces: Sequence[Piece], ask: Reversing, max_fields: int = 100) -> bytes:
    rewriter = Rewriter(Given(pieces), ask, max_fields=max_fields)
    return await rewriter.feed(b"") + await rewriter.close()


async def test_one_batch_asks_once_and_puts_back_in_order() -> None:
    ask = Reversing()
    by = rule("a")
    assert await run([b"<", field("12", by), b"|", field("34", by), b">"], ask) == b"<21|43>"
    assert ask.asked == [("tokenise", "t", ["12", "34"], [None, None])]


async def test_batches_are_bounded_in_fields() -> None:
    ask = Reversing()
    await run([field(str(number), rule("a")) for number in range(10)], ask, max_fields=4)
    assert [len(asked[2]) for asked in ask.asked] == [4, 4, 2]


async def test_batches_are_bounded_in_bytes() -> None:
    ask = Reversing()
    pieces: list[Piece] = [field("1", rule("a")), b"." * 50, field("2", rule("a")), b"." * 50]
    await Rewriter(Given(pieces), ask, max_bytes=40).feed(b"")
    assert [asked[2] for asked in ask.asked] == [["1"], ["2"]]


async def test_bytes_without_fields_wait_for_nothing() -> None:
    assert await Rewriter(Given([b"abc"]), Reversing()).feed(b"") == b"abc"


@pytest.mark.parametrize("max_fields", [1, 100])
async def test_a_context_that_is_tokenised_is_its_token_whichever_comes_first(
    max_fields: int,
) -> None:
    ask = Reversing()
    nir = field("123", rule("nir"))
    pieces = [field("1984", rule("born"), nir), nir, field("1985", rule("born"), nir)]
    assert await run(pieces, ask, max_fields) == b"48913215891"
    contexts = {t: c for a in ask.asked for t, c in zip(a[2], a[3], strict=True)}
    assert contexts == {"123": None, "1984": "321", "1985": "321"}
    assert sum(len(asked[2]) for asked in ask.asked) == 3


async def test_on_the_way_back_the_context_is_what_stands_there() -> None:
    ask = Reversing()
    nir = field("321", rule("nir", "detokenise"))
    await run([nir, field("4891", rule("born", "detokenise"), nir)], ask)
    assert ask.asked == [("detokenise", "t", ["321", "4891"], [None, "321"])]


async def test_a_value_is_never_a_context() -> None:
    ask = Reversing()
    nir = field("123", rule("nir", "drop"))
    await run([nir, field("1984", rule("born"), nir)], ask)
    assert ask.asked == [("tokenise", "t", ["1984"], [None])]


async def test_contexts_in_a_circle_are_none() -> None:
    ask = Reversing()
    one = field("1", rule("a"))
    one.context = field("2", rule("b"), one)
    await run([one, one.context], ask)
    assert ask.asked == [("tokenise", "t", ["1", "2"], [None, None])]


async def test_what_fails_blocks_and_is_not_told() -> None:
    with pytest.raises(Blocked, match="failed: invalid_value") as caught:
        await run([b"a", field("1x", rule("a"))], Reversing())
    assert "1x" not in str(caught.value)


async def test_what_fails_passes_where_the_rule_says_so() -> None:
    assert await run([field("1x", rule("a", on_error="pass"))], Reversing()) == b"1x"


async def test_a_dropped_field_is_not_asked_for() -> None:
    ask = Reversing()
    assert await run([b"<", field("1", rule("a", "drop")), b">"], ask) == b"<->"
    assert ask.asked == []


def test_a_field_does_not_show_its_text() -> None:
    assert "12345" not in repr(field("12345", rule("a")))


async def test_what_follows_the_leading_characters_stays() -> None:
    ask = Reversing()
    by = replace(rule("a"), leading=3)
    assert await run([field("123T45", by), b"|", field("12", by)], ask) == b"321T45|21"
    assert ask.asked[0][2] == ["123", "12"]


async def test_a_context_that_was_let_pass_is_what_still_stands_there() -> None:
    ask = Reversing()
    other = field("x1", rule("b", on_error="pass"))
    assert await run([other, field("12", rule("a"), context=other)], ask) == b"x121"
    assert ask.asked[-1][3] == ["x1"]
    other = field("x1", rule("b"))
    with pytest.raises(Blocked, match="'b' failed: invalid_value"):
        await run([other, field("12", rule("a"), context=other)], ask)
    assert ask.asked[-1][3] == [None]


async def test_what_fails_in_a_circle_of_contexts_blocks() -> None:
    one = field("1x", rule("a"))
    one.context = field("2x", rule("b"), one)
    with pytest.raises(Blocked, match="'b' failed: invalid_value"):
        await run([one, one.context], Reversing())
