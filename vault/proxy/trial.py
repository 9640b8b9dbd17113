"""What a route would do to a message, field by field, without keys, charges or a record: fields are
judged by their formats alone, and shown masked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vault.config import Settings, format_of
from vault.errors import ItemError, SetUpError
from vault.formats import Format
from vault.proxy.bodies.pieces import Field, Operation, Unparsable, one_by_one
from vault.proxy.bodies.rewrite import answer
from vault.proxy.head import Head, check_request
from vault.proxy.message import Coding
from vault.proxy.routes import Route

SHOWN = 3
"""Characters of a field that are shown."""
_MOST: Final = 1 << 30
"""Bytes that a body may unfold to: nobody waits for an answer."""
_REQUEST: Final = re.compile(rb"([A-Z]+) (/[^ ?\r\n]*)\??([^ \r\n]*) HTTP/1\.1\r?\n")
_ANSWER: Final = re.compile(rb"HTTP/1\.1 [0-9]{3}[^\r\n]*\r?\n")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*\r?\n")


@dataclass(frozen=True, repr=False)
class Sample:
    """A message to try a route on: with a head of its own, or a body alone."""

    body: bytes
    head: Head
    method: str = ""
    """Empty where there is no request line."""
    is_answer: bool = False
    """It begins with a status line."""

    @classmethod
    def of(cls, text: bytes, content_type: str) -> "Sample":
        """`content_type` is that of a body alone. Lines may end as they do in files. Raises
        Unparsable for a head that is none."""
        request, status = _REQUEST.match(text), _ANSWER.match(text)
        first = request or status
        if first is None:
            return cls(text, Head([(b"content-type", content_type.encode())]))
        headers, at = [], first.end()
        while found := _FIELD.match(text, at):
            headers.append((found[1].lower(), found[2]))
            at = found.end()
        end = re.compile(rb"\r?\n|\Z").match(text, at)
        if end is None:
            raise Unparsable("no header", at)
        body = text[end.end() :]
        if request is None:
            return cls(body, Head(headers), is_answer=True)
        return cls(body, Head(headers, request[2], request[3]), request[1].decode())


@dataclass(frozen=True)
class Change:
    """A field: by which selector, what stands there (masked), and what would become of it."""

    selector: str
    operation: Operation
    transformation: str
    masked: str
    outcome: str
    ok: bool


class Trial:
    """One route of a configuration, for one direction."""

    def __init__(self, settings: Settings, name: str, *, response: bool) -> None:
        """Raises SetUpError: there is no such route, or its selectors cannot be followed."""
        route = settings.proxy.routes.get(name)
        if route is None:
            known = ", ".join(settings.proxy.routes) or "none"
            raise SetUpError(f"there is no such route; there are: {known}")
        client = settings.clients.get(route.client or "")
        self._formats: dict[str, Format] = {
            key: format_of(one) for key, one in settings.transformations.items()
        }
        self._route = Route(name, route, client, self._is_token)
        self._rules = self._route.response if response else self._route.request

    async def of(self, sample: Sample) -> Sequence[Change]:
        """Raises SetUpError where the route or its rules are not about such a message, Unparsable,
        BadEncoding, UnknownEncoding, and Refusal for a head that does not pass."""
        head = sample.head
        if sample.method:
            self._takes(sample.method, head)
        fields = [*head.find(self._rules.head), *self._body(sample)]
        for field in fields:
            place = self._rules.borrowed.get(field.rule)
            if place is not None:
                field.context = head.context(place)
        await answer(fields, self._judge)
        return [self._change(field) for field in fields]

    def _takes(self, method: str, head: Head) -> None:
        host, said = head.fields.get(b"host", b""), head.fields.get(b"content-type", b"")
        captured = self._route.fits(method, host, head.path, said.decode("latin-1"))
        if captured is None:
            raise SetUpError("the route is not for such a request: its listener finds another")
        check_request(head, self._route.end_user.header, self._route.twins)
        head.captured = captured

    def _body(self, sample: Sample) -> list[Field]:
        if not sample.body and self._rules.head:
            return []
        said = sample.head.fields.get(b"content-type", b"").decode("latin-1")
        parser = self._rules.parsers.of(said)
        if parser is None and (self._rules.parsers.any or not self._rules.head):
            raise SetUpError(
                f"no rule of this route is about {said or 'a body without a type'}:"
                f" it would {self._route.configured.others}; say --content-type"
            )
        if parser is None:
            return []
        coding = Coding.of(sample.head, _MOST)
        unfolded = [sample.body] if coding is None else coding.whole([sample.body], _MOST)
        pieces = [piece for chunk in unfolded or [] for piece in parser.feed(chunk)]
        apart = one_by_one([*pieces, *parser.close()])
        return [piece for piece in apart if isinstance(piece, Field)]

    def _is_token(self, transformation: str, text: str) -> bool:
        form = self._formats[transformation]
        return form.recognisable and _reads(form.read_token, text)

    async def _judge(
        self,
        operation: Operation,
        transformation: str,
        texts: Sequence[str],
        contexts: Sequence[str | None],  # noqa: ARG002 - as the service is asked
    ) -> Sequence[str | ItemError]:
        form = self._formats[transformation]
        reads = form.read_value if operation == "tokenise" else form.read_token
        results: list[str | ItemError] = []
        for text in texts:
            try:
                reads(text)
            except ItemError as error:
                already = operation == "tokenise" and self._is_token(transformation, text)
                results.append(text if already else error)
            else:
                results.append("")
        return results

    def _change(self, field: Field) -> Change:
        rule, outcome = field.rule, field.outcome
        failed = isinstance(outcome, ItemError)
        if isinstance(outcome, ItemError):
            said = f"{outcome.code}: would {rule.on_error}"
        elif outcome == field.text:
            said = "a token already: stays"
        else:
            said = rule.operation
        masked = field.text[:SHOWN] + "*" * max(0, len(field.text) - SHOWN)
        return Change(
            rule.selector, rule.operation, rule.transformation, masked, said, ok=not failed
        )


def _reads(read: object, text: str) -> bool:
    try:
        read(text)  # type: ignore[operator] # one of a format's two
    except ItemError:
        return False
    return True
