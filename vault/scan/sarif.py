"""A report as SARIF 2.1.0 (OASIS), which code hosts and pipelines show beside the file's lines.

A result's fingerprint is made of its file, its kind and which of those it is, so that it stays
when lines are added elsewhere: never of the value.
"""

import hashlib
from typing import Any, Final

from vault import __version__
from vault.scan.scanning import Place, Report, Scanned

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
RULES: Final = {
    "real": ("error", "A real social security number where only tokens should be."),
    "possible": ("warning", "What may be a social security number of a special kind."),
}


def sarif(report: Report) -> dict[str, Any]:
    rules = [
        {"id": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
        for name, (level, text) in RULES.items()
    ]
    driver = {"name": "jeton scan", "version": __version__, "rules": rules}
    notes = [{"level": "warning", "message": {"text": text}} for text in report.skipped]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "invocations": [
                    {"executionSuccessful": not notes, "toolExecutionNotifications": notes}
                ],
                "results": [_result(one, place) for one in report.sources for place in one.places],
                "properties": {one.name: one.counts for one in report.sources},
            }
        ],
    }


def _result(source: Scanned, place: Place) -> dict[str, Any]:
    level, text = RULES[place.kind]
    file, _, member = source.name.partition("!")
    stands = f"{file}\0{member}\0{place.kind}\0{place.nth}".encode()
    region = {"byteOffset": place.offset, "byteLength": place.length}
    if not member:
        # No column: SARIF counts characters of text, and this may be none.
        region["startLine"] = place.line
    return {
        "ruleId": place.kind,
        "level": level,
        "message": {"text": f"{text} In {member}." if member else text},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": _uri(file)}, "region": region}}
        ],
        "partialFingerprints": {"nth/v1": hashlib.sha256(stands).hexdigest()[:32]},
    }


def _uri(path: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - only where SARIF is asked for

    return quote(path)
