"""FF1's rounds on Python integers: NIST SP 800-38G, algorithms 6 (PRF), 7 and 8.

A `Shape` holds what depends only on the radix, the length of the numeral string and the
length of the tweak (steps 1 to 5), so that a call is left with its ten rounds. A `Lane` holds
what a thread must not share with another: the AES context and its output buffer.

Two rewritings make it fast and change nothing. Block P and the blocks of Q before the one
with the round number are the same in all rounds, so PRF resumes from their state; and in the
usual case, Q's last block being the only one left, a round is one integer XOR and one AES
call. Rounds come in pairs that name the halves in turn, instead of exchanging them.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from vault.crypto.secret import KeyAccess, Secret

ROUNDS: Final = 10
BLOCK: Final = 16
ZEROS: Final = bytes(BLOCK)

_first_word = Struct(">Q").unpack_from


class Lane(threading.local):
    """One thread's AES context under the key of one FF1.

    ECB is the bare block cipher here, the CIPH_K that the standard builds FF1 from. A context
    keeps nothing between whole blocks, so one serves all calls; but two threads must not be
    inside it at once, nor write to one buffer: `threading.local` runs `__init__` anew in each
    thread that comes by.
    """

    def __init__(self, key: Secret) -> None:
        self._algorithm = algorithms.AES(key.reveal(KeyAccess()))
        context = Cipher(self._algorithm, modes.ECB()).encryptor()  # noqa: S305 - see above
        self.encrypt = context.update
        self.encrypt_into = context.update_into
        # Where single blocks go: encrypt_into asks for a block's slack.
        self.single = context.update_into, bytearray(2 * BLOCK - 1)

    def mac(self, data: bytes) -> bytes:
        """PRF over whole blocks (algorithm 6): the last block of CBC from zeros."""
        cbc = Cipher(self._algorithm, modes.CBC(ZEROS)).encryptor()
        return cbc.update(data)[-BLOCK:]


@dataclass(frozen=True, slots=True)
class Shape:
    """The figures of one (radix, length, tweak length), named as in algorithm 7.

    Q is ``tweak || padding || round || NUM(B)``. Its first `leading` bytes are whole blocks
    of tweak and padding, the other `tail` bytes begin in the block of the round number.
    """

    radix: int
    u: int
    low: int
    """radix**u, the modulus of the even rounds."""
    high: int
    """radix**v, the modulus of the odd rounds; v is the rest of the length."""
    b: int
    d: int
    p: bytes
    padding: int
    leading: int
    tail: int
    prefix: int
    """PRF's state after P, as an integer, XORed onto the tail's first block."""
    shift: int
    """How far left the tweak (or what of it is in the tail) stands in the tail."""
    rounds: tuple[tuple[int, int], ...]
    """The round numbers in their place in the tail: (even, odd), five times."""

    @classmethod
    def of(cls, radix: int, length: int, tweak_length: int, lane: Lane) -> "Shape":
        u = length // 2
        v = length - u
        high = radix**v
        # b = ceil(ceil(v * log2(radix)) / 8) without floats, which give one too many at
        # radix 256 and v = 29: the greatest half is radix**v - 1.
        b = ((high - 1).bit_length() + 7) // 8
        padding = (-tweak_length - b - 1) % BLOCK
        leading = (tweak_length + padding) // BLOCK * BLOCK
        tail = tweak_length + padding + 1 + b - leading
        p = bytes([1, 2, 1]) + radix.to_bytes(3) + bytes([ROUNDS, u % 256])
        p += length.to_bytes(4) + tweak_length.to_bytes(4)
        numbers = [number << 8 * b for number in range(ROUNDS)]
        return cls(
            radix=radix,
            u=u,
            low=high if u == v else high // radix,
            high=high,
            b=b,
            d=4 * ((b + 3) // 4) + 4,
            p=p,
            padding=padding,
            leading=leading,
            tail=tail,
            prefix=int.from_bytes(lane.mac(p)) << 8 * (tail - BLOCK),
            shift=8 * (b + 1 + (0 if leading else padding)),
            rounds=tuple(zip(numbers[::2], numbers[1::2], strict=True)),
        )

    def head(self, tweak: bytes, lane: Lane) -> int:
        """The tail of Q as an integer without round and NUM(B), PRF's state XORed in."""
        if not self.leading:
            return self.prefix ^ int.from_bytes(tweak) << self.shift
        fixed = tweak + bytes(self.padding)
        state = int.from_bytes(lane.mac(self.p + fixed[: self.leading]))
        rest = int.from_bytes(fixed[self.leading :])
        return (state << 8 * (self.tail - BLOCK)) ^ (rest << self.shift)


def encrypt(lane: Lane, shape: Shape, tweak: bytes, a: int, b: int) -> tuple[int, int]:
    """Algorithm 7, step 6, on halves below `shape.low` and `shape.high`."""
    low, high = shape.low, shape.high
    if shape.d == 8:  # then b <= 4 and the tail is one block: the same as below, unrolled
        head = shape.head(tweak, lane)
        into, block = lane.single
        for even, odd in shape.rounds:
            into((head ^ even ^ b).to_bytes(BLOCK), block)
            a = (a + _first_word(block)[0]) % low
            into((head ^ odd ^ a).to_bytes(BLOCK), block)
            b = (b + _first_word(block)[0]) % high
        return a, b
    f = _round_function(lane, shape, tweak)
    for even, odd in shape.rounds:
        a = (a + f(even ^ b)) % low
        b = (b + f(odd ^ a)) % high
    return a, b


def decrypt(lane: Lane, shape: Shape, tweak: bytes, a: int, b: int) -> tuple[int, int]:
    """Algorithm 8, step 6: `encrypt` backwards."""
    low, high = shape.low, shape.high
    if shape.d == 8:
        head = shape.head(tweak, lane)
        into, block = lane.single
        for even, odd in reversed(shape.rounds):
            into((head ^ odd ^ a).to_bytes(BLOCK), block)
            b = (b - _first_word(block)[0]) % high
            into((head ^ even ^ b).to_bytes(BLOCK), block)
            a = (a - _first_word(block)[0]) % low
        return a, b
    f = _round_function(lane, shape, tweak)
    for even, odd in reversed(shape.rounds):
        b = (b - f(odd ^ a)) % high
        a = (a - f(even ^ b)) % low
    return a, b


def _round_function(lane: Lane, shape: Shape, tweak: bytes) -> Callable[[int], int]:
    """Steps 6.i to 6.iv for any width: (round and NUM(B), placed) -> y = NUM(S)."""
    head, tail, d = shape.head(tweak, lane), shape.tail, shape.d
    prf = lane.encrypt if tail == BLOCK else lane.mac
    further = range(1, (d + BLOCK - 1) // BLOCK)

    def f(placed: int) -> int:
        s = prf((head ^ placed).to_bytes(tail))
        if further:
            r = int.from_bytes(s)
            s += lane.encrypt(b"".join([(r ^ j).to_bytes(BLOCK) for j in further]))
        return int.from_bytes(s[:d])

    return f
