"""What the `AsyncClient` can be asked, and how.

`sdk/unasync.py` makes `methods.py` of this file: change this one.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Literal, ParamSpec, TypeVar, overload

from jeton import raw
from jeton.batches import AnyTexts
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


class AsyncMethods(ABC):
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
    ) -> Coroutine[Any, Any, Token]: ...
    @overload
    def tokenise(  # type: ignore[overload-overlap]
        self, transformation: str, value: Sequence[str], *, context: Text | None = None
    ) -> Coroutine[Any, Any, Items[Token]]: ...
    @overload
    def tokenise(
        self, transformation: str, value: AnyTexts, *, context: AnyTexts | None = None
    ) -> AsyncIterator[Token | ItemError]: ...
    def tokenise(
        self, transformation: str, value: AnyTexts, *, context: AnyTexts | None = None
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
    ) -> Coroutine[Any, Any, str]: ...
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
    ) -> Coroutine[Any, Any, Items[str]]: ...
    @overload
    def detokenise(
        self,
        transformation: str,
        token: AnyTexts,
        *,
        context: AnyTexts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
        reveal_as_str: Literal[True],
    ) -> AsyncIterator[str | ItemError]: ...
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
    ) -> Coroutine[Any, Any, Sensitive]: ...
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
    ) -> Coroutine[Any, Any, Items[Sensitive]]: ...
    @overload
    def detokenise(
        self,
        transformation: str,
        token: AnyTexts,
        *,
        context: AnyTexts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
        reveal_as_str: Literal[False] = False,
    ) -> AsyncIterator[Sensitive | ItemError]: ...
    def detokenise(
        self,
        transformation: str,
        token: AnyTexts,
        *,
        context: AnyTexts | None = None,
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
    ) -> Coroutine[Any, Any, str]: ...
    @overload
    def mask(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: Sequence[str],
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Coroutine[Any, Any, Items[str]]: ...
    @overload
    def mask(
        self,
        transformation: str,
        token: AnyTexts,
        *,
        context: AnyTexts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> AsyncIterator[str | ItemError]: ...
    def mask(
        self,
        transformation: str,
        token: AnyTexts,
        *,
        context: AnyTexts | None = None,
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
    ) -> Coroutine[Any, Any, bool]: ...
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
    ) -> Coroutine[Any, Any, Items[bool]]: ...
    @overload
    def match(
        self,
        transformation: str,
        token: AnyTexts,
        candidate: AnyTexts,
        *,
        context: AnyTexts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> AsyncIterator[bool | ItemError]: ...
    def match(
        self,
        transformation: str,
        token: AnyTexts,
        candidate: AnyTexts,
        *,
        context: AnyTexts | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Any:
        """Whether the value behind a token is the candidate, and nothing more."""
        given = (token, candidate)
        return self._ask(MATCH, transformation, given, context, purpose, on_behalf_of)

    async def transformations(self) -> list[Transformation]:
        """What this client may do, and with which transformations."""
        return await self.send(ask_transformations())

    @abstractmethod
    async def send(self, call: Call[T]) -> T:
        """Send a call made by `jeton.protocol`, of any media type, as persistently as any
        other: within the client's timeout, tried again, at another address."""

    @abstractmethod
    def _ask(
        self,
        operation: Operation[Any],
        transformation: str,
        given: Sequence[AnyTexts],
        context: AnyTexts | None,
        purpose: str | None,
        on_behalf_of: str | None,
    ) -> Any: ...


class AsyncRawMethods:
    """The same methods, of texts and sequences, whose results come with their HTTP answer. Such
    a call travels alone."""

    def __init__(self, methods: AsyncMethods) -> None:
        self.tokenise = _with_response(methods.tokenise)
        self.detokenise = _with_response(methods.detokenise)
        self.mask = _with_response(methods.mask)
        self.match = _with_response(methods.match)
        self.transformations = _with_response(methods.transformations)


def _with_response(
    method: Callable[P, Awaitable[T]],
) -> Callable[P, Coroutine[Any, Any, RawResponse[T]]]:
    async def asked(*given: P.args, **named: P.kwargs) -> RawResponse[T]:
        with raw.keeping() as answers:
            return raw.response(await method(*given, **named), answers)

    return asked
