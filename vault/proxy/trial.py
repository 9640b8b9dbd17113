"""What a route would do to a message, field by field, without keys, charges or a record: fields are
judged by their formats alone, and shown masked."""

from collections.abc import Sequence
from dataclasses import dataclass

from vault.config import Route, Settings, format_of
from vault.errors import ItemError, SetUpError
from vault.formats import Format
from vault.proxy.bodies.pieces import Field, Operation
from vault.proxy.bodies.rewrite import answer
from vault.proxy.rules import Rules

SHOWN = 3
"""Characters of a field that are shown."""


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
        self._route: Route = route
        self._formats: dict[str, Format] = {
            key: format_of(one) for key, one in settings.transformations.items()
        }
        configured = route.response if response else route.request
        self._rules = Rules(configured, route, self._is_token, f"proxy.routes.{name}")

    async def of(self, body: bytes, content_type: str) -> Sequence[Change]:
        """Raises SetUpError where no rule is about such a body, and Unparsable."""
        parser = self._rules.parsers.of(content_type)
        if parser is None:
            raise SetUpError(
                f"no rule of this route is about {content_type or 'a body without a type'}:"
                f" it would {self._route.others}; say --content-type"
            )
        pieces = [*parser.feed(body), *parser.close()]
        fields = [piece for piece in pieces if isinstance(piece, Field)]
        await answer(fields, self._judge)
        return [self._change(field) for field in fields]

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
