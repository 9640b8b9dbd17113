"""The check characters of numbers: what has to stand after a body.

Written out here, and not asked of python-stdnum, for two reasons: as tables of weights the
same declaration also serves thousands of rows at a time, and a library that judges the tests
must not be what the tests judge.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

DIGITS = "0123456789"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Weights = Sequence[Mapping[str, int]]
"""For each place of a body, what each character counts there."""


class Check(Protocol):
    width: int

    def of(self, body: str) -> str:
        """The check characters of a body; raises KeyError for other characters than it has."""
        ...


class Weighted:
    """What the characters count, summed modulo ``len(signs)``, is the place of the sign."""

    def __init__(self, weights: Weights, signs: Sequence[str]) -> None:
        self.weights, self.signs = weights, signs
        self.width = len(signs[0])

    def of(self, body: str) -> str:
        total = 0
        for weight, character in zip(self.weights, body, strict=True):
            total += weight[character]
        return self.signs[total % len(self.signs)]


class Mod11And10:
    """ISO 7064, MOD 11,10: one digit after digits."""

    width = 1

    def of(self, body: str) -> str:
        product = 10
        for digit in body:
            total = (int(digit) + product) % 10 or 10
            product = total * 2 % 11
        return str((11 - product) % 10)


def times(*factors: int) -> Weights:
    """Digits, each times the factor of its place."""
    return [{digit: int(digit) * factor for digit in DIGITS} for factor in factors]


def as_number(length: int) -> Weights:
    """Digits that together count as the number they write."""
    return times(*(10**place for place in reversed(range(length))))


def negative(modulus: int) -> list[str]:
    """The digit that brings a sum up to a multiple of `modulus`."""
    return [str(-total % modulus) for total in range(modulus)]


def luhn(length: int) -> Weighted:
    """ISO/IEC 7812-1, annex B, for bodies of `length` digits: every second digit from the
    right, beginning with the last, counts twice, and what exceeds 9 counts by its digits."""
    doubled = {digit: sum(divmod(int(digit) * 2, 10)) for digit in DIGITS}
    plain = {digit: int(digit) for digit in DIGITS}
    weights = [doubled if place % 2 == 0 else plain for place in reversed(range(length))]
    return Weighted(weights, negative(10))
