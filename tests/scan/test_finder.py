"""Numbers in any printed form are found wherever they stand, tokens are told apart."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.scan.reference import expected
from tests.support.values import nir_key, ordinary_nirs, special_nirs, unknown_month_nirs
from vault.config import Transformation as Configured
from vault.crypto.keyset import new_keyset
from vault.engine.transformation import Transformation
from vault.scan import finder
from vault.scan.finder import LONGEST, MARGIN, Kind, find

KEYSET = new_keyset(datetime.now(UTC))
NIR = "284057512345672"
CORSICAN = "2840" + "52A123456" + nir_key("284052A123456")
GROUPS = (1, 2, 2, 2, 3, 3, 2)
PLAIN = ["", " ", ".", "-", "/", "_", "\xa0", "\u202f", "\u2007", "\u2009", "\u2011", "\u2013"]
ESCAPED = (
    "%20 %2E %2d %C2%A0 %e2%80%af + =20 =2E =C2=A0 =E2=80=AF \\u00a0 \\u202F \\u0020 \\x20 \\xa0"
    " \\/ &nbsp; &thinsp; &#160; &#xA0; &#x202f; &#8239; &#32; &#0045;"
).split()
OPENINGS = [
    "%22",
    "%3A%22",
    "\\u0022",
    "\\x22",
    "\\n",
    "&quot;",
    '"',
    "NIR",
    "=",
    "%C3%A9",
    ",",
    "\n",
]
nirs = st.one_of(ordinary_nirs, special_nirs, unknown_month_nirs)
FILLING = st.binary(max_size=200).filter(lambda data: not re.search(rb"[0-9]", data))


def printed(number: str, separator: str) -> str:
    parts, at = [], 0
    for size in GROUPS:
        parts.append(number[at : at + size])
        at += size
    return separator.join(parts)


def kinds(data: bytes) -> list[tuple[int, int, Kind]]:
    return [
        (at, size, Kind(kind))
        for at, size, kind in zip(*(column.tolist() for column in find(data)), strict=True)
    ]


near = st.one_of(
    nirs.map(str.encode),
    st.tuples(nirs, st.sampled_from(PLAIN)).map(lambda pair: printed(*pair).encode()),
    st.text("0123456789 .-2AB\xa0\x1f", max_size=30).map(lambda text: text.encode("latin-1")),
    st.binary(max_size=8),
    st.sampled_from([b"\xc2\xa0", b"\xe2\x80\xaf", b" ", b"\n", b"2A", b"\x1f\x1f"]),
)


@given(st.lists(near, max_size=12).map(b"".join))
@example(b"284057512345672A")
@example(b"100010100000135A000\x1f00\x1f")
@example(b"284052A123456" + nir_key("284052A123456").encode() + b"2A284057512345672")
@example(b"2 84 05 75 123 456 72\xc2")
def test_as_it_stands_it_is_what_a_slow_search_finds(data: bytes) -> None:
    found = set(kinds(data))
    assert found >= set(expected(data))
    if not re.search(rb"[%=\\&+\0]", data):
        assert found == set(expected(data))


@given(nirs, st.sampled_from(PLAIN + ESCAPED), st.sampled_from(OPENINGS), FILLING, FILLING)
@example(CORSICAN, "%20", "%22", b"", b"")
@example(CORSICAN, "\\u00a0", "\\u0022", b"", b"")
def test_every_printed_form_anywhere(
    number: str, apart: str, opening: str, before: bytes, after: bytes
) -> None:
    form = printed(number, apart).encode()
    data = before + opening.encode() + form + b'"' + after
    assert (len(before + opening.encode()), len(form)) in [found[:2] for found in kinds(data)]
    assert len(form) <= LONGEST


@given(nirs, st.sampled_from(PLAIN), st.sampled_from(["utf-16-le", "utf-16-be"]), FILLING)
@example(CORSICAN, " ", "utf-16-be", b"\xff")
def test_utf_16_at_any_offset(number: str, apart: str, coding: str, before: bytes) -> None:
    if apart in {"\u2007", "\u2009", "\u2011", "\u2013"}:
        apart = " "  # not read in UTF-16
    form = printed(number, apart)
    data = before + f"né le: {form}; x".encode(coding)
    (found,) = kinds(data)
    assert found[1] == 2 * len(form) - 1
    assert data[found[0] :][: found[1]].replace(b"\0", b"")[:1] == number[:1].encode()


@given(nirs, st.integers(1, 14))
@example(CORSICAN, 7)
def test_a_soft_line_break_of_quoted_printable(number: str, at: int) -> None:
    data = b"nir=3D " + number[:at].encode() + b"=\r\n" + number[at:].encode() + b" "
    assert (7, 18) in [found[:2] for found in kinds(data)]


@given(st.lists(st.tuples(nirs, st.sampled_from(PLAIN)), min_size=1, max_size=30))
def test_many_of_them(numbers: list[tuple[str, str]]) -> None:
    data = b";\n".join(printed(number, apart).encode() for number, apart in numbers)
    assert len(kinds(data)) == len(numbers)


@given(
    st.lists(st.one_of(nirs, st.sampled_from(PLAIN + ESCAPED + ["\n", "a"])), max_size=40),
    st.integers(1, 300),
)
def test_blocks_of_any_size_find_the_same(texts: list[str], block: int) -> None:
    data = "".join(texts).encode()
    whole = kinds(data)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(finder, "_BLOCK", block)
        assert len(data) <= block + MARGIN or kinds(data) == whole


@pytest.mark.parametrize("band", ["safe", "official"])
@given(nir=ordinary_nirs)
def test_a_token_is_told_from_a_number(band: str, nir: str) -> None:
    configured = Configured("fr-nir", band=band)  # type: ignore[arg-type]
    token = Transformation("fr-nir", configured, KEYSET).tokenise([nir], None).texts[0]
    assert token is not None
    assert find(f"<{token}>".encode(), {band}).kinds.tolist() == [Kind.TOKEN]
    assert find(f"<{nir}>".encode(), {band}).kinds.tolist() == [Kind.REAL]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (NIR, Kind.REAL),
        (CORSICAN, Kind.REAL),
        (CORSICAN.lower(), Kind.REAL),
        *((body + nir_key(body), Kind.POSSIBLE) for body in ("1205099123456", "3840575123456")),
        *((body + nir_key(body), Kind.POSSIBLE) for body in ("1840500123456", "1840575123000")),
        *((body + nir_key(body), Kind.TOKEN) for body in ("1844575123456", "8454575123456")),
    ],
)
def test_what_numbers_are(text: str, kind: Kind) -> None:
    assert [found[2] for found in kinds(text.encode())] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "1" + NIR,
        NIR + "1",
        NIR[:-1] + "3",
        NIR[:-1],
        "2 840 575 123 456 72 1",
        "2  84 05 75 123 456 72",
        "2,84,05,75,123,456,72",
        "2024-05-12 12:30:45.123456",
        *(body + nir_key(body) for body in ("0840575123456", "1841575123456", "5840575123456")),
        "28405" + "2A" + "2A" + "3456" + "72",
        "",
        "7",
    ],
)
def test_what_is_none(text: str) -> None:
    assert kinds(text.encode()) == []
