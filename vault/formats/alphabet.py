"""Strings over an alphabet: digits, digits and capitals, or characters of one's own.

FF1 runs on the characters themselves, so that anybody's FF1 with the same key and tweak gives
the same token. Every string of the lengths allowed is a value and a token: nothing tells them
apart, there is no room for key slots, and so the key version is pinned.
"""

from collections.abc import Sequence
from functools import lru_cache

from vault.errors import InvalidValue, NotAToken, SetUpError
from vault.formats.alphabet_columns import AlphabetColumns, DigitColumns, fits_a_word
from vault.formats.base import AS_THEY_ARE, FLOOR, Columns, ContextRule, Domain, Place
from vault.formats.catalogue import Entry, Options, Row
from vault.formats.masking import masked

DIGITS = "0123456789"
ALPHANUMERIC = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MAX_LENGTH = 32
"""Where the configuration says nothing."""
LONGEST = 256


class Alphabet:
    """Strings of `shortest` to `longest` characters of `alphabet`; the kind is the length."""

    recognisable = False
    slots = 1
    vaulted_kinds = AS_THEY_ARE

    def __init__(
        self,
        name: str,
        alphabet: str,
        shortest: int,
        longest: int,
        *,
        context: ContextRule = "optional",
        shown: int = 4,
    ) -> None:
        self.name = name
        self.context: ContextRule = context
        self._alphabet = alphabet
        self._radix = len(alphabet)
        self._index = {character: index for index, character in enumerate(alphabet)}
        self._shortest, self._longest = shortest, longest
        self._shown = shown
        self.columns: Columns | None = self._make_columns()
        self.kinds: Sequence[Place] = [Place(length, 0) for length in range(shortest, longest + 1)]

    def domain(self, kind: int) -> Domain:
        return _domain(self._radix, kind)

    def read_value(self, text: str) -> Place:
        if not self._shortest <= len(text) <= self._longest:
            raise InvalidValue(f"expected {self._lengths()} characters")
        if self._alphabet == DIGITS:
            # int() takes digits of any script, and isdigit() more than int(): hence isascii().
            if not (text.isascii() and text.isdigit()):
                raise InvalidValue("expected the digits 0 to 9 only")
            return Place(len(text), int(text))
        rank = 0
        for character in text:
            index = self._index.get(character)
            if index is None:
                raise InvalidValue("a character is not in the alphabet (mind capital letters)")
            rank = rank * self._radix + index
        return Place(len(text), rank)

    def write_token(self, place: Place) -> str:
        length, rank, _ = place
        if self._alphabet == DIGITS:
            return str(rank).zfill(length)
        text = ""
        for _ in range(length):
            rank, index = divmod(rank, self._radix)
            text = self._alphabet[index] + text
        return text

    def read_token(self, text: str) -> Place:
        try:
            return self.read_value(text)
        except InvalidValue as error:
            raise NotAToken(error.detail) from None

    def write_value(self, place: Place) -> str:
        return self.write_token(place)

    def read_whole(self, text: str) -> tuple[Place, str]:
        return self.read_value(text), text

    def canonical(self, value: str) -> str:
        return self.read_whole(value)[1]

    def mask(self, value: str, keep_first: int | None, keep_last: int | None) -> str:
        if keep_first is None and keep_last is None:
            # Alphabets of many characters allow short strings: at least two stay hidden.
            keep_last = max(0, min(self._shown, len(value) - 2))
        return masked(value, keep_first or 0, keep_last or 0)

    def _lengths(self) -> str:
        if self._shortest == self._longest:
            return str(self._shortest)
        return f"{self._shortest} to {self._longest}"

    def _make_columns(self) -> Columns | None:
        # A batch holds "?" for whatever is not ASCII: an alphabet with it cannot tell.
        if "?" in self._alphabet or not fits_a_word(self._radix, self._shortest):
            return None
        made = DigitColumns if self._alphabet == DIGITS else AlphabetColumns
        return made(self._alphabet, self._shortest, self._longest)


@lru_cache(maxsize=1024)
def _domain(radix: int, length: int) -> Domain:
    return Domain.numerals(radix, length)


def least_length(radix: int) -> int:
    """The fewest characters of which there are a million strings, FF1's floor."""
    length = 1
    while radix**length < FLOOR:
        length += 1
    return length


def _of(name: str, alphabet: str, options: Options) -> Alphabet:
    least = least_length(len(alphabet))
    shortest = least if options.min_length is None else options.min_length
    longest = max(MAX_LENGTH, shortest) if options.max_length is None else options.max_length
    if shortest < least:
        raise SetUpError(
            f"{name} needs min_length {least} or more: there are fewer than a million shorter"
            " strings, and whoever may tokenise could list them all"
        )
    if not shortest <= longest <= LONGEST:
        raise SetUpError(f"max_length of {name} is from min_length to {LONGEST}")
    return Alphabet(name, alphabet, shortest, longest)


def _digits(options: Options) -> Alphabet:
    return _of("digits", DIGITS, options)


def _alphanumeric(options: Options) -> Alphabet:
    return _of("alphanumeric", ALPHANUMERIC, options)


def _custom(options: Options) -> Alphabet:
    alphabet = options.alphabet or ""
    if len(alphabet) < 2:
        raise SetUpError("the format alphabet needs `alphabet`, two characters or more")
    if not alphabet.isascii() or not alphabet.isprintable() or " " in alphabet:
        raise SetUpError("an alphabet has printable ASCII characters, no space among them")
    if len(set(alphabet)) < len(alphabet):
        raise SetUpError("an alphabet has each of its characters once")
    return _of("alphabet", alphabet, options)


def _birth_date_6(_: Options) -> Alphabet:
    """JJMMAA: any six digits, since so few dates would be below FF1's floor. The year stays
    in a mask."""
    return Alphabet("birth-date-6", DIGITS, 6, 6, context="required", shown=2)


def _row(name: str, values: str, shape: str, domain: int) -> Row:
    return Row(
        format=name,
        values=values,
        shape=shape,
        domain=domain,
        tokens="among the values",
        validators="those that check length and characters only",
        recognisable=False,
        slots=1,
    )


def _digit_rows() -> tuple[Row, ...]:
    return (_row("digits", "digits", "6 to 32 digits, or as configured", 10**6),)


def _alphanumeric_rows() -> tuple[Row, ...]:
    shape = "4 to 32 of 0-9 and A-Z, or as configured"
    return (_row("alphanumeric", "digits and capitals", shape, 36**4),)


def _custom_rows() -> tuple[Row, ...]:
    shape = "strings of 2 to 94 characters of one's own, of a million or more"
    return (_row("alphabet", "strings over `alphabet`", shape, FLOOR),)


def _birth_date_6_rows() -> tuple[Row, ...]:
    return (_row("birth-date-6", "dates as JJMMAA", "6 digits", 10**6),)


_LENGTHS = frozenset({"min_length", "max_length"})

ENTRIES = (
    Entry("digits", _LENGTHS, _digits, _digit_rows),
    Entry("alphanumeric", _LENGTHS, _alphanumeric, _alphanumeric_rows),
    Entry("alphabet", _LENGTHS | {"alphabet"}, _custom, _custom_rows),
    Entry("birth-date-6", frozenset(), _birth_date_6, _birth_date_6_rows),
)
