"""A stream that is not whole, or claims what it likes, is refused before it is read."""

import contextlib
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.arrow import batch, stream
from vault.errors import Refusal
from vault.web import arrow_stream
from vault.web.codecs import Arrow

NIRS = ["185012A00401008", "185011900401008", None]
ARROW = Arrow(max_items=1_000, max_body=1 << 20)
PLAIN = stream(batch(value=NIRS, context=["a", None, "b"]))
CODED = stream(batch(value=pa.array(NIRS).dictionary_encode()))
VIEWS = stream(batch(value=pa.array([*NIRS, "1"], pa.string_view())))
END = b"\xff\xff\xff\xff\0\0\0\0"


def refused(body: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        ARROW.decode("tokenise", body)
    assert "185012" not in caught.value.detail
    return caught.value.code


@pytest.mark.parametrize("body", [PLAIN, CODED, VIEWS])
def test_whole_streams_pass(body: bytes) -> None:
    assert len(ARROW.decode("tokenise", body).items) in {2, 3}


@pytest.mark.parametrize("body", [PLAIN, CODED, VIEWS])
def test_a_stream_cut_anywhere_is_refused(body: bytes) -> None:
    for length in range(len(body)):
        assert refused(body[:length]) == "malformed_request"


@pytest.mark.parametrize("body", [PLAIN, CODED, VIEWS])
@given(data=st.data())
def test_a_stream_with_bits_turned_is_read_or_refused(body: bytes, data: st.DataObject) -> None:
    """Never anything else: no fault of pyarrow's, no crash."""
    turned = bytearray(body)
    for bit in data.draw(st.lists(st.integers(0, 8 * len(body) - 1), min_size=1, max_size=3)):
        turned[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(Refusal):
        list(ARROW.decode("tokenise", bytes(turned)).items)


@given(st.binary(max_size=200), st.sampled_from([b"", END[:4], PLAIN[:200]]))
def test_junk(junk: bytes, before: bytes) -> None:
    assert refused(before + junk) in {"malformed_request", "too_large"}


def test_nothing_comes_after_the_end() -> None:
    assert refused(PLAIN + b"\0") == "malformed_request"
    assert refused(PLAIN + PLAIN) == "malformed_request"


def test_a_stream_says_where_it_ends() -> None:
    assert PLAIN.endswith(END)
    assert refused(PLAIN.removesuffix(END)) == "malformed_request"
    assert refused(b"") == refused(END) == "malformed_request"


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize("array", [pa.array(NIRS * 50), pa.array(NIRS * 50).dictionary_encode()])
def test_compressed_buffers_are_refused(codec: str, array: pa.Array) -> None:
    assert refused(stream(batch(value=array), compression=codec)) == "malformed_request"


def test_deltas_are_refused() -> None:
    first = pa.DictionaryArray.from_arrays(pa.array([0]), pa.array(NIRS[:1]))
    second = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(NIRS[:2]))
    body = stream(batch(value=first), batch(value=second), emit_dictionary_deltas=True)
    with pa.ipc.open_stream(body) as reader:
        reader.read_all()
        assert reader.stats.num_dictionary_deltas == 1
    assert refused(body) == "malformed_request"


def test_frames_of_before_2019_are_refused() -> None:
    assert refused(stream(batch(value=NIRS), use_legacy_format=True)) == "malformed_request"


def test_two_schemas_and_none() -> None:
    (size,) = struct.unpack_from("<I", PLAIN, 4)
    schema, rest = PLAIN[: 8 + size], PLAIN[8 + size :]
    assert refused(schema + schema + rest) == "malformed_request"
    assert refused(rest) == "malformed_request"


def test_tensors_are_no_batches() -> None:
    (size,) = struct.unpack_from("<I", PLAIN, 4)
    sink = pa.BufferOutputStream()
    pa.ipc.write_tensor(pa.Tensor.from_numpy(np.zeros((2, 2))), sink)
    assert refused(PLAIN[: 8 + size] + bytes(sink.getvalue()) + END) == "malformed_request"


def test_many_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_stream, "MAX_FRAMES", 4)
    one = batch(value=["1"])
    assert len(ARROW.decode("tokenise", stream(one, one, one)).items) == 3
    assert refused(stream(one, one, one, one)) == "too_large"


def test_a_description_has_a_size() -> None:
    wide = pa.schema([pa.field(f"{n:0100d}", pa.utf8()) for n in range(10_000)])
    assert refused(stream(schema=wide)) == "malformed_request"
