"""What hears a store of the network: its news become log lines and numbers.

Calls are counted each; that it is away is logged once, until it is there again, and so is
each weakness that the configuration accepts, with what it loses.
"""

from collections.abc import Callable, Mapping
from typing import Final

from vault.telemetry.logs import log
from vault.telemetry.metrics import Metrics

Facts = Mapping[str, str | int | float]


class StoreListener:
    """Pass an instance to the store as its `tell`. Names it does not know are ignored."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._away = 0
        self._hear: Final[Mapping[str, Callable[[Facts], None]]] = {
            "store_call": self._call,
            "store_away": self._is_away,
            "store_back": self._is_back,
            "store_weak": self._weak,
        }

    def __call__(self, name: str, facts: Facts) -> None:
        if hear := self._hear.get(name):
            hear(facts)

    def _call(self, facts: Facts) -> None:
        self._metrics.store_call(float(facts["seconds"]), ok=bool(facts["ok"]))

    def _is_away(self, _: Facts) -> None:
        self._away += 1
        self._metrics.store_away(self._away)
        if self._away == 1:
            log.error("store-unavailable")

    def _is_back(self, _: Facts) -> None:
        self._away -= 1
        self._metrics.store_away(self._away)
        if self._away == 0:
            log.info("store-recovered")

    def _weak(self, facts: Facts) -> None:
        log.warning("store-weak", weakness=facts.get("weakness"), loses=facts.get("loses"))
