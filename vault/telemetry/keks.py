"""What hears whether a running service could have its KEK: a log line and a number."""

from typing import Literal

from vault.telemetry.logs import log
from vault.telemetry.metrics import Metrics


def tell_of_kek(metrics: Metrics, news: Literal["away", "back"]) -> None:
    """Each is told once, when it begins."""
    metrics.promises.kek(away=news == "away")
    if news == "away":
        log.error("keys-unavailable")
    else:
        log.info("keys-loaded")
