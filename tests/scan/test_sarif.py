"""A report is SARIF 2.1.0, says where and never what, and keeps its fingerprints."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.scan.test_scanning import CONTENT, NIR, SPACED
from tests.scan.test_sources import zipped
from vault.scan.sarif import sarif
from vault.scan.scanning import Report, scan_file


def told(*files: Path) -> dict[str, Any]:
    report = Report()
    for file in files:
        report.add(scan_file(file))
    report.join()
    text = json.dumps(sarif(report))
    assert NIR not in text
    assert SPACED not in text
    read: dict[str, Any] = json.loads(text)
    jsonschema.Draft7Validator(EXCERPT).validate(read)
    return read


def prints(log: dict[str, Any]) -> list[str]:
    return [one["partialFingerprints"]["nth/v1"] for one in log["runs"][0]["results"]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "a b.txt"
    file.write_bytes(CONTENT)
    return file


def test_it_says_where(file: Path) -> None:
    first, second = told(file)["runs"][0]["results"]
    location = first["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"].endswith("a%20b.txt")
    assert location["region"] == {"startLine": 2, "byteOffset": 18, "byteLength": 15}
    assert second["locations"][0]["physicalLocation"]["region"]["startLine"] == 4


def test_what_is_in_an_archive_is_of_its_file(file: Path) -> None:
    file.write_bytes(zipped(CONTENT, "in.txt"))
    (first, _) = told(file)["runs"][0]["results"]
    assert "in.txt" in first["message"]["text"]
    assert "startLine" not in first["locations"][0]["physicalLocation"]["region"]


def test_fingerprints_stay_when_lines_come_before(file: Path) -> None:
    before = prints(told(file))
    assert len(set(before)) == 2
    file.write_bytes(b"another line\n" * 9 + CONTENT)
    assert prints(told(file)) == before


def test_fingerprints_are_not_of_the_value(file: Path) -> None:
    before = prints(told(file))
    file.write_bytes(CONTENT.replace(NIR.encode(), b"155129912345637"))
    assert prints(told(file)) == before


def test_what_was_not_looked_at_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7")
    (invocation,) = told(tmp_path / "a.pdf")["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "a.pdf" in invocation["toolExecutionNotifications"][0]["message"]["text"]


MESSAGE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
COUNT = {"type": "integer", "minimum": -1}
EXCERPT: dict[str, Any] = {
    # Of OASIS's sarif-schema-2.1.0.json, what is used here; nothing else may stand there.
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"enum": ["2.1.0"]},
        "runs": {"type": "array", "items": {"$ref": "#/definitions/run"}},
    },
    "definitions": {
        "run": {
            "type": "object",
            "additionalProperties": False,
            "required": ["tool"],
            "properties": {
                "tool": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["driver"],
                    "properties": {"driver": {"$ref": "#/definitions/toolComponent"}},
                },
                "invocations": {"type": "array", "items": {"$ref": "#/definitions/invocation"}},
                "results": {"type": "array", "items": {"$ref": "#/definitions/result"}},
                "properties": {"type": "object"},
            },
        },
        "toolComponent": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "version": {"type": "string"},
                "rules": {
                    "type": "array",
                    "uniqueItems": True,
                    "items": {"$ref": "#/definitions/reportingDescriptor"},
                },
            },
        },
        "reportingDescriptor": {
            "type": "object",
            "additionalProperties": False,
            "required": ["id"],
            "properties": {
                "id": {"type": "string"},
                "shortDescription": MESSAGE,
                "defaultConfiguration": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"level": LEVEL},
                },
            },
        },
        "invocation": {
            "type": "object",
            "additionalProperties": False,
            "required": ["executionSuccessful"],
            "properties": {
                "executionSuccessful": {"type": "boolean"},
                "toolExecutionNotifications": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["message"],
                        "properties": {"message": MESSAGE, "level": LEVEL},
                    },
                },
            },
        },
        "result": {
            "type": "object",
            "additionalProperties": False,
            "required": ["message"],
            "properties": {
                "ruleId": {"type": "string"},
                "level": LEVEL,
                "message": MESSAGE,
                "locations": {"type": "array", "items": {"$ref": "#/definitions/location"}},
                "partialFingerprints": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                },
            },
        },
        "location": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "artifactLocation": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {"uri": {"type": "string", "format": "uri-reference"}},
                        },
                        "region": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {
                                "startLine": {"type": "integer", "minimum": 1},
                                "byteOffset": COUNT,
                                "byteLength": COUNT,
                            },
                        },
                    },
                },
            },
        },
    },
}
