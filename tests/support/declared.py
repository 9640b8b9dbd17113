"""The declared formats under all their options, texts of each, and python-stdnum's verdict."""

from collections.abc import Callable
from typing import cast

from hypothesis import strategies as st
from stdnum import luhn
from stdnum.be import bis, nn
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.gb import nhs
from stdnum.it import codicefiscale
from stdnum.pl import pesel
from stdnum.us import ssn

from vault.config import Transformation, format_of
from vault.formats.base import Place
from vault.formats.declared import Declared, Layout

Judge = Callable[[str], bool]

CONFIGURED = {
    "be-nn": Transformation("be-nn"),
    "es-dni": Transformation("es-dni"),
    "es-nie": Transformation("es-nie"),
    "it-codice-fiscale": Transformation("it-codice-fiscale"),
    "it-codice-fiscale none": Transformation("it-codice-fiscale", band="none"),
    "de-idnr": Transformation("de-idnr"),
    "de-idnr safe": Transformation("de-idnr", band="safe"),
    "pl-pesel": Transformation("pl-pesel"),
    "pl-pesel none": Transformation("pl-pesel", band="none"),
    "gb-nhs": Transformation("gb-nhs"),
    "us-ssn": Transformation("us-ssn"),
    "luhn": Transformation("luhn"),
    "luhn 16": Transformation("luhn", min_length=16, max_length=16),
    "template": Transformation("template", template="AA-9999-*"),
    "template of digits": Transformation("template", template="999 999-99\\9"),
    "template of everything": Transformation("template", template="\\A*a.99(9)~A/*9"),
    "template beyond a word": Transformation("template", template="A" * 20 + "-" + "9" * 20),
}
"""As `name` of a format and, where there are several, what its options make of it."""

FORMATS = {name: cast("Declared", format_of(one)) for name, one in CONFIGURED.items()}

_JUDGES: dict[str, Judge] = {
    "es-dni": dni.is_valid,
    "es-nie": nie.is_valid,
    "it-codice-fiscale": codicefiscale.is_valid,
    "de-idnr": idnr.is_valid,
    "pl-pesel": pesel.is_valid,
    "gb-nhs": nhs.is_valid,
    "us-ssn": ssn.is_valid,
    "luhn": luhn.is_valid,
}
JUDGED = [name for name in FORMATS if not name.startswith("template") and name != "de-idnr safe"]
"""Those whose tokens python-stdnum has to take: all but templates and the band it refuses."""


def valid(form: Declared, place: Place, compact: str) -> bool:
    """What python-stdnum says of a number of this kind."""
    if form.name == "be-nn":
        return (bis if place.kind else nn).is_valid(compact)
    return _JUDGES[form.name](compact)


def layouts(form: Declared, kind: int, width: int | None = None) -> list[Layout]:
    """The printed forms of a kind, of one width or of any."""
    compact = form.sets[kind].values.width
    some = form.layouts.values() if width is None else [form.layouts[width]]
    return [layout for of_width in some for layout in of_width if len(layout.slots) == compact]


def places(form: Declared, *, tokens: bool = False) -> st.SearchStrategy[Place]:
    """Places of values, or of tokens, of every kind and in every printed form."""

    def of(kind: int) -> st.SearchStrategy[Place]:
        domain = form.domain(kind)
        ranks = st.integers(0, (domain.room if tokens else domain.size) - 1)
        forms = st.sampled_from(layouts(form, kind))
        return st.builds(Place, st.just(kind), ranks, forms)

    return st.integers(0, len(form.sets) - 1).flatmap(of)


def values(form: Declared) -> st.SearchStrategy[str]:
    return places(form).map(form.write_value)
