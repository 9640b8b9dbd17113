"""Where paths lead is remembered: what is selected is the same as by following them each time, and
by another reader of the same paths; and what is remembered has an end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import parsed, rule
from vault.proxy.bodies import json as json_bodies
from vault.proxy.bodies import ways
from vault.proxy.bodies.json import JsonParser
from vault.proxy.bodies.jsonpath import BadPath, Step, Test, compile_path
from vault.proxy.bodies.pieces import Field
from vault.proxy.bodies.ways import MOST_STATES, MOST_WAYS, Plan

NAMES = st.sampled_from(["a", "b", "c", "d"])
SCALARS = st.sampled_from(["x", "y", "1", 1, 2, True])
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
)
PATHS = [
    "$", "a", "a.b", "$.*.a", "$[*]", "$[1]", "$[1:].a", "$..a", "$..a..b", "$..*", "$..[0]",
    "$[?@.a=='x'].b", "$..[?@.a=='x'].b", "$..[?@.a!='x' && @.b].c", "a[?@.b.c==1].d",
    "$..[?@.a].b.c", "$..[?@.a=='x'][?@.b=='y'].c", "$..[?@.a=='x' || @.a=='y'].b",
    "$[?(@.a=='1' || @.a==1) && @.b].c",
]  # fmt: skip
RULES = st.lists(st.sampled_from(PATHS), min_size=1, max_size=3, unique=True)


def children(value: Any) -> Iterator[tuple[str | int, Any]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def fits(value: Any, test: Test) -> bool:
    for name in test.names:
        if not isinstance(value, dict) or name not in value:
            return bool(test.literals) and not test.equal
        value = value[name]
    if not test.literals:
        return True
    spelled = (isinstance(value, str), value if isinstance(value, str) else json.dumps(value))
    return (not isinstance(value, dict | list) and spelled in test.literals) == test.equal


def selected(value: Any, steps: tuple[Step, ...], place: tuple[str | int, ...]) -> Iterator[Any]:
    """The places of what the steps select, followed down a tree that is all there."""
    if not steps:
        yield place
        return
    if not isinstance(value, dict | list):
        return
    step = steps[0]
    for key, child in children(value):
        at = (*place, key)
        if step.descendant:
            yield from selected(child, steps, at)
        if step.selects(key) and all(fits(child, test) for test in step.tests):
            yield from selected(child, steps[1:], at)


def leaves(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    if not isinstance(value, dict | list):
        yield place, value
        return
    for key, child in children(value):
        yield from leaves(child, (*place, key))


def expected(document: Any, paths: list[str]) -> list[tuple[str, str]]:
    found = {path: set(selected(document, compile_path(path).steps, ())) for path in paths}
    told = []
    for place, value in leaves(document):
        first = next((path for path in paths if place in found[path]), None)
        if first is not None:
            told.append((first, value if isinstance(value, str) else json.dumps(value)))
    return told


def found(document: Any, paths: list[str], **more: str) -> list[tuple[str, str]]:
    parser = JsonParser([rule(path, **more) for path in paths])
    pieces = parsed(parser, [json.dumps(document).encode()])
    return [(piece.rule.selector, piece.text) for piece in pieces if isinstance(piece, Field)]


@given(documents=st.lists(DOCUMENTS, min_size=1, max_size=4), paths=RULES)
def test_what_another_reader_selects(documents: list[Any], paths: list[str]) -> None:
    for document in documents:
        assert found(document, paths) == expected(document, paths)


def shown(document: Any, paths: list[str]) -> list[tuple[str, object]]:
    parser = JsonParser([rule(path, context_selector="@.d") for path in paths])
    pieces = parsed(parser, [json.dumps(document).encode()])
    fields = [piece for piece in pieces if isinstance(piece, Field)]
    return [(f.text, f.context.text if isinstance(f.context, Field) else f.context) for f in fields]


@given(documents=st.lists(DOCUMENTS, min_size=1, max_size=4), paths=RULES)
def test_nothing_is_carried_from_one_document_to_another(
    documents: list[Any], paths: list[str]
) -> None:
    together = [shown(document, paths) for document in documents]
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(ways, "MOST_STATES", 0)
        json_bodies._plan.cache_clear()
        alone = [shown(document, paths) for document in documents]
    json_bodies._plan.cache_clear()
    assert together == alone


def contexts(document: Any, path: str, selector: str) -> list[object]:
    pieces = parsed(
        JsonParser([rule(path, context_selector=selector)]), [json.dumps(document).encode()]
    )
    return [piece.context for piece in pieces if isinstance(piece, Field)]


def test_the_first_alternative_that_stands_there_is_the_context() -> None:
    selector = "@.ids[?@.s=='a' || @.s=='|'].v | @.ids[*].v | $.name"
    ids = [{"s": "z", "v": "1"}, {"v": "2", "s": "|"}, {"s": "a", "v": "3"}]
    documents = {
        "2": [{"born": "x", "ids": ids}, {"ids": ids, "born": "x"}],
        "1": [{"born": "x", "ids": ids[:1]}, {"ids": [{"v": "1"}], "born": "x"}],
        "n": [{"born": "x"}, {"born": "x", "ids": []}, {"born": "x", "ids": [{"v": ""}]}],
    }
    for wanted, people in documents.items():
        assert contexts({"name": "n", "people": people}, "$..born", selector) == [wanted] * len(
            people
        )
    assert contexts([{"born": "x"}], "$..born", selector) == [None]


def test_a_context_may_stand_beside_what_holds_the_field() -> None:
    people = [{"_born": {"more": [{"at": "x"}]}, "id": "1"}, {"_born": {"more": [{"at": "x"}]}}]
    assert contexts(people, "$.._born.more[*].at", "@^^^.id") == ["1", None]
    with pytest.raises(BadPath, match="further up"):
        JsonParser([rule("$..at", context_selector="@^^.id")])


def test_what_a_sender_thinks_of_is_not_remembered_for_ever() -> None:
    plan = Plan([rule("$..[?@.a=='x']..b")], compile_path)
    for number in range(2_000):
        state = plan.root.state
        for level in range(11):
            state = plan.way(state, ["a", f"name-{number}", level][number >> level & 1]).state
    assert len(plan._states) <= MOST_STATES
    counted = Plan([rule("$[1]")], compile_path)
    for index in range(1_000):
        counted.way(counted.root.state, index)
    assert len(counted.root.state.ways) <= MOST_WAYS


def test_a_context_above_is_found_however_far_a_path_descends() -> None:
    for path, body in (
        ("$..a[*]..b", b'{"a":[[{"a":"x","b":"y"}]]}'),
        ("a..b", b'{"a":{"a":"x","c":{"b":"y"}}}'),
        ("a..b", b'{"a":{"c":{"a":"x","c":{"b":"y"}}}}'),
        ("a..b", b'{"a":{"b":"y"},"c":{"a":"z"}}'),
    ):
        parser = JsonParser([rule(path, context_selector="@^..a")])
        (field,) = [one for one in parsed(parser, [body]) if isinstance(one, Field)]
        assert (field.text, field.context) == ("y", "z" if b"z" in body else "x")
