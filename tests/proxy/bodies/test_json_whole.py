"""A document that is read as a tree gives the pieces that its text gives, or is read as a text."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import parsed, rule, shape
from tests.proxy.bodies.test_ways import NAMES, PATHS
from vault.proxy.bodies import json_whole
from vault.proxy.bodies.json import JsonParser, plan
from vault.proxy.bodies.json_whole import MOST_FIELDS, SMALL, pieces_of
from vault.proxy.bodies.pieces import Field, Limits, Operation, Piece, Rule, Unparsable

DEPTH = Limits().depth
TEXTS = st.sampled_from(
    [
        "x",
        "y",
        "1",
        "",
        "a",
        "long",
        "x,y",
        "x:y",
        'q"',
        "\\",
        "é",
        "\t",
        "x y",
        "\U0001f600",
        "\x7f",
        "\ud800",
    ]
)
NUMBERS = st.sampled_from([1, 1.5, -0.0, 2**64, -(10**30), "#1e999", "#1E2", "#1.0", "#-0"])
"""Those behind a # are spelled so."""
SCALARS = TEXTS | NUMBERS | st.sampled_from([True, False, None])
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
)
CONTEXTS = [
    None, "@.d", "@.d | @.c", "$..c", "$[0]", "@^.a", "@.a[?@.b=='x'].c | $.d", "@[?@.a!='y'].b",
    "a[*].b",
    "@..b", "@^..a", "$..[?@.a=='x'].b", "@[?@.a].b | $..d | a", "$", "$..*", "@.*", "@[*]",
]  # fmt: skip
MORE_PATHS = [
    *PATHS, "$..[1:3]", "$..*.a", "$..[?@.b==null].a", "$..[?@.b!=false].a", "$..a[*]..b", "a..b",
    "$..[?@.b==1].a", "$..a[?@.c!='x'].b", "$..[?@.a.b!='x'].c",
]  # fmt: skip
OPERATIONS: tuple[Operation, ...] = ("tokenise", "detokenise", "mask", "drop")
RULES = st.lists(
    st.builds(
        Rule,
        st.sampled_from(MORE_PATHS),
        st.just("t"),
        st.sampled_from(OPERATIONS),
        context=st.sampled_from([None, "k"]),
        context_selector=st.sampled_from(CONTEXTS),
        leading=st.sampled_from([None, None, 0, 1, 2]),
    ),
    min_size=1,
    max_size=4,
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


def said(pieces: Sequence[Piece]) -> list[object]:
    """Pieces, comparable, with all that is known of a field."""
    fields = [piece for piece in pieces if isinstance(piece, Field)]
    told = [
        (
            field.rule,
            field.dropped,
            field.encode('n"é'),
            fields.index(field.context) if isinstance(field.context, Field) else field.context,
        )
        for field in fields
    ]
    return [*shape(pieces), *told]


def written(document: Any, spaces: tuple[str, str], *, ascii_alone: bool) -> bytes:
    text = json.dumps(document, separators=spaces, ensure_ascii=ascii_alone)
    return re.sub('"#([^"]*)"', r"\1", text).encode(errors="surrogatepass")


def distinct(value: Any, seen: list[str]) -> Any:
    """The same with no text twice, but for those that filters know: a tree is sure of it."""
    if isinstance(value, dict):
        return {name: distinct(one, seen) for name, one in value.items()}
    if isinstance(value, list):
        return [distinct(one, seen) for one in value]
    if not isinstance(value, str) or value in {"", "x", "y"} or value.startswith("#"):
        return value
    seen.append(value)
    return f"{value}{len(seen)}"


def check(body: bytes, rules: Sequence[Rule]) -> None:
    fast, slow = both(body, rules)
    if fast is not None:
        assert slow is not None
        assert said(fast) == said(slow)


@given(document=DOCUMENTS, rules=RULES, spaces=SPACES, ascii_alone=st.booleans())
def test_as_the_text_is_read(
    document: Any, rules: list[Rule], spaces: tuple[str, str], ascii_alone: bool
) -> None:
    assume(usable(rules))
    check(written(document, spaces, ascii_alone=ascii_alone), rules)
    check(written(distinct(document, []), spaces, ascii_alone=False), rules)


def fhir(operation: Operation) -> list[Rule]:
    profile = Path(__file__).parents[3] / "vault/config/profiles/fhir.toml"
    return [
        Rule(
            one["select"].removeprefix("json:"),
            one["transformation"],
            operation,
            context_selector=one.get("context_select", "").removeprefix("json:") or None,
            on_error=one.get("on_error", "block"),
            leading=one.get("leading"),
        )
        for one in tomllib.loads(profile.read_text("utf-8"))["fields"]
        if one["select"].startswith("json:")
    ]


SYSTEMS = st.sampled_from([f"urn:oid:1.2.250.1.213.1.4.{n}" for n in (8, 9, 10, 11, 12)])
NIRS = st.sampled_from(["284057512345672", "184057512345672", "8", "value", "birthDate"])
DATES = st.sampled_from(["1984-05-01", "1984-05-02T10:00:00Z", "1984", "1984-05", "/birthDate"])
TIME = st.just("http://hl7.org/fhir/StructureDefinition/patient-birthTime")
FHIR_SCALARS = SYSTEMS | NIRS | DATES | SCALARS


def objects(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=members)


IDENTIFIERS = objects(system=SYSTEMS | SCALARS, value=NIRS | SCALARS, use=SCALARS)
EXTENSIONS = objects(url=TIME | SCALARS, valueDateTime=DATES | SCALARS)


def resources(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return objects(
        identifier=st.lists(IDENTIFIERS, max_size=3) | IDENTIFIERS | inner,
        birthDate=DATES | inner,
        _birthDate=objects(extension=st.lists(EXTENSIONS, max_size=2) | EXTENSIONS) | inner,
        subscriberId=NIRS | inner,
        path=st.just("/birthDate"),
        value=FHIR_SCALARS,
        contained=st.lists(inner, max_size=2),
        resource=inner,
    )


RESOURCES = resources(st.recursive(FHIR_SCALARS, resources, max_leaves=6))


@given(
    document=RESOURCES | st.lists(RESOURCES, max_size=3),
    rules=st.sampled_from(OPERATIONS).map(fhir),
    spaces=SPACES,
)
def test_a_profile_in_nested_documents(
    document: Any, rules: list[Rule], spaces: tuple[str, str]
) -> None:
    check(written(document, spaces, ascii_alone=False), rules)


TOKENS = [
    *'{}[],:" \n\t', '"a":', '"b":', '"x"', '"a"', '"y"', '"x', "\\", "\\u0061", "1", "-", "0", "e",
    ".", "true", "null", "NaN", "\x00", "\x7f", "\ufeff", "é", '"c":{"b":"x"}', "[[[[", "]]]]",
]  # fmt: skip


@given(tokens=st.lists(st.sampled_from(TOKENS), max_size=14), rules=RULES)
def test_what_is_no_json_is_not_read(tokens: list[str], rules: list[Rule]) -> None:
    assume(usable(rules))
    check("".join(tokens).encode(), rules)


@given(document=DOCUMENTS, rules=RULES, data=st.data())
def test_broken_documents_are_not_read(document: Any, rules: list[Rule], data: Any) -> None:
    assume(usable(rules))
    body = written(document, (",", ":"), ascii_alone=False)
    at = data.draw(st.integers(0, len(body)))
    until = data.draw(st.integers(at, min(at + 3, len(body))))
    changed = body[:at] + data.draw(st.binary(max_size=2)) + body[until:]
    check(changed, rules)


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


@pytest.mark.parametrize("context", ["@..b", "@.b"])
def test_what_a_text_has_to_read_is_left_to_it_soon(
    context: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body of some kilobytes is not gone over for each of its fields."""
    followed = 0
    follow = json_whole._follow

    def counted(value: Any, *rest: Any) -> None:
        nonlocal followed
        followed += len(value)
        follow(value, *rest)

    monkeypatch.setattr(json_whole, "_follow", counted)
    for depth in (MOST_FIELDS, 100):
        body = f"[{','.join(['1'] * 10_000)}]"
        for number in range(depth):
            body = f'{{"a":"v{number}","c":{body}}}'
        followed = 0
        deep = tree(body, [rule("$..a", context_selector=context)])
        assert (deep is not None) == (depth == MOST_FIELDS and context == "@.b")
        assert followed < 3 * len(body)
