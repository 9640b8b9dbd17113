"""What calls give back."""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar, overload

from jeton.errors import ItemError

T_co = TypeVar("T_co", covariant=True)

HIDDEN = "<sensitive>"


class Token(str):
    """A token: a `str` of the value's shape, safe to store, to show and to log."""

    __slots__ = ()


class Sensitive:
    """A value that shows itself nowhere: not in repr, str, a format, a log or a pickle.

    `reveal()` gives the text. Two are equal if their texts are; they compare with no `str`,
    so that a forgotten `reveal()` shows up as a difference and not as a leak.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The value itself. Every use of it is a place to look at in a review."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sensitive):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Sensitive, self._text))

    def __copy__(self) -> "Sensitive":
        return self

    def __deepcopy__(self, memo: object) -> "Sensitive":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sensitive is not pickled: reveal() it where the text must travel")


class Items(Sequence[T_co | ItemError], Generic[T_co]):
    """The results of a batch, one for each item sent, in order: a result or its `ItemError`.

    `request_id` names the request; `receipt` is the record's evidence of a reveal, which may
    be kept, and None for tokenise.
    """

    __slots__ = ("_results", "receipt", "request_id")

    def __init__(
        self, results: Sequence[T_co | ItemError], request_id: str, receipt: str | None = None
    ) -> None:
        self._results = tuple(results)
        self.request_id = request_id
        self.receipt = receipt

    @overload
    def __getitem__(self, at: int) -> T_co | ItemError: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T_co | ItemError]: ...
    def __getitem__(self, at: int | slice) -> T_co | ItemError | Sequence[T_co | ItemError]:
        return self._results[at]

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[T_co | ItemError]:
        return iter(self._results)

    def __repr__(self) -> str:
        return f"<{len(self)} items, {len(self.errors)} failed>"

    @property
    def errors(self) -> tuple[ItemError, ...]:
        """The items that failed; each knows its `index`."""
        return tuple(result for result in self._results if isinstance(result, ItemError))

    def all(self) -> list[T_co]:
        """Every result; raises the first `ItemError` where one failed."""
        results: list[T_co] = []
        for result in self._results:
            if isinstance(result, ItemError):
                raise result
            results.append(result)
        return results


@dataclass(frozen=True, slots=True)
class Transformation:
    """What this client may do with one transformation."""

    name: str
    format: str
    method: str
    context: str
    """``required``, ``optional`` or ``none``."""
    operations: tuple[str, ...]
    purposes: tuple[str, ...]
    token_recognisable: bool
    """Whether a token can be told from a value by its text alone."""
