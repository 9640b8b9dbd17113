"""FF1's rounds on columns of uint64: the same ten rounds as `ff1_rounds`, for a whole batch.

A round is a handful of numpy operations and one AES call over a block a row. Only what is
exact in 64 bits is done here (`fits`): halves below 2**56, so that a sum of two never wraps
and NUM(S), of 8 or 12 bytes, is reduced in steps that leave room for a byte at least.

The operations are chosen for their speed: ``x - x // m * m`` is several times faster than
``x % m`` (numpy divides by one number by multiplying), and ``minimum(x, x - m)`` is the
conditional subtraction, since x - m wraps to something huge where x is below m.
"""

import threading
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vault.crypto.ff1_rounds import BLOCK, Lane, Shape

Ints = NDArray[np.uint64]
Tweaks = bytes | NDArray[np.uint8]
"""One tweak for all rows, or a (k, t) matrix with one a row."""

CHUNK: Final = 8_192
"""Rows a pass. Each has 64 bytes in use, blocks and columns, so that a pass fits a second-level
cache of 512 KiB; passes of 4,096 measured a tenth slower."""

WIDEST: Final = 7
"""The widest half, in bytes."""

FEW: Final = 400
"""Below this many rows the count of numpy calls decides, and ``%`` is one where the faster
ways are two or three."""

_BIG: Final = np.dtype(">u8")


def fits(shape: Shape) -> bool:
    """Whether these rounds can compute the shape."""
    return shape.b <= WIDEST


class _Scratch(threading.local):
    """Buffers a thread uses again in each call, whatever the key."""

    def __init__(self) -> None:
        self.blocks = np.empty(CHUNK * BLOCK, np.uint8)
        self.sealed = np.empty(CHUNK * BLOCK + BLOCK - 1, np.uint8)  # a block's slack
        self.y = np.empty(CHUNK, np.uint64)
        self.spare = np.empty(CHUNK, np.uint64)


_scratch = _Scratch()


def encrypt(lane: Lane, shape: Shape, tweaks: Tweaks, a: Ints, b: Ints) -> None:
    """Algorithm 7, step 6, in place: `a` below `shape.low`, `b` below `shape.high`."""
    low, high = _number(shape.low), _number(shape.high)
    for part in _parts(len(a)):
        half_a, half_b = a[part], b[part]
        batch = _Batch(lane, shape, _some(tweaks, part), len(half_a))
        for even, odd in batch.rounds:
            batch.add(half_a, even, half_b, low)
            batch.add(half_b, odd, half_a, high)


def decrypt(lane: Lane, shape: Shape, tweaks: Tweaks, a: Ints, b: Ints) -> None:
    """Algorithm 8, step 6, in place: `encrypt` backwards."""
    low, high = _number(shape.low), _number(shape.high)
    for part in _parts(len(a)):
        half_a, half_b = a[part], b[part]
        batch = _Batch(lane, shape, _some(tweaks, part), len(half_a))
        for even, odd in reversed(batch.rounds):
            batch.subtract(half_b, odd, half_a, high)
            batch.subtract(half_a, even, half_b, low)


def _number(value: int) -> Ints:
    """A constant as an array: ufuncs take that faster than a numpy scalar."""
    return np.array(value, np.uint64)


def _parts(count: int) -> Iterable[slice]:
    return (slice(at, min(at + CHUNK, count)) for at in range(0, count, CHUNK))


def _some(tweaks: Tweaks, part: slice) -> Tweaks:
    return tweaks[part] if isinstance(tweaks, np.ndarray) else tweaks


class _Batch:
    """Up to CHUNK rows under one shape, with the buffers of one call."""

    __slots__ = (
        "_blocks",
        "_few",
        "_into",
        "_last",
        "_low",
        "_sealed",
        "_spare",
        "_steps",
        "_words",
        "_y",
        "rounds",
    )

    def __init__(self, lane: Lane, shape: Shape, tweaks: Tweaks, count: int) -> None:
        self._few = count < FEW
        self._into = lane.encrypt_into
        self._blocks = _scratch.blocks.data[: BLOCK * count]
        self._sealed = _scratch.sealed.data[: BLOCK * count + BLOCK - 1]
        self._words = _scratch.sealed[: BLOCK * count].view(_BIG).reshape(count, 2)
        self._y, self._spare = _scratch.y[:count], _scratch.spare[:count]
        self._steps = _steps(shape)
        blocks = _scratch.blocks[: BLOCK * count].view(_BIG).reshape(count, 2)
        self._last = blocks[:, 1]
        blocks[:, 0], low = _heads(lane, shape, tweaks)
        self._low: Ints | None = None if isinstance(low, int) else low
        same = low if isinstance(low, int) else 0
        self.rounds = [(_number(even ^ same), _number(odd ^ same)) for even, odd in shape.rounds]

    def add(self, x: Ints, number: Ints, half: Ints, modulus: Ints) -> None:
        """x = (x + y) mod modulus, y being of round `number` (in its place) and `half`."""
        np.add(x, self._reduced(number, half, modulus), x)
        self._settle(x, modulus)

    def subtract(self, x: Ints, number: Ints, half: Ints, modulus: Ints) -> None:
        """x = (x - y) mod modulus."""
        y = self._reduced(number, half, modulus)
        np.subtract(modulus, y, y)
        np.add(x, y, x)
        self._settle(x, modulus)

    def _reduced(self, number: Ints, half: Ints, modulus: Ints) -> Ints:
        """Steps 6.i to 6.iv: y modulo `modulus`, in a buffer that the next call overwrites."""
        y, spare = self._y, self._spare
        np.bitwise_xor(half, number, spare)
        if self._low is not None:
            np.bitwise_xor(spare, self._low, spare)
        self._last[...] = spare
        self._into(self._blocks, self._sealed)
        y[...] = self._words[:, 0]
        self._reduce(y, modulus)
        if self._steps:
            rest = self._words[:, 1].astype(np.uint64)
            for left, right, mask in self._steps:
                np.left_shift(y, left, y)
                np.right_shift(rest, right, spare)
                np.bitwise_and(spare, mask, spare)
                np.bitwise_or(y, spare, y)
                self._reduce(y, modulus)
        return y

    def _reduce(self, y: Ints, modulus: Ints) -> None:
        """y = y mod modulus."""
        if self._few:
            np.remainder(y, modulus, y)
            return
        spare = self._spare
        np.floor_divide(y, modulus, spare)
        np.multiply(spare, modulus, spare)
        np.subtract(y, spare, y)

    def _settle(self, x: Ints, modulus: Ints) -> None:
        """x = x mod modulus, x being below twice the modulus."""
        if self._few:
            np.remainder(x, modulus, x)
            return
        np.subtract(x, modulus, self._spare)
        np.minimum(x, self._spare, out=x)


def _steps(shape: Shape) -> list[tuple[Ints, Ints, Ints]]:
    """How S's bytes 9 to 12 follow the first 8, by Horner: (shift of y, of the word, mask).

    A remainder takes 8 b bits at most, so 64 - 8 b more fit beside it.
    """
    steps = []
    room = 64 - 8 * shape.b
    taken = 0
    while shape.d > 8 and taken < 32:
        bits = min(room, 32 - taken)
        taken += bits
        steps.append((_number(bits), _number(64 - taken), _number((1 << bits) - 1)))
    return steps


def _heads(lane: Lane, shape: Shape, tweaks: Tweaks) -> tuple[int | Ints, int | Ints]:
    """`Shape.head` in two words of 64 bits, each a number for all rows or one a row."""
    if not isinstance(tweaks, np.ndarray):
        head = shape.head(tweaks, lane)
        return head >> 64, head & (2**64 - 1)
    state = np.frombuffer(shape.prefix.to_bytes(BLOCK), np.uint8)
    count, length = tweaks.shape
    if length == 8:  # the usual case: beside a half this narrow it is the first word of one block
        words = np.ascontiguousarray(tweaks).view(np.uint64)[:, 0] ^ state.view(np.uint64)[0]
        return words.view(_BIG).astype(np.uint64), shape.prefix & (2**64 - 1)
    for at in range(0, shape.leading + BLOCK, BLOCK):
        part = tweaks[:, at : at + BLOCK]
        block = np.zeros((count, BLOCK), np.uint8)
        block[:, : part.shape[1]] = part
        block ^= state
        if at < shape.leading:
            sealed = lane.encrypt(block.tobytes())
            state = np.frombuffer(sealed, np.uint8).reshape(count, BLOCK)
    words = block.view(_BIG)
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)
