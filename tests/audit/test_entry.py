"""Entries: one line each, read back as they were, with no room for a value."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.records import NOW, disclosure
from vault.audit.entry import (
    DISCLOSURE,
    EVENT,
    Disclosure,
    Entry,
    Event,
    Receipt,
    Refusals,
    Tokenised,
    decode,
    lines,
    seconds,
    timestamp,
)

ENTRIES: list[Entry] = [
    disclosure(end_user="agent-7", matched=1, duplicate=True),
    Refusals(principal="portal", code="not_allowed", count=7, seconds=2),
    Tokenised(principal="intake", transformation="fr-nir", items=1_000, failed=2),
    Event(name="lock", detail={"principal": "portal", "end_user": None, "bytes": 3}),
]


def test_every_kind_comes_back_numbered_and_dated() -> None:
    written = lines(ENTRIES, 41, timestamp(NOW)).splitlines()
    for number, (line, entry) in enumerate(zip(written, ENTRIES, strict=True), 41):
        assert decode(line) == msgspec.structs.replace(entry, seq=number, time=timestamp(NOW))


def test_an_entry_that_has_a_time_keeps_it() -> None:
    (line,) = lines([disclosure(time=timestamp(NOW - 5))], 1, timestamp(NOW)).splitlines()
    assert seconds(decode(line).time) == NOW - 5


def test_lines_begin_with_their_kind() -> None:
    written = lines(ENTRIES, 1, timestamp(NOW)).splitlines()
    assert written[0].startswith(DISCLOSURE)
    assert written[3].startswith(EVENT)


@given(st.integers(min_value=0, max_value=2**32 * 10**6))
def test_times_keep_their_microseconds_and_their_order(micros: int) -> None:
    at = micros / 10**6
    assert seconds(timestamp(at)) == pytest.approx(at, abs=2e-6)
    assert timestamp(at) < timestamp(at + 0.001)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_a_line(principal: str, code: str) -> None:
    written = lines([Refusals(principal=principal, code=code, count=1)], 1, timestamp(NOW))
    assert written.count(b"\n") == 1
    found = decode(written)
    assert isinstance(found, Refusals)
    assert (found.principal, found.code) == (principal, code)


def test_a_disclosure_has_no_field_for_what_was_disclosed() -> None:
    assert set(Disclosure.__struct_fields__) == {
        *("seq", "time", "principal", "credential", "source", "operation", "transformation"),
        *("items", "failed", "persons", "purpose", "end_user", "request_id", "matched"),
        *("duplicate", "end_user_proof"),
    }


def test_receipts_are_text_and_back() -> None:
    receipt = Receipt("w0", 17, "ab" * 32)
    assert str(receipt) == f"w0.17.{'ab' * 32}"
    assert Receipt.parse(f"{receipt}\n") == receipt


@pytest.mark.parametrize(
    "text", ["", "w0.17", "w0.17.ab", "w0.x." + "ab" * 32, f"w0.{10**20}." + "ab" * 32, "w0.1.2.3"]
)
def test_what_is_no_receipt(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Receipt.parse(text)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"kind":"disclosure"}',
        b'{"kind":"refusals","principal":"\xff","code":"c","count":1}',
        b'{"kind":"refusals","principal":"p","code":"c","count":1,"value":"v"}',
        b'{"kind":"event","name":' + b"[" * 100_000,
    ],
)
def test_what_is_no_entry(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(line)
