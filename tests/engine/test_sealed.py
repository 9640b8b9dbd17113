"""The bytes around a vaulted value."""

from hypothesis import given
from hypothesis import strategies as st

from vault.engine.sealed import Header, pack, unpack

headers = st.builds(
    Header,
    st.integers(0, 0x7FFF),
    st.booleans(),
    st.integers(0, 0xFFFF),
    st.binary(min_size=8, max_size=8),
)


@given(headers, st.binary(max_size=40))
def test_a_header_is_read_as_it_was_written(header: Header, rest: bytes) -> None:
    written = header.write()
    assert len(written) == Header.SIZE
    assert Header.read(written + rest) == header


@given(st.binary(max_size=Header.SIZE))
def test_what_is_cut_off_is_read_as_zeros(cut: bytes) -> None:
    assert Header.read(cut).write() == cut.ljust(Header.SIZE, b"\0")


@given(st.text("0123456789AB-", max_size=40))
def test_numbers_and_dates_take_half_a_byte_a_character(text: str) -> None:
    packed, nibbles = pack(text)
    assert nibbles
    assert len(packed) == (len(text) + 1) // 2
    assert unpack(packed, nibbles=nibbles) == text


@given(st.text(max_size=40))
def test_any_other_text_comes_back(text: str) -> None:
    packed, nibbles = pack(text)
    assert unpack(packed, nibbles=nibbles) == text


def test_days_count_from_2020() -> None:
    day = 86_400
    assert Header.today(18_262 * day) == 0
    assert Header.today(18_263 * day - 0.5) == 0
    assert Header.today(18_263 * day) == 1
    assert Header.today(0) == 0
    assert Header.today(1e12) == 0xFFFF
    assert Header(1, True, 1, bytes(8)).created_at == 18_263 * day
