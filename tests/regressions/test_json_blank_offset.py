"""A JSON body of white space alone was refused at a byte beyond its end."""

import pytest

from vault.proxy.bodies.json import JsonParser
from vault.proxy.bodies.pieces import Unparsable


def test_the_offset_is_within_the_body() -> None:
    parser = JsonParser([])
    parser.feed(b"\n")
    with pytest.raises(Unparsable) as caught:
        parser.close()
    assert caught.value.offset == 1
