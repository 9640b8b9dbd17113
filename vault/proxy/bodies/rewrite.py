"""The pass that all bodies share: fields are gathered, asked for in batches, and put back."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from vault.errors import ItemError, JetonError
from vault.proxy.bodies.pieces import Field, Operation, Parser, Piece, Rule

Ask = Callable[
    [Operation, str, Sequence[str], Sequence[str | None]], Awaitable[Sequence[str | ItemError]]
]
"""(operation, transformation, texts, contexts) -> as many results, each a text or its error."""


_WHY = {
    "invalid_value": " (it is no value of the rule's transformation)",
    "not_a_token": " (it is no token of the rule's transformation)",
    "context_required": " (nothing stands there that the rule's context_select names)",
}


class Blocked(JetonError):
    """A field failed and its rule says that the body must not pass; names rule and code alone."""

    def __init__(self, rule: Rule, code: str) -> None:
        super().__init__(
            f"a field selected by {rule.selector!r} failed: {code}{_WHY.get(code, '')}"
        )
        self.rule = rule
        self.code = code


class Rewriter:
    """Rewrites one body. After any exception it is of no use, and nothing more may be sent."""

    def __init__(
        self, parser: Parser, ask: Ask, *, max_fields: int = 500, max_bytes: int = 1 << 18
    ) -> None:
        """A batch is asked for when it has `max_fields` fields or `max_bytes` wait for it."""
        self._parser = parser
        self._ask = ask
        self._max_fields = max_fields
        self._max_bytes = max_bytes
        self._waiting: list[Piece] = []
        self._fields = 0
        self._bytes = 0

    async def feed(self, chunk: bytes) -> bytes:
        """What may leave now. Raises Unparsable, Blocked, and whatever `ask` raises."""
        return await self._take(self._parser.feed(chunk))

    async def close(self) -> bytes:
        """The rest. Raises as `feed` does."""
        done = await self._take(self._parser.close())
        return done + await self._flush()

    async def _take(self, pieces: Iterable[Piece]) -> bytes:
        out, most_fields, most_bytes = [], self._max_fields, self._max_bytes
        for piece in pieces:
            self._waiting.append(piece)
            if isinstance(piece, bytes):
                self._bytes += len(piece)
            else:
                self._fields += 1
                self._bytes += len(piece.raw)
            if self._fields >= most_fields or self._bytes >= most_bytes:
                out.append(await self._flush())
        if not self._fields:
            out.append(await self._flush())
        return b"".join(out)

    async def _flush(self) -> bytes:
        waiting, self._waiting, self._fields, self._bytes = self._waiting, [], 0, 0
        await answer([piece for piece in waiting if isinstance(piece, Field)], self._ask)
        return b"".join([p if isinstance(p, bytes) else put_back(p) for p in waiting])


async def answer(fields: Iterable[Field], ask: Ask) -> None:
    """Give every field its outcome: those whose context is another's token after that one."""
    left = [field for field in fields if field.outcome is None]
    if any(isinstance(field.context, Field) for field in left):
        left = _with_contexts(left)
    while left:
        # Where each waits for another they go in a circle: then none of them has a context.
        now = [field for field in left if not _waits(field)] or left
        groups: dict[tuple[Operation, str], list[Field]] = {}
        for field in now:
            rule = field.rule
            groups.setdefault((rule.operation, rule.transformation), []).append(field)
        for (operation, transformation), group in groups.items():
            await _ask_group(operation, transformation, group, ask)
        asked = {id(field) for field in now} if len(now) < len(left) else None
        left = [] if asked is None else [field for field in left if id(field) not in asked]


async def _ask_group(
    operation: Operation, transformation: str, group: Sequence[Field], ask: Ask
) -> None:
    if operation == "drop":
        for field in group:
            field.outcome = ""
        return
    contexts = [_context(field) for field in group]
    results = await ask(operation, transformation, [field.text for field in group], contexts)
    for field, result in zip(group, results, strict=True):
        field.outcome = result


def _with_contexts(fields: Iterable[Field]) -> list[Field]:
    """The fields, and those they refer to that stand in a later batch, each once."""
    found = {}
    for field in fields:
        found[id(field)] = field
        other = field.context
        if isinstance(other, Field) and other.outcome is None:
            found[id(other)] = other
    return list(found.values())


def _waits(field: Field) -> bool:
    other = field.context
    return isinstance(other, Field) and _gives_token(other) and other.outcome is None


def _gives_token(field: Field) -> bool:
    return field.rule.operation == "tokenise"


def _context(field: Field) -> str | None:
    """A field that is tokenised gives its token, any other what stands there: its token too,
    unless this one is being tokenised and so nothing stands there but a value."""
    other = field.context
    if not isinstance(other, Field):
        return other
    if _gives_token(other):
        if isinstance(other.outcome, str):
            return other.outcome
        return other.text if other.rule.on_error == "pass" else None
    return None if _gives_token(field) else other.text


def put_back(field: Field) -> bytes:
    """The bytes that take the field's place. Raises Blocked."""
    rule = field.rule
    if rule.operation == "drop":
        return field.dropped
    outcome = field.outcome
    if outcome == field.text:
        return field.raw  # however that was spelled
    if isinstance(outcome, str):
        try:
            return field.encode(outcome)
        except ItemError as error:
            outcome = error
    if rule.on_error == "pass":
        return field.raw
    if isinstance(field.context, Field) and isinstance(field.context.outcome, ItemError):
        put_back(field.context)  # why there is no context
    raise Blocked(rule, outcome.code if outcome is not None else "unanswered")
