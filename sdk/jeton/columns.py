"""What comes of a whole column: results and errors side by side, and values kept covered."""

from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, TypeVar

from jeton.errors import ITEM_ERRORS, ItemError
from jeton.results import HIDDEN

C = TypeVar("C")


class SensitiveColumn(Generic[C]):
    """A column of values that shows itself nowhere until `reveal()` is called.

    One cover for the whole column: a million objects that each hide one value would be neither
    Arrow nor fast. It knows its length, and nothing reads it as a sequence or an array.
    """

    __slots__ = ("_column",)

    def __init__(self, column: C) -> None:
        self._column = column

    def reveal(self) -> C:
        """The column itself, in plain text. Every use is a place to look at in a review."""
        return self._column

    def __len__(self) -> int:
        return len(self._column)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __copy__(self) -> "SensitiveColumn[C]":
        return self

    def __deepcopy__(self, memo: object) -> "SensitiveColumn[C]":
        return self

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a SensitiveColumn is no array: reveal() it where the text must be")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SensitiveColumn is not pickled: reveal() it where the text must be")


@dataclass(frozen=True)
class Outcome(Generic[C]):
    """What the service answered for a column, row by row: never all or nothing.

    `column` has as many rows as were given, null where the row was null or failed. `errors`
    beside it has null or the code of the row's error (``invalid_value``, ``not_a_token``, ...).
    `receipts` are the record's evidence of a reveal, one for each request that was sent.
    """

    column: C = field(repr=False)
    errors: Any = field(repr=False)
    first_error: tuple[int, str] | None
    """Row and code of the first row that failed."""
    receipts: tuple[str, ...] = ()

    def all(self) -> C:
        """The column; raises the `ItemError` of the first row that failed."""
        if self.first_error is not None:
            row, code = self.first_error
            kind = ITEM_ERRORS.get(code, ItemError)
            raise kind(f"row {row} of the column failed", index=row, code=code)
        return self.column
