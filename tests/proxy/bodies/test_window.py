"""What waits in a window: looked at as it grows, refused when it is too long."""

import pytest

from vault.proxy.bodies.pieces import Unparsable
from vault.proxy.bodies.window import SMALL, Window


def test_a_long_token_in_small_chunks_is_looked_at_seldom() -> None:
    window, looked = Window(1 << 20), 0
    for _ in range(100_000):
        if window.add(b"x"):
            looked += 1
            window.stuck("a token")
    assert looked < SMALL + 50
    window.join()
    assert window.data == b"x" * 100_000


def test_a_token_longer_than_the_limit_is_refused_where_it_begins() -> None:
    window = Window(10)
    window.add(b"ab" + b"x" * 11)
    window.at = 2
    with pytest.raises(Unparsable, match="at byte 2"):
        window.stuck("a token")


def test_offsets_count_from_the_beginning_of_the_body() -> None:
    window = Window(10)
    window.add(b"abcdef")
    window.at = 4
    assert window.take(3) == b"abc"
    window.forget()
    assert (window.data, window.at, window.broken("x").offset) == (b"def", 1, 4)
