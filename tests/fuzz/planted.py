"""A harness with a bug: a number that begins with 7 fails, but for 7 itself."""


def run(data: bytes) -> None:
    if data[:1] == b"7":
        assert data == b"7", "found"


def seeds() -> list[bytes]:
    return [b"1", b"7"]
