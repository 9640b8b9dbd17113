"""A body in columns in the pass of its message: with the head, in one batch or as it streams."""

from tests.proxy.bodies.reversing import Reversing, cut
from vault.config import FieldRule, Route
from vault.proxy.head import Head
from vault.proxy.message import Message
from vault.proxy.rules import Rules

ROUTE = Route(listener="main", upstream="main", client="edge")
CONFIGURED = [
    FieldRule(select="header:X-Nir", operation="tokenise", transformation="t"),
    FieldRule(select="csv:nir", operation="tokenise", transformation="t"),
    FieldRule(
        select="csv:born",
        operation="tokenise",
        transformation="u",
        context_select="header:X-Nir",
    ),
]
ROWS = range(10_000, 14_000)
BODY = b"nir,born\n" + b"".join(b"%d,%d\n" % (n, n + 1) for n in ROWS)
EXPECTED = (
    b"nir,born\n" + "".join(f"{n}"[::-1] + "," + f"{n + 1}"[::-1] + "\n" for n in ROWS).encode()
)


def message(ask: Reversing) -> tuple[Message, Head, Rules]:
    rules = Rules(CONFIGURED, ROUTE, lambda _name, _text: False, "here")
    head = Head([(b"content-type", b"text/csv"), (b"x-nir", b"12345")])
    return Message(head, rules, ask), head, rules


async def test_a_small_body_and_its_head_are_one_batch() -> None:
    ask = Reversing()
    one, head, rules = message(ask)
    parser = rules.parsers.of("text/csv")
    assert parser is not None
    assert await one.whole(parser, [BODY]) == EXPECTED
    assert dict(head.headers)[b"x-nir"] == b"54321"
    first, second = ask.asked
    assert (first[2][0], len(first[2])) == ("12345", 1 + len(ROWS))
    assert set(second[3]) == {"54321"}


async def test_a_body_that_streams_has_the_contexts_of_its_head() -> None:
    ask = Reversing()
    one, _, rules = message(ask)
    parser = rules.parsers.of("text/csv")
    assert parser is not None
    await one.head_alone()
    streaming = one.streaming(parser, None)
    out = [await streaming.feed(chunk) for chunk in cut(BODY, range(0, len(BODY), 9_000))]
    assert b"".join([*out, await streaming.close()]) == EXPECTED
    assert {context for asked in ask.asked if asked[1] == "u" for context in asked[3]} == {"54321"}
    assert max(len(asked[2]) for asked in ask.asked) <= 2_000
