"""What hears whether a running service could have its KEK."""

from typing import Literal

from vault.telemetry.logs import log


def tell_of_kek(news: Literal["away", "back"]) -> None:
    """Each is told once, when it begins."""
    if news == "away":
        log.error("keys-unavailable")
    else:
        log.info("keys-loaded")
