"""FF1, the format-preserving cipher of NIST SP 800-38G: numerals in, as many numerals out.

Use `encrypt_int` for one value and `encrypt_ints` for a batch of them, where a format has
ranked its values already; `encrypt` and `encrypt_many` take the numerals themselves, exactly
as the standard writes them, so that anybody's FF1 gives the same answer under the same key
and tweak. All four agree on every input. The batches are computed in numpy wherever a half of
the numeral string fits 56 bits, and fall back to Python integers where it does not.

FF1 is deterministic: one value under one key and tweak is always the same token. It has no
integrity: every string of the right shape decrypts to something. Small domains can be
searched, so ``radix ** length`` may not be below 1,000,000, which revision 1 of the standard
makes a requirement; the first edition's floor of 100 is there for its test vectors only. FF3
and FF3-1 are withdrawn and not here.

An `FF1` may be used from several threads at once.
"""

from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vault.crypto import ff1_columns, ff1_rounds, numerals
from vault.crypto.ff1_columns import Ints, Tweaks
from vault.crypto.ff1_rounds import Lane, Shape
from vault.crypto.secret import Secret

MAX_RADIX: Final = 2**16
MAX_LENGTH: Final = 2**32 - 1
MAX_TWEAK: Final = 2**16
FLOOR: Final = 1_000_000
"""The least radix**length (SP 800-38G revision 1, section 5.1)."""
FIRST_FLOOR: Final = 100
"""The same in the first edition."""

SHAPES_KEPT = 64

_BYTES = (bytes, bytearray, memoryview)


class FF1:
    """FF1 under one AES key and radix.

    Raises ValueError for a key that is not 16, 24 or 32 bytes, or a radix outside 2..65,536.
    `allow_small_domain` lowers the floor of ``radix ** length`` from 1,000,000 to 100.
    """

    __slots__ = ("_floor", "_lane", "_shapes", "radix")

    def __init__(self, key: bytes, radix: int, allow_small_domain: bool = False) -> None:
        secret = Secret(key) if isinstance(key, _BYTES) else Secret(b"")
        del key  # out of this frame, should a traceback show its variables
        if len(secret) not in (16, 24, 32):
            raise ValueError("an FF1 key is 16, 24 or 32 bytes")
        if not isinstance(radix, int) or not 2 <= radix <= MAX_RADIX:
            raise ValueError("an FF1 radix is an integer in 2 .. 65,536")
        self.radix = int(radix)
        self._floor = FIRST_FLOOR if allow_small_domain else FLOOR
        self._lane = Lane(secret)
        self._shapes: dict[tuple[int, int], Shape] = {}

    def encrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """FF1.Encrypt (algorithm 7): as many numerals as were given.

        Raises ValueError for numerals that are not integers in 0..radix-1, a length below 2
        or with ``radix ** length`` below the floor, or a tweak above 2**16 bytes.
        """
        return self._numerals(ff1_rounds.encrypt, numerals, tweak)

    def decrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """FF1.Decrypt (algorithm 8), the inverse of `encrypt`; raises as it does."""
        return self._numerals(ff1_rounds.decrypt, numerals, tweak)

    def encrypt_int(self, x: int, length: int, tweak: bytes = b"") -> int:
        """`encrypt` on NUM_radix of a numeral string of `length`: x in 0..radix**length-1."""
        return self._int(ff1_rounds.encrypt, x, length, tweak)

    def decrypt_int(self, x: int, length: int, tweak: bytes = b"") -> int:
        """The inverse of `encrypt_int`."""
        return self._int(ff1_rounds.decrypt, x, length, tweak)

    def encrypt_ints(self, xs: Ints, length: int, tweaks: Tweaks = b"") -> Ints:
        """`encrypt_int` on (k,) uint64 integers; ``radix ** length`` must be at most 2**64.

        `tweaks` is one for all or a (k, t) uint8 matrix with one a row. Raises ValueError as
        `encrypt_int`, and for other array types and shapes. Returns a new (k,) array.
        """
        return self._ints(ff1_columns.encrypt, xs, length, tweaks)

    def decrypt_ints(self, xs: Ints, length: int, tweaks: Tweaks = b"") -> Ints:
        """The inverse of `encrypt_ints`."""
        return self._ints(ff1_columns.decrypt, xs, length, tweaks)

    def encrypt_many(
        self, numerals: ArrayLike, tweaks: bytes | Sequence[bytes] = b""
    ) -> NDArray[np.uint16]:
        """`encrypt` on each row of a (k, n) matrix of integers, under one tweak or one a row.

        Any legal length: what numpy cannot compute in 64 bits, and rows whose tweaks differ
        in length, go one by one. Raises ValueError as `encrypt`. Returns a (k, n) matrix.
        """
        return self._many(True, numerals, tweaks)

    def decrypt_many(
        self, numerals: ArrayLike, tweaks: bytes | Sequence[bytes] = b""
    ) -> NDArray[np.uint16]:
        """The inverse of `encrypt_many`."""
        return self._many(False, numerals, tweaks)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an FF1 holds a key: it is neither pickled nor copied")

    def _numerals(self, rounds: "_Rounds", given: Sequence[int], tweak: bytes) -> list[int]:
        try:
            digits = list(given)
        except TypeError:
            raise ValueError("numerals are a sequence of integers") from None
        x = numerals.to_int(digits, self.radix)
        return numerals.from_int(self._int(rounds, x, len(digits), tweak), len(digits), self.radix)

    def _int(self, rounds: "_Rounds", x: int, length: int, tweak: bytes) -> int:
        if type(x) is not int:
            raise ValueError("the integer is no int")
        if type(tweak) is not bytes:
            tweak = _bytes(tweak)
        shape = self._shapes.get((length, len(tweak))) or self._shape(length, len(tweak))
        a, b = divmod(x, shape.high)
        if not 0 <= a < shape.low:
            raise ValueError("the integer is not in 0 .. radix**length - 1")
        a, b = rounds(self._lane, shape, tweak, a, b)
        return a * shape.high + b

    def _ints(self, rounds: "_Columns", xs: Ints, length: int, tweaks: Tweaks) -> Ints:
        if not isinstance(xs, np.ndarray) or xs.dtype != np.uint64 or xs.ndim != 1:
            raise ValueError("a batch is a one-dimensional array of uint64")
        if isinstance(tweaks, np.ndarray):
            if tweaks.dtype != np.uint8 or tweaks.ndim != 2 or len(tweaks) != len(xs):
                raise ValueError("tweaks are bytes, or a matrix of uint8 with one a value")
            shape = self._shape(length, int(tweaks.shape[1]))
        else:
            tweaks = _bytes(tweaks)
            shape = self._shape(length, len(tweaks))
        size = shape.low * shape.high
        if size > 2**64:
            raise ValueError("radix**length is above 2**64: use encrypt_many or encrypt_int")
        if len(xs) and int(xs.max()) >= size:
            raise ValueError("an integer is not in 0 .. radix**length - 1")
        high = np.uint64(shape.high)
        a = xs // high
        b = xs - a * high
        rounds(self._lane, shape, tweaks, a, b)
        a *= high
        a += b
        return a

    def _many(
        self, forward: bool, given: ArrayLike, tweaks: bytes | Sequence[bytes]
    ) -> NDArray[np.uint16]:
        rows = _matrix(given, self.radix)
        count, length = rows.shape
        if isinstance(tweaks, _BYTES):
            by: Tweaks | None = _bytes(tweaks)
            each = [_bytes(tweaks)] * count
        else:
            by, each = None, [_bytes(tweak) for tweak in tweaks]
        if len(each) != count:
            raise ValueError("there are not as many tweaks as rows")
        widths = {len(tweak) for tweak in each}
        shapes = [self._shape(length, width) for width in widths or {0}]
        answer = np.empty((count, length), np.uint16)
        if len(shapes) == 1 and ff1_columns.fits(shapes[0]):
            by = _stacked(each, *widths) if by is None else by
            _many_columns(self._lane, shapes[0], by, rows, answer, forward)
            return answer
        call = self.encrypt if forward else self.decrypt
        for index, (row, tweak) in enumerate(zip(rows, each, strict=True)):
            answer[index] = call(row.tolist(), tweak)
        return answer

    def _shape(self, length: int, tweak_length: int) -> Shape:
        shape = self._shapes.get((length, tweak_length))
        if shape is not None:
            return shape
        if not isinstance(length, int) or not 2 <= length <= MAX_LENGTH:
            raise ValueError("an FF1 string has 2 to 2**32 - 1 numerals")
        if tweak_length > MAX_TWEAK:
            raise ValueError("a tweak has at most 2**16 bytes")
        if length < FLOOR.bit_length() and self.radix**length < self._floor:
            raise ValueError(f"the domain, radix**length, is below {self._floor:,}")
        shape = Shape.of(self.radix, length, tweak_length, self._lane)
        if len(self._shapes) >= SHAPES_KEPT:  # a caller with ever new lengths
            self._shapes.clear()
        self._shapes[length, tweak_length] = shape
        return shape


_Rounds = Callable[[Lane, Shape, bytes, int, int], tuple[int, int]]
_Columns = Callable[[Lane, Shape, Tweaks, Ints, Ints], None]


def _bytes(tweak: object) -> bytes:
    if not isinstance(tweak, _BYTES):
        raise ValueError("a tweak is bytes")
    return bytes(tweak)


def _matrix(given: ArrayLike, radix: int) -> NDArray[np.uint64]:
    rows = np.asarray(given)
    if rows.ndim != 2 or rows.dtype.kind not in "iu":
        raise ValueError("numerals are a two-dimensional array of integers")
    if rows.size and (int(rows.min()) < 0 or int(rows.max()) >= radix):
        raise ValueError("a numeral is not in 0 .. radix-1")
    return rows.astype(np.uint64)


def _stacked(tweaks: Sequence[bytes], width: int = 0) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(tweaks), np.uint8).reshape(len(tweaks), width)


def _many_columns(
    lane: Lane,
    shape: Shape,
    tweaks: Tweaks,
    rows: NDArray[np.uint64],
    answer: NDArray[np.uint16],
    forward: bool,
) -> None:
    a = numerals.columns_to_ints(rows[:, : shape.u], shape.radix)
    b = numerals.columns_to_ints(rows[:, shape.u :], shape.radix)
    rounds = ff1_columns.encrypt if forward else ff1_columns.decrypt
    rounds(lane, shape, tweaks, a, b)
    numerals.ints_to_columns(a, shape.radix, answer[:, : shape.u])
    numerals.ints_to_columns(b, shape.radix, answer[:, shape.u :])
