"""NIRs, birth dates and their tokens, told apart by their text alone: docs/formats.md.

What is certain is said here; whether a token opens under a key, the service alone knows.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

Band = Literal["safe", "official"]

GAP: Final = r"[ \t.\-\u00a0\u202f]?"
"""What people print between the groups of a number."""
NIR_GROUPS: Final = (
    r"([1-8])",
    r"([0-9]{2})",
    r"([0-9]{2})",
    r"([0-9]{2}|2[ABab])",
    r"([0-9]{3})",
    r"([0-9]{3})",
    r"([0-9]{2})",
)
"""Sex, year, month, department, commune, order and key."""

_FREE_MONTHS = range(43, 50)
_UNISSUED_MONTHS = (0, *range(13, 20))
_OFFICIAL_MONTHS = range(21, 30)
_NIR_TOKEN = re.compile(" ?".join((r"([0-9])", *NIR_GROUPS[1:6], r"([0-9]{2})?")))
_DATE = re.compile(r"(?:([0-9]{4})(-?)[0-9]{2}\2[0-9]{2}|[0-9]{1,2}([/^])[0-9]{1,2}\3([0-9]{4}))")
_FIRST_TOKEN_YEAR = 2200


def has_right_key(groups: tuple[str, ...]) -> bool:
    """Whether the last of the seven groups is the key of the others."""
    department = groups[3].upper().replace("2A", "19").replace("2B", "18")
    body = int("".join((*groups[:3], department, *groups[4:6])))
    return int(groups[6]) == 97 - body % 97


def in_band(groups: tuple[str, ...], band: Band) -> bool:
    """Whether tokens live under this sex, year and month, and no NIR does."""
    sex, year, month = (int(group) for group in groups[:3])
    if band == "official":
        return sex in {1, 2} and (month in _OFFICIAL_MONTHS or month in _FREE_MONTHS)
    return month in _FREE_MONTHS and (1 <= sex <= 4 or (5 <= sex <= 8 and year >= 30))


def is_nir(groups: tuple[str, ...], band: Band = "safe") -> bool:
    """Whether seven groups are somebody's number: a right key, in a month that is issued."""
    issued = int(groups[2]) not in _UNISSUED_MONTHS
    return issued and has_right_key(groups) and not in_band(groups, band)


def is_nir_token(text: str, band: Band = "safe") -> bool:
    """Whether no NIR reads like this, and tokens do, with or without their key."""
    found = _NIR_TOKEN.fullmatch(text)
    if found is None:
        return False
    groups = found.groups()
    if groups[6] is None:
        return in_band(groups, band)
    if int(groups[2]) in _UNISSUED_MONTHS:
        return not has_right_key(groups)
    return in_band(groups, band) and has_right_key(groups)


def is_birth_date_token(text: str) -> bool:
    """Whether it is written like a date of a year from 2200 on."""
    found = _DATE.fullmatch(text)
    return found is not None and int(found[1] or found[4]) >= _FIRST_TOKEN_YEAR


TOKENS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "fr-nir": is_nir_token,
        "fr-nir:official": lambda text: is_nir_token(text, "official"),
        "birth-date": is_birth_date_token,
    }
)
"""The formats, and bands, whose tokens can be told from values by their text."""
