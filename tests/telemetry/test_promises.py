"""Numbers of the promises: what the configuration says, what was spent, and what holds."""

import re
import signal
import time
import urllib.request
from collections.abc import Callable

import pytest

from tests.support.leaks import distinctive_values, found
from tests.support.service import Service
from tests.support.snippets import ROOT
from tests.telemetry.test_metrics import Samples, metrics, parsed, value
from vault.telemetry.ledger import LedgerListener
from vault.telemetry.metrics import Metrics

LINE = re.compile(r"^\| `(jeton_\w+)` \| (counter|gauge|histogram) \| ([^|]*) \| .+ \|$", re.M)


def samples(told: Metrics) -> Samples:
    return parsed(told.render()[0])


def test_limits_and_what_was_charged_stand_beside_each_other() -> None:
    told = metrics()
    told.promises.know({"portal": {"reveal.hour": 1_000}}, key_created=1.8e9)
    told.promises.charged("portal", "reveal", 7)
    told.promises.charged("nobody", "reveal", 2)
    told.promises.charged("portal", "nothing", 1)
    seen = samples(told)
    assert value(seen, "limit", client="portal", limit="reveal.hour") == 1_000
    assert value(seen, "charged_items_total", client="portal", budget="reveal") == 7
    assert value(seen, "charged_items_total", client="other", budget="reveal") == 2
    assert value(seen, "charged_items_total", client="portal", budget="other") == 1
    assert value(seen, "key_created_at_seconds") == 1.8e9


def test_a_reload_that_failed_shows_until_one_succeeds() -> None:
    told = metrics()
    assert value(samples(told), "config_last_reload_success") == 1
    told.reloaded(ok=False)
    assert value(samples(told), "config_last_reload_success") == 0
    told.reloaded(ok=True)
    assert value(samples(told), "config_last_reload_success") == 1


def test_what_the_ledger_tells_is_counted() -> None:
    told = metrics()
    told.promises.know({"portal": {}}, key_created=0.0)
    tell = LedgerListener(told, alarm_bytes=0)
    tell("upkeep", {"locked": 2, "leased": 500, "waiting": 3})
    tell("tokenised", {"principal": "portal", "items": 12})
    tell("halted", {"reason": "went backwards"})
    seen = samples(told)
    assert (value(seen, "locked"), value(seen, "leased_items")) == (2, 500)
    assert value(seen, "ledger_waiting") == 3
    assert value(seen, "charged_items_total", client="portal", budget="tokenise") == 12
    assert value(seen, "reveals_halted") == 1
    tell("checkpoint", {"at": 1.8e9, "halted": 0})
    tell("duty_failed", {"duty": "mark", "error": "Refusal"})
    tell("duty_failed", {"duty": "invented", "error": "Refusal"})
    tell("alarm_failed", {"error": "HTTP503"})
    seen = samples(told)
    assert (value(seen, "reveals_halted"), value(seen, "checkpoint_at_seconds")) == (0, 1.8e9)
    assert value(seen, "duty_failures_total", duty="mark") == 1
    assert value(seen, "duty_failures_total", duty="other") == 1
    assert value(seen, "alarm_failures_total") == 1


def test_no_value_becomes_a_label() -> None:
    told, values = metrics(), distinctive_values(20)
    for text in values:
        told.promises.charged(text, text, 1)
        told.promises.honeytoken(text)
        told.promises.duty_failed(text)
    assert found(told.render()[0].decode(), values) == set()


def test_every_metric_has_a_line_and_every_line_a_metric() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    told: dict[str, tuple[str, str]] = {}
    for name, kind, labels in LINE.findall(page):
        assert name not in told, name
        told[name] = kind, labels.replace("`", "").replace(" ", "")
    made = {}
    for collector in metrics()._registry._collector_to_names:
        for family in collector.describe() if hasattr(collector, "describe") else []:
            if family.name.startswith("jeton_"):
                suffix = "_total" if family.type == "counter" else ""
                made[family.name + suffix] = family.type, ",".join(collector._labelnames)
    assert told == made


@pytest.mark.system
def test_a_service_tells_them_of_itself(new_service: Callable[[], Service]) -> None:
    service = new_service()
    reader = service.add_client(
        "reader", ["tokenise:fr-nir", "detokenise:fr-nir:test"], {"reveal.hour": 77}
    )
    service.start()
    token = service.post("tokenise/fr-nir", {"value": "284057512345672"}, reader).body["token"]
    assert service.post("detokenise/fr-nir", {"token": token}, reader, "test").status == 200

    def scraped() -> Samples:
        with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
            return parsed(answer.read())

    def is_told(seen: Samples) -> bool:  # each at its own time
        charged = ("charged_items_total", "tokenise"), ("charged_items_total", "reveal")
        made = [value(seen, name, client="reader", budget=budget) for name, budget in charged]
        return None not in made and bool(value(seen, "checkpoint_at_seconds"))

    deadline = time.monotonic() + 60
    while not is_told(seen := scraped()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert value(seen, "charged_items_total", client="reader", budget="reveal") == 1
    assert value(seen, "limit", client="reader", limit="reveal.hour") == 77
    assert value(seen, "leased_items") is not None
    now = time.time()
    assert now - 120 < (value(seen, "checkpoint_at_seconds") or 0) <= now
    assert now - 120 < (value(seen, "key_created_at_seconds") or 0) <= now
    assert value(seen, "config_last_reload_success") == 1
    service.edit(lambda text: text + "\nnonsense = ]\n")
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)
    while value(scraped(), "config_last_reload_success") != 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
