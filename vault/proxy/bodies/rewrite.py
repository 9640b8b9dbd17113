"""The pass that all bodies share: fields are gathered, asked for in batches, and put back."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from vault.errors import ItemError, JetonError
from vault.proxy.bodies.pieces import Column, Columns, Field, Operation, Parser, Piece, Rule

Ask = Callable[
    [Operation, str, Sequence[str], Sequence[str | None]], Awaitable[Sequence[str | ItemError]]
]
"""(operation, transformation, texts, contexts) -> as many results, each a text or its error."""

Asked = Field | Column
Item = TypeVar("Item")

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
        """A batch is asked for when it has `max_fields` fields or `max_bytes` wait for it; four
        fields in columns count as one, as they take no more room."""
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
            elif isinstance(piece, Field):
                self._fields += 1
                self._bytes += len(piece.raw)
            else:
                self._fields += -(-len(piece) // 4)
                self._bytes += len(piece.records)
            if self._fields >= most_fields or self._bytes >= most_bytes:
                out.append(await self._flush())
        if not self._fields:
            out.append(await self._flush())
        return b"".join(out)

    async def _flush(self) -> bytes:
        waiting, self._waiting, self._fields, self._bytes = self._waiting, [], 0, 0
        await answer(asked(waiting), self._ask)
        return b"".join([p if isinstance(p, bytes) else put_back(p) for p in waiting])


def asked(pieces: Iterable[Piece]) -> list[Asked]:
    """What has to be asked for in pieces."""
    found = [piece for piece in pieces if not isinstance(piece, bytes)]
    fields: list[Asked] = [one for one in found if isinstance(one, Field)]
    if len(fields) < len(found):
        fields += [column for one in found if isinstance(one, Columns) for column in one.columns]
    return fields


async def answer(fields: Iterable[Asked], ask: Ask) -> None:
    """Give every field its outcome: those whose context is another's token after that one."""
    left = [field for field in fields if field.outcome is None]
    if any(isinstance(field.context, Asked) for field in left if field.context):
        left = _with_contexts(left)
    while left:
        # Where each waits for another they go in a circle: then none of them has a context.
        now = [field for field in left if not _waits(field)] or left
        groups: dict[tuple[Operation, str], list[Asked]] = {}
        for field in now:
            rule = field.rule
            groups.setdefault((rule.operation, rule.transformation), []).append(field)
        for (operation, transformation), group in groups.items():
            await _ask_group(operation, transformation, group, ask)
        done = {id(field) for field in now} if len(now) < len(left) else None
        left = [] if done is None else [field for field in left if id(field) not in done]


async def _ask_group(
    operation: Operation, transformation: str, group: Sequence[Asked], ask: Ask
) -> None:
    fields = [field for field in group if isinstance(field, Field)]
    mixed = len(fields) < len(group)
    columns = [column for column in group if isinstance(column, Column)] if mixed else []
    if operation == "drop":
        for field in fields:
            field.outcome = ""
        for column in columns:
            column.outcome = [""] * len(column.texts)
        return
    texts = [field.text for field in fields]
    contexts = [_context(field) for field in fields]
    for column in columns:
        texts += _without_gaps(column, column.texts)
        contexts += _without_gaps(column, _contexts(column))
    results = await ask(operation, transformation, texts, contexts) if texts else []
    if len(results) != len(texts):
        raise ValueError("there are not as many results as texts")
    for field, result in zip(fields, results, strict=False):
        field.outcome = result
    at = len(fields)
    for column in columns:
        at = _take_results(column, results, at)


def _without_gaps(column: Column, items: list[Item]) -> list[Item]:
    if not column.gaps:
        return items
    return [item for item, text in zip(items, column.texts, strict=True) if text]


def _take_results(column: Column, results: Sequence[str | ItemError], at: int) -> int:
    """Where the next column's results begin."""
    if not column.gaps:
        end = at + len(column.texts)
        column.outcome = results[at:end]
        return end
    outcome: list[str | ItemError] = []
    for text in column.texts:
        outcome.append(results[at] if text else "")
        at += bool(text)
    column.outcome = outcome
    return at


def _with_contexts(fields: Iterable[Asked]) -> list[Asked]:
    """The fields, and those they refer to that stand in a later batch, each once."""
    found = {}
    for field in fields:
        found[id(field)] = field
        other = field.context
        if isinstance(other, Asked) and other.outcome is None:
            found[id(other)] = other
    return list(found.values())


def _waits(field: Asked) -> bool:
    other = field.context
    if other is None or not isinstance(other, Asked):
        return False
    return _gives_token(other) and other.outcome is None


def _gives_token(field: Asked) -> bool:
    return field.rule.operation == "tokenise"


def _context(field: Asked) -> str | None:
    """A field that is tokenised gives its token, any other what stands there: its token too,
    unless this one is being tokenised and so nothing stands there but a value."""
    other = field.context
    if not isinstance(other, Field):
        return other  # type: ignore[return-value] # a column's that is none of texts or a column
    if _gives_token(other):
        if isinstance(other.outcome, str):
            return other.outcome
        return other.text if other.rule.on_error == "pass" else None
    return None if _gives_token(field) else other.text


def _contexts(column: Column) -> list[str | None]:
    """As of fields, one for each text."""
    other = column.context
    if isinstance(other, list):
        return [text or None for text in other]
    if not isinstance(other, Column):
        return [_context(column)] * len(column.texts)
    if not _gives_token(other):
        nothing = _gives_token(column)
        return [None if nothing else text or None for text in other.texts]
    outcome = other.outcome
    if outcome is not None and not other.gaps and set(map(type, outcome)) == {str}:
        return list(outcome)  # type: ignore[arg-type]
    passes = other.rule.on_error == "pass"
    kept = [text or None if passes else None for text in other.texts]
    if outcome is None:
        return kept
    return [
        one or None if isinstance(one, str) else text
        for one, text in zip(outcome, kept, strict=True)
    ]


def put_back(piece: Field | Columns) -> bytes:
    """The bytes that take the piece's place. Raises Blocked."""
    if not isinstance(piece, Field):
        return _columns_back(piece)
    rule = piece.rule
    if rule.operation == "drop":
        return piece.dropped
    outcome = piece.outcome
    if outcome == piece.text:
        return piece.raw  # however that was spelled
    if isinstance(outcome, str):
        try:
            return piece.encode(outcome)
        except ItemError as error:
            outcome = error
    if rule.on_error == "pass":
        return piece.raw
    code = outcome.code if outcome is not None else "unanswered"
    raise _reason(piece) or Blocked(rule, code)


def _reason(field: Field) -> Blocked | None:
    """Why there is no context for it, if that is why; contexts may go in a circle."""
    seen, reason = {id(field)}, None
    other = field.context
    while isinstance(other, Field) and isinstance(other.outcome, ItemError):
        if other.rule.on_error == "pass" or id(other) in seen:
            break
        seen.add(id(other))
        reason = Blocked(other.rule, other.outcome.code)
        other = other.context
    return reason


def _columns_back(columns: Columns) -> bytes:
    plain = columns.put_back()
    if plain is not None:
        return plain
    apart = columns.one_by_one()
    return b"".join([p if isinstance(p, bytes) else put_back(p) for p in apart])
