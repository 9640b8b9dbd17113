"""What a store of the network tells becomes lines and numbers, and cannot flood the log."""

import ast
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vault
from tests.support.leaks import distinctive_values, found
from vault.app import names_of
from vault.config import Settings
from vault.store.redis.weaknesses import WEAKNESSES
from vault.telemetry import logs
from vault.telemetry.metrics import Metrics
from vault.telemetry.store import StoreListener
from vault.telemetry.vocabulary import WITHHELD


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    setting = logs.replace(logs._setting, stream=stream, names=names_of(Settings()))
    monkeypatch.setattr(logs, "_setting", setting)
    return stream


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def tell(metrics: Metrics) -> StoreListener:
    return StoreListener(metrics)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def number(metrics: Metrics, name: str) -> float:
    body = metrics.render()[0].decode()
    return float(next(line.split()[-1] for line in body.splitlines() if line.startswith(name)))


def test_calls_are_measured_and_failed_ones_counted(
    tell: StoreListener, metrics: Metrics, stream: io.StringIO
) -> None:
    for seconds, ok in ((0.0002, 1), (0.002, 1), (0.6, 0)):
        tell("store_call", {"seconds": seconds, "ok": ok})
    assert number(metrics, "jeton_store_errors_total ") == 1
    assert number(metrics, "jeton_store_seconds_count ") == 3
    assert number(metrics, 'jeton_store_seconds_bucket{le="0.00025"}') == 1
    assert number(metrics, 'jeton_store_seconds_bucket{le="0.5"}') == 2
    assert number(metrics, "jeton_store_seconds_sum ") == pytest.approx(0.6022)
    assert lines(stream) == []


def test_that_it_is_away_is_said_once_however_many_servers_are(
    tell: StoreListener, metrics: Metrics, stream: io.StringIO
) -> None:
    for name, away in (("store_away", 1), ("store_away", 2), ("store_back", 1)):
        tell(name, {})
        assert number(metrics, "jeton_store_away ") == away
    assert [line["event"] for line in lines(stream)] == ["store-unavailable"]
    tell("store_back", {})
    assert number(metrics, "jeton_store_away ") == 0
    assert [line["event"] for line in lines(stream)] == ["store-unavailable", "store-recovered"]


@pytest.mark.parametrize("weakness", WEAKNESSES, ids=lambda one: one.name)
def test_an_accepted_weakness_is_logged_with_what_it_loses(
    tell: StoreListener, stream: io.StringIO, weakness: Any
) -> None:
    tell("store_weak", {"weakness": weakness.name, "loses": weakness.loses})
    [line] = lines(stream)
    assert (line["event"], line["level"]) == ("store-weak", "warning")
    assert (line["weakness"], line["loses"]) == (weakness.name, weakness.loses)


def test_facts_that_are_values_go_nowhere(tell: StoreListener, stream: io.StringIO) -> None:
    values = distinctive_values(60)
    for value in values:
        tell("store_weak", {"weakness": value, "loses": value})
    assert found(stream.getvalue(), values) == set()
    assert lines(stream)[0]["weakness"] == WITHHELD


def test_tokens_that_fill_up_are_logged_once_and_always_a_number(
    tell: StoreListener, metrics: Metrics, stream: io.StringIO
) -> None:
    metrics.know(["kept"], ())
    for share in (0.5, 0.79, 0.81, 0.9):
        tell("tokens_held", {"key_id": "kept", "kind": "0", "share": share})
        name = 'jeton_tokens_taken_ratio{kind="0",transformation="kept"}'
        assert number(metrics, name) == share
    tell("tokens_held", {"key_id": "kept", "kind": "1", "share": 0.8})
    found = [(line["event"], line["level"], line["share"]) for line in lines(stream)]
    assert found == [("tokens-filling", "warning", 0.81), ("tokens-filling", "warning", 0.8)]


def told() -> Iterator[str]:
    for source in (Path(vault.__file__).parent / "store").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_tell"):
                for name in ast.walk(node.args[0]):
                    if isinstance(name, ast.Constant):
                        yield name.value


def test_everything_that_the_store_tells_is_heard(tell: StoreListener) -> None:
    assert set(told()) == set(tell._hear)
