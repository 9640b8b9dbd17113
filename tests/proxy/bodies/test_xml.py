"""XML: offsets are right wherever chunks are cut, and an independent parser sees the edit."""

import tracemalloc
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import Reversing, cut, parsed, rewritten, rule, shape, texts
from vault.proxy.bodies.jsonpath import BadPath
from vault.proxy.bodies.pieces import Field, Limits, Rule, Unparsable
from vault.proxy.bodies.xml import XmlParser

SPACES = {"c": "urn:hl7-org:v3", "": "urn:hl7-org:v3"}
CDA = b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- <id root="9" extension="000"/> --><d:Doc xmlns:d="urn:hl7-org:v3">
 <d:role a='>' >
  <d:id root = "1.2" extension='12&#51;' /><d:id extension="456" root="1.3"/>
  <d:patient><d:name>D&#233;s</d:name><d:birthTime value="1984"/></d:patient>
  <d:text> <![CDATA[7<8]]><!-- c --> </d:text>
 </d:role></d:Doc>
"""
ID = "//c:id[@root='1.2']/@extension"
BORN = "//patient/birthTime/@value"
RULES = [rule(ID), rule(BORN, context_selector="../../id[@root='1.2']/@extension"), rule("//text")]


def parser() -> XmlParser:
    return XmlParser(RULES, namespaces=SPACES)


async def test_everything_else_stays() -> None:
    ask = Reversing()
    out = await rewritten(parser(), [CDA], ask)
    expected = CDA.replace(b"12&#51;", b"321").replace(b"1984", b"4891")
    assert out == expected.replace(b"<![CDATA[7<8]]><!-- c -->", b"8&lt;7")
    assert ("1984", "321") in [(a[2][0], a[3][0]) for a in ask.asked]


@given(at=st.lists(st.integers(0, len(CDA)), max_size=8))
async def test_chunks_make_no_difference(at: list[int]) -> None:
    whole = shape(parsed(parser(), [CDA]))
    assert shape(parsed(parser(), cut(CDA, at))) == whole
    assert await rewritten(parser(), cut(CDA, at), Reversing(identity=True)) == CDA


def test_single_bytes_make_no_difference() -> None:
    assert shape(parsed(parser(), cut(CDA, range(len(CDA))))) == shape(parsed(parser(), [CDA]))


FHIR = b"""<Patient xmlns="urn:f"><birthDate value="1984"/>
<identifier><value value="77"/><system value="urn:other"/></identifier>
<identifier><value value="123"/><system value="urn:ins"/></identifier></Patient>"""


async def test_a_condition_and_a_context_may_follow_the_field() -> None:
    ask = Reversing()
    nir = "identifier[system/@value='urn:ins']/value/@value"
    rules = [rule("//birthDate/@value", context_selector=f"../{nir}"), rule(f"/Patient/{nir}")]
    out = await rewritten(XmlParser(rules, namespaces={"": "urn:f"}), [FHIR], ask)
    assert out == FHIR.replace(b"1984", b"4891").replace(b'"123"', b'"321"')
    assert ask.asked[1][2:] == (["1984"], ["321"])


def test_conditions_on_the_text_of_siblings() -> None:
    body = b"<a><o><Id>12</Id><Cd>X</Cd></o><o><Id>34</Id><Cd> Y </Cd></o><o><Id>56</Id></o></a>"
    for condition, found in [("Cd='Y'", ["34"]), ("Cd", ["12", "34"]), ("Cd!='Y'", ["12", "56"])]:
        assert texts(parsed(XmlParser([rule(f"/a/o[{condition}]/Id")]), [body])) == found
    either = rule("/a/o[Cd='X' or Cd='Y']/Id")
    assert texts(parsed(XmlParser([either]), [body])) == ["12", "34"]


def test_names_of_any_namespace() -> None:
    body = b"""<a xmlns="urn:a" xmlns:b="urn:b"><b:n k="1"><o>X</o>1</b:n>
    <n><b:o>X</b:o><i>2</i></n>
    <n xmlns=""><o>Y</o><i>3</i></n><n xmlns=""><o>X</o><i>4</i></n><m><i>5</i></m></a>"""
    space = {"b": "urn:b", "a": "urn:a"}

    def found(*paths: str) -> list[str]:
        return texts(parsed(XmlParser([rule(p) for p in paths], namespaces=space), [body]))

    assert found("//*:n[*:o='X']/*:i") == ["2", "4"]
    assert found("//*:n[b:o]/*:i") == ["2"]
    assert found("//*:i", "//a:i") == ["2", "3", "4", "5"]
    assert found("//b:n/@k", "/*:a/*:n/*:i") == ["1", "2", "3", "4"]
    both = XmlParser([rule("//a:m/a:i"), rule("//*:i")], namespaces=space)
    chosen = [piece.rule.selector for piece in parsed(both, [body]) if isinstance(piece, Field)]
    assert chosen == ["//*:i"] * 3 + ["//a:m/a:i"]


def test_the_first_alternative_that_stands_there_is_the_context() -> None:
    selector = "../i[@k='1' or @k='2'] | ../i | /a/z"
    born = rule("//p/born", context_selector=selector)
    people = "<p><born>x</born><i>5</i><i k='2'>6</i></p><p><i>7</i><born>x</born></p>"
    pieces = parsed(XmlParser([born]), [f"<a>{people}<p><born>x</born></p><z>8</z></a>".encode()])
    contexts = [piece.context for piece in pieces if isinstance(piece, Field)]
    assert contexts == ["6", "7", "8"]


elements = st.recursive(
    st.builds(lambda tag, text: f"<{tag} k='{text}'>{text}</{tag}>", st.sampled_from("abc"),
              st.sampled_from(["", "12", " 3&lt;4 ", "&amp;", "\u00e9", "<![CDATA[5]]>"])),
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}\n>{''.join(parts)}</{tag}>",
        st.sampled_from("dbe"), st.lists(inner, max_size=3)),
).map(lambda body: body.replace("='<![CDATA[5]]>'", "='5'"))  # fmt: skip


@given(body=elements, at=st.lists(st.integers(0, 200), max_size=6))
async def test_what_comes_out_is_the_edited_tree(body: str, at: list[int]) -> None:
    raw = f"<r>{body}</r>".encode()
    rules = [rule("//b"), rule("//*/@k")]
    whole = shape(parsed(XmlParser(rules), [raw]))
    assert shape(parsed(XmlParser(rules), cut(raw, range(len(raw))))) == whole
    out = await rewritten(XmlParser(rules), cut(raw, at))
    tree = ET.fromstring(raw)
    for element in tree.iter():
        if "k" in element.attrib:
            element.set("k", element.attrib["k"][::-1])
        if element.tag == "b" and not len(element) and element.text:
            element.text = element.text.replace(element.text.strip(), element.text.strip()[::-1])
    assert ET.tostring(ET.fromstring(out)) == ET.tostring(tree)


EVERYWHERE = rule("//*[@none]/@none")
"""Selects nothing, but asks something of every element."""
SOME = [
    rule("/r/d/c"),
    rule("//b", context_selector="../a | //c/@k"),
    rule("//*:e/*:b", context_selector="../../c"),
    rule("//d[c='12']//a/@k", context_selector="./@k"),
    rule("/r/e/*/c"),
    rule("//d//@k"),
]


@given(
    body=elements,
    at=st.lists(st.integers(0, 200), max_size=6),
    rules=st.lists(st.sampled_from(SOME), min_size=1, max_size=3),
    depth=st.integers(2, 6),
)
def test_elements_that_are_not_looked_at_make_no_difference(
    body: str, at: list[int], rules: list[Rule], depth: int
) -> None:
    def found(rules: list[Rule]) -> list[object] | str:
        try:
            return shape(parsed(XmlParser(rules, Limits(depth=depth)), cut(raw, at)))
        except Unparsable as refusal:
            return refusal.rule

    raw = f"<r><f>{body}</f>{body}{body}</r>".encode()
    everywhere = found([*rules, EVERYWHERE])
    plain = found(rules)
    # What no path leads through may be as deep as it likes, unless all is looked at.
    assert plain == everywhere or (isinstance(everywhere, str) and "deeper" in everywhere)


def test_each_plain_element_has_contexts_of_its_own() -> None:
    born = rule("//b", context_selector="../a")
    body = b"<r><d><a>1</a></d><d><b>2</b></d><d><e><b>3</b></e><a>4</a><b>5</b></d></r>"
    pieces = parsed(XmlParser([born]), [body])
    found = [(piece.text, piece.context) for piece in pieces if isinstance(piece, Field)]
    assert found == [("2", None), ("3", None), ("5", "4")]


def test_plain_elements_count_where_paths_lead_through_them() -> None:
    body = b"<a>" + b"<b>" * 8 + b"<c>1</c>" + b"</b>" * 8 + b"</a>"
    assert texts(parsed(XmlParser([rule("//c")], Limits(depth=10)), [body])) == ["1"]
    assert texts(parsed(XmlParser([rule("/a/c")], Limits(depth=2)), [body])) == []
    with pytest.raises(Unparsable, match="nested deeper than 8"):
        parsed(XmlParser([rule("//d")], Limits(depth=8)), [body])


def test_no_text_looks_like_a_mark_of_the_encoding() -> None:
    body = '<?xml version="1.0" encoding="iso-8859-1"?><a>\u00ff\u00fe\u00ff</a>'.encode("latin-1")
    for place in range(len(body)):
        assert shape(parsed(XmlParser([rule("/b")]), cut(body, [place]))) == [body]
    for other in ("utf-16", "utf-16-le", "utf-16-be"):
        wide = " <a>1</a>".encode(other)
        for place in range(6):
            with pytest.raises(Unparsable, match="encoding"):
                parsed(XmlParser([rule("/b")]), cut(wide, range(place)))


@pytest.mark.parametrize(
    ("encoding", "euro"),
    [("ISO-8859-1", b"&#8364;"), ("iso-8859-15", b"\xa4"), ("Windows-1252", b"\x80")],
)
async def test_the_encoding_stays(encoding: str, euro: bytes) -> None:
    body = f'<?xml version="1.0" encoding="{encoding}"?><é>é1</é>'.encode("latin-1")
    for at in (range(0), range(len(body))):
        out = await rewritten(XmlParser([rule("/é")]), cut(body, at))
        assert out == body.replace(b"\xe91", b"1\xe9")
    field = parsed(XmlParser([rule("/é")]), [body])[1]
    assert isinstance(field, Field)
    assert field.encode("\u20ac") == euro


@pytest.mark.parametrize(
    "body",
    [b"<!DOCTYPE a><a/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a>", b"<a></b>", b"a",
     "<a/>".encode("utf-16"), b"<?xml version='1.0' encoding='utf-16'?><a/>", b"<a>&b;</a>",
     b"<?xml version='1.0' encoding='cp1252'?><a/>", b"<a>1<b/></a>", b"<a b='<'/>"],
)  # fmt: skip
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(Unparsable, match="at byte"):
        parsed(XmlParser([rule("/a")]), [body])


def test_depth_and_tokens_have_limits() -> None:
    for body in (b"<a>" * 20, b"<a b='" + b"1" * 200, b"<a>" + b"1" * 200):
        with pytest.raises(Unparsable):
            XmlParser([rule("//a")], Limits(token=100, depth=10)).feed(body)


@pytest.mark.parametrize(
    "form", ["<e%d/>", "<e a%d='1'/>", "<e xmlns='u:%d'/>", "<e xmlns:p%d='u'/>"]
)
def test_names_that_differ_have_a_limit(form: str) -> None:
    def feed(repeated: int) -> None:
        reader = XmlParser([rule("//nir")])
        reader.feed(b"<a>")
        for start in range(0, 80_000, 4_000):
            names = range(start, start + 4_000)
            reader.feed("".join(form % (name % repeated) for name in names).encode())

    feed(20_000)
    with pytest.raises(Unparsable, match="names that differ"):
        feed(80_000)


def test_long_names_take_more_of_the_limit() -> None:
    long = (b"<e%d%s/>" % (number, b"e" * 1_000_000) for number in range(10))
    with pytest.raises(Unparsable, match="names that differ"):
        parsed(XmlParser([rule("//nir")]), [b"<a>", *long])


def test_text_beside_elements_is_refused_at_once_and_not_gathered() -> None:
    reader = XmlParser([rule("/a")])
    reader.feed(b"<a>")
    tracemalloc.start()
    for _ in range(100):
        reader.feed(b"<b/>" + b" " * 100_000)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1_000_000
    with pytest.raises(Unparsable, match="text beside"):
        reader.feed(b"1")


def test_a_document_may_stand_in_an_attribute() -> None:
    body = b"<a><data value='" + b"A" * 3_000_000 + b"'/><b>1</b></a>"
    pieces = parsed(XmlParser([rule("/a/b")]), cut(body, range(0, len(body), 65_536)))
    assert texts(pieces) == ["1"]


def test_a_long_text_that_nobody_asks_for_passes() -> None:
    reader = XmlParser([rule("/a/b")], Limits(token=100))
    sent = list(reader.feed(b"<a>" + b"1" * 90))
    for _ in range(50):
        sent += reader.feed(b"2" * 90)
    assert sum(len(one) for one in sent if isinstance(one, bytes)) == 3 + 51 * 90


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "/",
        "/a/@b/c",
        "/x:a",
        "/a[",
        "/a[1]",
        "/a[b=c]",
        "/a/@*:b",
        "/a[b='1' or c='1']",
        "/a[b='1' or b='2' and c]",
        "/a[b or c]",
    ],
)
def test_what_no_stream_can_follow_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        XmlParser([rule(path)])
