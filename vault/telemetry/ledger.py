"""What hears the ledger: its news become log lines and numbers.

The ledger knows nothing of logs: it calls ``tell(name, facts)``. A record that stays
unavailable is counted each time and logged once, until it is there again.
"""

from collections.abc import Callable, Mapping
from typing import Final

from vault.telemetry.logs import log
from vault.telemetry.metrics import Metrics

Facts = Mapping[str, str | int | float]


class LedgerListener:
    """Pass an instance to the ledger as its `tell`. Names it does not know are ignored.

    `alarm_bytes` is the configuration's: below so much free space the metrics raise the alarm.
    """

    def __init__(self, metrics: Metrics, alarm_bytes: int) -> None:
        self._metrics = metrics
        self._alarm_bytes = alarm_bytes
        self._record_is_away = False
        self._hear: Final[Mapping[str, Callable[[Facts], None]]] = {
            "group": self._group,
            "tokenised": self._tokenised,
            "upkeep": self._upkeep,
            "checkpoint": self._checkpoint,
            "ledger_failed": self._failed,
            "duty_failed": self._duty_failed,
            "halted": self._halted,
            "replayed": self._replayed,
            "alarm_failed": self._alarm_failed,
            "record_unavailable": self._record_unavailable,
            "record_resumed": self._record_resumed,
            "record_space": self._space,
            "space_low": self._space_low,
            "retention": self._retention,
            "witnessed": self._witnessed,
            "witness_away": self._witness_away,
            "witness_back": self._witness_back,
            "witness_forgot": self._witness_forgot,
        }

    def __call__(self, name: str, facts: Facts) -> None:
        if hear := self._hear.get(name):
            hear(facts)

    def _group(self, facts: Facts) -> None:
        store, sync = float(facts["store_seconds"]), float(facts["sync_seconds"])
        self._metrics.group(int(facts["size"]), store, sync)

    def _tokenised(self, facts: Facts) -> None:
        self._metrics.promises.charged(str(facts["principal"]), "tokenise", int(facts["items"]))

    def _upkeep(self, facts: Facts) -> None:
        locked, leased, waiting = (int(facts[name]) for name in ("locked", "leased", "waiting"))
        self._metrics.promises.upkeep(locked, leased, waiting)

    def _witnessed(self, facts: Facts) -> None:
        self._metrics.promises.witnessed(float(facts["at"]))

    def _checkpoint(self, facts: Facts) -> None:
        self._metrics.promises.checkpoint(float(facts["at"]), halted=bool(facts["halted"]))

    def _failed(self, facts: Facts) -> None:
        self._metrics.store_error()
        log.error("ledger-failed", error=facts.get("error"))

    def _duty_failed(self, facts: Facts) -> None:
        self._metrics.promises.duty_failed(str(facts.get("duty")))
        log.warning("duty-failed", duty=facts.get("duty"), error=facts.get("error"))

    def _alarm_failed(self, facts: Facts) -> None:
        self._metrics.promises.alarm_failed()
        log.error("duty-failed", duty="alarm", error=facts.get("error"))

    def _halted(self, _: Facts) -> None:
        self._metrics.promises.halted()
        log.critical("store-halted")  # why stands on the record, in words that are not listed

    def _replayed(self, facts: Facts) -> None:
        log.warning("record-replayed", count=facts.get("charges"))

    def _record_unavailable(self, facts: Facts) -> None:
        self._metrics.record_failure()
        if not self._record_is_away:
            log.error("record-unavailable", reason=facts.get("reason"))
        self._record_is_away = True

    def _record_resumed(self, _: Facts) -> None:
        self._record_is_away = False
        log.info("record-recovered")

    def _space(self, facts: Facts) -> None:
        free = int(facts["free_bytes"])
        self._metrics.record_space(free, alarm=free < self._alarm_bytes)

    def _space_low(self, facts: Facts) -> None:
        log.warning("disk-space-low", free_bytes=facts.get("free_bytes"))

    def _retention(self, facts: Facts) -> None:
        log.info("segment-retired", count=facts.get("segments"))

    def _witness_away(self, _: Facts) -> None:
        log.error("witness-away")

    def _witness_back(self, _: Facts) -> None:
        log.info("witness-back")

    def _witness_forgot(self, _: Facts) -> None:
        """It signed for more than it knows now: somebody has put an older copy of it back."""
        log.warning("witness-forgot")
