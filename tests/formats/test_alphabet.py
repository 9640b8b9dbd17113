"""Digits, digits and capitals, alphabets of one's own, and dates of six digits."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.columns import (
    as_cells,
    as_texts,
    assert_reads_agree,
    assert_writes_agree,
    columns_of,
)
from tests.support.values import digit_strings, six_digits
from vault.errors import InvalidValue, NotAToken, SetUpError
from vault.formats import build
from vault.formats.base import Place

DIGITS = build("digits")
ALPHANUMERIC = build("alphanumeric")
BASE32 = build("alphabet", alphabet="0123456789ABCDEFGHJKMNPQRSTVWXYZ")
BITS = build("alphabet", alphabet="10")
SIX = build("birth-date-6")
FORMATS = {
    "digits": (DIGITS, "0123456789", 6),
    "alphanumeric": (ALPHANUMERIC, string.digits + string.ascii_uppercase, 4),
    "base32": (BASE32, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 4),
    "bits": (BITS, "10", 20),
}


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_strings_are_the_numbers_that_ff1_takes(name: str, data: st.DataObject) -> None:
    form, alphabet, least = FORMATS[name]
    text = data.draw(st.text(alphabet, min_size=least, max_size=32))
    place = form.read_value(text)
    rank = 0
    for character in text:  # NUM_radix, SP 800-38G algorithm 1
        rank = rank * len(alphabet) + alphabet.index(character)
    assert place == Place(len(text), rank)
    assert form.read_token(text) == place
    assert form.write_token(place) == form.write_value(place) == text
    domain = form.domain(place.kind)
    assert (domain.radix, domain.length) == (len(alphabet), len(text))
    assert domain.size == domain.room == len(alphabet) ** len(text)


@pytest.mark.parametrize("name", FORMATS)
def test_lengths_start_at_a_million_strings(name: str) -> None:
    form, alphabet, least = FORMATS[name]
    assert len(alphabet) ** least >= 1_000_000 > len(alphabet) ** (least - 1)
    for length in (least - 1, 33):
        with pytest.raises(InvalidValue, match="characters"):
            form.read_value(alphabet[0] * length)
    assert form.read_value(alphabet[0] * least).rank == 0


def test_nothing_tells_tokens_from_values() -> None:
    for form in (DIGITS, ALPHANUMERIC, BASE32, SIX):
        assert not form.recognisable
        assert form.slots == 1


@pytest.mark.parametrize("text", ["12345a", "12 456", "12345²", "١٢٣٤٥٦", "12345\n"])
def test_digits_are_the_ten_of_ascii(text: str) -> None:
    with pytest.raises(InvalidValue, match="digits 0 to 9"):
        DIGITS.read_value(text)
    with pytest.raises(NotAToken, match="digits 0 to 9"):
        DIGITS.read_token(text)


def test_capitals_are_not_small_letters() -> None:
    with pytest.raises(InvalidValue, match="capital"):
        ALPHANUMERIC.read_value("12AB3c")


class TestSixCharacterDates:
    @given(text=six_digits)
    def test_any_six_digits(self, text: str) -> None:
        place = SIX.read_value(text)
        assert place == Place(6, int(text))
        assert SIX.write_token(place) == SIX.canonical(text) == text

    def test_domain_and_context(self) -> None:
        assert SIX.domain(6).size == 1_000_000
        assert SIX.context == "required"

    def test_other_lengths(self) -> None:
        with pytest.raises(InvalidValue, match="expected 6 characters"):
            SIX.read_value("19840503")

    def test_the_mask_keeps_the_year(self) -> None:
        assert SIX.mask("030584", None, None) == "****84"


@pytest.mark.parametrize(
    ("value", "keep_first", "keep_last", "masked"),
    [
        ("123456789012345", None, None, "***********2345"),
        ("123456", None, None, "**3456"),
        ("AB12", None, None, "**12"),
        ("AB123", None, None, "**123"),
        ("123456", 1, 2, "1***56"),
        ("123456", 6, None, "******"),
    ],
)
def test_masks(value: str, keep_first: int | None, keep_last: int | None, masked: str) -> None:
    assert ALPHANUMERIC.mask(value, keep_first, keep_last) == masked


class TestOptions:
    def test_lengths(self) -> None:
        form = build("digits", min_length=9, max_length=10)
        for length, good in ((8, False), (9, True), (10, True), (11, False)):
            if good:
                assert form.read_value("1" * length).kind == length
            else:
                with pytest.raises(InvalidValue, match="9 to 10"):
                    form.read_value("1" * length)

    def test_a_min_length_above_the_default_maximum(self) -> None:
        assert build("digits", min_length=40).read_value("1" * 40).kind == 40

    @pytest.mark.parametrize(
        ("name", "options", "reason"),
        [
            ("digits", {"min_length": 5}, "min_length 6 or more"),
            ("alphanumeric", {"min_length": 3}, "min_length 4 or more"),
            ("digits", {"max_length": 5}, "max_length"),
            ("digits", {"max_length": 257}, "max_length"),
            ("digits", {"alphabet": "01"}, "no option alphabet"),
            ("alphabet", {}, "needs `alphabet`"),
            ("alphabet", {"alphabet": "a"}, "two characters"),
            ("alphabet", {"alphabet": "aab"}, "once"),
            ("alphabet", {"alphabet": "abé"}, "ASCII"),
            ("alphabet", {"alphabet": "ab c"}, "space"),
            ("alphabet", {"alphabet": "ab\n"}, "printable"),
            ("birth-date-6", {"min_length": 6}, "no option min_length"),
        ],
    )
    def test_bad_ones(self, name: str, options: dict[str, str | int], reason: str) -> None:
        with pytest.raises(SetUpError, match=reason):
            build(name, **options)  # type: ignore[arg-type]

    def test_ninety_four_characters(self) -> None:
        every = "".join(map(chr, range(0x21, 0x7F)))
        form = build("alphabet", alphabet=every)
        assert form.write_value(form.read_value("z{|}~!")) == "z{|}~!"
        # The engine writes "?" for whatever is not ASCII: no columns for those who have it.
        assert form.columns is None


class TestColumns:
    @pytest.mark.parametrize("name", FORMATS)
    @given(data=st.data())
    def test_agree(self, name: str, data: st.DataObject) -> None:
        form, alphabet, least = FORMATS[name]
        columns = columns_of(form)
        width = data.draw(st.sampled_from([n for n in range(least, 33) if columns.kind(n)]))
        values = data.draw(
            st.lists(st.text(alphabet, min_size=width, max_size=width), min_size=1, max_size=9)
        )
        assert all(assert_reads_agree(form, values)[0])
        ranks = data.draw(
            st.lists(
                st.integers(0, form.domain(width).size - 1),
                min_size=len(values),
                max_size=len(values),
            )
        )
        assert_writes_agree(form, values, ranks)

    @pytest.mark.parametrize("name", FORMATS)
    def test_the_widest_ranks(self, name: str) -> None:
        form, alphabet, least = FORMATS[name]
        columns = columns_of(form)
        fitting = [n for n in range(1, 40) if columns.kind(n) == n]
        widest = max(n for n in range(least, 33) if len(alphabet) ** n <= 2**64)
        assert fitting == list(range(least, widest + 1))
        for width in fitting:
            row = alphabet[-1] * width
            assert all(assert_reads_agree(form, [row])[0])
            assert_writes_agree(form, [row, row], [0, form.domain(width).size - 1])

    @given(value=digit_strings.filter(lambda text: len(text) <= 19), data=st.data())
    def test_one_wrong_character_declines_its_row_only(
        self, value: str, data: st.DataObject
    ) -> None:
        at = data.draw(st.integers(0, len(value) - 1))
        wrong = data.draw(st.characters(codec="latin-1").filter(lambda c: c not in string.digits))
        rows = [value, value[:at] + wrong + value[at + 1 :], value]
        assert assert_reads_agree(DIGITS, rows)[0] == [True, False, True]

    def test_rows_come_out_whole(self) -> None:
        cells = columns_of(BASE32).write_tokens(
            columns_of(BASE32).read_values(as_cells(["0ZZZ", "AB12"]))[1],
            as_cells(["0000", "0000"]),
        )
        assert as_texts(cells) == ["0ZZZ", "AB12"]
        assert cells.flags.c_contiguous
