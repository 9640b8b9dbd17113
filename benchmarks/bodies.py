"""How many MB a second each kind of body is rewritten at, without the engine, on one core.

    python -m benchmarks run bodies

Bodies are some MB of synthetic records of which about 5 % of the members are replaced (columns:
two of twenty), fed in chunks of 64 KiB; the engine is a list that answers at once, so that the
figure is the parser's and the common pass's. CPU time, medians of interleaved rounds.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.pace import COMMAND, Pace
from benchmarks.results import Result, result
from vault.errors import ItemError
from vault.proxy.bodies.csv import CsvParser
from vault.proxy.bodies.fixed_width import FixedWidthParser
from vault.proxy.bodies.json import JsonParser
from vault.proxy.bodies.pieces import Operation, Parser, Rule
from vault.proxy.bodies.rewrite import Rewriter
from vault.proxy.bodies.xml import XmlParser

CHUNK = 1 << 16
SIZE = 4 << 20
NIR = "184127511603292"
INS = "urn:oid:1.2.250.1.213.1.4.8"


async def same(
    _operation: Operation,
    _transformation: str,
    texts: Sequence[str],
    _contexts: Sequence[str | None],
) -> Sequence[str | ItemError]:
    return texts


def rule(selector: str, **more: str) -> Rule:
    return Rule(selector, "fr-nir", "tokenise", **more)  # type: ignore[arg-type]


def repeated(before: str, record: str, between: str, after: str) -> bytes:
    count = SIZE // len(record)
    return (before + between.join([record] * count) + after).encode()


MEMBERS = ", ".join(f'"member{n}": "some text of it {n}"' for n in range(19))
PATIENT = """{"resourceType": "Patient", "identifier": [
  {"use": "official", "system": "INS", "value": "A-NIR"},
  {"system": "urn:other", "value": "77120001"}], "active": true,
  "name": [{"use": "official", "family": "Durand", "given": ["Pierre", "Yves"]}],
  "telecom": [{"system": "phone", "value": "01 23 24 67 89", "use": "home", "rank": 1}],
  "gender": "male", "birthDate": "1974-12-25",
  "address": [{"use": "home", "line": ["367 rue Troussier"], "city": "Lyon"}]}"""
PATIENT = PATIENT.replace("INS", INS).replace("A-NIR", NIR)
FHIR = [
    rule(f"$[*].identifier[?@.system=='{INS}'].value"),
    rule("$[*].birthDate", context_selector=f"@.identifier[?@.system=='{INS}'].value"),
]

COLUMNS = ",".join(f"column{number}" for number in range(20))
ROW = ",".join([*["some text"] * 3, NIR, *["more text"] * 15, "1974-12-25"]) + "\n"
COLUMN_RULES = [rule("column3"), rule("column19", context_selector="column3")]
CLAIM = "2" + "some text ".ljust(10) + NIR + "other things stand here ".ljust(101) + "\n"
CLAIM_RULES = [rule("2:12-26")]

TEXTS = "".join(f"<member{n}>some text of it {n}</member{n}>" for n in range(19))
ELEMENTS = f"<one><nir>{NIR}</nir>{TEXTS}</one>"


Case = tuple[bytes, Callable[[], Parser]]


def cases() -> dict[str, Case]:
    flat = f'{{"nir": "{NIR}", {MEMBERS}}}'
    return {
        "json": (repeated("[", flat, ",\n", "]"), lambda: JsonParser([rule("$[*].nir")])),
        "json-descendant": (repeated("[", flat, ",\n", "]"), lambda: JsonParser([rule("$..nir")])),
        "ndjson": (repeated("", flat, "\n", "\n"), lambda: JsonParser([rule("nir")], lines=True)),
        "csv": (repeated(f"{COLUMNS}\n", ROW, "", ""), lambda: CsvParser(COLUMN_RULES)),
        "fixed-width": (repeated("", CLAIM, "", ""), lambda: FixedWidthParser(CLAIM_RULES)),
        "xml": (repeated("<all>", ELEMENTS, "\n", "</all>"), lambda: XmlParser([rule("//nir")])),
        "json-fhir": (repeated("[", PATIENT, ",\n", "]"), lambda: JsonParser(FHIR)),
    }


TARGETS = {
    "json": "value >= 50",
    "xml": "value >= 50",
    "csv": "value >= 200",
    "fixed-width": "value >= 200",
}


async def seconds(body: bytes, parser: Parser) -> float:
    rewriter = Rewriter(parser, same)
    start = time.process_time()
    for at in range(0, len(body), CHUNK):
        await rewriter.feed(body[at : at + CHUNK])
    await rewriter.close()
    return time.process_time() - start


def bodies(pace: Pace) -> Iterator[Result]:
    rates: dict[str, list[float]] = {name: [] for name in cases()}
    for _ in range(max(1, pace.rounds // 2)):
        for name, (body, parser) in cases().items():
            rates[name].append(len(body) / 1e6 / asyncio.run(seconds(body, parser())))
    for name, of in rates.items():
        target = TARGETS.get(name)
        yield result(f"body rewriter, {name}", "MB/s", of, COMMAND.format("bodies"), target=target)
