"""Messages that were damaged at random: what passes a route is, to another reader than ours, a
message whose selected fields hold no value. Nothing crashes, whatever comes."""

import csv
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import pytest
from hypothesis import settings

from vault.errors import ItemError
from vault.proxy.bodies.csv import CsvParser
from vault.proxy.bodies.fixed_width import FixedWidthParser
from vault.proxy.bodies.form import FormParser
from vault.proxy.bodies.hl7 import Hl7Parser
from vault.proxy.bodies.json import JsonParser
from vault.proxy.bodies.pieces import Parser, Rule, Unparsable
from vault.proxy.bodies.rewrite import Blocked, Rewriter
from vault.proxy.bodies.xml import XmlParser

NIR = "284057512345672"
BYTES = b"\"\\{}[]<>&;,:|^~=/%+'-#!? \t\r\n\x00\xff\xc3\xa9ux0"
ROUNDS = {"quick": 200, "long": 100_000}


def rule(selector: str) -> Rule:
    return Rule(selector, "fr-nir", "tokenise")


def read_json(body: bytes) -> Iterator[Any]:
    """Whatever of two members with one name a reader may take."""
    pairs: list[tuple[str, Any]] = []
    json.loads(body.decode("utf-8-sig"), object_pairs_hook=lambda some: pairs.extend(some) or {})
    return (value for name, value in pairs if name == "nir")


def read_ndjson(body: bytes) -> Iterator[Any]:
    for line in body.decode("utf-8-sig").splitlines():
        if line.strip():
            yield from read_json(line.encode())


def read_xml(body: bytes) -> Iterator[Any]:
    return (one.text for one in ElementTree.fromstring(body).iter("nir"))


def read_csv(body: bytes) -> Iterator[Any]:
    text = io.StringIO(body.decode("utf-8-sig"), newline="")
    return (row.get("nir") for row in csv.DictReader(text, strict=True))


def read_form(body: bytes) -> Iterator[Any]:
    pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    return (value for name, value in pairs if name == "nir")


def read_fixed(body: bytes) -> Iterator[Any]:
    return (line[1:16].decode("latin-1") for line in body.split(b"\n") if line[:1] == b"2")


def read_hl7(body: bytes) -> Iterator[Any]:
    """By the separators that the message declares, as the standard says."""
    text = body.decode()
    field, component, repetition = text[3], text[4], text[5]
    for segment in text.split("\r"):
        fields = segment.split(field)
        if fields[0] == "PID" and len(fields) > 3:
            for one in fields[3].split(repetition):
                yield one.split(component)[0]


KINDS: dict[str, tuple[Callable[[], Parser], bytes, Callable[[bytes], Iterator[Any]]]] = {
    "json": (
        lambda: JsonParser([rule("$..nir")]),
        f'[{{"a": [1, "x"], "nir": "{NIR}", "b": {{"nir": "{NIR}"}}}}, {{"nir": {NIR}}}]'.encode(),
        read_json,
    ),
    "ndjson": (
        lambda: JsonParser([rule("$..nir")], lines=True),
        f'{{"nir": "{NIR}", "a": null}}\n{{"b": "\\u00e9", "nir": "{NIR}"}}\n'.encode(),
        read_ndjson,
    ),
    "xml": (
        lambda: XmlParser([rule("//nir")]),
        f"<all a='1'><one><nir>{NIR}</nir></one><!-- x --><nir b=\"2\">{NIR}</nir></all>".encode(),
        read_xml,
    ),
    "csv": (
        lambda: CsvParser([rule("nir")]),
        f'a,nir,b\r\n1,{NIR},"x, y"\r\n2,"{NIR}",\r\n'.encode(),
        read_csv,
    ),
    "form": (
        lambda: FormParser([rule("nir")]),
        f"a=1&nir={NIR}&b=%20&nir={NIR}".encode(),
        read_form,
    ),
    "fixed": (
        lambda: FixedWidthParser([rule("2:2-16")]),
        f"1HEADER\n2{NIR}rest\n2{NIR}\n".encode(),
        read_fixed,
    ),
    "hl7": (
        lambda: Hl7Parser([rule("PID-3.1")]),
        f"MSH|^~\\&|A|B\rPID|1||{NIR}^^^X~{NIR}^^^Y||D\r".encode(),
        read_hl7,
    ),
}


def damaged(message: bytes, chance: random.Random) -> bytes:
    data = bytearray(message)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at:at] = bytes([chance.choice(BYTES)])
            case 1:
                del data[at : at + chance.randint(1, 3)]
            case 2:
                data[at : at + 1] = bytes([chance.choice(BYTES)])
            case 3:
                other = chance.randrange(len(data) + 1)
                data[at:at] = data[min(at, other) : max(at, other)][:40]
            case _:
                del data[at:]
                data += b"\n" * chance.randrange(2)
        if not data:
            break
    return bytes(data)


async def tokens(
    _operation: object, _transformation: str, texts: Sequence[str], _contexts: object
) -> list[str | ItemError]:
    return ["T" * len(text) if text.isdecimal() else ItemError("no value") for text in texts]


def is_value(told: object) -> bool:
    return isinstance(told, str | int) and NIR in str(told)


@pytest.mark.parametrize("kind", KINDS)
async def test_no_value_passes_where_others_read_one(kind: str) -> None:
    make, message, read = KINDS[kind]
    chance = random.Random(kind)
    passed = 0
    for _ in range(ROUNDS.get(settings.get_current_profile_name(), 2_000)):
        sent = damaged(message, chance)
        rewriter = Rewriter(make(), tokens)
        cut = chance.randrange(len(sent) + 1)
        try:
            out = await rewriter.feed(sent[:cut]) + await rewriter.feed(sent[cut:])
            out += await rewriter.close()
        except (Unparsable, Blocked):
            continue
        passed += 1
        try:
            found = list(read(out))
        except (ValueError, IndexError, csv.Error, ElementTree.ParseError):
            continue  # nobody reads a value in it
        assert not any(map(is_value, found)), f"{kind}: a value passed in {len(sent)} bytes"
    assert passed
