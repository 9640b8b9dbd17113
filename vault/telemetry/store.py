"""What hears the stores: their news become log lines and numbers.

Calls are counted each; that it is away is logged once, until it is there again, and so is
each weakness that the configuration accepts, with what it loses, and each space of random
tokens that fills up.
"""

from collections.abc import Callable, Mapping
from typing import Final

from vault.telemetry.logs import log
from vault.telemetry.metrics import Metrics

FILLING: Final = 0.8
"""The share of the tokens that may be taken from which it is said that they are."""
Facts = Mapping[str, str | int | float]


class StoreListener:
    """Pass an instance to the store as its `tell`. Names it does not know are ignored."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._away = 0
        self._filling = set[tuple[str, str]]()
        self._hear: Final[Mapping[str, Callable[[Facts], None]]] = {
            "store_call": self._call,
            "store_away": self._is_away,
            "store_back": self._is_back,
            "store_weak": self._weak,
            "tokens_held": self._held,
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

    def _held(self, facts: Facts) -> None:
        """Once a process and space: the number tells how it goes on."""
        key_id, kind, share = str(facts["key_id"]), str(facts["kind"]), float(facts["share"])
        self._metrics.tokens_held(key_id, kind, share)
        if share >= FILLING and (key_id, kind) not in self._filling:
            self._filling.add((key_id, kind))
            log.warning("tokens-filling", transformation=key_id, share=share)
