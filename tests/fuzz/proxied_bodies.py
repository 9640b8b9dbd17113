"""Bodies at the proxy: pieces that are the body, the same however it is cut, or a refusal."""

import json
from collections.abc import Callable

from tests.fuzz.quiet import assert_tells_nothing
from tests.proxy.bodies.reversing import cut, parsed, rule, shape
from vault.proxy.bodies.csv import CsvParser
from vault.proxy.bodies.fixed_width import FixedWidthParser
from vault.proxy.bodies.form import FormParser
from vault.proxy.bodies.hl7 import Hl7Parser
from vault.proxy.bodies.json import JsonParser
from vault.proxy.bodies.multipart import FieldParser, MultipartParser
from vault.proxy.bodies.pieces import Parser, Unparsable
from vault.proxy.bodies.text import TextParser
from vault.proxy.bodies.xml import XmlParser

JSON = [rule("$..a", context_selector="@.b"), rule("$..[?@.c=='1'].b"), rule("$[*]")]
XML = [rule("//a[b='1']/@c", context_selector="./b"), rule("//b"), rule("/*/@c")]
HL7 = [rule("PID-3[5=='INS'].1"), rule("PID-7", context_selector="PID-3"), rule("ZFD-1")]
KINDS: list[Callable[[], Parser]] = [
    lambda: JsonParser(JSON),
    lambda: JsonParser(JSON, lines=True),
    lambda: XmlParser(XML),
    lambda: CsvParser([rule("#2", context_selector="#1")], header=False),
    lambda: CsvParser([rule("a", context_selector="b")]),
    lambda: FixedWidthParser([rule("2:3-5"), rule("1-4", context_selector="6-7")]),
    lambda: FormParser([rule("a", context_selector="b"), rule("b")]),
    lambda: Hl7Parser(HL7),
    lambda: TextParser([rule("fr-nir")]),
    lambda: MultipartParser("b", lambda part: FieldParser(rule("a")) if part.name == "a" else None),
]


def run(data: bytes) -> None:
    """The first byte names the kind, the second where the body is cut, the others are it."""
    if len(data) < 2:
        return
    kind, step, body = KINDS[data[0] % len(KINDS)], data[1] % 16 + 1, data[2:]
    whole = pieces(kind, [body])
    assert pieces(kind, cut(body, range(0, len(body), step))) == whole
    if whole is not None:
        raw = (one if isinstance(one, bytes) else one[1] for one in whole)  # type: ignore[index]
        assert b"".join(raw) == body
    if data[0] % len(KINDS) == 0 and body and whole is not None:
        json.loads(body.decode("utf-8-sig", "replace"))  # what passes is JSON to others too


def pieces(kind: Callable[[], Parser], chunks: list[bytes]) -> list[object] | None:
    """None where the body does not pass."""
    try:
        return shape(parsed(kind(), chunks))
    except Unparsable as refusal:
        body = b"".join(chunks)
        assert 0 <= refusal.offset <= len(body)
        assert_tells_nothing(refusal, body.decode("latin-1"))
        return None


def seeds() -> list[bytes]:
    bodies = [
        (0, b'[{"a": "12", "b": 3.5, "c": "1"}, {"b": null, "\\u0061": "\\n"}, [], "x", -2e3]'),
        (1, b'{"a": 1}\n{"b": "2", "c": "1"}\n3\n'),
        (2, b"<r c='1'><a c=\"2&#51;\"><b> 1 </b></a><b><![CDATA[4]]></b><!-- c --></r>"),
        (3, b'1,"2 ""3""",4\r\n5,6\n'),
        (4, b"a,b\n1,2\n"),
        (5, b"2 123 45\n1 9\r\n"),
        (6, b"a=1%202&b=3+4&c"),
        (7, b"MSH|^~\\&|A\rPID|1||12^^^X&1&ISO^INS~3^^^^PI||N||1984\rZFD|3^12^1984"),
        (8, b"no 1 84 12 75 116 032 92, 185012A00401008"),
        (9, b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n12\r\n--b--\r\n'),
    ]
    return [bytes([kind, 6]) + body for kind, body in bodies]
