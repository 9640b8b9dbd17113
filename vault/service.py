"""The one way through: authorise, compute, settle, answer.

Nothing else calls access, engine and ledger, so no disclosure can miss its grant, its charge
or its record. Tokenise is charged before it is computed; a disclosure is computed first,
because its charge and its record name the persons, and leaves only once both are durable.
"""

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import UNSET

from vault.access.grants import Access, Allowance
from vault.access.honeytokens import TRAPPED, Honeytokens
from vault.access.limits import BUDGET
from vault.access.rejected import CLAIMED, KeyUnknown, Rejected, cause_of
from vault.audit.entry import Detail, Disclosure
from vault.config import Operation
from vault.engine.column import each
from vault.engine.context import Contexts, pairs
from vault.engine.outcome import ItemFailure, Outcome
from vault.engine.persons import Persons
from vault.engine.transformation import Transformation
from vault.engine.vaulted import Request, Vaulted
from vault.errors import InvalidValue, Refusal
from vault.ledger.alarms import Alarms
from vault.ledger.ledger import Ledger
from vault.store.base import Charge
from vault.store.tokens import TokenStore
from vault.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from vault.access.end_users import EndUsers

__all__ = ["Answer", "Call", "ItemFailure", "Service"]

TOO_LONG: Final = "Jeton-On-Behalf-Of has 1 to 128 visible ASCII characters"
PROVE: Final = "send in Jeton-On-Behalf-Of a token of the end user's, good here and now"
SOMEBODY: Final = "-"
"""Whoever it will be: for what is judged before the proof."""

OFF_LOOP = 1_000
"""Batches from this size on are computed in a worker thread, so that small calls do not wait
for them: AES and numpy release the interpreter's lock."""

AGAIN_SECONDS = 60.0
"""An alarm that does not lock is raised once in this time for a client and an operation."""

T = TypeVar("T")


@dataclass(slots=True, repr=False)  # values stand in it
class Call:
    """One request, parsed and authenticated, over whatever door it came.

    `items` may be a column (`vault.engine.column`). `contexts` is one context for all of them
    (`str`), one an item, or None. `candidates` are match's second texts. `request_id` is always
    set; `request_id_sent` says that the caller chose it, and only then is the request
    deduplicated, under `fingerprint`.
    """

    operation: Operation
    transformation: str
    principal: str
    items: Sequence[str]
    contexts: Contexts = None
    candidates: Sequence[str] | None = None
    purpose: str | None = None
    end_user: str | None = None
    request_id: str = ""
    request_id_sent: bool = False
    fingerprint: bytes = b""
    source: str = ""
    credential: str = ""
    """The first 8 hex digits of the credential's hash: which of a client's credentials it was."""
    proof: str | None = None
    """Whose token proved the end user; None: `end_user` is claimed."""


@dataclass(slots=True, repr=False)  # values stand in it
class Answer:
    """As many results as items, None where one failed; `receipt` for disclosures."""

    results: Sequence[str | bool | None]
    errors: list[ItemFailure] = field(default_factory=list)
    receipt: str | None = None


@dataclass(slots=True, repr=False)  # values stand in it
class _Disclosed:
    """What a disclosure would answer, and whom it is about."""

    results: Sequence[str | bool | None]
    errors: list[ItemFailure]
    persons: frozenset[bytes]


_NOBODY = _Disclosed((), [], frozenset())


@dataclass(slots=True, repr=False)  # values stand in it
class _Kept:
    """What the store of random tokens had: the values, and those behind the contexts."""

    values: Outcome | None = None
    opened: Mapping[str, str | None] | None = None


class Service:
    """All operations on values and tokens, for authenticated principals."""

    def __init__(
        self,
        transformations: Mapping[str, Transformation],
        access: Access,
        honeytokens: Honeytokens,
        alarms: Alarms,
        ledger: Ledger,
        persons: Persons,
        metrics: Metrics,
        pool: Executor,
        tokens: TokenStore | None = None,
        end_users: "EndUsers | None" = None,
        bring: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """`tokens`: where random ones are; needed where a transformation has them. `end_users`
        proves them, where a grant asks for it; `bring` fetches an issuer's keys again."""
        self.transformations = transformations
        self._access = access
        self._honeytokens = honeytokens
        self._alarms = alarms
        self._ledger = ledger
        self._persons = persons
        self._metrics = metrics
        self._pool = pool
        self._tokens = tokens
        self._end_users = end_users
        self._bring = bring
        self._told: dict[tuple[str, str], float] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def at_once(self, call: Call) -> Answer | None:
        """The answer to a call of which nothing has to be waited for: a small batch of values
        that FF1 makes into tokens, within the share that is in hand. None for every other one.

        Raises Refusal with nothing answered."""
        count = len(call.items)
        if call.operation != "tokenise" or count >= OFF_LOOP:
            return None
        transformation = self._transformation(call)
        try:
            if self._end_users is not None:
                try:
                    self._prove(call)
                except KeyUnknown:
                    return None
            elif call.end_user is not None and len(call.end_user) > CLAIMED:
                raise Refusal("malformed_request", TOO_LONG)
            allowance = self._admit(call)
            if not count:
                return Answer([])
            if transformation.fpe is None or not self._ledger.spend_now(allowance.limits, count):
                return None
            return self._counted(call, transformation.tokenise(call.items, call.contexts))
        except Refusal as refusal:
            self._refused(call, refusal)
            raise

    async def perform(self, call: Call) -> Answer:
        """Answer a call, or raise Refusal with nothing answered and nothing disclosed."""
        transformation = self._transformation(call)
        try:
            if self._end_users is not None:
                await self._fetched(call)
            elif call.end_user is not None and len(call.end_user) > CLAIMED:
                raise Refusal("malformed_request", TOO_LONG)
            allowance = self._admit(call)
            if not call.items:
                return Answer([])
            if call.operation == "tokenise":
                return await self._tokenise(call, transformation, allowance)
            return await self._disclose(call, transformation, allowance)
        except Refusal as refusal:
            self._refused(call, refusal)
            raise

    def _transformation(self, call: Call) -> Transformation:
        transformation = self.transformations.get(call.transformation)
        if transformation is None:
            raise Refusal("unknown_transformation", "no transformation has this name")
        if call.contexts is not None and transformation.context == "none":
            raise Refusal("malformed_request", "this transformation takes no context")
        return transformation

    def _prove(self, call: Call) -> None:
        """Who the end user is, where a grant wants that proved. An id replaces the token in the
        call: it is a credential, and stands nowhere. Raises KeyUnknown for a key to be fetched."""
        if call.proof is not None:
            return
        assert self._end_users is not None
        wish = call.principal, call.operation, call.transformation
        if not self._end_users.asks(*wish):
            if call.end_user is not None and len(call.end_user) > CLAIMED:
                raise Refusal("malformed_request", TOO_LONG)
            return
        self._ledger.check_lock(call.principal, None)
        self._access.authorise(*wish, call.purpose, SOMEBODY)
        try:
            found = self._end_users.prove(*wish, call.end_user, time.time())
        except KeyUnknown:
            raise
        except Rejected as rejected:
            raise Refusal("end_user_required", PROVE, cause=cause_of(rejected)) from None
        call.proof, call.end_user = found

    async def _fetched(self, call: Call) -> None:
        """`_prove`, and once more after a look for the key."""
        for last in (False, True):
            try:
                return self._prove(call)
            except KeyUnknown as unknown:
                if last or self._bring is None:
                    refusal = Refusal("end_user_required", PROVE, cause=cause_of(unknown))
                    raise refusal from None
                await self._bring(unknown.issuer)
        return None

    def _admit(self, call: Call) -> Allowance:
        self._ledger.check_lock(call.principal, call.end_user)
        return self._access.authorise(
            call.principal, call.operation, call.transformation, call.purpose, call.end_user
        )

    def _refused(self, call: Call, refusal: Refusal) -> None:
        self._ledger.refused(call.principal, refusal.cause or refusal.code)
        if refusal.limit is not None:
            self._metrics.refused_budget(call.principal, refusal.limit)

    async def _tokenise(
        self, call: Call, transformation: Transformation, allowance: Allowance
    ) -> Answer:
        count = len(call.items)
        vaulted = transformation.vaulted
        if vaulted is not None and not vaulted.convergent and call.request_id_sent:
            # The one kind of tokenise that repeated would do something else.
            await self._ledger.settle(_charge(call, allowance), _entry(call, _NOBODY))
        elif not self._ledger.spend_now(allowance.limits, count):
            charge = Charge(call.principal, call.end_user, count, allowance.limits)
            await self._ledger.spend(charge)
        if vaulted is not None:
            return self._counted(call, await self._draw(call, vaulted))
        return self._counted(
            call,
            await self._compute(count, lambda: transformation.tokenise(call.items, call.contexts)),
        )

    def _counted(self, call: Call, outcome: Outcome) -> Answer:
        """Tokens that were made, in the record's sum."""
        failures = outcome.failures() if outcome.errors else []
        self._ledger.tokenised(call.principal, call.transformation, len(call.items), len(failures))
        return Answer(outcome.texts, failures)

    async def _disclose(
        self, call: Call, transformation: Transformation, allowance: Allowance
    ) -> Answer:
        kept = await self._look_up(call, transformation)
        disclosed = await self._compute(
            len(call.items), lambda: self._disclosure(call, transformation, kept)
        )
        touched = self._honeytokens.touched(call.principal, disclosed.persons)
        if touched and self._honeytokens.locks(call.operation):
            # Not to be stopped by a caller that hangs up.
            await asyncio.shield(self._raise_alarm(call, locks=True))
            raise Refusal("locked", TRAPPED)
        charge = _charge(call, allowance, disclosed.persons)
        receipt = await self._ledger.settle(charge, _entry(call, disclosed))
        self._metrics.revealed(call.operation, len(disclosed.persons))
        self._metrics.promises.charged(call.principal, BUDGET[call.operation], len(call.items))
        if touched:
            self._tell_of(call)
        return Answer(disclosed.results, disclosed.errors, str(receipt))

    async def _compute(self, count: int, work: Callable[[], T]) -> T:
        if count < OFF_LOOP:
            return work()
        within = contextvars.copy_context().run  # a trace goes on in there
        return await asyncio.get_running_loop().run_in_executor(self._pool, within, work)

    async def _raise_alarm(self, call: Call, *, locks: bool) -> None:
        detail = _alarm(call, locks=locks)
        self._metrics.promises.honeytoken(call.operation)
        await self._alarms.put(detail, time.time())
        alone = None if call.proof is None else call.end_user
        await self._ledger.alarm(detail, call.principal if locks else None, alone)

    def _tell_of(self, call: Call) -> None:
        """Beside the answer, which takes no longer for it; once a minute for the same."""
        now, same = time.monotonic(), (call.principal, call.operation)
        if now - self._told.get(same, -AGAIN_SECONDS) < AGAIN_SECONDS:
            return
        self._told[same] = now
        task = asyncio.create_task(self._raise_alarm(call, locks=False))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _draw(self, call: Call, vaulted: Vaulted) -> Outcome:
        assert self._tokens is not None
        request = None
        if call.request_id_sent:
            request = Request(call.principal, call.request_id, call.fingerprint)
        return await vaulted.tokenise(self._tokens, call.items, call.contexts, request)

    async def _look_up(self, call: Call, transformation: Transformation) -> _Kept:
        kept = _Kept()
        if transformation.vaulted is not None:
            assert self._tokens is not None
            kept.values = await transformation.vaulted.detokenise(
                self._tokens, call.items, call.contexts
            )
        behind = self._persons.behind(transformation)
        if behind is not None and call.contexts is not None:
            assert self._tokens is not None
            if isinstance(call.contexts, str):
                contexts = [call.contexts]
            else:
                contexts = list({context for context in call.contexts if context is not None})
            opened = await behind.detokenise(self._tokens, contexts, None)
            kept.opened = dict(zip(contexts, opened.texts, strict=True))
        return kept

    def _disclosure(self, call: Call, transformation: Transformation, kept: _Kept) -> _Disclosed:
        values = kept.values
        if values is None:
            values = transformation.detokenise(call.items, call.contexts)
        persons = frozenset(
            self._persons.of(transformation, value, context, kept.opened)
            for value, context in pairs(values.texts, call.contexts)
            if value is not None
        )
        results: Sequence[str | bool | None] = values.texts
        if call.operation == "mask":
            results = each(values.texts, transformation.mask)
        elif call.operation == "match":
            results = _matches(transformation, values, call.candidates or ())
        return _Disclosed(results, values.failures(), persons)


def _charge(call: Call, allowance: Allowance, persons: frozenset[bytes] = frozenset()) -> Charge:
    return Charge(
        principal=call.principal,
        end_user=call.end_user,
        items=len(call.items),
        limits=allowance.limits,
        persons=persons,
        people=allowance.people,
        request_id=call.request_id if call.request_id_sent else None,
        fingerprint=call.fingerprint,
    )


def _matches(
    transformation: Transformation, values: Outcome, candidates: Sequence[str]
) -> list[bool | None]:
    """Compare value by value; a candidate that is no value fails its item."""
    values.texts = list(values.texts)
    results: list[bool | None] = [None] * len(values.texts)
    for index, (value, candidate) in enumerate(zip(values.texts, candidates, strict=True)):
        if value is None:
            continue
        try:
            results[index] = transformation.matches(value, candidate)
        except InvalidValue as error:
            values.fail(index, error)
    return results


def _alarm(call: Call, *, locks: bool) -> Detail:
    return {
        "principal": call.principal,
        "credential": call.credential,
        "source": call.source,
        "operation": call.operation,
        "transformation": call.transformation,
        "purpose": call.purpose,
        "end_user": call.end_user,
        "end_user_proof": call.proof,
        "request_id": call.request_id,
        "items": len(call.items),
        "locked": int(locks),
    }


def _entry(call: Call, disclosed: _Disclosed) -> Disclosure:
    return Disclosure(
        principal=call.principal,
        credential=call.credential,
        source=call.source,
        operation=call.operation,
        transformation=call.transformation,
        purpose=call.purpose,
        end_user=call.end_user,
        end_user_proof=UNSET if call.proof is None else call.proof,
        request_id=call.request_id,
        items=len(call.items),
        failed=len(disclosed.errors),
        persons=sorted(person.hex() for person in disclosed.persons),
        matched=sum(1 for r in disclosed.results if r is True)
        if call.operation == "match"
        else None,
    )
