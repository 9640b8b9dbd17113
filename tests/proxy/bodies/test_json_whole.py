"""A document that is read as a tree gives the pieces that its text gives, or is read as a text."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import parsed, rule, shape
from tests.proxy.bodies.test_ways import NAMES, PATHS
from vault.proxy.bodies.json import JsonParser, plan
from vault.proxy.bodies.json_whole import MOST_FIELDS, SMALL, pieces_of
from vault.proxy.bodies.pieces import Field, Limits, Piece, Rule, Unparsable

DEPTH = Limits().depth
TEXTS = st.sampled_from(
    ["x", "y", "1", "", "a", "long", "x,y", "x:y", 'q"', "\\", "é", "\t", "x y"]
)
SCALARS = TEXTS | st.sampled_from([1, 1.5, -0.0, True, False, None])
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
)
CONTEXTS = [
    None, "@.d", "@.d | @.c", "$..c", "$[0]", "@^.a", "@.a[?@.b=='x'].c | $.d", "@[?@.a!='y'].b",
    "a[*].b",
]  # fmt: skip
RULES = st.lists(
    st.builds(
        lambda path, context: rule(path, context_selector=context),
        st.sampled_from(PATHS),
        st.sampled_from(CONTEXTS),
    ),
    min_size=1,
    max_size=3,
)
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:  ")])


def both(body: bytes, rules: Sequence[Rule]) -> tuple[list[Piece] | None, list[Piece] | None]:
    """As a tree and as a text; None where it cannot be read so."""
    try:
        slow = parsed(JsonParser(rules), [body])
    except Unparsable:
        slow = None
    return pieces_of(body, plan(rules), DEPTH), slow


def usable(rules: Sequence[Rule]) -> bool:
    try:
        plan(rules)
    except ValueError:  # further up than the path begins
        return False
    return True


def linked(pieces: Sequence[Piece]) -> list[object]:
    """Which field each has for its context, where it has one."""
    fields = [piece for piece in pieces if isinstance(piece, Field)]
    return [fields.index(f.context) if isinstance(f.context, Field) else f.context for f in fields]


@given(document=DOCUMENTS, rules=RULES, spaces=SPACES, ascii_alone=st.booleans())
def test_as_the_text_is_read(
    document: Any, rules: list[Rule], spaces: tuple[str, str], ascii_alone: bool
) -> None:
    assume(usable(rules))
    text = json.dumps(document, separators=spaces, ensure_ascii=ascii_alone)
    fast, slow = both(text.encode(), rules)
    assert slow is not None
    if fast is not None:
        assert (shape(fast), linked(fast)) == (shape(slow), linked(slow))


TOKENS = [
    *'{}[],:" \n\t', '"a":', '"b":', '"x"', '"a"', '"y"', '"x', "\\", "\\u0061", "1", "-", "0", "e",
    ".", "true", "null", "NaN", "\x00", "\x7f", "\ufeff", "é", '"c":{"b":"x"}', "[[[[", "]]]]",
]  # fmt: skip


@given(tokens=st.lists(st.sampled_from(TOKENS), max_size=14), rules=RULES)
def test_what_is_no_json_is_not_read(tokens: list[str], rules: list[Rule]) -> None:
    assume(usable(rules))
    fast, slow = both("".join(tokens).encode(), rules)
    if fast is not None:
        assert slow is not None
        assert (shape(fast), linked(fast)) == (shape(slow), linked(slow))


@given(document=DOCUMENTS, rules=RULES, data=st.data())
def test_broken_documents_are_not_read(document: Any, rules: list[Rule], data: Any) -> None:
    assume(usable(rules))
    body = json.dumps(document, ensure_ascii=False).encode()
    at = data.draw(st.integers(0, len(body)))
    until = data.draw(st.integers(at, min(at + 3, len(body))))
    changed = body[:at] + data.draw(st.binary(max_size=2)) + body[until:]
    fast, slow = both(changed, rules)
    if fast is not None:
        assert slow is not None
        assert (shape(fast), linked(fast)) == (shape(slow), linked(slow))


PERSON = [rule("$.ids[?@.of=='n'].nir"), rule("$.born", context_selector="@.ids[?@.of=='n'].nir")]


def tree(body: str, rules: Sequence[Rule] = PERSON, depth: int = DEPTH) -> list[object] | None:
    pieces = pieces_of(body.encode(), plan(rules), depth)
    return None if pieces is None else shape(pieces)


def test_a_message_of_the_usual_kind() -> None:
    body = '{"ids": [{"of": "m", "nir": "2"}, {"of": "n", "nir": "1"}],\n "born": "d"}'
    assert tree(body) == [
        b'{"ids": [{"of": "m", "nir": "2"}, {"of": "n", "nir": ',
        ("1", b'"1"', PERSON[0].selector, None),
        b'}],\n "born": ',
        ("d", b'"d"', PERSON[1].selector, "1"),
        b"}",
    ]


@pytest.mark.parametrize(
    "body",
    [
        '{"born": "d", "born": "e"}',
        '{"born": "d", "more": {"a": 1, "a": 1}}',
        '{"born": "d", "note": "d"}',
        '{"born": "d", "d": 1}',
        '{"b\\u006frn": "d"}',
        '{"born": "d", "note": "\\n"}',
        '{"born": 12}',
        '{"born": true}',
        '{"born": ", "}',
        '{"born": "d", "ids": [{"of": 1, "nir": "1"}]}',
        '"d"',
        "",
        '\ufeff{"born": "d"}',
        '{"born": "d"} {}',
    ],
    ids=lambda body: body[:40],
)
def test_what_a_tree_does_not_tell(body: str) -> None:
    assert tree(body) is None


def test_a_tree_is_read_no_deeper_than_a_text() -> None:
    for depth, wide in ((3, 0), (4, 0), (3, 200), (4, 200)):
        body = "[" * depth + '"x"' + "]" * depth
        body = f"[{body}{', []' * wide}]"
        text = JsonParser([rule("$..none")], Limits(depth=4))
        if depth + 1 <= 4:
            assert parsed(text, [body.encode()])
            assert tree(body, [rule("$..none")], 4) is not None
        else:
            with pytest.raises(Unparsable, match="nested"):
                parsed(text, [body.encode()])
            assert tree(body, [rule("$..none")], 4) is None


def test_what_is_large_is_read_as_a_text() -> None:
    assert tree('{"born": "d", "note": "%s"}' % ("n" * SMALL)) is None
    many = [rule("$[*]")]
    assert tree(json.dumps([f"v{n}" for n in range(MOST_FIELDS)]), many) is not None
    assert tree(json.dumps([f"v{n}" for n in range(MOST_FIELDS + 1)]), many) is None
