"""The French social security number (NIR), 15 characters with its key or 13 without.

Ordinary values and their tokens are numbers with the right key. Special ones (born abroad
with an unknown month, first digits 3-9 ...) have tokens whose key is *not* the right one, in
months that are never issued: they fit there twice, and can be told from everything else.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import cast

from vault.errors import InvalidValue, NotAToken, SetUpError
from vault.formats.base import Columns, ContextRule, Domain, Place
from vault.formats.catalogue import Entry, Options, Row
from vault.formats.fr_nir_bodies import (
    BANDS,
    DEPARTMENT_INDEX,
    MISKEYED,
    ORDINARY,
    SPECIAL,
    SPECIAL_TOKENS,
    Bodies,
    Body,
)
from vault.formats.fr_nir_columns import FrNirColumns
from vault.formats.masking import masked

ORDINARY_KIND, SPECIAL_KIND = 0, 1
WRONG_KEYS = 99
"""Two digits that are not the right key: 100 less one."""

Groups = tuple[int, ...]
"""A printed form: how many characters stand between its spaces."""

WITH_KEY: tuple[Groups, ...] = ((15,), (1, 2, 2, 2, 3, 3, 2), (13, 2))
WITHOUT_KEY: tuple[Groups, ...] = ((13,), (1, 2, 2, 2, 3, 3))
_FORMS = frozenset(WITH_KEY + WITHOUT_KEY)
_SHAPE = re.compile(r"([0-9]{5})([0-9]{2}|2A|2B)([0-9]{6})([0-9]{2})?")
_OTHER_REGISTERS = re.compile(r"[5-8][0-2]")

NOT_AGAIN = "this is a token already: only values are tokenised"
IS_A_VALUE = "this is no token of this transformation: it may be a value"
NEVER_ISSUED = "the month (4th and 5th characters) is 00 or 13 to 19, which are never issued"
WRONG_KEY = (
    "the key (last two digits) does not match: look for a typing error, or set"
    ' wrong_key = "keep" where such numbers have to travel'
)
MISPLACED_SPACES = (
    "the spaces are not where they belong: write all characters together, as"
    " `s yy mm dd ccc ooo kk`, or the 13 characters and then the key"
)
OTHER_REGISTER = (
    "13 characters that start with 5 to 8 and then 0, 1 or 2 are a number of another register"
    " (MIG or NNP), not a NIR"
)
NEEDS_KEY = (
    "this is no ordinary NIR (first digit 1 or 2, month 01 to 12, department and order not"
    " zero) and needs its key: send all 15 characters, or use a `vaulted` transformation"
)


_Parsed = tuple[Groups, str, Body, int | None, bool]
"""The printed form, the characters without spaces, the body, the key, and whether it is wrong."""


class FrNir:
    """`fr-nir`: kind 0 ordinary values, kind 1 special ones and, if kept, wrong keys.

    Both rank whole bodies (`fr_nir_bodies`). A special token's rank counts its body first,
    then which of the 99 wrong keys it has; so does a kept wrong key's, after the specials.
    """

    name = "fr-nir"
    context: ContextRule = "optional"
    vaulted_kinds: Mapping[int, int] = MappingProxyType({SPECIAL_KIND: ORDINARY_KIND})

    def __init__(
        self, band: str = "safe", keep_wrong_keys: bool = False, vaulted: bool = False
    ) -> None:
        self._band = Bodies(BANDS[band])
        self._tokens = self._band if BANDS[band] else ORDINARY
        self._keep = keep_wrong_keys
        self._keyless = vaulted
        """Whether special values may come without their key: random tokens have room for it."""
        special = SPECIAL.size + (MISKEYED.size * WRONG_KEYS if keep_wrong_keys else 0)
        self._domains = (
            Domain.ranked(ORDINARY.size, self._tokens.size),
            Domain.ranked(special, SPECIAL_TOKENS.size * WRONG_KEYS),
        )
        self.recognisable = bool(BANDS[band])
        self.slots = min(domain.slots for domain in self._domains)
        self.columns: Columns | None = FrNirColumns(ORDINARY, self._tokens)
        self.kinds: Sequence[Place] = [
            Place(kind, 0, WITH_KEY[0]) for kind in (ORDINARY_KIND, SPECIAL_KIND)
        ]

    def domain(self, kind: int) -> Domain:
        return self._domains[kind]

    def read_value(self, text: str) -> Place:
        return self._value(_parse(text))

    def write_token(self, place: Place) -> str:
        if place.kind == ORDINARY_KIND:
            body = self._tokens.body(place.rank)
            return _print(body, body.key, place.form)
        return _print(*_with_wrong_key(SPECIAL_TOKENS, place.rank), place.form)

    def read_token(self, text: str) -> Place:
        try:
            groups, _, body, key, wrong = _parse(text)
        except InvalidValue as error:
            raise NotAToken(error.detail) from None
        if not wrong and (ordinary := self._tokens.rank(body)) is not None:
            return Place(ORDINARY_KIND, ordinary, groups)
        if wrong and key is not None and (special := SPECIAL_TOKENS.rank(body)) is not None:
            return Place(SPECIAL_KIND, _wrong_key_rank(special, body, key), groups)
        raise NotAToken(IS_A_VALUE)

    def write_value(self, place: Place) -> str:
        if place.kind == ORDINARY_KIND:
            body = ORDINARY.body(place.rank)
            return _print(body, body.key, place.form)
        beyond = place.rank - SPECIAL.size
        if beyond >= 0:
            return _print(*_with_wrong_key(MISKEYED, beyond), place.form)
        body = SPECIAL.body(place.rank)
        if ORDINARY.rank(body) is not None or self._band.holds_triple(body.triple):
            raise NotAToken("no value has this token: the context or the token is wrong")
        return _print(body, body.key, place.form)

    def read_whole(self, text: str) -> tuple[Place, str]:
        parsed = _parse(text)
        _, compact, body, key, _ = parsed
        whole = compact if key is not None else compact + _two_digits(body.key)
        return self._value(parsed), whole

    def canonical(self, value: str) -> str:
        return self.read_whole(value)[1]

    def mask(self, value: str, keep_first: int | None, keep_last: int | None) -> str:
        if keep_first is None and keep_last is None:
            keep_first = 3  # sex and year
        return masked(value, keep_first or 0, keep_last or 0, " ")

    def _value(self, parsed: _Parsed) -> Place:
        groups, compact, body, key, wrong = parsed
        if not wrong and (ordinary := ORDINARY.rank(body)) is not None:
            return Place(ORDINARY_KIND, ordinary, groups)
        if key is None and _OTHER_REGISTERS.match(compact):
            raise InvalidValue(OTHER_REGISTER)
        if SPECIAL_TOKENS.holds_triple(body.triple):
            raise InvalidValue(NOT_AGAIN if wrong else NEVER_ISSUED)
        if wrong and key is not None:
            return Place(SPECIAL_KIND, self._miskeyed(body, key), groups)
        if self._band.holds_triple(body.triple):
            raise InvalidValue(NOT_AGAIN)
        special = SPECIAL.rank(body)
        if special is None or (key is None and not self._keyless):
            raise InvalidValue(NEEDS_KEY)
        return Place(SPECIAL_KIND, special, groups)

    def _miskeyed(self, body: Body, key: int) -> int:
        rank = MISKEYED.rank(body) if self._keep else None
        if rank is None:
            raise InvalidValue(WRONG_KEY)
        return SPECIAL.size + _wrong_key_rank(rank, body, key)


def _parse(text: str) -> _Parsed:
    """Raises InvalidValue where the text has not the shape of a NIR."""
    compact = text.replace(" ", "")
    shape = _SHAPE.fullmatch(compact)
    if shape is None:
        raise InvalidValue(_what_is_wrong(compact))
    groups = (len(text),) if len(text) == len(compact) else tuple(map(len, text.split(" ")))
    if groups not in _FORMS:
        raise InvalidValue(MISPLACED_SPACES)
    triple, department, tail, key_text = shape.groups()
    body = Body(int(triple), DEPARTMENT_INDEX[department], int(tail))
    if key_text is None:
        return groups, compact, body, None, False
    key = int(key_text)
    return groups, compact, body, key, key != body.key


def _what_is_wrong(compact: str) -> str:
    if len(compact) not in (13, 15):
        return "a NIR has 15 characters, or 13 without its key"
    if _SHAPE.fullmatch(compact.upper()):
        return "the departments 2A and 2B are written with capital letters"
    return "a NIR has digits only, but for the departments 2A and 2B (6th and 7th characters)"


def _print(body: Body, key: int, form: object) -> str:
    groups = cast("Groups", form)
    compact = body.text if groups in WITHOUT_KEY else body.text + _two_digits(key)
    if len(groups) == 1:
        return compact
    at = 0
    parts: list[str] = []
    for size in groups:
        parts.append(compact[at : at + size])
        at += size
    return " ".join(parts)


def _two_digits(key: int) -> str:
    return str(key).zfill(2)


def _wrong_key_rank(rank: int, body: Body, key: int) -> int:
    return rank * WRONG_KEYS + (key if key < body.key else key - 1)


def _with_wrong_key(bodies: Bodies, rank: int) -> tuple[Body, int]:
    rank, key = divmod(rank, WRONG_KEYS)
    body = bodies.body(rank)
    return body, key if key < body.key else key + 1


@cache
def _built(band: str, keep: bool, vaulted: bool = False) -> FrNir:
    return FrNir(band, keep, vaulted)


def _make(options: Options) -> FrNir:
    band, wrong_key = options.band or "safe", options.wrong_key or "refuse"
    if band not in BANDS:
        raise SetUpError(f"fr-nir has the bands {', '.join(BANDS)}")
    if wrong_key not in ("refuse", "keep"):
        raise SetUpError('wrong_key is "refuse" or "keep"')
    return _built(band, wrong_key == "keep", options.vaulted)


_SHAPE_TEXT = "15 characters with the key or 13 without, compact or spaced"
_BAND_TEXTS = {
    "safe": (
        "months 43-49, first digits 1-8, right key",
        "python-stdnum and others that check shape and key; not those that check the month",
    ),
    "official": (
        "sex 1-2, months 21-29 and 43-49, right key",
        "python-stdnum, and the Assurance maladie's validator (months 01-12, 20-99)",
    ),
    "none": ("among the ordinary values", "all: no rule tells a token from a value"),
}


def _rows() -> tuple[Row, ...]:
    ordinary = (
        Row(
            format="fr-nir",
            values=f'ordinary, band = "{band}"',
            shape=_SHAPE_TEXT,
            domain=_built(band, False).domain(ORDINARY_KIND).size,
            tokens=tokens,
            validators=validators,
            recognisable=_built(band, False).recognisable,
            slots=_built(band, False).slots,
        )
        for band, (tokens, validators) in _BAND_TEXTS.items()
    )
    special = (
        Row(
            format="fr-nir",
            values=values,
            shape="15 characters with the key, compact or spaced",
            domain=_built("safe", keep).domain(SPECIAL_KIND).size,
            tokens="months 00 and 13-19, any first digit, a key that is not the right one",
            validators="none that checks the key",
            recognisable=True,
            slots=_built("safe", keep).slots,
        )
        for values, keep in (("special", False), ('special, wrong_key = "keep"', True))
    )
    return (*ordinary, *special)


ENTRIES = (Entry("fr-nir", frozenset({"band", "wrong_key"}), _make, _rows),)
