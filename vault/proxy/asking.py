"""Fields become calls of the service, in the name of the route's client."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vault.access.rejected import CLAIMED
from vault.errors import ItemError
from vault.proxy.bodies.pieces import Operation
from vault.service import Answer, Call
from vault.web.headers import new_request_id

CREDENTIAL = "proxy"
"""What the record has in the place of a credential's hash: the proxy has none."""


class Back(Protocol):
    """The vault, as the proxy needs it."""

    def at_once(self, call: Call) -> Answer | None:
        """The answer where nothing has to be waited for. Raises Refusal."""
        ...

    async def perform(self, call: Call) -> Answer:
        """Raises Refusal with nothing answered."""
        ...

    def is_token(self, transformation: str, text: str) -> bool:
        """Whether `text` is a token of it, where the format lets that be told."""
        ...


@dataclass(slots=True, repr=False)
class Asker:
    """Asks for the fields of one message."""

    back: Back
    client: str
    purpose: str | None
    purposeful: frozenset[tuple[str, str]]
    """(operation, transformation) of grants that name purposes."""
    proving: frozenset[tuple[str, str]]
    """The same of grants that want a token of the end user's."""
    end_user: str | None
    source: str

    async def __call__(
        self,
        operation: Operation,
        transformation: str,
        texts: Sequence[str],
        contexts: Sequence[str | None],
    ) -> Sequence[str | ItemError]:
        """Raises Refusal."""
        assert operation != "drop"
        named = (operation, transformation) in self.purposeful
        call = Call(
            operation,
            transformation,
            self.client,
            list(texts),
            _together(contexts),
            purpose=self.purpose if named else None,
            end_user=self._whom(operation, transformation),
            request_id=new_request_id(),
            source=self.source,
            credential=CREDENTIAL,
        )
        answer = self.back.at_once(call) or await self.back.perform(call)
        results = _results(answer)
        for failure in answer.errors:
            text = texts[failure.index]
            if operation == "tokenise" and self.back.is_token(transformation, text):
                results[failure.index] = text  # it is inside the boundary already
            else:
                results[failure.index] = _error(failure.code, failure.detail)
        return results

    def _whom(self, operation: Operation, transformation: str) -> str | None:
        """What tokenises for nobody in particular has no use for a token."""
        whom, wanted = self.end_user, (operation, transformation) in self.proving
        proves = whom is not None and len(whom) > CLAIMED
        return None if proves and operation == "tokenise" and not wanted else whom


def _results(answer: Answer) -> list[str | ItemError]:
    if set(map(type, answer.results)) == {str}:
        return list(answer.results)  # type: ignore[arg-type]
    return [
        result if isinstance(result, str) else ItemError("nothing was answered")
        for result in answer.results
    ]


def _together(contexts: Sequence[str | None]) -> str | list[str | None] | None:
    first = contexts[0]
    return first if contexts.count(first) == len(contexts) else list(contexts)


def _error(code: str, detail: str) -> ItemError:
    error = ItemError(detail)
    error.code = code
    return error
