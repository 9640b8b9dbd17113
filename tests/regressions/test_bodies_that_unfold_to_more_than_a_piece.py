"""Brotli and raw deflate bodies that unfold to more than one piece were refused as cut short: what
was still to come of bytes that the library had taken was not asked for."""

import zlib

import brotli
import pytest

from vault.proxy.encodings import PIECE, Decoder

BODY = b"a" * (3 * PIECE + 5)


@pytest.mark.parametrize("name", ["br", "deflate"])
def test_all_of_it_comes(name: str) -> None:
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    folded = brotli.compress(BODY) if name == "br" else raw.compress(BODY) + raw.flush()
    decoder = Decoder(name, 1_000_000)
    assert b"".join(decoder.feed(folded)) == BODY
    decoder.close()
