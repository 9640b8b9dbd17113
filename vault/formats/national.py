"""National identifiers, a declaration each: which numbers are issued, and where tokens go.

Where python-stdnum, as the strictest validator at hand, takes numbers that nobody is issued
and there are enough of them, tokens are such numbers. Where there are not, tokens look like
anybody's number, and the key version is pinned.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from vault.formats import codice_fiscale
from vault.formats.check_characters import (
    DIGITS,
    Mod11And10,
    Weighted,
    Weights,
    as_number,
    negative,
    times,
)
from vault.formats.counted import Checked, Counted, Either, Numbers, OneOf, Row, Walk, Without
from vault.formats.declared import Band, Declaration, Kind, entry

AMONG = "among the values"
EVERY = "all: no rule tells a token from a value"


def _alike(numbers: Callable[[], Counted]) -> Band:
    """Tokens that look like anybody's number."""

    def kinds() -> tuple[Kind, ...]:
        made = numbers()
        return (Kind(made, made),)

    return Band(AMONG, EVERY, kinds)


def _dates(first: int, last: int, months: dict[int, int]) -> Iterator[str]:
    """The dates of these years as yymmdd, each century's months raised by its number."""
    day = date(first, 1, 1)
    while day.year <= last:
        yield f"{day.year % 100:02d}{day.month + months[day.year // 100]:02d}{day.day:02d}"
        day += timedelta(days=1)


# --- Belgium: royal decrees of 3 April 1984 (national number) and 8 February 1991 (BIS) ------

_BE_AFTER_2000 = 2 * 10**9
_BE_LAST = 19
"""Validators that know today's date refuse births to come: no token is of one after 2019."""


def _be_check(before: int) -> Weighted:
    return Weighted(as_number(9), [f"{97 - (before + rest) % 97:02d}" for rest in range(97)])


def _be_numbers(month_days: list[str], last: int) -> Counted:
    """Those born in the 1900s, then those from 2000 to `last`, whose check counts a 2 before."""
    days = OneOf(month_days)
    return Either(
        Checked(Row(Numbers(2), days, Numbers(3)), _be_check(0)),
        Checked(Row(Numbers(2, 0, last), days, Numbers(3)), _be_check(_BE_AFTER_2000)),
    )


def _be_kind(what: str, *more: int) -> Kind:
    """Month 00 is for dates not known, and for more where a day's numbers have run out."""
    issued = [(month, day) for month in range(1, 13) for day in range(32)]
    issued += [(0, day) for day in range(100)]
    never = [(month, day) for month in range(1, 13) for day in range(32, 100)]
    values, tokens = (
        [f"{month + plus:02d}{day:02d}" for plus in more for month, day in some]
        for some in (issued, never)
    )
    return Kind(_be_numbers(values, 99), _be_numbers(tokens, _BE_LAST), what)


def _be_kinds() -> tuple[Kind, ...]:
    return _be_kind("national numbers", 0), _be_kind("BIS numbers", 20, 40)


BE_NN = Declaration(
    name="be-nn",
    values="born 1900 to 2099",
    shape="11 digits, compact or as 85.07.30-033.28",
    rule="no such number is issued: the month is 00 to 12 (BIS: plus 20 or 40), the day to 31",
    layouts=(
        "###########",
        "##.##.##-###.##",
        "##.##.##-### ##",
        "## ## ## ### ##",
        "######-###-##",
    ),
    bands={
        "safe": Band(
            "months 01-12 (BIS: plus 20 or 40) with days 32-99, right check number",
            "python-stdnum, and others that leave the day open; not those that check it",
            _be_kinds,
        )
    },
)

# --- Spain: royal decrees 1553/2005 (DNI) and 557/2011 (NIE) -----------------------------------

_ES_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def _es_dni() -> Counted:
    return Checked(Numbers(8), Weighted(as_number(8), _ES_LETTERS))


def _es_nie() -> Counted:
    first = {"X": 0, "Y": 10**7, "Z": 2 * 10**7}
    check = Weighted([first, *as_number(7)], _ES_LETTERS)
    return Checked(Row(OneOf(tuple(first)), Numbers(7)), check)


ES_DNI = Declaration(
    name="es-dni",
    values="identity cards",
    shape="8 digits and a capital letter, compact or as 12345678-Z",
    rule="no such number is issued",
    layouts=("#########", "########-#", "######## #"),
    bands={"none": _alike(_es_dni)},
)
ES_NIE = Declaration(
    name="es-nie",
    values="foreigners' numbers",
    shape="X, Y or Z, 7 digits and a capital letter, compact or as X-1234567-L",
    rule="a NIE begins with X, Y or Z and ends with a capital letter",
    layouts=("#########", "#-#######-#", "# ####### #", "########-#"),
    bands={"none": _alike(_es_nie)},
)

# --- Italy: decree of 23 December 1976 ---------------------------------------------------------


def _it_apart() -> tuple[Kind, ...]:
    return (Kind(codice_fiscale.issued(), codice_fiscale.never_issued()),)


IT_CODICE_FISCALE = Declaration(
    name="it-codice-fiscale",
    values="persons' codes",
    shape="16 capital letters and digits, compact or as RSS MRA 70A01 H501 S",
    rule="no such code is issued: look at the birth date, at the place (A to M or Z and three"
    " digits), and at which digits are written as letters",
    layouts=("################", "### ### ##### #### #", "### ### ##### #####"),
    bands={
        "safe": Band(
            "days 81-99, right check letter",
            "python-stdnum and others that take the day modulo 40; not those that check it",
            _it_apart,
        ),
        "none": _alike(codice_fiscale.issued),
    },
)

# --- Germany: section 139b of the Abgabenordnung, digits by the Bundeszentralamt für Steuern --

Met = tuple[str, int]
"""The digits met so far, each once, and how often the repeated one has been met (or 0)."""


def _de_step(met: Met, _: int, digit: str) -> Met | None:
    digits, times_met = met
    repeated = digits[0] if times_met else ""
    if digit not in digits:
        return digits + digit, times_met
    if not times_met:
        return digit + digits.replace(digit, ""), 2
    return (digits, 3) if digit == repeated and times_met == 2 else None


def _de_idnr() -> Counted:
    """One of the first ten digits is there twice or three times, every other at most once."""
    body = Walk(
        [DIGITS[1:], *[DIGITS] * 9],
        ("", 0),
        _de_step,
        accepts=lambda met: met[1] > 0,
        alike=lambda met: (len(met[0]), met[1]),
    )
    return Checked(body, Mod11And10())


def _de_apart() -> tuple[Kind, ...]:
    tokens = Checked(Row(Numbers(1, 0, 0), Numbers(9)), Mod11And10())
    return (Kind(_de_idnr(), tokens),)


DE_IDNR = Declaration(
    name="de-idnr",
    values="tax identification numbers",
    shape="11 digits, compact or as 12 345 678 901",
    rule="the first digit is not 0, and of the first ten one is there twice or three times and"
    " every other at most once",
    layouts=("###########", "## ### ### ###"),
    bands={
        "none": _alike(_de_idnr),
        "safe": Band(
            "first digit 0, right check digit",
            "those that check the last digit only; python-stdnum refuses them",
            _de_apart,
        ),
    },
)

# --- Poland: act of 24 September 2010 on population registration, article 15 -----------------

_PL_CHECK = Weighted(times(1, 3, 7, 9, 1, 3, 7, 9, 1, 3), negative(10))
_PL_MONTHS = {18: 80, 19: 0, 20: 20, 21: 40, 22: 60}


def _pl_numbers(first: int, last: int) -> Counted:
    """Two centuries have as many days as two others, but for one: values end a year early."""
    return Checked(Row(OneOf(tuple(_dates(first, last, _PL_MONTHS))), Numbers(4)), _PL_CHECK)


def _pl_issued() -> Counted:
    return _pl_numbers(1880, 2078)


def _pl_apart() -> tuple[Kind, ...]:
    return (Kind(_pl_issued(), _pl_numbers(2100, 2299)),)


PL_PESEL = Declaration(
    name="pl-pesel",
    values="born 1880 to 2078",
    shape="11 digits",
    rule="no such number is issued to anybody born from 1880 to 2078: look at the date",
    layouts=("###########",),
    bands={
        "safe": Band(
            "births of 2100 to 2299 (months 41-52 and 61-72), right check digit",
            "python-stdnum and others that take births to come",
            _pl_apart,
        ),
        "none": _alike(_pl_issued),
    },
)

# --- Great Britain: NHS number, NHS Data Dictionary ------------------------------------------

_GB_WEIGHTS: Weights = times(10, 9, 8, 7, 6, 5, 4, 3, 2)
_GB_SIGNS = [str(-total % 11) if total != 1 else "-" for total in range(11)]
"""A sum that leaves 1 would need the digit 10: no number has it."""


def _gb_nhs() -> Counted:
    # The test range 999 holds 909,091 numbers: too few for FF1, and for everybody.
    body = Walk(
        [DIGITS] * 9,
        0,
        lambda total, at, digit: (total + _GB_WEIGHTS[at][digit]) % 11,
        accepts=lambda total: total != 1,
        alike=lambda total: total,
    )
    return Checked(body, Weighted(_GB_WEIGHTS, _GB_SIGNS))


GB_NHS = Declaration(
    name="gb-nhs",
    values="NHS numbers",
    shape="10 digits, compact or as 943 476 5919",
    rule="no NHS number has these first nine digits: look for a typing error",
    layouts=("##########", "### ### ####", "###-###-####"),
    bands={"none": _alike(_gb_nhs)},
)

# --- United States: Social Security Administration, randomised since 25 June 2011 ------------


def _us_ssn() -> Counted:
    areas = OneOf([f"{area:03d}" for area in range(1, 900) if area != 666])
    # Printed in advertisements: never issued, or no longer.
    advertised = ("078051120", "219099999", "457555462")
    return Without(Row(areas, Numbers(2, 1), Numbers(4, 1)), *advertised)


US_SSN = Declaration(
    name="us-ssn",
    values="social security numbers",
    shape="9 digits, compact or as 123-45-6789",
    rule="no such number is issued: the area is not 000, 666 or 900 to 999, group and serial are"
    " not zero, and it is not one of those that were printed in advertisements",
    layouts=("#########", "###-##-####", "### ## ####"),
    bands={"none": _alike(_us_ssn)},
)

ENTRIES = tuple(
    entry(declaration)
    for declaration in (
        BE_NN,
        ES_DNI,
        ES_NIE,
        IT_CODICE_FISCALE,
        DE_IDNR,
        PL_PESEL,
        GB_NHS,
        US_SSN,
    )
)
