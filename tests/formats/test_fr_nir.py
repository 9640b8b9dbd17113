"""NIRs: what is read, what is refused and why, and that nothing is lost on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.fr import nir as stdnum_nir

from tests.support.nirs import FORMATS, KEEP, NONE, OFFICIAL, SAFE, any_bodies, any_numbers
from tests.support.values import (
    nir_forms,
    nir_key,
    ordinary_nirs,
    spaced,
    special_nirs,
    unknown_month_nirs,
)
from vault.errors import InvalidValue, ItemError, NotAToken, SetUpError
from vault.formats import build
from vault.formats.base import Format, Place
from vault.formats.fr_nir import WITH_KEY, WITHOUT_KEY

forms = st.sampled_from(WITH_KEY + WITHOUT_KEY)
keyed_forms = st.sampled_from(WITH_KEY)


def wrong_keys(body: str) -> list[str]:
    return [f"{key:02d}" for key in range(100) if f"{key:02d}" != nir_key(body)]


def reads(read: object, text: str) -> bool:
    try:
        read(text)  # type: ignore[operator]
    except ItemError:
        return False
    return True


class TestRooms:
    def test_domains_and_slots_are_those_of_the_design(self) -> None:
        for form, room, slots in (
            (SAFE, 485_520_000_000, 2),
            (OFFICIAL, 326_400_000_000, 1),
            (NONE, 242_157_600_000, 1),
        ):
            domain = form.domain(0)
            assert (domain.size, domain.radix, domain.length) == (242_157_600_000, 702, 4)
            assert domain.room == room
            assert form.slots == slots

    def test_special_values_fit_twice_and_once_with_wrong_keys(self) -> None:
        # First digits 0-9, where the design's rough figure of 8.4e12 counts 1-9.
        assert SAFE.domain(1).size == 9_384_000_000_000
        assert SAFE.domain(1).room == 8_000 * 102 * 10**6 * 99
        assert SAFE.domain(1).slots >= 2
        assert KEEP.domain(1).size == 9_384_000_000_000 + 3_800 * 102 * 10**6 * 99
        assert KEEP.domain(1).slots == KEEP.slots == 1

    def test_only_bands_can_be_told(self) -> None:
        assert SAFE.recognisable
        assert OFFICIAL.recognisable
        assert KEEP.recognisable
        assert not NONE.recognisable


# Published examples and their sources; what has none was made up by the rules.
STDNUM = "python-stdnum, stdnum/fr/nir.py docstring"
CNAM = "assurance-maladie-digital/nir-validation, tests"
EXAMPLES = [
    ("295109912611193", 0, STDNUM),
    ("253072B07300470", 0, STDNUM),
    ("253072A07300443", 0, STDNUM),
    ("255081416802538", 0, CNAM),
    ("2 84 05 88 321 025 32", 0, CNAM),
    ("2 84 05 2A 321 025 52", 0, CNAM),
    ("2 84 20 2B 321 025 28", 1, CNAM),
    ("2 84 99 2B 321 025 31", 1, CNAM),
    ("279035121518989", 0, "ansforge/hl7V2-exemples"),
    ("147209741100585", 1, "Reunion, month unknown"),
    ("255319935201174", 1, "born abroad, month 31"),
    ("150999935200112", 1, "born abroad, month 99"),
    ("170012000401037", 0, "Corsica before 1976"),
    ("185012A00401008", 0, "Corsica since"),
    ("100017510100151", 0, "year 00"),
    ("385019935200124", 1, "first digit 3"),
    ("785019935200118", 1, "first digit 7"),
    ("085017864600169", 1, "first digit 0"),
    ("985017864600107", 1, "first digit 9"),
    ("555555123456729", 1, "MSA, provisional"),
]


class TestValues:
    @pytest.mark.parametrize(("text", "kind", "source"), EXAMPLES)
    def test_examples(self, text: str, kind: int, source: str) -> None:
        place = SAFE.read_value(text)
        assert place.kind == kind
        assert SAFE.write_value(place) == text

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("295109912611199", "key"),
            ("253072C07300443", "digits only"),
            ("253072a07300443", "capital"),
            ("2530 72A07300443", "spaces"),
            (" 253072A07300443", "spaces"),
            ("2 84 05 88 321 02532", "spaces"),
            ("6546546546546703", "15 characters"),
            ("2B3456789012378", "digits only"),
            ("1850797212000545", "15 characters"),
            ("", "15 characters"),
            ("٢٩٥١٠٩٩١٢٦١١١٩٣", "digits only"),
            ("284058832102530", "key"),
            ("185017864600100", "key"),
            ("185017864600198", "key"),
            ("185137864600117", "month"),
            ("185197864600116", "month"),
            ("1850078646001", "month"),
            ("5112312345678", "another register"),
            ("7012312345678", "another register"),
            ("2 84 20 2B 321 025", "15 characters"),
            ("1850178646000", "15 characters"),
            ("1850100646001", "15 characters"),
            ("123456789012311", "already"),  # month 45: the band `safe`
        ],
    )
    def test_refusals_name_the_rule(self, text: str, reason: str) -> None:
        with pytest.raises(InvalidValue, match=reason):
            SAFE.read_value(text)

    def test_month_45_is_a_special_value_where_tokens_live_elsewhere(self) -> None:
        assert NONE.read_value("123456789012311").kind == 1

    @pytest.mark.parametrize("name", FORMATS)
    @given(nir=ordinary_nirs)
    def test_ordinary_values_are_read_in_every_form(self, name: str, nir: str) -> None:
        form = FORMATS[name]
        ranks = set()
        for text in nir_forms(nir):
            place = form.read_value(text)
            assert form.write_value(place) == text
            assert form.canonical(text) == nir
            ranks.add((place.kind, place.rank))
        assert len(ranks) == 1
        assert ranks.pop()[0] == 0

    @pytest.mark.parametrize("name", FORMATS)
    @given(nir=special_nirs | unknown_month_nirs)
    def test_special_values_need_their_key(self, name: str, nir: str) -> None:
        form = FORMATS[name]
        if form is OFFICIAL and 21 <= int(nir[3:5]) <= 29:
            nir = nir[:3] + "20" + nir[5:13] + nir_key(nir[:3] + "20" + nir[5:13])
        for text in (nir, spaced(nir), f"{nir[:13]} {nir[13:]}"):
            place = form.read_value(text)
            assert place.kind == 1
            assert form.write_value(place) == text
            assert form.canonical(text) == nir
        for text in (nir[:13], spaced(nir[:13])):
            with pytest.raises(InvalidValue):
                form.read_value(text)

    def test_two_a_and_nineteen_stay_apart(self) -> None:
        for corsican, mainland in (
            ("185012A00401008", "185011900401008"),
            ("185012B03301038", "185011803301038"),
        ):
            assert corsican[13:] == mainland[13:]
            assert SAFE.read_value(corsican).rank != SAFE.read_value(mainland).rank


class TestTokens:
    @pytest.mark.parametrize("name", FORMATS)
    @given(data=st.data())
    def test_what_is_written_is_read(self, name: str, data: st.DataObject) -> None:
        form = FORMATS[name]
        kind = data.draw(st.integers(0, 1))
        rank = data.draw(st.integers(0, form.domain(kind).room - 1))
        place = Place(kind, rank, data.draw(keyed_forms if kind else forms))
        token = form.write_token(place)
        assert form.read_token(token) == place
        if form.recognisable:
            with pytest.raises(InvalidValue, match="token already"):
                form.read_value(token)

    @pytest.mark.parametrize("name", FORMATS)
    def test_the_ends_of_the_rooms(self, name: str) -> None:
        form = FORMATS[name]
        for kind in (0, 1):
            for rank in (0, form.domain(kind).room - 1):
                place = Place(kind, rank, (15,))
                assert form.read_token(form.write_token(place)) == place

    @given(rank=st.integers(0, SAFE.domain(0).room - 1), form=forms)
    def test_ordinary_tokens_pass_python_stdnum(self, rank: int, form: tuple[int, ...]) -> None:
        token = SAFE.write_token(Place(0, rank, form))
        compact = token.replace(" ", "")
        assert stdnum_nir.is_valid(compact if len(compact) == 15 else compact + nir_key(compact))

    @given(rank=st.integers(0, SAFE.domain(1).room - 1))
    def test_special_tokens_fail_the_key(self, rank: int) -> None:
        token = SAFE.write_token(Place(1, rank, (15,)))
        assert token[3:5] in ("00", *map(str, range(13, 20)))
        assert token[13:] != nir_key(token[:13])

    @given(rank=st.integers(0, OFFICIAL.domain(0).room - 1))
    def test_official_tokens_pass_the_published_rules(self, rank: int) -> None:
        token = OFFICIAL.write_token(Place(0, rank, (15,)))
        assert token[0] in "12"
        assert 20 <= int(token[3:5]) <= 99
        assert token[13:] == nir_key(token[:13])

    @given(nir=ordinary_nirs | special_nirs | unknown_month_nirs)
    def test_values_are_no_tokens(self, nir: str) -> None:
        for form in (SAFE, KEEP):
            with pytest.raises(NotAToken, match="value"):
                form.read_token(nir)

    def test_what_is_no_nir_is_no_token(self) -> None:
        with pytest.raises(NotAToken, match="15 characters"):
            SAFE.read_token("1")

    @pytest.mark.parametrize("name", FORMATS)
    @given(body=any_bodies)
    def test_ranks_of_ordinary_or_band_bodies_are_no_special_values(
        self, name: str, body: str
    ) -> None:
        form = FORMATS[name]
        text = body + nir_key(body)
        rank = _special_rank(body)
        if rank is None:
            assert not reads(form.read_value, text)
        elif reads(form.read_value, text) and form.read_value(text).kind == 1:
            assert form.write_value(Place(1, rank, (15,))) == text
        else:
            with pytest.raises(NotAToken):
                form.write_value(Place(1, rank, (15,)))


def _special_rank(body: str) -> int | None:
    """The rank in the superset of special values, counted here anew."""
    months = [*range(1, 13), *range(20, 100)]
    digit, year, month, place, tail = (
        int(body[0]),
        int(body[1:3]),
        int(body[3:5]),
        body[5:7],
        int(body[7:]),
    )
    if month not in months:
        return None
    departments = [*(f"{n:02d}" for n in range(100)), "2A", "2B"]
    triple = (digit * 100 + year) * 92 + months.index(month)
    return (triple * 102 + departments.index(place)) * 10**6 + tail


class TestShapes:
    """Anything of the shape of a NIR is a value, a token or neither, never both."""

    @pytest.mark.parametrize("name", ["safe", "official", "keep"])
    @given(number=any_numbers, bare=st.booleans())
    def test_no_text_is_a_value_and_a_token(self, name: str, number: str, bare: bool) -> None:
        form = FORMATS[name]
        text = number[:13] if bare else number
        value, token = reads(form.read_value, text), reads(form.read_token, text)
        assert not (value and token)
        if value:
            assert form.write_value(form.read_value(text)) == text
        if token:
            assert form.write_token(form.read_token(text)) == text

    def test_every_month_and_first_digit(self) -> None:
        for digit in range(10):
            for month in range(100):
                for year in (0, 29, 30, 99):
                    body = f"{digit}{year:02d}{month:02d}75101001"
                    right, wrong = body + nir_key(body), body + wrong_keys(body)[-1]
                    never = month in (0, *range(13, 20))
                    band = 43 <= month <= 49 and (
                        1 <= digit <= 4 or (5 <= digit <= 8 and year >= 30)
                    )
                    assert reads(SAFE.read_value, right) == (not never and not band)
                    assert reads(SAFE.read_token, right) == band
                    assert not reads(SAFE.read_value, wrong)
                    assert reads(SAFE.read_token, wrong) == never
                    kept = digit in (1, 2) and (1 <= month <= 12 or 43 <= month <= 49)
                    assert reads(KEEP.read_value, wrong) == kept
                    ordinary = digit in (1, 2) and 1 <= month <= 12
                    assert reads(SAFE.read_value, body) == ordinary
                    assert reads(SAFE.read_token, body) == band

    @given(text=st.text("0123456789AB abv-", max_size=24) | any_numbers | any_bodies)
    def test_no_message_repeats_what_was_sent(self, text: str) -> None:
        for read in (SAFE.read_value, SAFE.read_token, SAFE.canonical):
            try:
                read(text)
            except ItemError as error:
                said = str(error)
            else:
                said = ""
            assert not any(text[at : at + 5] in said for at in range(len(text) - 4))


class TestWrongKeys:
    @given(nir=ordinary_nirs, data=st.data(), form=keyed_forms)
    def test_kept_where_the_configuration_says_so(
        self, nir: str, data: st.DataObject, form: tuple[int, ...]
    ) -> None:
        wrong = nir[:13] + data.draw(st.sampled_from(wrong_keys(nir[:13])))
        with pytest.raises(InvalidValue, match="wrong_key"):
            SAFE.read_value(wrong)
        place = KEEP.read_value(wrong)
        assert place.kind == 1
        assert place.rank >= SAFE.domain(1).size
        assert KEEP.write_value(place) == wrong
        assert KEEP.canonical(wrong) == wrong

    def test_every_wrong_key_has_a_rank_of_its_own(self) -> None:
        body = "2840588321025"
        ranks = [KEEP.read_value(body + key).rank for key in wrong_keys(body)]
        assert ranks == list(range(ranks[0], ranks[0] + 99))

    # FHIR FR Core's FRCorePatient example, and a matricule of ansforge/hl7V2-exemples.
    @pytest.mark.parametrize("text", ["123456789012244", "276037510669380"])
    def test_official_samples_travel(self, text: str) -> None:
        assert KEEP.write_value(KEEP.read_value(text)) == text

    def test_other_months_and_first_digits_are_refused_still(self) -> None:
        for body in ("3850199352001", "1852099352001", "2845099352001"):
            with pytest.raises(InvalidValue, match="key"):
                KEEP.read_value(body + wrong_keys(body)[0])

    def test_the_last_rank_of_the_domain_is_a_value(self) -> None:
        last = Place(1, KEEP.domain(1).size - 1, (15,))
        assert KEEP.read_value(KEEP.write_value(last)) == last


class TestMasks:
    @pytest.mark.parametrize(
        ("value", "keep_first", "keep_last", "masked"),
        [
            ("284058832102532", None, None, "284************"),
            ("2840588321025", None, None, "284**********"),
            ("2 84 05 88 321 025 32", None, None, "2 84 ** ** *** *** **"),
            ("2840588321025 32", None, 4, "***********25 32"),
            ("2 84 05 88 321 025 32", 1, 2, "2 ** ** ** *** *** 32"),
            ("2840588321025", 0, 0, "*************"),
            ("2840588321025", 10, 3, "*************"),
        ],
    )
    def test_masks(
        self, value: str, keep_first: int | None, keep_last: int | None, masked: str
    ) -> None:
        assert SAFE.mask(value, keep_first, keep_last) == masked


class TestOptions:
    def test_unknown_ones_are_refused(self) -> None:
        with pytest.raises(SetUpError, match="bands safe, official, none"):
            build("fr-nir", band="wide")
        with pytest.raises(SetUpError, match="wrong_key"):
            build("fr-nir", wrong_key="mend")
        with pytest.raises(SetUpError, match="no option min_length"):
            build("fr-nir", min_length=3)

    def test_equal_options_share_their_tables(self) -> None:
        again: Format = build("fr-nir", band="safe", wrong_key="refuse")
        assert again is SAFE
