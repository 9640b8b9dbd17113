"""What calls give back."""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, overload

from jeton.errors import ItemError, UsageError

T_co = TypeVar("T_co", covariant=True)

HIDDEN = "<sensitive>"


class Token(str):
    """A token: a `str` of the value's shape, safe to store, to show and to log."""

    __slots__ = ()


class Sensitive:
    """A value that shows itself nowhere: not in repr, str, a format, a log or a pickle.

    `reveal()` gives the text. Two are equal if their texts are; they compare with no `str`,
    so that a forgotten `reveal()` shows up as a difference and not as a leak. It is no `str`
    either: type checkers, databases and `json.dumps` refuse it where a text was meant
    (``default=str`` shows `<sensitive>`). A pickle holds no value: what comes out of it hides
    nothing any more, and `reveal()` says so.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: str | None = text

    def reveal(self) -> str:
        """The value itself. Every use of it is a place to look at in a review."""
        if self._text is None:
            raise UsageError("this value did not travel with its pickle")
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sensitive):
            return NotImplemented
        if self._text is None or other._text is None:
            return self is other
        return hmac.compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash((Sensitive, self._text))

    def __copy__(self) -> "Sensitive":
        return self

    def __deepcopy__(self, memo: object) -> "Sensitive":
        return self

    def __getstate__(self) -> None:
        """Python's own would hand out the slots."""

    def __reduce__(self) -> tuple[Callable[[], "Sensitive"], tuple[()]]:
        return _withheld, ()

    def _bytes(self) -> bytes:
        return (self._text or "").encode("utf-8", "surrogatepass")


def _withheld() -> Sensitive:
    """What is left of a value after a pickle."""
    empty = Sensitive("")
    empty._text = None  # noqa: SLF001 # of the same house
    return empty


class Items(Sequence[T_co | ItemError], Generic[T_co]):
    """The results of a list, one for each item sent, in order: a result or its `ItemError`.

    `request_ids` name the requests, one for each batch it took; `receipts` are the record's
    evidence of reveals, which may be kept: none for tokenise. `request_id` and `receipt` are
    the first of them.
    """

    __slots__ = ("_results", "receipts", "request_ids")

    def __init__(
        self, results: Sequence[T_co | ItemError], request_id: str, receipt: str | None = None
    ) -> None:
        self._results = tuple(results)
        self.request_ids: tuple[str, ...] = (request_id,)
        self.receipts: tuple[str, ...] = () if receipt is None else (receipt,)

    @classmethod
    def joined(cls, parts: "Sequence[Items[T_co]]") -> "Items[T_co]":
        """Several batches, at least one, as the list that they were cut from."""
        whole = cls([result for part in parts for result in part], "")
        whole.request_ids = tuple(one for part in parts for one in part.request_ids)
        whole.receipts = tuple(one for part in parts for one in part.receipts)
        return whole

    @property
    def request_id(self) -> str:
        return self.request_ids[0]

    @property
    def receipt(self) -> str | None:
        return self.receipts[0] if self.receipts else None

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


@dataclass(frozen=True, slots=True)
class RawResponse(Generic[T_co]):
    """A result with the HTTP answer it came in, the last one where it took several; headers
    under lower-case names."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    result: T_co
