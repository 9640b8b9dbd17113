"""Numbers in any printed form are found wherever they stand, tokens are told apart."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import ordinary_nirs as nirs
from vault.config import Transformation as Configured
from vault.crypto.keyset import new_keyset
from vault.engine.transformation import Transformation
from vault.scan.finder import LONGEST, Kind, find

TRANSFORMATION = Transformation("fr-nir", Configured("fr-nir"), new_keyset(datetime.now(UTC)))
NIR = "284057512345672"
GROUPS = (1, 2, 2, 2, 3, 3, 2)
SEPARATORS = ["", " ", ".", "-", "/", "\xa0", "\u202f", "&nbsp;", "%20", "+", "=20", "\\u00a0"]
FILLING = st.binary(max_size=200).filter(lambda data: not re.search(rb"[0-9]", data))


def printed(number: str, separator: str) -> bytes:
    parts, at = [], 0
    for size in GROUPS:
        parts.append(number[at : at + size])
        at += size
    return separator.join(parts).encode()


def kinds(data: bytes) -> list[tuple[int, int, Kind]]:
    return [tuple(found) for found in find(data)]


@given(nirs, st.sampled_from(SEPARATORS), FILLING, FILLING)
def test_every_printed_form_anywhere(number: str, apart: str, before: bytes, after: bytes) -> None:
    form = printed(number, apart)
    data = before + b"\n" + form + b"\n" + after
    assert [(at, size) for at, size, _ in kinds(data)] == [(len(before) + 1, len(form))]


@given(st.lists(st.tuples(nirs, st.sampled_from(SEPARATORS)), min_size=1, max_size=30))
def test_many_of_them(numbers: list[tuple[str, str]]) -> None:
    data = b";\n".join(printed(number, apart) for number, apart in numbers)
    assert len(kinds(data)) == len(numbers)
    assert all(size <= LONGEST for _, size, _ in kinds(data))


@given(nirs)
def test_a_token_is_told_from_a_number(number: str) -> None:
    token = TRANSFORMATION.tokenise([number], None).texts[0]
    assert token is not None
    assert [kind for *_, kind in kinds(f"<{token}>".encode())] == [Kind.TOKEN]
    assert [kind for *_, kind in kinds(f"<{number}>".encode())] != [Kind.TOKEN]


@pytest.mark.parametrize(
    "text",
    [
        "1" + NIR,
        NIR + "1",
        NIR[:-1] + "3",
        NIR[:-1],
        "2 840 575 123 456 72 1",
        "2024-05-12 12:30:45.123456",
        "",
    ],
)
def test_what_is_none(text: str) -> None:
    assert not [found for found in find(text.encode()) if found.kind is not Kind.TOKEN]
