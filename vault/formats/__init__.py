"""The formats by name: what values and tokens look like, and how they are counted.

A family of formats is one file that ends in its `ENTRIES`; adding one is that file and its
line here.
"""

from dataclasses import fields

from vault.errors import SetUpError
from vault.formats.alphabet import ENTRIES as ALPHABETS
from vault.formats.base import Format
from vault.formats.birth_date import ENTRIES as BIRTH_DATES
from vault.formats.catalogue import Entry, Options, Row
from vault.formats.fr_nir import ENTRIES as FR_NIR
from vault.formats.luhn import ENTRIES as LUHN
from vault.formats.national import ENTRIES as NATIONAL
from vault.formats.template import ENTRIES as TEMPLATES

FAMILIES = (FR_NIR, BIRTH_DATES, ALPHABETS, TEMPLATES, LUHN, NATIONAL)
CATALOGUE: dict[str, Entry] = {entry.name: entry for family in FAMILIES for entry in family}
NAMES = tuple(CATALOGUE)


def build(
    name: str,
    *,
    band: str | None = None,
    wrong_key: str | None = None,
    alphabet: str | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    template: str | None = None,
    vaulted: bool = False,
) -> Format:
    """The format of this name with these options.

    Raises SetUpError for an unknown name, for an option that the format has not, and for
    options that do not make a usable format.
    """
    entry = CATALOGUE.get(name)
    if entry is None:
        raise SetUpError(f"no such format; there are {', '.join(NAMES)}")
    options = Options(band, wrong_key, alphabet, min_length, max_length, template, vaulted)
    for option in fields(options):
        said = getattr(options, option.name) not in (None, False)
        if said and option.name not in entry.options | {"vaulted"}:
            raise SetUpError(f"{name} has no option {option.name}: leave it out")
    return entry.make(options)


def rows() -> list[Row]:
    """The table of formats, as `jeton formats` and the documentation show it."""
    return [row for entry in CATALOGUE.values() for row in entry.rows()]


__all__ = ["CATALOGUE", "NAMES", "Entry", "Format", "Options", "Row", "build", "rows"]
