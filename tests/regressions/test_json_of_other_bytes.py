"""JSON passed with bytes that are no UTF-8 where no rule looks: a name that a reader puts right
(an overlong character here) hid a member from the rules."""

import pytest

from tests.proxy.bodies.reversing import parsed, rule
from vault.proxy.bodies.json import JsonParser
from vault.proxy.bodies.pieces import Unparsable


@pytest.mark.parametrize("name", [b"ni\xc1\xb2", b"n\xe9", b"\xed\xa0\x80"])
def test_names_that_are_no_unicode_do_not_pass(name: bytes) -> None:
    with pytest.raises(Unparsable, match="at byte"):
        parsed(JsonParser([rule("nir")]), [b'{"' + name + b'": "1"}'])
