"""A configured transformation, compiled: a format, a method, and the rules around them."""

import hmac
from collections.abc import Sequence

from vault.config import Settings
from vault.config import Transformation as Configured
from vault.crypto.keyset import Keyset
from vault.engine.context import Contexts
from vault.engine.fpe import Fpe
from vault.engine.outcome import Outcome
from vault.errors import ContextRequired
from vault.formats import build
from vault.formats.base import ContextRule, Format

SAMPLE = 64
"""How many items are looked at to decide whether a batch repeats itself."""


class Transformation:
    """What the URL names. Batch in, batch out; order and length kept; errors per item."""

    def __init__(self, name: str, configured: Configured, keyset: Keyset) -> None:
        self.name = name
        self.configured = configured
        self.format: Format = build(
            configured.format,
            band=configured.band,
            wrong_key=configured.wrong_key,
            alphabet=configured.alphabet,
            min_length=configured.min_length,
            max_length=configured.max_length,
            template=configured.template,
        )
        self.context: ContextRule = configured.context or self.format.context
        key_id = configured.key_id or name
        self._method = Fpe(self.format, keyset, key_id, configured.key_version)

    @property
    def pinned(self) -> int | None:
        """The key version all tokens are of, where the format has no room for slots."""
        return self._method.pinned

    def tokenise(self, values: Sequence[str], contexts: Contexts) -> Outcome:
        """Raises Refusal (keys_unavailable) where the key to tokenise with is not usable."""
        missing = self._missing(values, contexts)
        if missing is not None:
            return missing
        if _repeats(values, contexts):
            distinct = list(dict.fromkeys(values))
            return _spread(values, distinct, self._method.tokenise(distinct, contexts))
        return self._method.tokenise(values, contexts)

    def detokenise(self, tokens: Sequence[str], contexts: Contexts) -> Outcome:
        missing = self._missing(tokens, contexts)
        if missing is not None:
            return missing
        if _repeats(tokens, contexts):
            distinct = list(dict.fromkeys(tokens))
            return _spread(tokens, distinct, self._method.detokenise(distinct, contexts))
        return self._method.detokenise(tokens, contexts)

    def mask(self, value: str) -> str:
        """A value of this format with most of it hidden, in the form given."""
        return self.format.mask(value, self.configured.keep_first, self.configured.keep_last)

    def matches(self, value: str, candidate: str) -> bool:
        """Whether two texts are one value, whatever their forms, compared in constant time.

        Raises InvalidValue where the candidate is no value.
        """
        same = self.format.canonical(candidate).encode()
        return hmac.compare_digest(self.format.canonical(value).encode(), same)

    def _missing(self, items: Sequence[str], contexts: Contexts) -> Outcome | None:
        """The batch's outcome where its items lack a context; None where all is well."""
        if self.context != "required" or contexts is not None:
            return None
        error = ContextRequired("this transformation binds tokens to a context: send one")
        return Outcome([None] * len(items), dict.fromkeys(range(len(items)), error))


def _repeats(items: Sequence[str], contexts: Contexts) -> bool:
    """Whether most of a sample stands in the batch more than once, under one context."""
    if len(items) < SAMPLE or not (contexts is None or isinstance(contexts, str)):
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
    """Every configured transformation by name. Raises SetUpError for a bad combination."""
    return {
        name: Transformation(name, configured, keyset)
        for name, configured in settings.transformations.items()
    }
