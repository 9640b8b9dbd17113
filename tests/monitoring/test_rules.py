"""Every alert fires where it should and is silent where it should be, says promtool."""

import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.rules import FOLDER, PLAIN, alerts, queries
from tests.support.components import need_program
from tests.support.snippets import ROOT
from vault.telemetry.metrics import Metrics
from vault.telemetry.shipping import ShippingMetrics

Series = dict[str, str]
Labels = dict[str, str]

UP = 'up{job="jeton", instance="a"}'
BAD, GOOD = 'jeton_requests_total{code="internal"}', 'jeton_requests_total{code="ok"}'
PASSED = {"ok": 97, "upstream_timeout": 3}
REFUSED = 'jeton_budget_refusals_total{client="c", limit="reveal.hour"}'
CHARGED = 'jeton_charged_items_total{client="c", budget="reveal"}'
LIMIT = 'jeton_limit{client="c", limit="reveal.hour"}'


def slow(metric: str, labels: str = "", fast: bool = False) -> Series:
    """A histogram whose observations all lie in the first or in the second bucket."""
    kind = f", {labels}" if labels else ""
    first = "0+60x120" if fast else "0x120"
    series = {f'{metric}_bucket{{le="0.05"{kind}}}': first}
    return series | {f'{metric}_bucket{{le="{le}"{kind}}}': "0+60x120" for le in ("0.5", "+Inf")}


FIRES: dict[str, tuple[Series, Labels, Series]] = {
    "JetonDown": ({UP: "0x120"}, {"job": "jeton", "instance": "a"}, {UP: "1x120"}),
    "JetonAbsent": ({"other": "1x120"}, {"job": "jeton"}, {UP: "0x120"}),
    "JetonErrors": (
        {GOOD: "0+97x120", BAD: "0+3x120"},
        {},
        {GOOD: "0+997x120", BAD: "0+3x120", 'jeton_requests_total{code="locked"}': "0+300x120"},
    ),
    "JetonProxyErrors": (
        {f'jeton_proxied_total{{code="{code}"}}': f"0+{n}x120" for code, n in PASSED.items()},
        {},
        {f'jeton_proxied_total{{code="{code}"}}': "0+50x120" for code in ("ok", "blocked")},
    ),
    "JetonSlow": (
        slow("jeton_request_seconds", 'operation="mask"'),
        {"operation": "mask"},
        slow("jeton_request_seconds", 'operation="mask"', fast=True),
    ),
    "JetonBudgetExhausted": (
        {REFUSED: "_x115 1x5"},
        {"client": "c", "limit": "reveal.hour"},
        {REFUSED: "1x120"},
    ),
    "JetonBudgetNearlySpent": (
        {CHARGED: "0+15x120", LIMIT: "1000x120"},
        {"client": "c", "budget": "reveal"},
        {CHARGED: "0+10x120", LIMIT: "1000x120"},
    ),
    "JetonLocked": ({"jeton_locked": "1x120"}, {}, {"jeton_locked": "0x120"}),
    "JetonHoneytoken": (
        {'jeton_honeytokens_total{operation="detokenise"}': "_x118 1x2"},
        {"operation": "detokenise"},
        {'jeton_honeytokens_total{operation="detokenise"}': "1x120"},
    ),
    "JetonUnauthenticated": (
        {"jeton_unauthenticated_total": "0+120x120"},
        {},
        {"jeton_unauthenticated_total": "0+30x120"},
    ),
    "JetonAlarmUndelivered": (
        {"jeton_alarm_failures_total": "0+1x120"},
        {},
        {"jeton_alarm_failures_total": "3x120"},
    ),
    "JetonRealValues": (
        {'jeton_real_values_total{route="r"}': "0x115 1x5"},
        {"route": "r"},
        {'jeton_real_values_total{route="r"}': "1x120"},
    ),
    "JetonDevelopment": ({"jeton_development": "1x120"}, {}, {"jeton_development": "0x120"}),
    "JetonRecordFailing": (
        {"jeton_record_failures_total": "0x118 1x2"},
        {},
        {"jeton_record_failures_total": "1x120"},
    ),
    "JetonRecordSlow": (
        slow("jeton_record_sync_seconds"),
        {},
        slow("jeton_record_sync_seconds", fast=True),
    ),
    "JetonRecordLag": (
        {f'jeton_ledger_waiting{{instance="{each}"}}': "60x120" for each in "ab"},
        {},
        {"jeton_ledger_waiting": "60x120"},
    ),
    "JetonCheckpointOld": (
        {
            'jeton_checkpoint_at_seconds{instance="a"}': "0x120",
            'jeton_checkpoint_at_seconds{instance="b"}': "0+60x120",
        },
        {},
        {"jeton_checkpoint_at_seconds": "0+60x120"},
    ),
    "JetonWitnessAway": (
        {"jeton_witnessed_at_seconds": "60x120"},
        {},
        {
            'jeton_witnessed_at_seconds{instance="a"}': "0x120",
            'jeton_witnessed_at_seconds{instance="b"}': "60+60x120",
        },
    ),
    "JetonShippingLate": (
        {'jeton_ship_until_seconds{instance="a"}': "60x120"},
        {"instance": "a"},
        {"jeton_ship_until_seconds": "0+60x120"},
    ),
    "JetonRecordSpace": (
        {"jeton_record_space_alarm": "1x120"},
        {},
        {"jeton_record_space_alarm": "0x120"},
    ),
    "JetonRevealsHalted": (
        {"jeton_reveals_halted": "1x120"},
        {},
        {"jeton_reveals_halted": "0x120"},
    ),
    "JetonStoreAway": ({"jeton_store_away": "1x120"}, {}, {"jeton_store_away": "0x119 1x1"}),
    "JetonStoreSlow": (
        slow("jeton_store_commit_seconds"),
        {},
        slow("jeton_store_commit_seconds", fast=True),
    ),
    "JetonDutyFailing": (
        {'jeton_duty_failures_total{duty="mark"}': "0+1x120"},
        {"duty": "mark"},
        {'jeton_duty_failures_total{duty="mark"}': "0+1x2 2x118"},
    ),
    "JetonTokensFilling": (
        {'jeton_tokens_taken_ratio{transformation="digits", kind="9"}': "0.81x120"},
        {"transformation": "digits", "kind": "9"},
        {'jeton_tokens_taken_ratio{transformation="digits", kind="9"}': "0.79x120"},
    ),
    "JetonReloadFailed": (
        {f'jeton_config_last_reload_success{{instance="{up}"}}': f"{up}x120" for up in (0, 1)},
        {},
        {"jeton_config_last_reload_success": "1x120"},
    ),
    "JetonKekAway": ({"jeton_kek_away": "1x120"}, {}, {"jeton_kek_away": "0x119 1x1"}),
    "JetonIssuerAway": (
        {"jeton_issuers_away": "1x120"},
        {},
        {"jeton_issuers_away": "0x119 1x1"},
    ),
    "JetonKeyOld": (
        {"jeton_key_created_at_seconds": "-35000000x120"},
        {},
        {"jeton_key_created_at_seconds": "-34000000x120"},
    ),
}  # fmt: skip


def case(name: str, series: Series, labels: Labels | None) -> dict[str, Any]:
    rule = alerts()[name]
    expected = {"exp_labels": labels, "exp_annotations": rule["annotations"]}
    if labels is not None:
        expected["exp_labels"] = labels | rule["labels"]
    test = {
        "alertname": name,
        "eval_time": "2h",
        "exp_alerts": [expected] if labels is not None else [],
    }
    return {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "alert_rule_test": [test],
    }  # fmt: skip


def test_each_alert_fires_and_is_silent(tmp_path: Path) -> None:
    promtool = need_program("promtool")
    assert FIRES.keys() == alerts().keys()
    tests = [case(name, fires, labels) for name, (fires, labels, _) in FIRES.items()]
    tests += [case(name, quiet, None) for name, (*_, quiet) in FIRES.items()]
    file = tmp_path / "tests.yaml"
    said = {"rule_files": [str(PLAIN)], "evaluation_interval": "5m", "tests": tests}
    file.write_text(yaml.safe_dump(said), "utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_plain_file_is_made_of_the_operators() -> None:
    made = runpy.run_path(str(FOLDER / "plain.py"))["plain"]()
    assert PLAIN.read_text("utf-8") == made


@pytest.mark.parametrize("name", sorted(alerts()))
def test_each_alert_has_a_page_and_a_line(name: str) -> None:
    rule = alerts()[name]
    page = (ROOT / f"docs/runbooks/{name}.md").read_text("utf-8")
    assert re.findall(r"^#+ (.+)$", page, re.M) == [name, "Meaning", "Look", "Do"]
    assert rule["annotations"]["runbook_url"].endswith(f"/runbooks/{name}.html")
    severity, summary = rule["labels"]["severity"], rule["annotations"]["summary"]
    line = f"| [{name}](runbooks/{name}.md) | {severity} | {summary} |"
    assert line in (ROOT / "docs/alerts.md").read_text("utf-8")


def test_no_page_is_of_an_alert_that_is_gone() -> None:
    assert {page.stem for page in (ROOT / "docs/runbooks").glob("*.md")} == alerts().keys()


def test_only_metrics_that_there_are_are_asked_for() -> None:
    made = set(Metrics()._registry._names_to_collectors)
    made |= set(ShippingMetrics().registry._names_to_collectors)
    asked = [rule["expr"] for rule in alerts().values()] + [query for _, query in queries()]
    for text in asked:
        names = set(re.findall(r"\bjeton_\w+", text))
        assert names <= made, names - made


def test_what_has_yet_to_happen_is_shown_as_no_age() -> None:
    """These are 0 until then: since 1970, the dashboard would say."""
    ages = [query for _, query in queries() if "time() - " in query]
    later = ("checkpoint_at", "witnessed_at")
    for name in later:
        [age] = [query for query in ages if f"jeton_{name}_seconds" in query]
        assert f"(jeton_{name}_seconds > 0)" in age
    others = [query for query in ages if not any(name in query for name in later)]
    shown = {re.findall(r"jeton_(\w+)_seconds", query)[0] for query in others}
    assert shown == {
        *("config_loaded_at", "key_created_at"),  # which are set by the time that they are read
        "ship_until",  # a record of which nothing was confirmed is late since ever, and is shown so
    }
