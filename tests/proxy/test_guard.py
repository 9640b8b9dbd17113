"""The leak guard finds what `jeton scan` finds, however a body is cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.scan.test_finder import ESCAPED, PLAIN, printed
from tests.support.values import nir_key, ordinary_nirs
from vault.proxy.guard import Guard, Leak

NIR = b"284057512345672"
TOKEN = b"1844575123456" + nir_key("1844575123456").encode()

forms = st.tuples(ordinary_nirs, st.sampled_from(PLAIN + ESCAPED)).map(
    lambda pair: printed(*pair).encode()
)
texts = st.lists(
    st.one_of(
        forms,
        forms.map(lambda form: form.decode().encode("utf-16-le")),
        st.binary(max_size=40),
        st.sampled_from([b" 1234 ", b"\n", b'{"nir":', b"%22", b"2", TOKEN]),
    ),
    max_size=12,
).map(b"".join)
cuts = st.lists(st.integers(0, 10_000), max_size=20)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def through(mode: str, chunks: list[bytes]) -> tuple[bytes, int]:
    told: list[int] = []
    guard = Guard(mode, told.append)
    return b"".join([*map(guard.feed, chunks), guard.close()]), sum(told)


@given(texts, cuts)
@example(b"x" * 150 + NIR + b"2 84 05 75 123 456 72" + b"y" * 150, list(range(0, 336, 7)))
def test_cut_anywhere_it_is_the_same(data: bytes, places: list[int]) -> None:
    whole = through("mask", [data])
    assert through("report", cut(data, places)) == (data, whole[1])
    assert through("mask", cut(data, places)) == whole
    assert len(whole[0]) == len(data)
    assert Guard("mask", lambda _: None).check(data) == whole[0]


@given(forms, cuts)
def test_what_is_masked_keeps_its_length(form: bytes, places: list[int]) -> None:
    data = b"before: " + form + b"; and after, " * 9
    masked, count = through("mask", cut(data, places))
    assert (masked, count) == (data.replace(form, b"*" * len(form)), 1)


@given(ordinary_nirs, cuts)
def test_a_number_of_json_stays_one(number: str, places: list[int]) -> None:
    data = json.dumps({"nir": int(number.replace("A", "1").replace("B", "1")), "x": [number]})
    masked, count = through("mask", cut(data.encode(), places))
    told = json.loads(masked)
    assert told["x"] == ["*" * 15]
    assert count == 1 + (told["nir"] == 999999999999999)


@given(cuts)
def test_nothing_of_what_is_blocked_leaves(places: list[int]) -> None:
    out: list[bytes] = []

    def pass_on(guard: Guard) -> None:
        out.extend(map(guard.feed, cut(b"x" * 100 + NIR + b"y" * 100, places)))
        out.append(guard.close())

    with pytest.raises(Leak) as raised:
        pass_on(Guard("block", lambda _: None))
    assert NIR[:1] not in b"".join(out)
    assert NIR.decode() not in str(raised.value)


@pytest.mark.parametrize("body", [TOKEN, b"1" + NIR, NIR[:-1] + b"3", b"", b"no numbers at all"])
@pytest.mark.parametrize("mode", ["report", "mask", "block"])
def test_what_is_no_real_number_passes(mode: str, body: bytes) -> None:
    assert through(mode, [body]) == (body, 0)


def test_little_is_held_back() -> None:
    guard = Guard("block", lambda _: None)
    assert len(guard.feed(b"x" * 100_000)) > 99_000
    assert len(guard.feed(b"x" * 100_000)) == 100_000
