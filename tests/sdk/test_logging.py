"""The filter takes NIRs out of whatever a record carries, and lets tokens be."""

import io
import logging
import logging.config
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeton.logging import Scrub
from tests.support.nirs import FORMATS
from tests.support.values import nir_key, ordinary_nirs, spaced, special_nirs
from vault.formats.fr_nir_bodies import BANDS, Bodies

NIR = "284057512345672"
nirs = ordinary_nirs | special_nirs
printed = st.tuples(nirs, st.sampled_from(["", " ", ".", "-", "\u00a0", "\u202f"])).map(
    lambda pair: spaced(pair[0]).replace(" ", pair[1])
)
between = st.text(st.characters(exclude_categories=["Nd", "Cs"]), max_size=6)
"""Whatever is no digit may stand around a number."""


def band_tokens(band: str) -> st.SearchStrategy[str]:
    bodies = Bodies(BANDS[band])
    texts = st.integers(0, bodies.size - 1).map(lambda rank: bodies.body(rank).text)
    return texts.map(lambda body: body + nir_key(body))


def logged(scrub: Scrub, log: Any) -> str:
    """What a plain handler prints of what `log` logs."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(scrub)
    logger = logging.Logger("test")
    logger.addHandler(handler)
    log(logger)
    return out.getvalue()


def record_of(message: object, *args: object, **extra: Any) -> logging.LogRecord:
    return logging.Logger("test").makeRecord(
        "test", logging.INFO, "file.py", 1, message, args, None, extra=extra
    )


@given(between, printed, between)
def test_a_nir_goes_in_every_printed_form(before: str, nir: str, after: str) -> None:
    assert Scrub().scrub(f"{before} {nir} {after}") == f"{before} <nir> {after}"
    lowered = nir.lower()
    assert Scrub().scrub(f"{before}{lowered}{after}").count("<nir>") >= 1


@given(band_tokens("safe"), between)
def test_tokens_of_the_band_stay(token: str, around: str) -> None:
    text = f"{around} {token} {spaced(token)} {around}"
    assert Scrub().scrub(text) == text


@given(band_tokens("official"))
def test_the_official_band_is_known_where_it_is_named(token: str) -> None:
    assert Scrub(band="official").scrub(token) == token


@given(nirs)
def test_values_are_what_the_service_tokenises_and_tokens_are_not(nir: str) -> None:
    assert FORMATS["safe"].read_value(nir)
    assert Scrub().scrub(nir) == "<nir>"


@pytest.mark.parametrize(
    "text",
    [
        "284057512345673",  # a wrong key
        "2840575123456729",  # sixteen digits
        "12840575123456723",
        "2026-11-27T17:41:14.284057 request 1234",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert Scrub().scrub(text) == text


def test_a_nir_behind_a_number_that_is_none_is_found() -> None:
    assert Scrub().scrub(f"5 28 40 57 512 {NIR}") == "5 28 40 57 512 <nir>"
    assert Scrub().scrub(f"NIR{NIR}x") == "NIR<nir>x"


@given(st.lists(between | printed | st.text("0123456789 -.", max_size=20)).map("".join))
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    scrub = Scrub({"phone": r"\b0[1-9][0-9]{8}\b"})
    once = scrub.scrub(text)
    assert scrub.scrub(once) == once
    record = record_of("%s", text, found=[text, {text: (text,)}])
    scrub.filter(record)
    first = {**vars(record)}
    scrub.filter(record)
    assert vars(record) == first
    assert record.getMessage() == once


def test_message_and_arguments_are_looked_at() -> None:
    scrub = Scrub()
    assert logged(scrub, lambda log: log.info("nir %s", NIR)) == "nir <nir>\n"
    assert logged(scrub, lambda log: log.info("nir %d", int(NIR))) == "nir <nir>\n"
    assert logged(scrub, lambda log: log.info("%(a)s", {"a": 1, "b": NIR})) == "1\n"
    assert logged(scrub, lambda log: log.info(ValueError(NIR))) == "<nir>\n"
    assert logged(scrub, lambda log: log.info("%s%s", NIR[:8], NIR[8:])) == "<nir>\n"
    hidden = record_of("%(a)s", {"a": 1, "b": NIR})
    scrub.filter(hidden)
    assert NIR not in repr(vars(hidden))


def test_what_is_clean_stays_as_it_is() -> None:
    clean = record_of("%s of %d", "one", 2, extra_field=["a", {"b": 1}])
    before = {**vars(clean)}
    assert Scrub().filter(clean)
    assert vars(clean) == before
    assert all(vars(clean)[name] is before[name] for name in ("msg", "args", "extra_field"))


def test_arguments_that_do_not_fit_are_not_printed_by_logging(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = logged(Scrub(), lambda log: log.info("%d of %s", *[NIR]))
    assert NIR not in printed + capsys.readouterr().err


def test_exceptions_and_stacks_are_looked_at() -> None:
    def fail(log: logging.Logger) -> None:
        try:
            raise ValueError(NIR)
        except ValueError:
            log.exception("failed", stack_info=True)

    printed = logged(Scrub(), fail)
    assert "ValueError: <nir>" in printed
    assert "Traceback" in printed
    assert NIR not in printed

    def fail_cleanly(record_seen: list[logging.LogRecord]) -> None:
        try:
            raise ValueError("nothing")
        except ValueError as error:
            record = record_of("failed")
            record.exc_info = (ValueError, error, error.__traceback__)
            record_seen.append(record)

    seen: list[logging.LogRecord] = []
    fail_cleanly(seen)
    Scrub().filter(seen[0])
    assert seen[0].exc_info is not None


class Claim:
    def __repr__(self) -> str:
        return f"Claim({NIR})"


class Broken:
    def __repr__(self) -> str:
        raise ValueError(NIR)


def test_what_extra_adds_is_looked_at_containers_too() -> None:
    endless: list[Any] = [NIR]
    endless.append(endless)
    fields: dict[str, Any] = {
        "text": f"nir={NIR}",
        "number": int(NIR),
        "raw": NIR.encode(),
        "deep": {"a": [{"b": (NIR, {NIR})}], NIR: OrderedDict(a=NIR)},
        "claim": Claim(),
        "endless": endless,
        "broken": Broken(),
    }
    record = record_of("claim", **fields)
    Scrub().filter(record)
    shown = "".join(repr(getattr(record, name)) for name in fields)
    assert NIR not in shown
    assert record.deep["a"] == [{"b": ("<nir>", {"<nir>"})}]
    assert fields["deep"]["a"] == [{"b": (NIR, {NIR})}]  # what the caller holds is untouched


def test_numbers_of_logging_itself_stay() -> None:
    record = record_of("x")
    record.thread = int(NIR)
    Scrub().filter(record)
    assert record.thread == int(NIR)


def test_shapes_are_named() -> None:
    scrub = Scrub({"phone": r"\b0[1-9](?: ?[0-9]{2}){4}\b"})
    assert scrub.scrub(f"{NIR} at 06 12 34 56 78") == "<nir> at <phone>"


def test_it_is_configured_by_dictionary() -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"scrub": {"()": "jeton.logging.Scrub", "shapes": {"id": "id-[0-9]+"}}},
            "handlers": {"null": {"class": "logging.NullHandler", "filters": ["scrub"]}},
            "loggers": {"tests.scrubbed": {"handlers": ["null"]}},
        }
    )
    (handler,) = logging.getLogger("tests.scrubbed").handlers
    record = record_of("id-12 %s", NIR)
    handler.filter(record)
    assert record.getMessage() == "<id> <nir>"
