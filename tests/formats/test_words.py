"""Digits eight at a time: every byte is judged, at every place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.formats import words


def cells(*rows: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)


@pytest.mark.parametrize("place", range(8))
def test_only_digits_are_digits(place: int) -> None:
    rows = [b"4" * place + bytes([byte]) + b"4" * (7 - place) for byte in range(256)]
    good, _ = words.read(words.load(cells(*rows), 0))
    assert [byte for byte in range(256) if good[byte]] == list(b"0123456789")


@pytest.mark.parametrize("place", range(7))
def test_a_carry_hides_nothing(place: int) -> None:
    """Two neighbouring bytes, all 65,536 of them."""
    pairs = [bytes(pair) for pair in np.ndindex(256, 256)]
    rows = [b"0" * place + pair + b"9" * (6 - place) for pair in pairs]
    good, _ = words.read(words.load(cells(*rows), 0))
    assert good.tolist() == [pair.isdigit() for pair in pairs]


@given(numbers=st.lists(st.integers(0, 10**8 - 1), max_size=8))
def test_eight_digits(numbers: list[int]) -> None:
    written = words.written(np.array(numbers, np.uint32))
    good, read = words.read(written)
    assert good.all()
    assert read.tolist() == numbers
    assert written.astype("<u8").tobytes().decode() == "".join(f"{n:08d}" for n in numbers)


@pytest.mark.parametrize("width", range(6, 20))
@given(data=st.data())
def test_any_number_of_digits(width: int, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, 10**width - 1), max_size=8))
    written = words.write_digits(np.array(numbers, np.uint64), width)
    assert written.tobytes().decode() == "".join(f"{n:0{width}d}" for n in numbers)
    good, read = words.read_digits(written)
    assert good.all()
    assert read.tolist() == numbers


@pytest.mark.parametrize("width", range(6, 20))
def test_one_wrong_character_is_seen_at_every_place(width: int) -> None:
    rows = [b"1" * place + b"/" + b"1" * (width - place - 1) for place in range(width)]
    good, _ = words.read_digits(cells(*rows, b"1" * width))
    assert good.tolist() == [False] * width + [True]
