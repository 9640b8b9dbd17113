"""Numeral strings and integers, short and long, scalar and by columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plain_ff1 import num, string
from vault.crypto.numerals import SHORT, columns_to_ints, from_int, ints_to_columns, to_int

radixes = st.sampled_from([2, 10, 35, 36, 37, 256, 65536]) | st.integers(2, 65536)


@given(st.data(), radixes, st.sampled_from([0, 1, 15, SHORT, SHORT + 1, 3 * SHORT + 1]))
def test_both_ways_agree_with_digit_by_digit(data: st.DataObject, radix: int, length: int) -> None:
    digit = st.integers(0, radix - 1)
    digits = data.draw(st.lists(digit, min_size=length, max_size=length)) if length else [0]
    value = to_int(digits, radix)
    assert value == num(digits, radix)
    assert from_int(value, len(digits), radix) == string(value, len(digits), radix) == digits


@pytest.mark.parametrize("radix", range(2, 41))
@pytest.mark.parametrize("length", [5, SHORT, SHORT + 1])
def test_every_small_radix_both_ways(radix: int, length: int) -> None:
    digits = [(7 * place + 3) % radix for place in range(length)]
    value = to_int(digits, radix)
    assert value == num(digits, radix)
    assert from_int(value, length, radix) == digits


@pytest.mark.parametrize("radix", [2, 10, 36, 37, 1000])
def test_the_greatest_digit_is_radix_less_one(radix: int) -> None:
    assert to_int([radix - 1], radix) == radix - 1
    with pytest.raises(ValueError, match=r"0 \.\. radix-1"):
        to_int([0, radix], radix)


@given(st.data(), st.integers(2, 65536), st.integers(1, 4))
def test_columns_agree(data: st.DataObject, radix: int, length: int) -> None:
    row = st.lists(st.integers(0, radix - 1), min_size=length, max_size=length)
    rows = data.draw(st.lists(row, min_size=1, max_size=5))
    values = columns_to_ints(np.array(rows, np.uint64), radix)
    assert values.tolist() == [num(row, radix) for row in rows]
    back = np.empty((len(rows), length), np.uint16)
    ints_to_columns(values, radix, back)
    assert back.tolist() == rows
