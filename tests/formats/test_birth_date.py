"""Birth dates of every kind and form, and their tokens."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import calendar_dates, date_forms, lunar_dates, lunar_forms
from vault.errors import InvalidValue, ItemError, NotAToken, SetUpError
from vault.formats import build
from vault.formats.base import FLOOR, Place
from vault.formats.birth_date import CARETS, COMPACT, ISO, SLASHED, UNPADDED

DATES = build("birth-date")
PADDED = (ISO, COMPACT, SLASHED, CARETS)


def unpadded(text: str) -> bool:
    """Whether a text with carets has a one-digit day or month."""
    day, month, _ = text.split("^")
    return len(day) == 1 or len(month) == 1


@st.composite
def token_places(draw: st.DrawFn) -> Place:
    kind = draw(st.integers(0, 3))
    rank = draw(st.integers(0, DATES.domain(kind).room - 1))
    return Place(kind, rank, UNPADDED if kind >= 2 else draw(st.sampled_from(PADDED)))


class TestRooms:
    def test_rooms_are_those_of_the_design(self) -> None:
        assert DATES.domain(0).room == 2_848_891
        assert DATES.domain(0).size == 1_424_445
        assert DATES.domain(1).room == 75_151_109 == 7_800 * 10_000 - 2_848_891
        # In a year 65 days have two digits in both fields (October to December, from the
        # 10th), and 90 x 90 of all pairs of fields have.
        assert DATES.domain(2).room == 2_848_891 - 7_800 * 65
        assert DATES.domain(3).room == 7_800 * 1_900 - DATES.domain(2).room

    @pytest.mark.parametrize(
        ("kind", "values"), [(0, 146_097), (1, 3_853_903), (2, 120_097), (3, 639_903)]
    )
    def test_every_kind_has_two_slots_for_its_values(self, kind: int, values: int) -> None:
        domain = DATES.domain(kind)
        assert domain.slots == DATES.slots == 2
        assert domain.size >= max(FLOOR, values)
        form = UNPADDED if kind >= 2 else ISO
        last = Place(kind, values - 1, form)
        assert DATES.read_value(DATES.write_value(last)) == last
        with pytest.raises(NotAToken, match="context"):
            DATES.write_value(last._replace(rank=values))

    def test_its_tokens_can_be_told_and_it_wants_a_context(self) -> None:
        assert DATES.recognisable
        assert DATES.context == "required"


class TestValues:
    @given(day=calendar_dates)
    def test_calendar_dates_come_back_in_the_form_given(self, day: date) -> None:
        for text in date_forms(day):
            place = DATES.read_value(text)
            assert place.kind == (2 if "^" in text and unpadded(text) else 0)
            assert DATES.write_value(place) == text
            assert DATES.canonical(text) == day.isoformat()

    def test_ranks_of_calendar_dates_are_days(self) -> None:
        assert DATES.read_value("1800-01-01").rank == 0
        assert DATES.read_value("1984-05-03").rank == (date(1984, 5, 3) - date(1800, 1, 1)).days

    @given(parts=lunar_dates)
    def test_lunar_dates_come_back_in_the_form_given(self, parts: tuple[int, int, int]) -> None:
        for text in lunar_forms(parts):
            place = DATES.read_value(text)
            assert place.kind == (3 if "^" in text and unpadded(text) else 1)
            assert DATES.write_value(place) == text
            assert DATES.canonical(text) == lunar_forms(parts)[0]

    @pytest.mark.parametrize("text", ["1984-02-30", "19840000", "31/02/1984", "00^13^2199"])
    def test_padded_lunar_examples(self, text: str) -> None:
        assert DATES.read_value(text).kind == 1

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("5^3^1984", 2),
            ("12^3^1984", 2),
            ("5^12^1984", 2),
            ("12^12^1984", 0),
            ("05^03^1984", 0),
            ("0^0^1984", 3),
            ("31^2^1984", 3),
            ("99^1^1800", 3),
        ],
    )
    def test_padding_is_kept(self, text: str, kind: int) -> None:
        place = DATES.read_value(text)
        assert place.kind == kind
        assert DATES.write_value(place) == text

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("05^3^1984", "alike"),
            ("5^03^1984", "alike"),
            ("00^3^1984", "alike"),
            ("5/3/1984", "YYYY-MM-DD"),
            ("1984-5-3", "YYYY-MM-DD"),
            ("1984-0503", "YYYY-MM-DD"),
            ("1984/05/03", "YYYY-MM-DD"),
            ("05-03-1984", "YYYY-MM-DD"),
            ("5^3/1984", "YYYY-MM-DD"),
            ("840503", "YYYY-MM-DD"),
            ("", "YYYY-MM-DD"),
            ("1984-05-03 ", "YYYY-MM-DD"),
            ("1984-05-03\n", "YYYY-MM-DD"),
            ("\u0661\u0669\u0668\u0664-05-03", "YYYY-MM-DD"),
            ("1799-12-31", "1800"),
            ("00000000", "1800"),
            ("2200-01-01", "token"),
            ("9999-99-99", "token"),
        ],
    )
    def test_refusals_name_the_rule(self, text: str, reason: str) -> None:
        with pytest.raises(InvalidValue, match=reason):
            DATES.read_value(text)


class TestTokens:
    @given(place=token_places())
    def test_what_is_written_is_read(self, place: Place) -> None:
        token = DATES.write_token(place)
        assert DATES.read_token(token) == place
        with pytest.raises(InvalidValue, match="token"):
            DATES.read_value(token)

    @given(day=calendar_dates, parts=lunar_dates)
    def test_values_are_no_tokens(self, day: date, parts: tuple[int, int, int]) -> None:
        for text in (*date_forms(day), *lunar_forms(parts)):
            with pytest.raises(NotAToken, match="value"):
                DATES.read_token(text)

    @given(place=token_places())
    def test_tokens_look_like_their_values(self, place: Place) -> None:
        token = DATES.write_token(place)
        if place.form == UNPADDED:
            assert unpadded(token)
            day, month, year = map(int, token.split("^"))
        else:
            digits = "".join(filter(str.isdigit, token))
            first = place.form in (ISO, COMPACT)
            year, month, day = (
                (int(digits[:4]), int(digits[4:6]), int(digits[6:]))
                if first
                else (int(digits[4:]), int(digits[2:4]), int(digits[:2]))
            )
        assert 2200 <= year <= 9999
        try:
            date(year, month, day)
        except ValueError:
            assert place.kind in (1, 3)
        else:
            assert place.kind in (0, 2)

    def test_what_is_no_date_is_no_token(self) -> None:
        with pytest.raises(NotAToken, match="YYYY-MM-DD"):
            DATES.read_token("2984")

    @given(text=st.text("0123456789-/^", max_size=12))
    def test_no_message_repeats_what_was_sent(self, text: str) -> None:
        for read in (DATES.read_value, DATES.read_token):
            try:
                place = read(text)
            except ItemError as error:
                said = str(error)
            else:
                said = ""
                write = DATES.write_value if read == DATES.read_value else DATES.write_token
                assert write(place) == text
            assert not any(text[at : at + 5] in said for at in range(len(text) - 4))


@pytest.mark.parametrize(
    ("value", "keep_first", "keep_last", "masked"),
    [
        ("1984-05-03", None, None, "1984-**-**"),
        ("19840503", None, None, "1984****"),
        ("03/05/1984", None, None, "**/**/1984"),
        ("03^05^1984", None, None, "**^**^1984"),
        ("3^5^1984", None, None, "*^*^1984"),
        ("31^5^1984", None, None, "**^*^1984"),
        ("1984-05-03", 2, None, "19**-**-**"),
        ("03/05/1984", None, 2, "**/**/**84"),
        ("1984-05-03", 0, 0, "****-**-**"),
    ],
)
def test_masks(value: str, keep_first: int | None, keep_last: int | None, masked: str) -> None:
    assert DATES.mask(value, keep_first, keep_last) == masked


def test_it_has_no_options() -> None:
    with pytest.raises(SetUpError, match="no option band"):
        build("birth-date", band="safe")
