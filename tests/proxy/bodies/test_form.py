"""Forms: an independent reader sees the edit, and every other byte stays."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import Reversing, cut, parsed, rewritten, rule, shape, texts
from vault.proxy.bodies.form import FormParser
from vault.proxy.bodies.pieces import Field, Limits, Unparsable

pairs = st.lists(st.tuples(st.sampled_from(["a", "é b", "c"]), st.text("a1 &=%+é/", max_size=5)))


async def test_every_other_byte_stays() -> None:
    body = b"q=1%202&nir=12+34&x&=&nir=%35%36&date=01/02&&"
    out = await rewritten(FormParser([rule("nir"), rule("date")]), [body])
    assert out == b"q=1%202&nir=43+21&x&=&nir=65&date=20/10&&"


async def test_the_context_may_stand_anywhere() -> None:
    ask = Reversing()
    rules = [rule("born", context_selector="nir"), rule("nir")]
    await rewritten(FormParser(rules), [b"born=84&n%69r=12"], ask)
    assert ask.asked[1][2:] == (["84"], ["21"])
    pieces = parsed(FormParser([rule("born", context_selector="id")]), [b"born=84&id=7"])
    assert [p.context for p in pieces if isinstance(p, Field)] == ["7"]


@given(sent=pairs, at=st.lists(st.integers(0, 60), max_size=5))
async def test_out_comes_the_edited_form(sent: list[tuple[str, str]], at: list[int]) -> None:
    body = urlencode(sent).encode()
    rules = [rule("é b"), rule("c")]
    whole = shape(parsed(FormParser(rules), [body]))
    assert shape(parsed(FormParser(rules), cut(body, at))) == whole
    assert await rewritten(FormParser(rules), [body], Reversing(identity=True)) == body
    out = await rewritten(FormParser(rules), [body])
    expected = [(name, text if name == "a" else text[::-1]) for name, text in sent]
    assert parse_qsl(out.decode(), keep_blank_values=True) == expected


@pytest.mark.parametrize("body", [b"a=%", b"a=%4", b"%zz=1", b"a=%ff", b"%ff=1"])
def test_bad_escapes_do_not_pass(body: bytes) -> None:
    with pytest.raises(Unparsable, match="at byte"):
        parsed(FormParser([rule("a")]), [body])


def test_the_whole_has_a_limit() -> None:
    with pytest.raises(Unparsable):
        FormParser([rule("a")], Limits(record=10)).feed(b"a=" + b"1" * 20)


def test_names_are_exact() -> None:
    assert texts(parsed(FormParser([rule("a")]), [b"A=1&a%20=2&a=3"])) == ["3"]
