"""FF1 once more, word for word from SP 800-38G, slow and without a shortcut: the reference.

Nothing here is shared with `vault.crypto`; numerals are converted one at a time.
"""

from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def num(digits: Sequence[int], radix: int) -> int:
    value = 0
    for digit in digits:
        value = value * radix + digit
    return value


def string(value: int, length: int, radix: int) -> list[int]:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, radix)
        digits.append(digit)
    return digits[::-1]


def half_bytes(v: int, radix: int) -> int:
    """b of step 3, by counting: the bits that the greatest half needs, in whole bytes."""
    bits = 0
    while 2**bits < radix**v:
        bits += 1
    return -(-bits // 8)


class PlainFF1:
    def __init__(self, key: bytes, radix: int) -> None:
        self.key, self.radix = key, radix

    def _ciph(self, block: bytes) -> bytes:
        return Cipher(algorithms.AES(self.key), modes.ECB()).encryptor().update(block)

    def _prf(self, data: bytes) -> bytes:
        state = bytes(16)
        for at in range(0, len(data), 16):
            state = self._ciph(bytes(x ^ y for x, y in zip(state, data[at : at + 16], strict=True)))
        return state

    def _y(self, half: list[int], i: int, n: int, tweak: bytes) -> int:
        u, t = n // 2, len(tweak)
        b = half_bytes(n - u, self.radix)
        d = 4 * -(-b // 4) + 4
        p = bytes([1, 2, 1]) + self.radix.to_bytes(3, "big") + bytes([10, u % 256])
        p += n.to_bytes(4, "big") + t.to_bytes(4, "big")
        q = tweak + bytes((-t - b - 1) % 16) + bytes([i])
        q += num(half, self.radix).to_bytes(b, "big")
        r = self._prf(p + q)
        s = r
        j = 1
        while len(s) < d:
            s += self._ciph(bytes(x ^ y for x, y in zip(r, j.to_bytes(16, "big"), strict=True)))
            j += 1
        return int.from_bytes(s[:d], "big")

    def encrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        n = len(numerals)
        u = n // 2
        a, b = list(numerals[:u]), list(numerals[u:])
        for i in range(10):
            m = u if i % 2 == 0 else n - u
            c = (num(a, self.radix) + self._y(b, i, n, tweak)) % self.radix**m
            a, b = b, string(c, m, self.radix)
        return a + b
