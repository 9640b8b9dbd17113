"""Which client an engine's values go through, and the hooks in which they do."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.util import await_only

from jeton.errors import UsageError
from jeton.results import Items, Sensitive, Token
from jeton.sqlalchemy.types import (
    Covered,
    TokenisedString,
    ValueForUnboundEngine,
    refuse_loose_ends,
)

Client: TypeAlias = Any
"""A `jeton.Client`, or for an AsyncEngine a `jeton.AsyncClient`."""

_CLIENTS: "WeakKeyDictionary[Engine, Client]" = WeakKeyDictionary()


def bind(engine: Any, client: Client) -> None:
    """Let the values of `engine`, an Engine or AsyncEngine, be tokenised by `client`.

    An AsyncEngine takes an `AsyncClient`; a `Client` works there too, and holds the loop up.
    To bind again changes the client.
    """
    plain: Engine = getattr(engine, "sync_engine", engine)
    if plain not in _CLIENTS:
        event.listen(plain, "before_execute", _before_execute, retval=True)
        event.listen(plain, "before_cursor_execute", _before_cursor_execute, retval=True)
    _CLIENTS[plain] = client


def client_of(engine: Any) -> Client | None:
    """That of an engine or a connection, which may have been derived by options."""
    plain = engine.engine
    while (behind := getattr(plain, "_proxied", None)) is not None:
        plain = behind
    return _CLIENTS.get(plain)


def tokens(client: Client, given: Sequence[tuple[TokenisedString, str | None, str]]) -> list[Token]:
    """The tokens of (column, context, value), in one call a transformation; raises the
    `ItemError` of the first that has none."""
    return _grouped(client.tokenise, given)


def reveal(client: Client, covered: Sequence[Covered], **said: str | None) -> None:
    """Put the values into all that were read, in one call a transformation."""
    given = [(one.column, one.context, one.token) for one in covered]
    for one, value in zip(covered, _grouped(client.detokenise, given, **said), strict=True):
        _fill(one.sensitive, value)


def _fill(sensitive: Sensitive, value: Sensitive) -> None:
    sensitive.__init__(value.reveal())  # type: ignore[misc] # the one that the row already holds


def _grouped(
    ask: Callable[..., Any],
    given: Sequence[tuple[TokenisedString, str | None, str]],
    **said: str | None,
) -> list[Any]:
    groups: dict[tuple[str, bool], dict[tuple[str | None, str], Any]] = {}
    for column, context, text in given:
        group = groups.setdefault((column.transformation, context is None), {})
        group[context, text] = None
    for (transformation, plain), wanted in groups.items():
        contexts = None if plain else [context for context, _ in wanted]
        got = ask(transformation, [text for _, text in wanted], context=contexts, **said)
        items: Items[Any] = await_only(got) if inspect.isawaitable(got) else got
        wanted.update(zip(list(wanted), items.all(), strict=True))
    return [
        groups[column.transformation, context is None][context, text]
        for column, context, text in given
    ]


def _before_execute(
    connection: Connection,
    statement: Any,
    multiparams: Any,
    params: Any,
    _: Mapping[str, Any],
) -> tuple[Any, Any, Any]:
    """Rows to be written: one call for all of them, however the driver is given them."""
    if not isinstance(statement, Insert | Update):
        return statement, multiparams, params
    columns = {
        column.key: column.type
        for column in statement.table.columns
        if isinstance(column.type, TokenisedString)
    }
    if columns and isinstance(statement, Update):
        said = {getattr(key, "key", key) for key in getattr(statement, "_values", None) or ()}
        for row in multiparams or [params or {}]:
            refuse_loose_ends(said | set(row), columns)
    if columns and (multiparams or params):
        rows = [dict(row) for row in (multiparams or [params])]
        tokenise_rows(client_of(connection), rows, columns)
        multiparams, params = (rows, params) if multiparams else (multiparams, rows[0])
    return statement, multiparams, params


def tokenise_rows(
    client: Client,
    rows: Sequence[dict[str, Any]],
    columns: Mapping[str, TokenisedString],
) -> None:
    """Put tokens in the place of values: first where they bind others, then in those."""
    for bound in (False, True):
        places = [
            (row, key, column, _text(column, row[key]))
            for key, column in columns.items()
            for row in rows
            if (column.context_from in columns) is bound and key in row
        ]
        found = [place for place in places if place[3] is not None]
        given = [(column, _context(column, row), text or "") for row, _, column, text in found]
        for (row, key, *_), token in zip(
            found, tokens(client, given) if given else (), strict=True
        ):
            row[key] = token


def _text(column: TokenisedString, value: Any) -> str | None:
    # What is no plain value, such as an SQL expression, is SQLAlchemy's to judge.
    return column.untokenised(value) if isinstance(value, str | Sensitive) else None


def _context(column: TokenisedString, row: Mapping[str, Any]) -> str | None:
    if column.context_from is None:
        return column.context
    bound = row.get(column.context_from)
    if not isinstance(bound, str):
        raise UsageError(
            f"a value is bound to {column.context_from}, which is not given beside it: "
            "give it too, or a Token"
        )
    return str(bound)


def _before_cursor_execute(
    connection: Connection,
    _cursor: Any,
    statement: str,
    parameters: Any,
    _context: Any,
    _executemany: bool,
) -> tuple[str, Any]:
    """Whatever values are left, such as those of filters: one call a statement."""
    many = isinstance(parameters, list)
    rows = parameters if many else [parameters]
    left = [
        value
        for row in rows
        for value in (row.values() if isinstance(row, dict) else row or ())
        if isinstance(value, ValueForUnboundEngine)
    ]
    if not left:
        return statement, parameters
    for one in left:
        if one.column.context_from is not None:
            raise UsageError(
                f"a value is bound to {one.column.context_from} of its row, which is not known "
                "here: pass a Token"
            )
    given = [(one.column, one.column.context, one.value) for one in left]
    made = dict(zip(map(id, left), tokens(client_of(connection), given), strict=True))
    done = [_replaced(row, made) for row in rows]
    return statement, done if many else done[0]


def _replaced(row: Any, made: Mapping[int, Token]) -> Any:
    if isinstance(row, dict):
        return {key: made.get(id(value), value) for key, value in row.items()}
    return type(row)(made.get(id(value), value) for value in row)
