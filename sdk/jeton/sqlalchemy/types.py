"""The column type, and what stands for a value until the engine's hooks have its token."""

from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Dialect, String
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator, TypeEngine

from jeton.errors import UsageError
from jeton.results import HIDDEN, Sensitive, Token

_EQUALITY = {
    operators.eq,
    operators.ne,
    operators.in_op,
    operators.not_in_op,
    operators.is_,
    operators.is_not,
    operators.is_distinct_from,
    operators.is_not_distinct_from,
}


class ValueForUnboundEngine:
    """A value on its way to the database. No driver takes it: an engine that nobody gave to
    `bind` fails, and stores nothing."""

    __slots__ = ("column", "value")

    def __init__(self, value: str, column: "TokenisedString") -> None:
        self.value = value
        self.column = column

    def __repr__(self) -> str:
        return HIDDEN


class Covered:
    """A token that was read while revealing, and the `Sensitive` that its value goes into."""

    __slots__ = ("column", "context", "sensitive", "token")

    def __init__(self, token: Token, column: "TokenisedString") -> None:
        self.token = token
        self.column = column
        self.context = column.context
        # Not made yet: until it is, reveal() has nothing to give and fails.
        self.sensitive = Sensitive.__new__(Sensitive)


READ: ContextVar[dict[int, Covered] | None] = ContextVar("jeton_read", default=None)
"""What the result that is being read has to reveal, by the identity of its `Sensitive`; None
where tokens are read."""


class TokenisedString(TypeDecorator[Any]):
    """A string column that holds tokens of one transformation, and nothing else.

    `context` binds all of its tokens to one text; `context_from` names the attribute of the same
    row, whose column has the same name, that binds each, as it stands in the database: where
    that is tokenised too, the token. Rows are compared for equality alone, and not at all where
    `context_from` is given, since the row of a filter is not known: pass a `Token` there.

    What is bound to a column that changes has to be given anew with it: its token would not
    open any more.

    Takes `str` and `Sensitive`, which are tokenised, and `Token`, which goes in as it is.
    """

    impl = String
    cache_ok = True

    def __init__(
        self,
        transformation: str,
        length: int | None = None,
        *,
        context: str | None = None,
        context_from: str | None = None,
    ) -> None:
        super().__init__(length)
        if context is not None and context_from is not None:
            raise UsageError("a column has a context, or the name of what it is taken from")
        self.transformation = transformation
        self.length = length
        self.context = context
        self.context_from = context_from

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        text = self.untokenised(value)
        if text is None:
            return None if value is None else str(value)
        return ValueForUnboundEngine(text, self)

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:  # noqa: ARG002
        # Raising would have SQLAlchemy quote the value; what stands there instead is no SQL.
        return lambda _: HIDDEN

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        if value is None:
            return None
        read = READ.get()
        if read is None:
            return Token(value)
        covered = Covered(Token(value), self)
        read[id(covered.sensitive)] = covered
        return covered.sensitive

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:  # noqa: ARG002
        if op not in _EQUALITY:
            raise UsageError("tokens have no order and no parts: compare for equality")
        return self

    def untokenised(self, value: Any) -> str | None:
        """The text to be tokenised; None for a token, and for nothing."""
        if value is None or isinstance(value, Token):
            return None
        if isinstance(value, Sensitive):
            return value.reveal()
        if isinstance(value, str):
            return value
        raise UsageError("a TokenisedString takes a str, a Sensitive or a Token")


def refuse_loose_ends(changed: Collection[str], columns: Mapping[str, TokenisedString]) -> None:
    """Raise UsageError where a row gets another context, and what is bound to it stays."""
    for key, column in columns.items():
        if column.context_from in changed and key not in changed:
            raise UsageError(
                f"{key} is bound to {column.context_from}, which changes: give it too, or None"
            )
