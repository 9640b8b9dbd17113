"""The scanner and the guard: what a slow search finds is found, the same however bytes are cut."""

from tests.proxy.bodies.reversing import cut
from tests.scan.reference import expected
from vault.proxy.guard import Guard, Leak
from vault.scan import finder
from vault.scan.finder import LONGEST, find

ESCAPES = b"%=\\&+\0"
"""What other readings of a body begin with."""
MODES = ("report", "mask", "block")
GUARDED = 512
"""Bytes that go through the guard piece by piece: several times what it holds back."""


def run(data: bytes) -> None:
    """The first byte is the size of a block, the second the guard's mode and where a body is cut,
    the others are it."""
    if len(data) < 2:
        return
    block, step, body = data[0] + 16, data[1] % 64 + 16, data[2:]
    mode = MODES[data[1] // 64 % len(MODES)]
    found = numbers(body)
    known = {(at, size, int(kind)) for at, size, kind in expected(body)}
    assert found >= known
    if not any(escape in body for escape in ESCAPES):
        assert found == known
    assert all(0 < size <= LONGEST and 0 <= at <= len(body) - size for at, size, _ in found)
    assert in_blocks(body, block) == found
    guarded(mode, body[:GUARDED], step)


def numbers(body: bytes) -> set[tuple[int, int, int]]:
    found = find(body)
    offsets = found.offsets.tolist()
    assert offsets == sorted(set(offsets))
    return set(zip(offsets, found.lengths.tolist(), found.kinds.tolist(), strict=True))


def in_blocks(body: bytes, size: int) -> set[tuple[int, int, int]]:
    whole = finder._BLOCK
    finder._BLOCK = size  # type: ignore[misc] # a body of many blocks would be too long
    try:
        return numbers(body)
    finally:
        finder._BLOCK = whole  # type: ignore[misc]


def guarded(mode: str, body: bytes, step: int) -> None:
    """The same out of pieces as out of the whole."""
    whole, told = through(mode, [body])
    assert through(mode, cut(body, range(0, len(body), step)))[0] == whole
    if mode == "report":
        assert whole == body
    elif mode == "mask":
        assert whole is not None
        assert len(whole) == len(body)
    else:
        assert (whole is None) is bool(told)


def through(mode: str, pieces: list[bytes]) -> tuple[bytes | None, int]:
    told: list[int] = []
    guard = Guard(mode, told.append)
    try:
        return b"".join([*map(guard.feed, pieces), guard.close()]), sum(told)
    except Leak:
        return None, sum(told)


def seeds() -> list[bytes]:
    bodies = [
        b"284057512345672",
        b'{"nir": 284057512345672, "x": ["2 84 05 75 123 456 72"]}',
        b"nir=2%2084%2005%2075%20123%20456%2072&a=2+84+05+75+123+456+72",
        rb'"2\u00a084\u00a005\u00a075\u00a0123\u00a0456\u00a072", 2&nbsp;84&#160;05',
        "2\u202f84\u202f05\u202f75\u202f123\u202f456\u202f72 2840".encode(),
        "2 84 05 2A 123 456 72".encode("utf-16-le") + b"184457512345635",
        b"2=2084=2005=2075=20123=\r\n=20456=2072, 28405=\n7512345672",
        b"1 05 09 91 234 567 00\x1f2-84-05-2a-123-456-72/284052B123456",
    ]
    return [bytes([size, step]) + body for size, step in ((7, 3), (200, 104)) for body in bodies]
