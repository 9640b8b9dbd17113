"""What the `Client` can be asked, and how.

`sdk/unasync.py` made this of `async_methods.py`: change that one.
"""
# fmt: off
# ruff: noqa: I001, RUF100, UP028

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, ParamSpec, TypeVar, overload

from jeton import raw
from jeton.batches import Texts
from jeton.errors import ItemError
from jeton.protocol import (
    DETOKENISE,
    MASK,
    MATCH,
    REVEAL,
    TOKENISE,
    Call,
    Operation,
    Text,
    ask_transformations,
)
from jeton.results import Items, RawResponse, Sensitive, Token, Transformation

T = TypeVar("T")
P = ParamSpec("P")


class Methods(ABC):
    """The calls. Each takes one text, and gives one result or raises; or a sequence of texts,
    and gives `Items`, with an `ItemError` in the place of each item that failed; or any
    iterable, and gives an iterator of results and errors, for which batches of at most 10,000
    are read and sent one after the other. A context is one text for all, or one for each.

    All raise `UsageError`, `Unreachable`, `NoAnswer` or a `ServiceError` for the request as a
    whole. A purpose that is not passed is the client's own, for all but `tokenise`.
    """

    # A str is a Sequence[str], which is an Iterable[str]: what stands first wins.
    @overload
    def tokenise(  # type: ignore[overload-overlap]
        self, transformation: str, value: str, *, context: str | None = None
    ) -> Token: ...
    @overload
    def tokenise(  # type: ignore[overload-overlap]
        self, transformation: str, value: Sequence[str], *, context: Text | None = None
    ) -> Items[Token]: ...
    @overload
    def tokenise(
        self, transformation: str, value: Texts, *, context: Texts | None = None
    ) -> Iterator[Token | ItemError]: ...
    def tokenise(
        self, transformation: str, value: Texts, *, context: Texts | None = None
    ) -> Any:
        """The token of a value, under a context where the transformation takes one."""
        return self._ask(TOKENISE, transformation, (value,), context, None, None)

    @overload
    def detokenise(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: str,
        *,
        context: str | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
        reveal_as_str: Literal[True],
    ) -> str: ...
    @overload
    def detokenise(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: Sequence[str],
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
        reveal_as_str: Literal[True],
    ) -> Items[str]: ...
    @overload
    def detokenise(
        self,
        transformation: str,
        token: Texts,
        *,
        context: Texts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
        reveal_as_str: Literal[True],
    ) -> Iterator[str | ItemError]: ...
    @overload
    def detokenise(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: str,
        *,
        context: str | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
        reveal_as_str: Literal[False] = False,
    ) -> Sensitive: ...
    @overload
    def detokenise(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: Sequence[str],
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
        reveal_as_str: Literal[False] = False,
    ) -> Items[Sensitive]: ...
    @overload
    def detokenise(
        self,
        transformation: str,
        token: Texts,
        *,
        context: Texts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
        reveal_as_str: Literal[False] = False,
    ) -> Iterator[Sensitive | ItemError]: ...
    def detokenise(
        self,
        transformation: str,
        token: Texts,
        *,
        context: Texts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
        reveal_as_str: bool = False,
    ) -> Any:
        """The value behind a token: charged and recorded, for a stated purpose. `Sensitive`,
        or plain `str` with `reveal_as_str=True`."""
        operation: Operation[Any] = REVEAL if reveal_as_str else DETOKENISE
        return self._ask(operation, transformation, (token,), context, purpose, on_behalf_of)

    @overload
    def mask(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: str,
        *,
        context: str | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> str: ...
    @overload
    def mask(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: Sequence[str],
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Items[str]: ...
    @overload
    def mask(
        self,
        transformation: str,
        token: Texts,
        *,
        context: Texts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Iterator[str | ItemError]: ...
    def mask(
        self,
        transformation: str,
        token: Texts,
        *,
        context: Texts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Any:
        """As much of the value behind a token as a screen may show: ``284************``."""
        return self._ask(MASK, transformation, (token,), context, purpose, on_behalf_of)

    @overload
    def match(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: str,
        candidate: str,
        *,
        context: str | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> bool: ...
    @overload
    def match(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: Sequence[str],
        candidate: Sequence[str],
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Items[bool]: ...
    @overload
    def match(
        self,
        transformation: str,
        token: Texts,
        candidate: Texts,
        *,
        context: Texts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Iterator[bool | ItemError]: ...
    def match(
        self,
        transformation: str,
        token: Texts,
        candidate: Texts,
        *,
        context: Texts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Any:
        """Whether the value behind a token is the candidate, and nothing more."""
        given = (token, candidate)
        return self._ask(MATCH, transformation, given, context, purpose, on_behalf_of)

    def transformations(self) -> list[Transformation]:
        """What this client may do, and with which transformations."""
        return self.send(ask_transformations())

    @abstractmethod
    def send(self, call: Call[T]) -> T:
        """Send a call made by `jeton.protocol`, of any media type, as persistently as any
        other: within the client's timeout, tried again, at another address."""

    @abstractmethod
    def _ask(
        self,
        operation: Operation[Any],
        transformation: str,
        given: Sequence[Texts],
        context: Texts | None,
        purpose: str | None,
        on_behalf_of: str | None,
    ) -> Any: ...


class RawMethods:
    """The same methods, of texts and sequences, whose results come with their HTTP answer. Such
    a call travels alone."""

    def __init__(self, methods: Methods) -> None:
        self.tokenise = _with_response(methods.tokenise)
        self.detokenise = _with_response(methods.detokenise)
        self.mask = _with_response(methods.mask)
        self.match = _with_response(methods.match)
        self.transformations = _with_response(methods.transformations)


def _with_response(
    method: Callable[P, T],
) -> Callable[P, RawResponse[T]]:
    def asked(*given: P.args, **named: P.kwargs) -> RawResponse[T]:
        with raw.keeping() as answers:
            return raw.response(method(*given, **named), answers)

    return asked
