"""A configured transformation, compiled: a format, a method, and the rules around them."""

import hmac
from collections.abc import Callable, Sequence

from vault.config import Settings, format_of
from vault.config import Transformation as Configured
from vault.crypto.keyset import Keyset, KeyState
from vault.engine.column import Coded
from vault.engine.context import Contexts, lacking
from vault.engine.fpe import Fpe
from vault.engine.outcome import Outcome
from vault.engine.vaulted import MAX_FILL, NEEDS_CONTEXT, Vaulted
from vault.errors import ContextRequired, ItemError, SetUpError
from vault.formats.base import ContextRule, Format

SAMPLE = 64
"""How many items are looked at to decide whether a batch repeats itself."""

Way = Callable[[Sequence[str], Contexts], Outcome]
"""A method's tokenise or detokenise."""


class Transformation:
    """What the URL names. Batch in, batch out; order and length kept; errors per item."""

    def __init__(self, name: str, configured: Configured, keyset: Keyset) -> None:
        self.name = name
        self.configured = configured
        self.format: Format = format_of(configured)
        self.context: ContextRule = configured.context or self.format.context
        key_id = configured.key_id or name
        self.fpe: Fpe | None = None
        self.vaulted: Vaulted | None = None
        """One of the two: random tokens are asked for in a store, which this is not."""
        if configured.method == "fpe":
            self.fpe = Fpe(self.format, keyset, key_id, configured.key_version)
            return
        self.vaulted = Vaulted(
            self.format,
            keyset,
            key_id,
            context_required=self.context == "required",
            convergent=configured.convergent is not False,
            max_fill=configured.max_fill or MAX_FILL,
        )

    @property
    def pinned(self) -> int | None:
        """The key version all tokens are of, where the format has no room for slots."""
        return self.fpe.pinned if self.fpe is not None else None

    def tokenise(self, values: Sequence[str], contexts: Contexts) -> Outcome:
        """Raises Refusal (keys_unavailable) where the key to tokenise with is not usable."""
        assert self.fpe is not None
        return self._run(self.fpe.tokenise, values, contexts)

    def detokenise(self, tokens: Sequence[str], contexts: Contexts) -> Outcome:
        assert self.fpe is not None
        return self._run(self.fpe.detokenise, tokens, contexts)

    def is_token(self, text: str) -> bool:
        """Whether `text` stands where only tokens do, of whatever key; never where the format's
        tokens look like values."""
        if not self.format.recognisable:
            return False
        try:
            self.format.read_token(text)
        except ItemError:
            return False
        return True

    def mask(self, value: str) -> str:
        """A value of this format with most of it hidden, in the form given."""
        return self.format.mask(value, self.configured.keep_first, self.configured.keep_last)

    def matches(self, value: str, candidate: str) -> bool:
        """Whether two texts are one value, whatever their forms, compared in constant time.

        Raises InvalidValue where the candidate is no value.
        """
        same = self.format.canonical(candidate).encode()
        return hmac.compare_digest(self.format.canonical(value).encode(), same)

    def _run(self, way: Way, items: Sequence[str], contexts: Contexts) -> Outcome:
        if contexts is None and self.context == "required":
            return Outcome([None] * len(items), dict.fromkeys(range(len(items)), _lacking()))
        if contexts is None or isinstance(contexts, str):
            if isinstance(items, Coded):
                return way(items.distinct, contexts).spread(items.codes)
            if _repeats(items):
                distinct = list(dict.fromkeys(items))
                return _spread(items, distinct, way(distinct, contexts))
            return way(items, contexts)
        outcome = way(items, contexts)
        if self.context == "required":
            for place in lacking(contexts):
                outcome.fail(place, _lacking())
        return outcome


def _lacking() -> ContextRequired:
    return ContextRequired(NEEDS_CONTEXT)


def _repeats(items: Sequence[str]) -> bool:
    """Whether most of a sample stands in the batch more than once."""
    if len(items) < SAMPLE:
        return False
    sample = items[:: max(1, len(items) // SAMPLE)]
    return len(set(sample)) * 2 < len(sample)


def _spread(items: Sequence[str], distinct: Sequence[str], once: Outcome) -> Outcome:
    place = {text: index for index, text in enumerate(distinct)}
    outcome = Outcome([once.texts[place[text]] for text in items])
    if once.errors:
        for index, text in enumerate(items):
            error = once.errors.get(place[text])
            if error is not None:
                outcome.errors[index] = error
    return outcome


def compile_transformations(settings: Settings, keyset: Keyset) -> dict[str, Transformation]:
    """Every configured transformation by name. Raises SetUpError for a bad combination, and for
    a pinned key version that can make no token."""
    compiled = {
        name: Transformation(name, configured, keyset)
        for name, configured in settings.transformations.items()
    }
    states = {one.version: one.state for one in keyset.versions}
    for name, one in compiled.items():
        if one.pinned is None:
            continue
        at = f"transformations.{name}.key_version"
        if one.pinned not in states:
            raise SetUpError(f"{at}: the keyset has versions 1 to {len(states)}, not {one.pinned}")
        if states[one.pinned] is KeyState.DESTROYED:
            raise SetUpError(f"{at}: version {one.pinned} is destroyed; name one that is not")
    return compiled
