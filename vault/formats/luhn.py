"""Numbers with a Luhn check digit: cards, SIREN and SIRET, IMEI, of any configured length.

Every such number may be somebody's, so tokens cannot be told from values and the key version
is pinned. The kind is the length.
"""

from vault.errors import SetUpError
from vault.formats.catalogue import Entry, Options, Row
from vault.formats.check_characters import luhn
from vault.formats.counted import Checked, Numbers
from vault.formats.declared import SLOT, Declared, Kind, Layout

SHORTEST, LONGEST = 7, 32
"""Six digits before the check digit are a million, FF1's floor."""

_GROUPS = {9: (3, 3, 3), 14: (3, 3, 3, 5), 15: (4, 6, 5)}
"""Lengths that are not printed by fours: SIN and SIREN, SIRET, American Express."""


def _layouts(length: int) -> list[Layout]:
    groups = _GROUPS.get(length) or (4,) * (length // 4) + ((length % 4,) if length % 4 else ())
    printed = [separator.join(SLOT * size for size in groups) for separator in " -"]
    return [Layout(pattern) for pattern in printed]


def _make(options: Options) -> Declared:
    shortest = SHORTEST if options.min_length is None else options.min_length
    longest = max(LONGEST, shortest) if options.max_length is None else options.max_length
    if not SHORTEST <= shortest <= longest <= LONGEST:
        raise SetUpError(f"luhn takes min_length and max_length from {SHORTEST} to {LONGEST}")
    lengths = range(shortest, longest + 1)
    numbers = [Checked(Numbers(length - 1), luhn(length - 1)) for length in lengths]
    # The compact ones first: of a width, the first is what whole columns are read as.
    layouts = [Layout(SLOT * length) for length in lengths]
    layouts += [layout for length in lengths for layout in _layouts(length)]
    kinds = tuple(Kind(one, one) for one in numbers)
    size = str(shortest) if shortest == longest else f"{shortest} to {longest}"
    shape = f"{size} digits, compact or in the usual groups"
    return Declared("luhn", kinds, layouts, shape, "expected digits only")


def _rows() -> tuple[Row, ...]:
    return (
        Row(
            format="luhn",
            values="numbers with a Luhn check digit",
            shape=f"{SHORTEST} to {LONGEST} digits, or as configured",
            domain=10 ** (SHORTEST - 1),
            tokens="among the values",
            validators="all that check the last digit",
            recognisable=False,
            slots=1,
        ),
    )


ENTRIES = (Entry("luhn", frozenset({"min_length", "max_length"}), _make, _rows),)
