"""What the ledger tells becomes lines and numbers, and cannot flood the log."""

import ast
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vault
from tests.support.leaks import distinctive_values, found
from vault.telemetry import logs
from vault.telemetry.ledger import LedgerListener
from vault.telemetry.metrics import Metrics
from vault.telemetry.vocabulary import WITHHELD


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(logs, "_setting", logs.replace(logs._setting, stream=stream))
    return stream


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def tell(metrics: Metrics) -> LedgerListener:
    return LedgerListener(metrics, alarm_bytes=1_000)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def number(metrics: Metrics, name: str) -> float:
    body = metrics.render()[0].decode()
    return float(next(line.split()[1] for line in body.splitlines() if line.startswith(name + " ")))


def test_a_record_that_stays_away_is_counted_each_time_and_logged_once(
    tell: LedgerListener, metrics: Metrics, stream: io.StringIO
) -> None:
    for _ in range(3):
        tell("record_unavailable", {"reason": "No space left on device"})
    tell("record_resumed", {})
    tell("record_unavailable", {"reason": "a thing of its own"})
    said = lines(stream)
    assert [line["event"] for line in said] == [
        "record-unavailable",
        "record-recovered",
        "record-unavailable",
    ]
    assert [said[0]["reason"], said[2]["reason"]] == ["No space left on device", WITHHELD]
    assert number(metrics, "jeton_record_failures_total") == 4


def test_space_is_a_number_and_an_alarm(
    tell: LedgerListener, metrics: Metrics, stream: io.StringIO
) -> None:
    tell("record_space", {"free_bytes": 1_000})
    assert number(metrics, "jeton_record_space_alarm") == 0
    tell("record_space", {"free_bytes": 999})
    tell("space_low", {"free_bytes": 999})
    assert number(metrics, "jeton_record_space_alarm") == 1
    assert number(metrics, "jeton_record_free_bytes") == 999
    assert [(line["event"], line["free_bytes"]) for line in lines(stream)] == [
        ("disk-space-low", 999)
    ]


def test_the_rest_is_told_too(tell: LedgerListener, metrics: Metrics, stream: io.StringIO) -> None:
    tell("group", {"size": 12, "store_seconds": 0.002, "sync_seconds": 0.0003})
    tell("ledger_failed", {"error": "OperationalError"})
    tell("duty_failed", {"duty": "mark", "error": "SetUpError"})
    tell("halted", {"reason": "the store went backwards"})
    tell("retention", {"segments": 2})
    tell("news", {})
    said = lines(stream)
    assert [line["event"] for line in said] == [
        "ledger-failed",
        "duty-failed",
        "store-halted",
        "segment-retired",
    ]
    assert (said[0]["error"], said[1]["duty"], said[3]["count"]) == ("OperationalError", "mark", 2)
    assert number(metrics, "jeton_ledger_group_size_sum") == 12
    assert number(metrics, "jeton_store_commit_seconds_sum") == 0.002
    assert number(metrics, "jeton_record_sync_seconds_sum") == 0.0003
    assert number(metrics, "jeton_reveals_halted") == 1
    assert number(metrics, "jeton_store_errors_total") == 1


def test_facts_that_are_values_go_nowhere(tell: LedgerListener, stream: io.StringIO) -> None:
    values = distinctive_values(60)
    for value in values:
        for name in ("ledger_failed", "duty_failed", "halted", "record_unavailable", "retention"):
            tell(name, dict.fromkeys(("error", "duty", "reason", "segments"), value))
        tell("record_resumed", {})
    assert found(stream.getvalue(), values) == set()


def told() -> Iterator[str]:
    for source in (Path(vault.__file__).parent / "ledger").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in (
                "tell",
                "_tell",
            ):
                assert isinstance(node.args[0], ast.Constant)
                yield node.args[0].value


def test_everything_that_the_ledger_tells_is_heard(tell: LedgerListener) -> None:
    names = set(told())
    assert names
    assert names <= set(tell._hear)
