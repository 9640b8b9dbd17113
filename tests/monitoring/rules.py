"""The alerts and the dashboard as they are shipped."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from tests.support.snippets import ROOT

FOLDER = ROOT / "k8s/components/monitoring"
PLAIN = FOLDER / "jeton.rules.yaml"


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(PLAIN.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def queries() -> Iterator[tuple[str, str]]:
    """The title of a panel, and a query of it as Grafana would send it."""
    for panel in json.loads((FOLDER / "dashboard.json").read_text("utf-8"))["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")
