"""The numbers that tell whether the promises hold: budgets, locks, record, keys, configuration.

What they are about changes at most once a second; nothing here is on the way of a small request.
"""

import time
from collections.abc import Callable, Container, Mapping
from typing import Final, Protocol

from prometheus_client import Counter, Gauge

from vault.telemetry.vocabulary import DUTIES, LIMITS, OPERATIONS

BUDGETS: Final = frozenset({"tokenise", "reveal", "match"})


class Makes(Protocol):
    """What makes a gauge: name, text, labels, and how those of several workers are put
    together."""

    def __call__(self, name: str, text: str, *labels: str, mode: str) -> Gauge: ...


class Promises:
    """A part of `vault.telemetry.metrics.Metrics`, which hands in what makes a metric, and what
    takes a name that is not configured for another."""

    def __init__(
        self,
        counter: Callable[..., Counter],
        gauge: Makes,
        listed: Callable[[str, Container[str]], str],
    ) -> None:
        self._listed = listed
        self._clients: frozenset[str] = frozenset()
        self._make_guard(counter, gauge)
        self._make_record(counter, gauge)
        self._reloaded = gauge(
            "config_last_reload_success", "1: the last reload is in force.", mode="livemin"
        )
        self._loaded_at = gauge(
            "config_loaded_at_seconds", "When the configuration was last loaded.", mode="livemin"
        )
        self._key_created = gauge(
            "key_created_at_seconds", "When the primary key version was made.", mode="livemin"
        )
        self._kek_away = gauge(
            "kek_away", "1: the KEK cannot be had; the keys in memory are used.", mode="livemax"
        )
        self._issuers_away = gauge(
            "issuers_away", "Issuers whose keys could not be fetched.", mode="livemax"
        )
        self.loaded(ok=True)

    def know(self, limits: Mapping[str, Mapping[str, int]], key_created: float) -> None:
        """What a configuration says: client -> limit -> how much; and how old its key is."""
        self._clients = frozenset(limits)
        for client, ceilings in limits.items():
            for limit, ceiling in ceilings.items():
                self._limit.labels(client, self._listed(limit, LIMITS)).set(ceiling)
        self._key_created.set(key_created)

    def loaded(self, *, ok: bool) -> None:
        """A configuration was loaded, or was not and the one before stays in force."""
        self._reloaded.set(int(ok))
        if ok:
            self._loaded_at.set(time.time())

    def kek(self, *, away: bool) -> None:
        """Whether the KEK was away when it was last asked for."""
        self._kek_away.set(int(away))

    def issuers_away(self, more: int) -> None:
        """So many more, or fewer, are away."""
        self._issuers_away.inc(more)

    def charged(self, client: str, budget: str, items: int) -> None:
        """Items of answered requests, in any number of steps."""
        labels = self._listed(client, self._clients), self._listed(budget, BUDGETS)
        self._charged.labels(*labels).inc(items)

    def honeytoken(self, operation: str) -> None:
        """Somebody asked for a person who does not exist."""
        self._honeytokens.labels(self._listed(operation, OPERATIONS)).inc()

    def upkeep(self, locked: int, leased: int, waiting: int) -> None:
        """Once a second: scopes that are locked, items leased and not spent, requests that wait
        for the commit."""
        self._locked.set(locked)
        self._leased.set(leased)
        self._waiting.set(waiting)

    def witnessed(self, at: float) -> None:
        """The witness has signed a checkpoint at this time, or is waited for since."""
        self._witnessed.set(at)

    def checkpoint(self, at: float, *, halted: bool) -> None:
        """There is a checkpoint of about this time, and reveals are stopped or not."""
        self._checkpoint.set(at)
        self._halted.set(int(halted))

    def halted(self) -> None:
        self._halted.set(1)

    def duty_failed(self, duty: str) -> None:
        self._duties.labels(self._listed(duty, DUTIES)).inc()

    def alarm_failed(self) -> None:
        self._alarms.inc()

    def _make_guard(self, counter: Callable[..., Counter], gauge: Makes) -> None:
        self._limit = gauge("limit", "What a limit is set to.", "client", "limit", mode="livemax")
        self._charged = counter(
            "charged_items", "Items of requests that were answered.", "client", "budget"
        )
        self._locked = gauge(
            "locked", "Clients, or end users of theirs, that are locked.", mode="livemax"
        )
        self._leased = gauge(
            "leased_items", "Leased to tokenise and not yet spent.", mode="livesum"
        )
        self._honeytokens = counter(
            "honeytokens", "Requests for persons who do not exist.", "operation"
        )
        self._alarms = counter("alarm_failures", "Posts of an alarm that its receiver refused.")

    def _make_record(self, counter: Callable[..., Counter], gauge: Makes) -> None:
        self._waiting = gauge(
            "ledger_waiting", "Requests that wait for their commit.", mode="livesum"
        )
        self._witnessed = gauge(
            "witnessed_at_seconds",
            "When the witness last signed, or since when it is waited for; 0: there is none.",
            mode="livemax",
        )
        self._checkpoint = gauge(
            "checkpoint_at_seconds", "About when the last checkpoint was signed.", mode="livemax"
        )
        self._halted = gauge(
            "reveals_halted", "1: stopped until `jeton audit accept`.", mode="livemax"
        )
        self._duties = counter("duty_failures", "Duties of the ledger that failed.", "duty")
