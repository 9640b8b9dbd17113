"""National identifiers: published examples, every date, and refusals that name the rule."""

from datetime import date, timedelta

import pytest
from stdnum.be import bis, nn
from stdnum.it import codicefiscale
from stdnum.pl import pesel

from tests.support.declared import FORMATS
from vault.errors import InvalidValue
from vault.formats.check_characters import DIGITS
from vault.formats.counted import Walk
from vault.formats.national import US_SSN, entry

# From the docstrings of python-stdnum where nothing else is said.
EXAMPLES = [
    ("be-nn", "85073003328"),
    ("be-nn", "85.07.30-033.28"),
    ("be-nn", "85.07.30-033 28"),
    ("be-nn", "85 07 30 033 28"),
    ("be-nn", "17073003384"),
    ("be-nn", "42.01.22-051.81"),  # the National Register's instructions, TI 000
    ("be-nn", "98.47.28-997.65"),
    ("be-nn", "01490700185"),
    ("es-dni", "54362315K"),
    ("es-dni", "54362315-K"),
    ("es-nie", "X2482300W"),
    ("es-nie", "X-2482300-W"),
    ("it-codice-fiscale", "RCCMNL83S18D969H"),
    ("it-codice-fiscale", "CNT CHR 83T41 D969 D"),
    ("de-idnr", "36574261809"),
    ("de-idnr", "36 574 261 809"),
    ("pl-pesel", "44051401359"),
    ("gb-nhs", "9434765919"),
    ("gb-nhs", "943 476 5919"),
    ("us-ssn", "536904399"),
    ("us-ssn", "111-22-3333"),
    ("luhn", "123-456-782"),
    ("luhn", "4111 1111 1111 1111"),  # the test number of several card schemes
    ("luhn", "3782-822463-10005"),
    ("luhn", "732 829 320 00074"),  # a SIRET
]


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_examples(name: str, text: str) -> None:
    form = FORMATS[name]
    assert form.write_value(form.read_value(text)) == text


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("be-nn", "85073003329", "do not match"),
        ("be-nn", "8507300332", "expected 11 digits"),
        ("be-nn", "85.0730-033.28", "expected 11 digits"),
        ("be-nn", "85133003328", "no such number"),
        ("es-dni", "54362315k", "do not match"),
        ("es-dni", "5436231AK", "no such number"),
        ("es-nie", "A2482300W", "begins with X, Y or Z"),
        ("es-nie", "X2482300A", "do not match"),
        ("it-codice-fiscale", "RCCMNL83S18D969I", "do not match"),
        ("it-codice-fiscale", "RCCMNL83S32D969H", "look at the birth date"),
        ("it-codice-fiscale", "RCCMNL83B30D969H", "look at the birth date"),
        ("it-codice-fiscale", "RCCMNL83S18N969H", "look at the birth date, at the place"),
        ("it-codice-fiscale", "rccmnl83s18d969h", "no such code"),
        ("de-idnr", "36574261890", "do not match"),
        ("de-idnr", "36554266806", "first ten"),
        ("de-idnr", "06574261809", "not 0"),
        ("pl-pesel", "44051401358", "do not match"),
        ("pl-pesel", "44053401359", "look at the date"),
        ("pl-pesel", "79873003328", "look at the date"),
        ("gb-nhs", "9434765918", "do not match"),
        ("gb-nhs", "0000000060", "first nine digits"),
        ("us-ssn", "666123456", "no such number"),
        ("us-ssn", "911223333", "no such number"),
        ("us-ssn", "536-00-4399", "no such number"),
        ("us-ssn", "078-05-1120", "advertisements"),
        ("us-ssn", "11122-3333", "expected 9 digits"),
        ("luhn", "4111 1111 1111 1112", "do not match"),
        ("luhn", "4111 11111111 1111", "usual groups"),
        ("luhn", "411111", "usual groups"),
    ],
)
def test_refusals_name_the_rule(name: str, text: str, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        FORMATS[name].read_value(text)


def test_the_sizes_are_those_of_the_rules() -> None:
    sizes = {name: [kind.values.size for kind in form.sets] for name, form in FORMATS.items()}
    assert sizes["es-dni"] == [10**8]
    assert sizes["es-nie"] == [3 * 10**7]
    # 10 digits, one of them twice (45 pairs of places) or three times (120), no 0 first.
    assert sizes["de-idnr"] == [(10 * 45 * 362_880 + 10 * 120 * 181_440) * 9 // 10]
    assert sizes["us-ssn"] == [898 * 99 * 9999 - 3]
    assert sizes["pl-pesel"] == [(date(2079, 1, 1) - date(1880, 1, 1)).days * 10_000]
    assert FORMATS["pl-pesel"].domain(0).room == 730_480_000
    assert FORMATS["it-codice-fiscale"].slots == 2
    assert FORMATS["de-idnr safe"].slots == 2


def test_the_test_range_of_nhs_numbers_is_too_small_to_hold_tokens() -> None:
    weights = (7, 6, 5, 4, 3, 2)
    begun = 9 * (10 + 9 + 8)
    body = Walk(
        [DIGITS] * 6,
        begun % 11,
        lambda total, at, digit: (total + weights[at] * int(digit)) % 11,
        lambda total: total != 1,
        lambda total: total,
    )
    assert body.size < 1_000_000


class TestPesel:
    @pytest.mark.slow
    def test_every_date(self) -> None:
        day, last = date(1880, 1, 1), date(2299, 12, 31)
        form = FORMATS["pl-pesel"]
        more = {18: 80, 19: 0, 20: 20, 21: 40, 22: 60}
        seen = []
        while day <= last:
            body = f"{day:%y}{day.month + more[day.year // 100]:02d}{day:%d}0000"
            text = body + pesel.calc_check_digit(body)
            if day.year < 2079:
                seen.append(form.read_value(text).rank)
            elif day.year >= 2100:
                seen.append(form.read_token(text).rank)
            day += timedelta(days=1)
        values, tokens = form.domain(0).size // 10_000, form.domain(0).room // 10_000
        assert seen == [n * 10_000 for n in (*range(values), *range(tokens))]


class TestBelgium:
    def test_every_month_and_day(self) -> None:
        form = FORMATS["be-nn"]
        for month in range(100):
            for day in range(100):
                body = f"17{month:02d}{day:02d}033"
                for before, year in (("", 1917), ("2", 2017)):
                    text = f"{body}{97 - int(before + body) % 97:02d}"
                    kind = 0 if month < 20 else 1
                    known = month % 20 <= 12 and month < 60
                    issued = known and (day < 32 or month % 20 == 0)
                    if known:
                        read = form.read_value if issued else form.read_token
                        assert read(text).kind == kind
                        assert (bis if kind else nn).is_valid(text), year
                    else:
                        with pytest.raises(InvalidValue, match="no such number"):
                            form.read_value(text)

    def test_each_century_has_its_check(self) -> None:
        form = FORMATS["be-nn"]
        old, new = form.read_value("17073003355"), form.read_value("17073003384")
        assert 97 - 170730033 % 97 == 55
        assert new.rank - old.rank == 100 * 484 * 1000


class TestCodiceFiscale:
    FORM = FORMATS["it-codice-fiscale"]

    def with_check(self, body: str) -> str:
        return body + codicefiscale.calc_check_digit(body)

    def reads(self, body: str) -> str:
        text = self.with_check(body)
        try:
            assert self.FORM.write_value(self.FORM.read_value(text)) == text
        except InvalidValue as error:
            return "token" if "already" in error.detail else "neither"
        return "value"

    def test_every_day(self) -> None:
        for year in ("00", "01", "04", "99"):
            for month, letter in enumerate("ABCDEHLMPRST", 1):
                for day in range(100):
                    text = f"RSSMRA{year}{letter}{day:02d}H501"
                    taken = codicefiscale.is_valid(self.with_check(text))
                    read = self.reads(text)
                    if day > 80:
                        assert read == "token"
                    else:
                        assert (read == "value") == taken, month
                    assert taken or read == "neither"

    @pytest.mark.parametrize(
        ("body", "read"),
        [
            ("RSSMRA70A01H501", "value"),
            ("RSSMRA70A01H50M", "value"),
            ("RSSMRA70A01H5LM", "value"),
            ("RSSMRA70A01HRLM", "value"),
            ("RSSMRATLALMHRLM", "value"),  # all seven
            ("RSSMRAT0A01HR01", "value"),  # any two
            ("RSSMRATLA01HR01", "neither"),  # three that are not the last ones
            ("RSSMRATLAVPHRLM", "token"),
            ("RSSMRATLA99NR01", "token"),
            ("RSSMRA70A01N501", "neither"),
            ("RSSMRA70F01H501", "neither"),
            ("RSSMRA70A01H50A", "neither"),
            ("RSSMRA70A0ZH501", "neither"),
        ],
    )
    def test_digits_as_letters(self, body: str, read: str) -> None:
        assert self.reads(body) == read


def test_an_entry_makes_its_format_once() -> None:
    made = entry(US_SSN)
    assert len(made.rows()) == 1
    assert made.rows()[0].domain == FORMATS["us-ssn"].domain(0).size
