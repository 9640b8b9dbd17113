"""Everything that can go wrong with a request, an item or a set-up, as one small tree.

::

    JetonError
    +-- ItemError                 one item of a batch; the others are answered
    |   +-- InvalidValue          invalid_value
    |   +-- NotAToken             not_a_token
    |   +-- ContextRequired       context_required
    |   +-- DomainExhausted       domain_exhausted
    +-- Refusal                   the request as a whole, with a stable code
    +-- SetUpError                configuration, keyset or state: nothing starts

No message ever holds a value, a token, a context, a credential or anything else that was
sent: messages name the rule that was broken and how to mend it, never the input.
"""


class JetonError(Exception):
    """The root: catching it catches whatever Jeton itself raises."""


class ItemError(JetonError):
    """One item of a batch failed; `code` is stable, `detail` is for a person."""

    code = "invalid_value"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidValue(ItemError):
    """The text is no value of the format; a token given to tokenise is one too."""

    code = "invalid_value"


class NotAToken(ItemError):
    """The text is no token of the transformation under a usable key and this context."""

    code = "not_a_token"


class ContextRequired(ItemError):
    """The transformation binds its tokens to a context and none was given."""

    code = "context_required"


class DomainExhausted(ItemError):
    """The format has no room left for another token."""

    code = "domain_exhausted"


class Refusal(JetonError):
    """The request is refused whole; nothing was answered.

    `code` is one of the stable codes of the HTTP contract, `detail` says which rule and
    how to mend it, `retry_after` is in whole seconds where waiting helps, `limit` names the
    limit that a spent budget belongs to (`reveal.hour`), `cause` is what the record says in the
    code's place, where whoever asks is not to learn as much.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        retry_after: int | None = None,
        limit: str | None = None,
        cause: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.limit = limit
        self.cause = cause


class SetUpError(JetonError):
    """The configuration, the keyset, a KEK or the stored state cannot be used; says why."""
