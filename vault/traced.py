"""Spans around what a request goes through: itself, the engine, the ledger, the store.

Nothing of the house knows of it: where traces are on, the parts are wrapped as they are put
together. Where they are off nothing here is imported, and nothing costs anything.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from vault.config import Server
from vault.engine.outcome import Outcome
from vault.engine.transformation import Transformation
from vault.errors import SetUpError
from vault.ledger.ledger import Ledger
from vault.store import TokenStore
from vault.store.base import Charge, Mark, Store, Verdict
from vault.web.calls import OPERATIONS, Calls, Later, Reply, Request
from vault.web.door import Holder
from vault.web.intake import Receive

Ask = Callable[..., Awaitable[Any]]


class Tracing:
    """Wraps the parts of one process; each behaves as what it wraps."""

    def __init__(self, traces: Any) -> None:
        self.traces = traces
        self._settling: dict[int, Any] = {}
        """The span that settles a charge, by the charge's identity: the commit is the group's."""

    @classmethod
    def start(cls) -> "Tracing":
        """Raises SetUpError where the extra is not installed."""
        try:
            from vault.telemetry.traces import Traces  # noqa: PLC0415 - of the extra
        except ImportError:
            raise SetUpError("traces need the extra: pip install 'jeton[otel]'") from None
        return cls(Traces())

    def calls(self, holder: Holder, settings: Server) -> Calls:
        calls = TracedCalls(holder, settings)
        calls.traces = self.traces
        return calls

    def transformations(self, known: Mapping[str, Transformation]) -> dict[str, Transformation]:
        return {
            name: cast("Transformation", _Engine(one, self.traces)) for name, one in known.items()
        }

    def ledger(self, ledger: Ledger) -> Ledger:
        return cast("Ledger", _Ledger(ledger, self.traces, self._settling))

    def store(self, store: Store) -> Store:
        return cast("Store", _Store(store, self.traces, self._settling))

    def tokens(self, tokens: TokenStore) -> TokenStore:
        return cast("TokenStore", _Tokens(tokens, self.traces))

    def close(self) -> None:
        self.traces.close()


class _Wrapped:
    def __init__(self, inner: Any, traces: Any) -> None:
        self._inner, self._traces = inner, traces

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Engine(_Wrapped):
    def tokenise(self, values: Sequence[str], contexts: Any) -> Outcome:
        with self._part("tokenise", values):
            return cast("Outcome", self._inner.tokenise(values, contexts))

    def detokenise(self, tokens: Sequence[str], contexts: Any) -> Outcome:
        with self._part("detokenise", tokens):
            return cast("Outcome", self._inner.detokenise(tokens, contexts))

    def _part(self, what: str, items: Sequence[str]) -> Any:
        known = {"jeton.transformation": self._inner.name, "jeton.items": len(items)}
        return self._traces.part(f"engine {what}", known)


class _Ledger(_Wrapped):
    def __init__(self, inner: Ledger, traces: Any, settling: dict[int, Any]) -> None:
        super().__init__(inner, traces)
        self._settling = settling
        self.spend_now = inner.spend_now  # on the way of every small call: not looked up

    async def settle(self, charge: Charge, disclosure: Any) -> Any:
        with self._traces.part("ledger settle", {"jeton.items": charge.items}) as span:
            self._settling[id(charge)] = span
            try:
                return await self._inner.settle(charge, disclosure)
            finally:
                del self._settling[id(charge)]


class _Store(_Wrapped):
    def __init__(self, inner: Store, traces: Any, settling: dict[int, Any]) -> None:
        super().__init__(inner, traces)
        self._settling = settling

    async def commit(self, group: Sequence[Charge], mark: Mark, now: float) -> list[Verdict]:
        spans = [self._settling[id(charge)] for charge in group if id(charge) in self._settling]
        with self._traces.part("store commit", {"jeton.charges": len(group)}, of=spans):
            return cast("list[Verdict]", await self._inner.commit(group, mark, now))

    async def lease(self, charge: Charge, ask: int, now: float) -> Any:
        with self._traces.part("store lease", {"jeton.items": ask}):
            return await self._inner.lease(charge, ask, now)


class _Tokens(_Wrapped):
    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._spanned(name, found) if name in {"create", "find", "find_index"} else found

    def _spanned(self, name: str, ask: Ask) -> Ask:
        async def spanned(space: str, asked: Sequence[Any], *more: Any) -> Any:
            with self._traces.part(f"store {name}", {"jeton.items": len(asked)}):
                return await ask(space, asked, *more)

        return spanned


class TracedCalls(Calls):
    """The calls of one process, a span each."""

    traces: Any

    def answer(self, request: Request, body: bytes) -> Reply | Later:
        span = self._begin(request)
        with self.traces.within(span):
            reply = super().answer(request, body)
        if isinstance(reply, tuple):
            self.traces.answered(span, reply[0])
            return reply
        return self._later(span, reply)

    async def converse(self, request: Request, receive: Receive) -> Reply:
        return await self._later(self._begin(request), super().converse(request, receive))

    async def _later(self, span: Any, work: Later) -> Reply:
        status = 499  # whoever asked went away
        try:
            with self.traces.within(span):
                reply = await work
            status = reply[0]
            return reply
        finally:
            self.traces.answered(span, status)

    def _begin(self, request: Request) -> Any:
        """What stands in a path is anybody's: a route is one of those that there are."""
        parts = request.path.split(b"/")
        operation = OPERATIONS.get(parts[2]) if len(parts) == 4 else None
        route = f"/v1/{operation}/{{transformation}}" if operation else "/v1"
        method = request.method if request.method in {"GET", "HEAD", "POST"} else "_OTHER"
        return self.traces.request(method, route, request.fields)
