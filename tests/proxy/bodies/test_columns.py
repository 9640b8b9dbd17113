"""Records in columns become what they do field by field: same bytes, same calls, same errors."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import Reversing, cut, rule
from vault.errors import ItemError, JetonError
from vault.proxy.bodies import columns, csv, fixed_width
from vault.proxy.bodies.csv import CsvParser
from vault.proxy.bodies.fixed_width import FixedWidthParser
from vault.proxy.bodies.pieces import Columns, Field, Operation, Parser, Rule
from vault.proxy.bodies.rewrite import Blocked, Rewriter, answer, asked

WRITTEN = str.maketrans(
    {"q": '"', "w": "\n", "z": "zz", "v": "\u00e9", "u": "\u20ac", "s": "\r", "y": ""}
)


class Odd(Reversing):
    """Gives quotes, line ends, and texts of other lengths too."""

    async def __call__(
        self,
        operation: Operation,
        transformation: str,
        texts: Sequence[str],
        contexts: Sequence[str | None],
    ) -> Sequence[str | ItemError]:
        results = await super().__call__(operation, transformation, texts, contexts)
        return [one.translate(WRITTEN) if isinstance(one, str) else one for one in results]

    @property
    def calls(self) -> Counter[tuple[object, ...]]:
        return Counter(
            (operation, transformation, *item)
            for operation, transformation, texts, contexts in self.asked
            for item in zip(texts, contexts, strict=True)
        )


@contextmanager
def small() -> Iterator[None]:
    """One record is many, and few are a piece, so that examples can be small."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (columns, csv, fixed_width):
            patch.setattr(module, "LONGEST", 40)
        patch.setattr(columns, "FEWEST", 1)
        patch.setattr(fixed_width, "FEWEST", 1)
        patch.setattr(columns, "_MOST_FIELDS", 5)
        yield


async def outcome(parser: Parser, chunks: list[bytes]) -> tuple[object, ...]:
    ask = Odd()
    rewriter = Rewriter(parser, ask, max_fields=10**6)
    try:
        out = [await rewriter.feed(chunk) for chunk in chunks]
        return b"".join([*out, await rewriter.close()]), ask.calls
    except JetonError as error:
        return type(error), str(error)


async def assert_same(make: Callable[[], Parser], chunks: list[bytes]) -> None:
    slow = make()
    vars(slow)["_layout"] = None
    assert await outcome(make(), chunks) == await outcome(slow, chunks)


operations: st.SearchStrategy[Operation] = st.sampled_from(["tokenise", "detokenise", "drop"])


def rules_of(selectors: Sequence[str]) -> st.SearchStrategy[list[Rule]]:
    one = st.builds(
        Rule,
        st.sampled_from(selectors),
        st.sampled_from(["t", "u"]),
        operations,
        context=st.none() | st.just("c"),
        context_selector=st.none() | st.sampled_from(selectors),
        on_error=st.sampled_from(["block", "pass"]),
    )
    return st.lists(one, min_size=1, max_size=3)


plain = st.text(st.sampled_from("ab12"), max_size=4)
odd = st.text(st.sampled_from('a1qwzvusyx;"\r\n\u00e9\u20ac \0'), max_size=3)
quoted = (plain | odd).map(lambda text: '"' + text.replace('"', '""') + '"')
cells = plain | odd | quoted
cuts = st.lists(st.integers(0, 120), max_size=3)


@given(
    rules=rules_of(["#1", "#2", "#4"]),
    rows=st.lists(st.lists(plain | quoted, max_size=5) | st.lists(cells, max_size=5), max_size=12),
    ends=st.lists(st.sampled_from(["\n", "\r\n"]), min_size=12, max_size=12),
    encoding=st.sampled_from(["utf-8", "latin-1", "cp1252", "utf-7"]),
    at=cuts,
)
async def test_rows_of_csv(
    rules: list[Rule], rows: list[list[str]], ends: list[str], encoding: str, at: list[int]
) -> None:
    lines = (";".join(row) + end for row, end in zip(rows, ends, strict=False))
    body = "".join(lines).encode("utf-8")
    with small():
        await assert_same(
            lambda: CsvParser(rules, delimiter=";", encoding=encoding, header=False), cut(body, at)
        )


SELECTORS = ["1-2", "2:3-6", "3:3-6", "2:4-7", "6-8", "2a:6-8", "9-9"]


@given(
    rules=rules_of(SELECTORS),
    records=st.lists(
        st.tuples(
            st.sampled_from(["2", "2a", "3", ""]),
            st.text(st.sampled_from("a12  "), max_size=9)
            | st.text(st.sampled_from("a1qwzvusyx \r\u00e9\u20ac\0"), max_size=9),
        ).map("".join),
        max_size=12,
    ),
    end=st.sampled_from(["\n", "\r\n", ""]),
    encoding=st.sampled_from(["latin-1", "cp1252", "utf-8", "ascii"]),
    at=cuts,
)
async def test_records_of_fixed_width(
    rules: list[Rule], records: list[str], end: str, encoding: str, at: list[int]
) -> None:
    length = None if end else 8
    whole = (record if end else record[:8].ljust(8) for record in records)
    body = end.join(whole).encode("cp1252", "replace")
    with small():
        await assert_same(
            lambda: FixedWidthParser(rules, encoding=encoding, length=length), cut(body, at)
        )


A, B = rule("#1"), rule("#2", context_selector="#1")
CSV: list[tuple[str, list[Rule], bytes]] = [
    ("texts in quotes", [A, B], b'"12";"34"\n5;"67"\n'),
    ("quotes within quotes", [A, B], b'"1""2";3\n4;5\n'),
    ("a quote in the middle", [A], b'1;2\na"b";3\n'),
    ("something after a quote", [A], b'1;2\n"a"b;3\n'),
    ("rows within quotes", [rule("#2")], b'"a;b\nc";12;x\n"a";13;y\n'),
    ("a return in the middle", [A], b"1;2\r;3\r\n"),
    ("a return after a quote", [A], b'"1"\r;2\n'),
    ("a line end that is answered", [A, B], b"w1;2\n3;4\n"),
    ("lengths that change places", [A], b"z\n1y\n"),
    ("a longer text", [A, B], b"1z;2\n3;4\n"),
    ("a text that needs quotes", [A], b"q1;2\n3;4\n"),
    ("gaps", [A, B], b";2\n1;3\n\n4\n"),
    ("gaps beside what needs quotes", [A, B], b";2\nq4;5\n6;7\n"),
    ("one that fails", [A, B], b"1;2\nx;3\n"),
    ("one that passes", [replace(A, on_error="pass"), B], b"1;2\n1x;3\n;4\n"),
    ("a context that is no token", [replace(A, operation="detokenise"), B], b"1;2\n3;4\n"),
    ("dropped", [replace(A, operation="drop"), B], b'1;2\n"3";4\n'),
    ("contexts in a circle",
     [rule("#1", context_selector="#1"), B, rule("#4", context_selector="#2")], b";1;;1\n"),
    ("leading characters", [replace(A, leading=2)], b"1234\n5\n"),
    ("not UTF-8", [A, B], b"1;2\n\xff;4\n"),
]  # fmt: skip
C = rule("2:3-6")
FIXED: list[tuple[str, list[Rule], int | None, bytes]] = [
    ("blanks before what stands there", [rule("2-3"), rule("4-5")], None, b"2  ab\n2a  b\n"),
    ("padding", [C], None, b"2. 12 .\n2.12  .\n2.  12.\n2.    .\n"),
    ("types", [C, rule("3:3-6"), rule("3:8-9", context_selector="3-6")], None,
     b"2.1234.56\n3.1234.56\n4.1234.56\n3.    .56\n"),
    ("a context of some records", [C, rule("8-9", context_selector="3-6"), rule("11-12")], None,
     b"2.1234.56.78\n3.1234.56.78\n"),
    ("a context of another type", [rule("2-3", context_selector="2:5-6")], None, b"112.34\n"),
    ("columns in common", [rule("1-4"), rule("3-6")], None, b"123456\n    56\n"),
    ("short records", [C, rule("2:8-9", context_selector="3-6")], None,
     b"2\r\n2.12\r\n\r\n2.1234.5\n"),
    ("a type longer than records", [rule("2222:1-2")], 3, b"222222"),
    ("a line end within a record", [C], 8, b"2.1\n34.."),
    ("another length", [C], None, b"2.1z  .\n2.zz  .\n2.y111.\n"),
    ("a return that is answered", [C], None, b"2.s123.\n"),
    ("dropped", [replace(C, operation="drop")], None, b"2.1234.\n2. 12 .\n"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "body"), [pytest.param(*of, id=name) for name, *of in CSV])
async def test_csv(rules: list[Rule], body: bytes) -> None:
    with small():
        await assert_same(lambda: CsvParser(rules, delimiter=";", header=False), [body])


@pytest.mark.parametrize(
    ("rules", "length", "body"), [pytest.param(*of, id=name) for name, *of in FIXED]
)
async def test_fixed_width(rules: list[Rule], length: int | None, body: bytes) -> None:
    with small():
        await assert_same(lambda: FixedWidthParser(rules, length=length), [body])


ROWS = b"".join(b"%d,%d,x\r\n" % (10**6 + n, 10**7 + n) for n in range(2_000))
RECORDS = b"".join(b"2%d %d x\r\n1\n" % (10**6 + n, 10**7 + n) for n in range(2_000))
MAKERS: dict[str, tuple[Callable[[], Parser], bytes]] = {
    "csv": (lambda: CsvParser([rule("#1"), rule("#2", context_selector="#1")], header=False), ROWS),
    "fixed": (
        lambda: FixedWidthParser([rule("2:2-8"), rule("2:10-17", context_selector="2-8")]),
        RECORDS,
    ),
}
kinds = pytest.mark.parametrize("kind", MAKERS)


def pieces_of(kind: str) -> list[Columns]:
    make, body = MAKERS[kind]
    pieces = make().feed(body)
    found = [piece for piece in pieces if isinstance(piece, Columns)]
    assert len(found) == len(pieces)
    assert b"".join(piece.records for piece in found) == body
    return found


@kinds
async def test_many_plain_records_are_in_columns_a_batch_a_piece(kind: str) -> None:
    assert {len(piece) for piece in pieces_of(kind)} <= {1_000, 2_000}
    make, body = MAKERS[kind]
    await assert_same(make, cut(body, range(0, len(body), 7_000)))
    ask = Odd()
    rewriter = Rewriter(make(), ask)
    await rewriter.feed(body)
    assert {len(texts) for _, _, texts, _ in ask.asked} == {1_000}
    assert [contexts for _, _, _, contexts in ask.asked[1::2]] == [
        [text[::-1] for text in texts] for _, _, texts, _ in ask.asked[::2]
    ]


@kinds
async def test_one_that_fails_blocks_as_it_does_alone(kind: str) -> None:
    make, body = MAKERS[kind]
    await assert_same(make, [body.replace(b"10001002", b"1000100x")])
    with pytest.raises(Blocked, match="failed: invalid_value"):
        await Rewriter(make(), Odd()).feed(body.replace(b"10001002", b"1000100x"))


@kinds
async def test_a_context_of_the_head_is_that_of_all(kind: str) -> None:
    head = Field("12", rule("header:a"), b"12", str.encode)
    piece = pieces_of(kind)[0]
    for column in piece.columns:
        column.context = head
    ask = Odd()
    await answer([head, *asked([piece])], ask)
    assert [set(contexts) for _, _, _, contexts in ask.asked] == [{None}, {"21"}]
    assert all(one.context is head for one in piece.one_by_one() if isinstance(one, Field))


@kinds
async def test_bytes_without_fields_are_no_columns(kind: str) -> None:
    blank = {"csv": b",,x\n", "fixed": b"1 1\n"}[kind] * 100
    assert MAKERS[kind][0]().feed(blank) == [blank]


@kinds
def test_columns_do_not_show_their_texts(kind: str) -> None:
    piece = pieces_of(kind)[0]
    assert "100" not in repr([piece, *piece.columns])
