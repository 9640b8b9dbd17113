"""The leak guard finds what `jeton scan` finds, however a body is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import ordinary_nirs
from vault.proxy.guard import Guard, Leak

NIR = b"284057512345672"

texts = st.lists(
    st.one_of(ordinary_nirs.map(str.encode), st.binary(max_size=40), st.just(b" 1234 ")),
    max_size=12,
).map(b"\n".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def through(mode: str, chunks: list[bytes]) -> tuple[bytes, int]:
    told: list[int] = []
    guard = Guard(mode, told.append)
    return b"".join([*map(guard.feed, chunks), guard.close()]), sum(told)


@given(texts, st.lists(st.integers(0, 10_000), max_size=20))
def test_cut_anywhere_it_is_the_same(data: bytes, places: list[int]) -> None:
    assert through("report", cut(data, places)) == (data, through("report", [data])[1])
    assert through("mask", cut(data, places)) == through("mask", [data])


@given(ordinary_nirs, st.lists(st.integers(0, 10_000), max_size=20))
def test_what_is_masked_keeps_its_length(number: str, places: list[int]) -> None:
    data = b"before " + number.encode() + b" and after, " * 9
    masked, count = through("mask", cut(data, places))
    assert (masked, count) == (data.replace(number.encode(), b"*" * 15), 1)


@given(st.lists(st.integers(0, 10_000), max_size=20))
def test_nothing_of_what_is_blocked_leaves(places: list[int]) -> None:
    out: list[bytes] = []

    def pass_on(guard: Guard) -> None:
        out.extend(map(guard.feed, cut(b"x" * 100 + NIR + b"y" * 100, places)))
        out.append(guard.close())

    with pytest.raises(Leak) as raised:
        pass_on(Guard("block", lambda _: None))
    assert NIR[:4] not in b"".join(out)
    assert NIR.decode() not in str(raised.value)
