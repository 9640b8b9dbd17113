"""Numeral strings and the integers they write: NUM_radix and STR_radix^m of SP 800-38G, 4.5.

Short strings go digit by digit. Long ones are halved, so that nearly all the work is in
Python's own multiplication and division of large integers; digit by digit it would grow with
the square of the length in interpreted steps.
"""

from collections.abc import Sequence
from operator import index

import numpy as np
from numpy.typing import NDArray

SHORT = 64
"""Up to this length, digit by digit is the faster way."""

_DIGITS = b"0123456789abcdefghijklmnopqrstuvwxyz"
# Bytes 0..35 to the digits int() reads; all else to a character that it refuses.
_WRITTEN = _DIGITS + b"?" * (256 - len(_DIGITS))
_DECIMAL = bytes(max(0, byte - ord("0")) for byte in range(256))


def to_int(digits: Sequence[int], radix: int) -> int:
    """NUM_radix: the integer that `digits`, most significant first, write.

    Raises ValueError unless each is an integer in 0 .. radix-1.
    """
    if len(digits) > SHORT:
        low = len(digits) // 2
        weight: int = radix**low
        return to_int(digits[:-low], radix) * weight + to_int(digits[-low:], radix)
    try:
        if radix <= len(_DIGITS):
            written: int = int(bytes(digits).translate(_WRITTEN), radix)
            return written
        value = 0
        for digit in map(index, digits):
            if not 0 <= digit < radix:
                raise ValueError
            value = value * radix + digit
    except (TypeError, ValueError):  # whose messages may show the numerals
        raise ValueError("numerals are integers in 0 .. radix-1") from None
    return value


def from_int(value: int, length: int, radix: int) -> list[int]:
    """STR_radix^length: `value` in exactly `length` numerals, most significant first."""
    if length > SHORT:
        low = length // 2
        high, rest = divmod(value, radix**low)
        return from_int(high, length - low, radix) + from_int(rest, low, radix)
    if radix == 10:
        return list(str(value).zfill(length).encode().translate(_DECIMAL))
    digits = [0] * length
    for place in range(length - 1, -1, -1):
        value, digits[place] = divmod(value, radix)
    return digits


def columns_to_ints(columns: NDArray[np.uint64], radix: int) -> NDArray[np.uint64]:
    """(k, m) numerals -> k integers; radix**m must fit 64 bits."""
    values = np.zeros(len(columns), np.uint64)
    for place in range(columns.shape[1]):
        values *= np.uint64(radix)
        values += columns[:, place]
    return values


def ints_to_columns(values: NDArray[np.uint64], radix: int, into: NDArray[np.uint16]) -> None:
    """Write k integers as numerals into the (k, m) matrix `into`."""
    base = np.uint64(radix)
    for place in range(into.shape[1] - 1, -1, -1):
        higher = values // base
        into[:, place] = values - higher * base
        values = higher
