"""Content codings (RFC 9110, section 8.4.1): unfolded in bounded pieces, and folded again.

gzip and deflate come with Python, br and zstd with ``jeton[proxy]``. One coding a body: a list of
them (``gzip, br``) multiplies what a bomb may unfold to, and nobody sends it.
"""

import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, Final, Protocol

from vault.errors import JetonError

PIECE: Final = 1 << 16
"""Bytes that one step may unfold to."""
FREE: Final = 1 << 20
"""Bytes that any body may unfold to, whatever its own size."""
_ZSTD_WINDOW: Final = 23
"""RFC 9659: 8 MiB of memory at most. Left alone the library takes 128."""


class BadEncoding(JetonError):
    """The body is not what its Content-Encoding says, or not all of it is there."""


class UnknownEncoding(JetonError):
    """A coding that is not understood here, or more than one of them."""


class Bomb(JetonError):
    """The body unfolds to more than its size allows."""


class Encoder(Protocol):
    """Folds what it is fed."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class Decoder:
    """Unfolds one body; each piece is at most about `PIECE` bytes, however much comes of it."""

    def __init__(self, name: str, expansion: int) -> None:
        """`expansion`: how many times its own size the body may unfold to. Raises
        UnknownEncoding."""
        if name not in _DECODERS:
            raise UnknownEncoding(f"send a body in one of these codings: {', '.join(_DECODERS)}")
        self._steps, self._ended = _DECODERS[name]()
        self._expansion = expansion
        self._taken = self._given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` unfolds to. Raises BadEncoding, Bomb."""
        self._taken += len(data)
        try:
            for piece in self._steps(data):
                self._given += len(piece)
                if self._given > max(FREE, self._taken * self._expansion):
                    raise Bomb("the body unfolds to more than its size allows")
                yield piece
        except JetonError:
            raise
        except Exception as error:
            # Each library has errors of its own, and no common one.
            raise BadEncoding("the body is not in its Content-Encoding") from error

    def close(self) -> None:
        """Raises BadEncoding where something is missing."""
        if not self._ended() and self._taken:
            raise BadEncoding("the body ends in the middle of its Content-Encoding")


_Steps = tuple[Callable[[bytes], Iterator[bytes]], Callable[[], bool]]


def _gzip() -> _Steps:
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def steps(data: bytes) -> Iterator[bytes]:
        nonlocal inflate
        while data:
            if inflate.eof:  # RFC 1952: members may follow one another
                inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            data = yield from _inflated(inflate, data)

    return steps, lambda: inflate.eof


def _inflated(inflate: "zlib._Decompress", data: bytes) -> Generator[bytes, None, bytes]:
    """What `data` unfolds to; gives back what follows the end."""
    piece = None
    while data or piece is None or len(piece) == PIECE:
        # After a full piece more may come of what is taken already.
        piece = inflate.decompress(data, PIECE)
        yield piece
        if inflate.eof:
            return inflate.unused_data
        data = inflate.unconsumed_tail
    return b""


def _deflate() -> _Steps:
    inflate = None

    def steps(data: bytes) -> Iterator[bytes]:
        nonlocal inflate
        if inflate is None and data:  # many leave out the zlib header that the RFC asks for
            wrapped = data[0] & 0x0F == 8
            inflate = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        if data and inflate is not None and (inflate.eof or (yield from _inflated(inflate, data))):
            raise BadEncoding("something follows the end of the coding")

    return steps, lambda: inflate is not None and inflate.eof


def _brotli() -> _Steps:
    import brotli  # noqa: PLC0415 - an extra

    inflate = brotli.Decompressor()

    def steps(data: bytes) -> Iterator[bytes]:
        piece = inflate.process(data, output_buffer_limit=PIECE)
        yield piece
        while piece or not inflate.can_accept_more_data():
            # It takes all of `data` at once, and gives what comes of it bit by bit.
            piece = (
                b"" if inflate.is_finished() else inflate.process(b"", output_buffer_limit=PIECE)
            )
            yield piece

    return steps, inflate.is_finished


def _zstandard() -> _Steps:
    zstd = _zstd()
    small = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW}
    inflate = zstd.ZstdDecompressor(options=small)

    def steps(data: bytes) -> Iterator[bytes]:
        nonlocal inflate
        while data or not (inflate.needs_input or inflate.eof):
            if inflate.eof:  # RFC 8878: frames may follow one another
                inflate = zstd.ZstdDecompressor(options=small)
            yield inflate.decompress(data, PIECE)
            data = inflate.unused_data if inflate.eof else b""

    return steps, lambda: inflate.eof


def _zstd() -> Any:
    with suppress(ImportError):
        from compression import zstd as builtin  # noqa: PLC0415 - from Python 3.14 on

        return builtin
    from backports import zstd as backport  # noqa: PLC0415 - an extra

    return backport


_DECODERS: Final[dict[str, Callable[[], _Steps]]] = {"gzip": _gzip, "deflate": _deflate}
_ENCODERS: Final[dict[str, Callable[[], Encoder]]] = {
    "gzip": lambda: zlib.compressobj(wbits=zlib.MAX_WBITS | 16),
    "deflate": zlib.compressobj,
}


class _BrotliEncoder:
    def __init__(self) -> None:
        import brotli  # noqa: PLC0415 - an extra

        self._compressor = brotli.Compressor(quality=5)  # more costs more than a wire

    def compress(self, data: bytes, /) -> bytes:
        return bytes(self._compressor.process(data))

    def flush(self) -> bytes:
        return bytes(self._compressor.finish())


if find_spec("brotli") is not None:
    _DECODERS["br"] = _brotli
    _ENCODERS["br"] = _BrotliEncoder
if find_spec("compression.zstd" if find_spec("compression") else "backports.zstd") is not None:
    _DECODERS["zstd"] = _zstandard
    _ENCODERS["zstd"] = lambda: _zstd().ZstdCompressor()

# RFC 9110, 8.4.1.3: an older name.
_DECODERS["x-gzip"], _ENCODERS["x-gzip"] = _DECODERS["gzip"], _ENCODERS["gzip"]


def is_known(name: str) -> bool:
    """Whether a body in this Content-Encoding can be looked into."""
    return name.lower() in {"", "identity", *_DECODERS}


def encoder(name: str) -> Encoder:
    """For a coding that `Decoder` knows."""
    return _ENCODERS[name]()


def accepted(sent: str) -> str:
    """An Accept-Encoding without what could not be unfolded here; ``identity`` if nothing is
    left."""
    offers = [offer.strip() for offer in sent.lower().split(",")]
    left = [one for one in offers if one.partition(";")[0].strip() in {*_DECODERS, "identity"}]
    return ", ".join(left) or "identity"
