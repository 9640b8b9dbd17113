r"""Texts of a shape of one's own, such as ``AA-9999-*``.

``A`` stands for a capital letter, ``a`` for a small one, ``9`` for a digit and ``*`` for a
capital letter or a digit; anything else is printed as it is, and so is what follows a
backslash (``\A``). Every text of the shape is a value and a token, so that nothing tells them
apart and the key version is pinned.
"""

from vault.errors import SetUpError
from vault.formats.base import FLOOR, Domain
from vault.formats.catalogue import Entry, Options
from vault.formats.catalogue import Row as CatalogueRow
from vault.formats.check_characters import CAPITALS, DIGITS
from vault.formats.counted import OneOf, Row
from vault.formats.declared import Declared, Kind, Layout

PLACES = {"A": CAPITALS, "a": CAPITALS.lower(), "9": DIGITS, "*": DIGITS + CAPITALS}
ESCAPE = "\\"
LONGEST = 256


def _parsed(template: str) -> tuple[list[str], list[str | None]]:
    """The characters of each place that varies, and the layout with None for each of them."""
    if not template.isascii() or not template.isprintable() or len(template) > LONGEST:
        raise SetUpError(f"a template has up to {LONGEST} printable ASCII characters")
    alphabets: list[str] = []
    layout: list[str | None] = []
    characters = iter(template)
    for character in characters:
        if character == ESCAPE:
            escaped = next(characters, None)
            if escaped is None:
                raise SetUpError("a template does not end in a backslash: it escapes nothing")
            layout.append(escaped)
        elif character in PLACES:
            alphabets.append(PLACES[character])
            layout.append(None)
        else:
            layout.append(character)
    return alphabets, layout


def _make(options: Options) -> Declared:
    template = options.template
    if not template:
        raise SetUpError('the format template needs `template`, such as "AA-9999-*"')
    alphabets, layout = _parsed(template)
    values = Row(*map(OneOf, alphabets))
    if values.size < FLOOR:
        raise SetUpError(
            "a template needs places for a million texts or more (six digits, for one):"
            " whoever may tokenise could list all those of a smaller one"
        )
    rule = "a character is not of the kind that the template has in its place"
    return Declared(
        "template",
        (Kind(values, values),),
        [Layout(layout)],
        f"{len(layout)} characters, with what the template prints in its places",
        rule,
        (_domain(alphabets, values.size),),
    )


def _domain(alphabets: list[str], size: int) -> Domain:
    """Places of one alphabet are numerals as they stand, as in `digits`, for anybody's FF1."""
    if len(set(alphabets)) == 1:
        return Domain.numerals(len(alphabets[0]), len(alphabets))
    return Domain.ranked(size, size)


def _rows() -> tuple[CatalogueRow, ...]:
    return (
        CatalogueRow(
            format="template",
            values="texts of the shape `template`",
            shape="such as AA-9999-*: A a capital letter, a a small one, 9 a digit, * either"
            " a capital letter or a digit, all else printed as it is",
            domain=FLOOR,
            tokens="among the values",
            validators="those that check the shape only",
            recognisable=False,
            slots=1,
        ),
    )


ENTRIES = (Entry("template", frozenset({"template"}), _make, _rows),)
