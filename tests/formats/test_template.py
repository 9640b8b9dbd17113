"""Templates and Luhn numbers: shapes that the configuration draws."""

import pytest

from vault.errors import InvalidValue, SetUpError
from vault.formats import build


def test_places_and_literals() -> None:
    form = build("template", template="AA-9999-*")
    for text in ("AB-0000-Z", "ZZ-9999-0"):
        assert form.write_value(form.read_value(text)) == text
        assert form.canonical(text) == text.replace("-", "")
    for text in ("ab-0000-Z", "AB-0000-z", "A1-0000-Z", "AB 0000-Z", "AB-0000-", "AB-٣000-Z"):
        with pytest.raises(InvalidValue):
            form.read_value(text)
    assert form.domain(0).size == 26**2 * 10**4 * 36


def test_escapes_and_small_letters() -> None:
    form = build("template", template=r"\A\9\\aaaa99#")
    place = form.read_value("A9\\zzzz00#")
    assert form.write_value(place._replace(rank=0)) == "A9\\aaaa00#"
    assert place.rank == form.domain(0).size - 100


def test_places_of_one_alphabet_are_numerals() -> None:
    form = build("template", template="999-99-9999")
    digits = build("digits", min_length=9, max_length=9)
    assert form.domain(0) == digits.domain(9)
    assert form.read_value("123-45-6789").rank == digits.read_value("123456789").rank


def test_masks_leave_two_characters_hidden() -> None:
    assert build("template", template="****").mask("AB12", None, None) == "**12"
    assert build("template", template="AA-9999-*").mask("AB-1234-C", None, None) == "**-*234-C"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (None, "needs `template`"),
        ("", "needs `template`"),
        ("99999", "a million"),
        ("-----", "a million"),
        ("999999\\", "backslash"),
        ("999999é", "ASCII"),
        ("999999\n", "ASCII"),
        ("9" * 257, "256"),
    ],
)
def test_templates_that_cannot_be_used(template: str | None, reason: str) -> None:
    with pytest.raises(SetUpError, match=reason):
        build("template", template=template)


def test_question_marks_stay_with_the_scalar_side() -> None:
    # A batch holds "?" for whatever is not ASCII: columns could not tell one from the other.
    assert build("template", template="999999?").columns is None


def test_lengths_of_luhn_numbers() -> None:
    assert build("luhn", min_length=16, max_length=16).read_value("4111111111111111").kind == 0
    for options in ({"min_length": 6}, {"max_length": 33}, {"min_length": 9, "max_length": 8}):
        with pytest.raises(SetUpError, match="from 7 to 32"):
            build("luhn", **options)
