"""The numpy path gives what the integer path gives, on every input, or falls back to it."""

from concurrent.futures import ThreadPoolExecutor
from itertools import starmap

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vault.crypto import ff1_columns
from vault.crypto.ff1 import FF1
from vault.crypto.ff1_rounds import Lane, Shape
from vault.crypto.secret import Secret

KEY = bytes(range(32))
SIZES = [0, 1, 2, ff1_columns.FEW - 1, ff1_columns.FEW, ff1_columns.FEW + 1]

# Halves of every width the columns compute (b = 1..7) and beyond, odd and even lengths.
SHAPES = [
    (10, 6),
    (10, 15),
    (10, 18),
    (10, 19),
    (2, 64),
    (16, 16),
    (7131, 5),
    (65536, 3),
    (65536, 4),
    (702, 4),
    (65536, 6),
    (36, 19),
    (26, 22),
    (10, 33),
    (256, 14),
    (256, 15),
    (10, 40),
    (10, 70),
]
TWEAKS = [0, 3, 7, 8, 9, 12, 15, 16, 17, 31, 40]


def shape(radix: int, length: int, tweak: int = 8) -> Shape:
    return Shape.of(radix, length, tweak, Lane(Secret(KEY)))


def test_the_shapes_below_cover_every_width() -> None:
    widths = {shape(radix, length).b for radix, length in SHAPES}
    assert widths >= {2, 3, 4, 5, 6, 7, 8}
    assert {ff1_columns.fits(shape(*s)) for s in SHAPES} == {True, False}
    assert not ff1_columns.fits(shape(256, 15))
    assert ff1_columns.fits(shape(256, 14))


@pytest.mark.parametrize("length", TWEAKS)
@pytest.mark.parametrize(("radix", "n"), SHAPES)
def test_matrices_of_numerals(radix: int, n: int, length: int) -> None:
    rng = np.random.default_rng(radix * n + length)
    ff1 = FF1(KEY, radix)
    rows = rng.integers(0, radix, (7, n))
    rows[0], rows[1] = 0, radix - 1
    each = [rng.bytes(length) for _ in rows]
    expected = list(starmap(ff1.encrypt, zip(rows.tolist(), each, strict=True)))
    assert ff1.encrypt_many(rows, each).tolist() == expected
    assert ff1.decrypt_many(expected, each).tolist() == rows.tolist()
    together = [ff1.encrypt(row, each[0]) for row in rows.tolist()]
    assert ff1.encrypt_many(rows, each[0]).tolist() == together
    assert ff1.decrypt_many(together, each[0]).tolist() == rows.tolist()


@pytest.mark.parametrize("few", [0, 1_000])
@pytest.mark.parametrize("length", TWEAKS)
@pytest.mark.parametrize(("radix", "n"), [s for s in SHAPES if s[0] ** s[1] <= 2**64])
def test_integers(
    radix: int, n: int, length: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ff1_columns, "FEW", few)
    rng = np.random.default_rng(radix * n + length)
    ff1 = FF1(KEY, radix)
    xs = rng.integers(0, radix**n - 1, 9, np.uint64, endpoint=True)
    xs[0], xs[1] = 0, radix**n - 1
    before = xs.copy()
    each = rng.integers(0, 256, (9, length), np.uint8)
    pairs = [(int(x), n, tweak.tobytes()) for x, tweak in zip(xs, each, strict=True)]
    expected = list(starmap(ff1.encrypt_int, pairs))
    answer = ff1.encrypt_ints(xs, n, each)
    assert answer.tolist() == expected
    assert ff1.decrypt_ints(answer, n, each).tolist() == xs.tolist()
    tweak = each[0].tobytes()
    together = ff1.encrypt_ints(xs, n, tweak)
    assert together.tolist() == [ff1.encrypt_int(int(x), n, tweak) for x in xs]
    assert ff1.decrypt_ints(together, n, tweak).tolist() == xs.tolist()
    assert np.array_equal(xs, before)


@pytest.mark.parametrize("count", [*SIZES, ff1_columns.CHUNK, ff1_columns.CHUNK + 3])
def test_batches_of_every_size(count: int) -> None:
    rng = np.random.default_rng(count)
    ff1 = FF1(KEY, 10)
    xs = rng.integers(0, 10**15, count, np.uint64)
    each = rng.integers(0, 256, (count, 8), np.uint8)
    answer = ff1.encrypt_ints(xs, 15, each)
    assert ff1.decrypt_ints(answer, 15, each).tolist() == xs.tolist()
    for row in [0, 1, count // 2, count - 1] if count > 2 else []:
        expected = ff1.encrypt_int(int(xs[row]), 15, each[row].tobytes())
        assert int(answer[row]) == expected


def test_each_thread_has_room_for_a_whole_pass() -> None:
    """The buffers are made anew in a thread that comes by."""
    ff1, xs = FF1(KEY, 10), np.arange(ff1_columns.CHUNK + 1, dtype=np.uint64)
    with ThreadPoolExecutor(1) as other:
        there = other.submit(ff1.encrypt_ints, xs, 15, b"12345678").result()
    assert np.array_equal(there, ff1.encrypt_ints(xs, 15, b"12345678"))


def test_tweaks_need_not_lie_together_in_memory() -> None:
    rng = np.random.default_rng(5)
    ff1, xs = FF1(KEY, 10), rng.integers(0, 10**15, 6, np.uint64)
    wide = rng.integers(0, 256, (12, 16), np.uint8)
    for view in (wide[::2, 4:12], wide[:6, ::2], wide[:6, 3:8]):
        expected = ff1.encrypt_ints(xs, 15, np.ascontiguousarray(view))
        assert np.array_equal(ff1.encrypt_ints(xs, 15, view), expected)
        one_by_one = [
            ff1.encrypt_int(int(x), 15, t.tobytes()) for x, t in zip(xs, view, strict=True)
        ]
        assert expected.tolist() == one_by_one


@settings(deadline=None, max_examples=150)
@given(
    st.data(),
    st.integers(2, 65536),
    st.integers(2, 30),
    st.integers(0, 33),
    st.sampled_from([16, 24, 32]),
)
def test_paths_agree(data: st.DataObject, radix: int, n: int, length: int, key_length: int) -> None:
    assume(radix**n >= 1_000_000)
    ff1 = FF1(KEY[:key_length], radix)
    row = st.lists(st.integers(0, radix - 1), min_size=n, max_size=n)
    rows = data.draw(st.lists(row, min_size=1, max_size=4))
    each = [data.draw(st.binary(min_size=length, max_size=length)) for _ in rows]
    expected = list(starmap(ff1.encrypt, zip(rows, each, strict=True)))
    assert ff1.encrypt_many(rows, each).tolist() == expected
    assert ff1.decrypt_many(expected, each).tolist() == rows


@pytest.mark.parametrize(
    "each", [[b"", b"12345678", b"x" * 20], [b"12345678", b"x" * 20, b"87654321"]]
)
def test_tweaks_of_different_lengths_in_one_batch(each: list[bytes]) -> None:
    ff1 = FF1(KEY, 10)
    rows = [[1] * 15, [1] * 15, [2] * 15]
    expected = list(starmap(ff1.encrypt, zip(rows, each, strict=True)))
    assert ff1.encrypt_many(rows, each).tolist() == expected
    assert ff1.decrypt_many(expected, each).tolist() == rows


@pytest.mark.parametrize("length", [3, 40])
def test_numerals_come_as_uint16(length: int) -> None:
    ff1 = FF1(KEY, 1000)
    for many in (ff1.encrypt_many, ff1.decrypt_many):
        assert many(np.ones((2, length), np.int64)).dtype == np.uint16


def test_numerals_may_be_of_any_integer_type() -> None:
    ff1 = FF1(KEY, 1000)
    expected = ff1.encrypt([5, 6, 7])
    for kind in (np.uint8, np.int16, np.int64, np.uint64):
        assert ff1.encrypt_many(np.array([[5, 6, 7]], kind)).tolist() == [expected]


@pytest.mark.parametrize(
    "rows",
    [
        [[1] * 8, [10] * 8],
        [[1] * 8, [-1] * 8],
        [[1.0] * 8],
        [[True] * 8],
        [["1"] * 8],
        [[2**70] * 8],
        [1] * 8,
        [[[1] * 8]],
        [[1] * 5],
        [[1]],
        [[1] * 8, [1] * 9],
        np.zeros((0, 5), np.int64),
    ],
    ids=repr,
)
def test_refuses_other_matrices(rows: object) -> None:
    with pytest.raises(ValueError, match=r"numeral|below|sequence"):
        FF1(KEY, 10).encrypt_many(rows)  # type: ignore[arg-type]


def test_refuses_as_many_tweaks_as_there_are_not_rows() -> None:
    with pytest.raises(ValueError, match="as many tweaks"):
        FF1(KEY, 10).encrypt_many([[1] * 8] * 2, [b"1"])
    for each in (np.zeros((2, 8), np.uint8), np.zeros((3, 8), np.int8), np.zeros(8, np.uint8)):
        with pytest.raises(ValueError, match="tweaks are bytes"):
            FF1(KEY, 10).encrypt_ints(np.ones(3, np.uint64), 8, each)


@pytest.mark.parametrize(
    "xs", [np.ones(3, np.int64), np.ones((3, 1), np.uint64), [1, 2], np.ones(3, np.float64)]
)
def test_refuses_other_arrays_of_integers(xs: object) -> None:
    with pytest.raises(ValueError, match="one-dimensional"):
        FF1(KEY, 10).encrypt_ints(xs, 8)  # type: ignore[arg-type]


def test_refuses_integers_outside_the_domain_and_domains_above_64_bits() -> None:
    with pytest.raises(ValueError, match="not in 0"):
        FF1(KEY, 10).encrypt_ints(np.array([1, 10**8], np.uint64), 8)
    with pytest.raises(ValueError, match=r"2\*\*64"):
        FF1(KEY, 10).encrypt_ints(np.array([1], np.uint64), 20)
    with pytest.raises(ValueError, match=r"2\*\*64"):
        FF1(KEY, 2).encrypt_ints(np.array([1], np.uint64), 65)
    assert FF1(KEY, 10).encrypt_many(np.zeros((0, 15), np.int64)).shape == (0, 15)
