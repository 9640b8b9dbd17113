"""Codings are undone in bounded pieces however a body is cut, and done again as others read."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import brotli
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vault.proxy.encodings import (
    FREE,
    PIECE,
    BadEncoding,
    Bomb,
    Decoder,
    UnknownEncoding,
    _zstd,
    accepted,
    encoder,
)

zstd: Any = _zstd()
NEVER = 10**9
"""An expansion that nothing reaches."""


def raw_deflate(data: bytes) -> bytes:
    fold = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return fold.compress(data) + fold.flush()


def several_members(data: bytes) -> bytes:
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(b"") + gzip.compress(data[half:])


def several_frames(data: bytes) -> bytes:
    skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    half = len(data) // 2
    return bytes(skippable + zstd.compress(data[:half]) + zstd.compress(data[half:]) + skippable)


Fold = Callable[[bytes], bytes]
FOLDS: dict[str, tuple[str, Fold]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "gzip, several members": ("gzip", several_members),
    "deflate": ("deflate", zlib.compress),
    "deflate, raw": ("deflate", raw_deflate),
    "br": ("br", lambda body: brotli.compress(body, quality=5)),
    "zstd": ("zstd", zstd.compress),
    "zstd, several frames": ("zstd", several_frames),
}
UNFOLDS: dict[str, Fold] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}
folds = pytest.mark.parametrize(("name", "fold"), FOLDS.values(), ids=FOLDS)
bodies = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda piece, times: piece * times, st.binary(max_size=9), st.integers(0, 20_000)),
    st.builds(lambda size: b"a" * size, st.integers(PIECE - 300, 3 * PIECE)),
)
cuts = st.lists(st.integers(0, 1 << 20), max_size=12)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def unfolded(name: str, chunks: list[bytes], expansion: int = NEVER) -> list[bytes]:
    decoder = Decoder(name, expansion)
    pieces = [piece for chunk in chunks for piece in decoder.feed(chunk)]
    decoder.close()
    return pieces


@folds
@example(b"a" * (PIECE + 1), [])
@example(b"a" * (2 * PIECE), [])
@given(bodies, cuts)
def test_cut_anywhere_it_is_the_body(name: str, fold: Fold, body: bytes, places: list[int]) -> None:
    pieces = unfolded(name, cut(fold(body), places))
    assert b"".join(pieces) == body
    assert max(map(len, pieces), default=0) <= 2 * PIECE


@folds
@given(st.binary(min_size=1, max_size=300), st.integers(1, 10_000))
def test_what_is_cut_short_is_an_error(name: str, fold: Fold, body: bytes, missing: int) -> None:
    whole = fold(body)
    # A member or frame that is all there may be the last one: that no decoder can tell.
    short = whole[: -(missing % min(len(whole) - 1, 8) + 1)]
    try:
        told = b"".join(unfolded(name, [short]))
    except BadEncoding:
        return
    assert fold in (several_frames, several_members)
    assert body.startswith(told)


@folds
@pytest.mark.parametrize("extra", [b"x", b"\0" * 30, b"garbage that goes on for a while"])
@pytest.mark.parametrize("at_once", [True, False])
def test_what_follows_the_end_is_an_error(
    name: str, fold: Fold, extra: bytes, at_once: bool
) -> None:
    whole = fold(b"some body")
    with pytest.raises(BadEncoding):
        unfolded(name, [whole + extra] if at_once else [whole, extra])


@folds
def test_nothing_at_all_is_an_empty_body(name: str, fold: Fold) -> None:
    assert unfolded(name, []) == []


@pytest.mark.parametrize("name", UNFOLDS)
@given(st.lists(bodies, max_size=4))
def test_others_read_what_is_folded(name: str, chunks: list[bytes]) -> None:
    fold = encoder(name)
    folded = b"".join([*map(fold.compress, chunks), fold.flush()])
    assert UNFOLDS[name](folded) == b"".join(chunks)
    assert b"".join(unfolded(name, [folded])) == b"".join(chunks)


@folds
def test_a_bomb_stops_at_its_limit_in_little_memory(name: str, fold: Fold) -> None:
    bomb = fold(b"\0" * (16 << 20))
    decoder, given_out = Decoder(name, 10), 0
    tracemalloc.start()
    try:
        with pytest.raises(Bomb):  # noqa: PT012 - pieces come until it raises
            for piece in decoder.feed(bomb):
                given_out += len(piece)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    assert given_out <= max(FREE, 10 * len(bomb))


@folds
def test_a_body_of_its_honest_ratio_is_no_bomb(name: str, fold: Fold) -> None:
    body = b"".join(b"%d," % number for number in range(250_000))
    assert b"".join(unfolded(name, [fold(body)], 20)) == body


def test_zstd_takes_no_more_memory_than_the_web_allows() -> None:
    wide = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    with pytest.raises(BadEncoding):
        unfolded("zstd", [wide.compress(b"some body") + wide.flush()])


@pytest.mark.parametrize("name", ["gzip, br", "compress", "GZIP", "", "identity"])
def test_other_codings_are_refused(name: str) -> None:
    with pytest.raises(UnknownEncoding) as raised:
        Decoder(name, NEVER)
    assert "gzip, deflate, br, zstd" in str(raised.value)


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        ("gzip, deflate, br, zstd", "gzip, deflate, br, zstd"),
        ("compress;q=0.5, GZIP;q=1.0, *;q=0", "gzip;q=1.0"),
        ("sdch", "identity"),
        ("", "identity"),
        ("identity;q=1", "identity;q=1"),
    ],
)
def test_an_upstream_is_asked_for_what_can_be_read(sent: str, left: str) -> None:
    assert accepted(sent) == left
