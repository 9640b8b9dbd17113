"""Digits eight at a time: rows of ASCII as 64-bit words, and words as numbers.

A word holds eight neighbouring characters of a row, the first in its lowest byte. A few
multiplications then read all eight digits at once, for thousands of rows in a call.
"""

import numpy as np
from numpy.typing import NDArray

from vault.formats.base import Cells, Flags

Words = NDArray[np.uint64]
Numbers = NDArray[np.uint32]

BYTES = 8
ZEROS = int.from_bytes(b"0" * BYTES, "little")


def load(cells: Cells, offset: int) -> Words:
    """The eight characters from `offset` on, of every row."""
    return cells[:, offset : offset + BYTES].view("<u8")[:, 0].astype(np.uint64)


def store(cells: Cells, offset: int, words: Words) -> None:
    """Write eight characters from `offset` on in every row."""
    cells[:, offset : offset + BYTES].view("<u8")[:, 0] = words


def store_half(cells: Cells, offset: int, words: Words) -> None:
    """Write the first four characters of each word from `offset` on."""
    cells[:, offset : offset + BYTES // 2].view("<u4")[:, 0] = words.astype(np.uint32)


def as_word(text: str, offset: int = 0) -> int:
    """The word that holds `text` from byte `offset` on, and zero bytes around it."""
    return int.from_bytes(text.encode("ascii"), "little") << (8 * offset)


def table(texts: list[str], offset: int = 0) -> Words:
    """`as_word` of each text, to look words up by number."""
    before, after = "\0" * offset, "\0" * BYTES
    joined = "".join((before + text + after)[:BYTES] for text in texts)
    return np.frombuffer(joined.encode("ascii"), "<u8").astype(np.uint64)


def read(words: Words) -> tuple[Flags, Numbers]:
    """Which words hold eight ASCII digits, and the numbers they write (else anything)."""
    pairs = words ^ np.uint64(ZEROS)
    # Digits are 0 to 9 now, and only they stay below 0x80 both as they are and with 0x76
    # added. A byte that carries into its neighbour is above 0x80 and so shows by itself.
    high = pairs + np.uint64(0x7676767676767676)
    high |= pairs
    high &= np.uint64(0x8080808080808080)
    good: Flags = high == np.uint64(0)
    pairs *= np.uint64(10 * 2**8 + 1)
    pairs >>= np.uint64(8)
    pairs &= np.uint64(0x00FF00FF00FF00FF)
    pairs *= np.uint64(100 * 2**16 + 1)
    pairs >>= np.uint64(16)
    pairs &= np.uint64(0x0000FFFF0000FFFF)
    pairs *= np.uint64(10_000 * 2**32 + 1)
    pairs >>= np.uint64(32)
    return good, pairs.astype(np.uint32)


FOUR_DIGITS = table([f"{n:04d}" for n in range(10_000)])


def written(numbers: Numbers) -> Words:
    """The eight digits of each number below 10^8, leading zeros and all."""
    high = numbers // np.uint32(10_000)
    low = numbers - high * np.uint32(10_000)
    words = FOUR_DIGITS.take(low)
    words <<= np.uint64(32)
    words |= FOUR_DIGITS.take(high)
    return words


def read_digits(cells: Cells) -> tuple[Flags, Words]:
    """(k, n) rows of up to 19 digits -> which are digits throughout, and their numbers."""
    rows, width = cells.shape
    if width < BYTES:
        padded = np.full((rows, BYTES), ord("0"), np.uint8)
        padded[:, BYTES - width :] = cells
        cells, width = padded, BYTES
    good = np.ones(rows, np.bool_)
    total = np.zeros(rows, np.uint64)
    for end in (*range(BYTES, width, BYTES), width):
        words = load(cells, end - BYTES)
        overlap = -end % BYTES  # characters that the word before has read already
        if overlap:
            mask = (1 << (8 * overlap)) - 1
            words = (words & np.uint64(~mask & 2**64 - 1)) | np.uint64(ZEROS & mask)
        digits, numbers = read(words)
        good &= digits
        total *= np.uint64(10 ** (BYTES - overlap))
        total += numbers
    return good, total


def write_digits(numbers: Words, width: int) -> Cells:
    """The numbers as rows of `width` digits (up to 19); each must be below ``10**width``."""
    cells = np.empty((len(numbers), max(width, BYTES)), np.uint8)
    end = cells.shape[1]
    while end > 0:  # from the right: each word overwrites the surplus zeros of the last
        size = end % BYTES or BYTES
        rest = numbers // np.uint64(10**size)
        low = (numbers - rest * np.uint64(10**size)).astype(np.uint32)
        store(cells, end - BYTES, written(low))
        numbers, end = rest, end - size
    return cells if width >= BYTES else np.ascontiguousarray(cells[:, BYTES - width :])
