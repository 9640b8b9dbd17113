"""Where the parts are put together: settings in, a running vault out.

`Vault` is everything that one configuration says. Store, record, metrics and threads outlive
it: a reload makes a new `Vault` over the same ones and puts it in the old one's place, whole.
"""

import asyncio
import hmac
import os
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from msgspec.structs import replace

from vault.access.identity import DETAIL, Principal
from vault.access.limits import ceilings
from vault.access.rejected import NO_PROOF, WHOEVER, KeyUnknown, Rejected
from vault.audit.names import this_host
from vault.config import Operation, Settings
from vault.crypto.keks.watch import KekWatch
from vault.crypto.secret import KeyAccess
from vault.engine.transformation import Transformation
from vault.errors import Refusal, SetUpError
from vault.ledger.alarms import Alarms
from vault.ledger.ledger import Ledger
from vault.ledger.recovery import open_ledger
from vault.rules import Rules
from vault.service import Answer, Call, Service
from vault.store import TokenStore, is_redis, open_store, open_tokens
from vault.store.base import Store
from vault.store.redis.weaknesses import WEAKNESSES
from vault.telemetry import Names, know, log
from vault.telemetry.keks import tell_of_kek
from vault.telemetry.ledger import LedgerListener
from vault.telemetry.metrics import Metrics
from vault.telemetry.store import StoreListener
from vault.trust import Believing
from vault.web.door import Caller, KeysAwaited, Readiness

if TYPE_CHECKING:
    from vault.traced import Tracing
    from vault.trust.believed import Trust

POOL = 1
"""Threads for large batches. More would only contend for the interpreter's lock."""

NICE = 10
"""How much the thread of large batches gives way to the loop, as `nice` counts it: on a core that
small calls fill, batches are left a tenth."""

WEBHOOK_KEY = "webhook"
"""What the key that signs alarms is derived for."""


class Vault:
    """A running vault under one configuration: the door that the web opens."""

    def __init__(
        self,
        rules: Rules,
        ledger: Ledger,
        store: Store,
        tokens: TokenStore | None,
        alarms: Alarms,
        metrics: Metrics,
        pool: Executor,
        kek: KekWatch,
        believing: Believing | None = None,
        tracing: "Tracing | None" = None,
    ) -> None:
        self.rules = rules
        self._believing = believing or Believing()
        self.trust = trust = self._believing.trust
        """None where nothing but credentials says who calls."""
        self.ledger = ledger
        self.store = store
        self.tokens = tokens
        """None where no transformation is vaulted."""
        self.alarms = alarms
        self.metrics = metrics
        self.development = rules.settings.development
        self.pool = pool
        self._kek = kek
        self._check_kek = kek.check
        key = rules.keyset.derive_root("fingerprint").reveal(KeyAccess())
        self._fingerprint = hmac.new(key, digestmod="sha256")
        self._find = rules.identities.find
        self.observe = metrics.request
        self.proxied = metrics.proxied
        self.real_values = metrics.real_values
        self._tracing = tracing
        transformations, settling = rules.transformations, ledger
        if tracing is not None:
            transformations = tracing.transformations(rules.transformations)
            settling = tracing.ledger(ledger)
        self.service = Service(
            transformations,
            rules.access,
            rules.honeytokens,
            alarms,
            settling,
            rules.persons,
            metrics,
            pool,
            tokens,
            None if trust is None else trust.end_users,
            None if trust is None else trust.bring,
        )

    def authenticate(
        self, authorization: str | None, source: str, caller: Caller | None = None
    ) -> Principal:
        """Raises Refusal (unauthenticated), and KeysAwaited where a key is to be fetched first."""
        if self.trust is not None:
            return self._believed(self.trust, authorization, source, caller)
        principal = self._find(authorization, source, datetime.now(UTC))
        if principal is None:
            self.metrics.unauthenticated()
            raise Refusal("unauthenticated", DETAIL)
        return principal

    def _believed(
        self, trust: "Trust", authorization: str | None, source: str, caller: Caller | None
    ) -> Principal:
        now = datetime.now(UTC)
        try:
            return trust.callers.authenticate(authorization, source, caller, now)
        except KeyUnknown as unknown:
            if caller is not None and trust.may_bring(unknown.issuer):
                raise KeysAwaited(trust.bring(unknown.issuer)) from None
            self.rejected(unknown.cause)
        except Rejected as rejected:
            if rejected.cause == NO_PROOF:
                self.metrics.unauthenticated()
            else:
                self.rejected(rejected.cause)
        raise Refusal("unauthenticated", DETAIL)

    def rejected(self, cause: str) -> None:
        """A token or a certificate was refused: in the record's sum, a line a second and cause."""
        self.metrics.unauthenticated()
        self.ledger.refused(WHOEVER, cause)

    def knows(self, transformation: str) -> bool:
        return transformation in self.rules.transformations

    def is_token(self, transformation: str, text: str) -> bool:
        """Whether `text` is a token of it, where the format lets that be told."""
        return self.rules.transformations[transformation].is_token(text)

    def at_once(self, call: Call) -> Answer | None:
        """None where the answer has to be waited for: `perform` the call then."""
        self._check_kek()
        return self.service.at_once(call)

    async def perform(self, call: Call) -> Answer:
        """Raises Refusal with nothing answered."""
        self._check_kek()
        return await self.service.perform(call)

    def fingerprint(self, *parts: bytes) -> bytes:
        """A keyed digest over all parts, each framed by its length."""
        mac = self._fingerprint.copy()
        for part in parts:
            mac.update(len(part).to_bytes(8, "big"))
            mac.update(part)
        return mac.digest()

    def transformations(self, principal: Principal) -> Sequence[Mapping[str, object]]:
        """What this caller may use, as the contract's `GET /v1/transformations` tells it."""
        return [
            _described(
                self.rules.transformations[granted.transformation],
                granted.operations,
                granted.purposes,
            )
            for granted in self.rules.access.grants_of(principal.name)
        ]

    async def readiness(self) -> Readiness:
        """Tokenising goes on without the record, and within its leases without the store. What
        nothing but random tokens could do needs their store too."""
        if (gone := self._kek.trouble) is not None:
            return Readiness(dict.fromkeys(get_args(Operation), False), gone)
        trouble, tokenises = None, True
        try:
            state = await self.store.state()
        except Refusal as away:
            trouble, tokenises = away, self.ledger.can_spend
        else:
            if state.halted is not None:
                words = "reveals are stopped: see `jeton audit accept`"
                trouble = Refusal("store_unavailable", words, 60)
            elif self.ledger.trouble is not None:
                trouble = Refusal("audit_unavailable", "the record cannot be written", 1)
        if self.tokens is not None and all(map(_is_vaulted, self.rules.transformations.values())):
            try:
                await self.tokens.check()
            except Refusal as away:
                trouble, tokenises = trouble or away, False
        reveals = dict.fromkeys(("detokenise", "mask", "match"), trouble is None)
        return Readiness({"tokenise": tokenises, **reveals}, trouble)

    def working(self, count: int) -> None:
        self.metrics.in_flight = count

    def failed(self, error: Exception) -> None:
        log.error("request-failed", exception=error)

    def render_metrics(self) -> tuple[bytes, str]:
        return self.metrics.render()

    async def reload(self, settings: Settings) -> "Vault":
        """A vault under new settings over the same store and record.

        Raises SetUpError, and this one stays in force, where the settings are not usable or
        would need a restart.
        """
        rules = await asyncio.to_thread(Rules, settings)  # a KEK's command may take its time
        rules.check_follows(self.rules)
        known = await self.store.raise_generation(rules.keyset.generation)
        rules.keyset.refuse_older_than(known)
        await self._believing.renew(settings, rules.identities, rules.authorities)
        self._kek.renew(rules.open_keyset, settings.keys.kek_required_within)
        self.alarms.renew(settings.honeytokens.webhook)
        self.ledger.renew(rules.keyset.generation, rules.charge_of)
        _tell_names_of(settings, self.metrics)
        _tell_promises_of(rules, self.metrics)
        return Vault(
            rules,
            self.ledger,
            self.store,
            self.tokens,
            self.alarms,
            self.metrics,
            self.pool,
            self._kek,
            self._believing,
            self._tracing,
        )


def _is_vaulted(transformation: Transformation) -> bool:
    return transformation.vaulted is not None


def _described(
    transformation: Transformation, operations: Sequence[str], purposes: Sequence[str]
) -> dict[str, object]:
    return {
        "name": transformation.name,
        "format": transformation.configured.format,
        "method": transformation.configured.method,
        "context": transformation.context,
        "operations": operations,
        "purposes": purposes,
        "token_recognisable": transformation.format.recognisable,
    }


def called(settings: Settings) -> set[str]:
    """What transformations are called: by their names, and by key ids, which the store knows."""
    known = settings.transformations
    return {*known, *(one.key_id for one in known.values() if one.key_id)}


def names_of(settings: Settings) -> Names:
    """What of a configuration a log line may mention."""
    files = (settings.keys.keyset, settings.honeytokens.file)
    paths = (*files, settings.audit.folder, settings.server.socket)
    phrases = (text for weakness in WEAKNESSES for text in (weakness.name, weakness.loses))
    routes = (*settings.proxy.routes, *settings.proxy.upstreams)
    hosts = (settings.server.host, *(one.host for one in settings.proxy.listeners.values()))
    issuers = settings.identity.issuers
    return Names.of(settings.clients, called(settings), paths, hosts, phrases, routes, issuers)


def _tell_names_of(settings: Settings, metrics: Metrics) -> None:
    know(names_of(settings))
    _warn_of_no_honeytokens(settings)
    metrics.know(called(settings), settings.clients, settings.proxy.routes)


def _warn_of_no_honeytokens(settings: Settings) -> None:
    file = settings.honeytokens.file
    if settings.honeytokens.meant and not file.exists():
        log.warning("no-honeytokens", path=file)


def _tell_promises_of(rules: Rules, metrics: Metrics) -> None:
    limits = {name: ceilings(client.limits) for name, client in rules.settings.clients.items()}
    created = datetime.fromisoformat(rules.keyset.primary.created)
    metrics.promises.know(limits, created.timestamp())


def record_host(settings: Settings) -> str:
    """What this machine's chains are named by; nothing where no other machine has any."""
    if not is_redis(settings.store.url):
        return ""
    host = settings.audit.host or this_host()
    if not host:
        raise SetUpError("audit.host: this machine has no name to call its chains by: give one")
    return host


def _give_way() -> None:
    """In the thread of large batches: where it shares a core with the loop, the loop runs first.
    The loop's slowest percent then waits half as long (`python -m benchmarks run fairness`)."""
    with suppress(OSError):  # only Linux knows threads by their numbers
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


@asynccontextmanager
async def open_vault(
    settings: Settings, tracing: "Tracing | None" = None, kept: Path | None = None
) -> AsyncIterator[Vault]:
    """A vault from settings, ready; closed in order at the end. `tracing` wraps its parts; `kept`
    is a folder that several workers share for issuers' keys.

    Raises SetUpError: keys, configuration or state that cannot be used; Refusal where the
    store or the record cannot be reached.
    """
    metrics = Metrics(
        called(settings), settings.clients, settings.development, settings.proxy.routes
    )
    know(names_of(settings))
    _warn_of_no_honeytokens(settings)
    rules = Rules(settings)
    _tell_promises_of(rules, metrics)
    async with AsyncExitStack() as stack:
        base = settings.keys.keyset.parent
        hear_store = StoreListener(metrics)
        store = await open_store(settings.store, base, hear_store)
        stack.push_async_callback(store.close)
        tokens = await open_tokens(settings.store, base, hear_store) if rules.vaulted else None
        if tokens is not None:
            stack.push_async_callback(tokens.close)
        if tracing is not None:
            store, tokens = tracing.store(store), tokens and tracing.tokens(tokens)
        tell = LedgerListener(metrics, settings.audit.alarm_bytes)
        ledger = await open_ledger(
            replace(settings.audit, host=record_host(settings)),
            store,
            rules.keyset.derive_root("audit").reveal(KeyAccess()),
            generation=rules.keyset.generation,
            charge_of=rules.charge_of,
            clock=time.time,
            tell=tell,
        )
        stack.push_async_callback(ledger.close)
        await ledger.start()
        pool = stack.enter_context(ThreadPoolExecutor(POOL, "batch", _give_way))
        honeytokens = settings.honeytokens
        key = rules.keyset.derive_root(WEBHOOK_KEY).reveal(KeyAccess())
        alarms = Alarms(honeytokens.outbox, honeytokens.webhook, key, tell)
        alarms.start()
        stack.push_async_callback(alarms.close)
        kek = KekWatch(
            rules.open_keyset, settings.keys.kek_required_within, partial(tell_of_kek, metrics)
        ).start()
        stack.push_async_callback(kek.close)
        believing = Believing(metrics.promises.issuers_away, kept)
        stack.push_async_callback(believing.close)
        await believing.renew(settings, rules.identities, rules.authorities)
        parts = (ledger, store, tokens, alarms, metrics, pool, kek, believing, tracing)
        yield Vault(rules, *parts)
