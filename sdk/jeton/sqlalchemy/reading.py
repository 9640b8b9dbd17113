"""Sessions that see values, for a stated purpose and a while."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Row, event, inspect
from sqlalchemy.orm import Mapper, ORMExecuteState, Session

from jeton.errors import UsageError
from jeton.sqlalchemy.binding import Client, client_of, reveal
from jeton.sqlalchemy.flushing import tokenised_attributes
from jeton.sqlalchemy.types import READ, Covered

S = TypeVar("S")
_KEY = "jeton.revealing"
_WHOLE = "a column that is bound to another is revealed with its whole object: load that"


class _Purpose(NamedTuple):
    client: Client | None
    purpose: str
    on_behalf_of: str | None


@contextmanager
def revealing(
    session: S,
    *,
    purpose: str,
    on_behalf_of: str | None = None,
    client: Client | None = None,
) -> Iterator[S]:
    """Let what `session` (a Session or AsyncSession) loads hold `Sensitive` in place of tokens.

    A result is read whole and revealed in one call, charged and recorded for `purpose`; one
    that cannot be raises, as `Client.detokenise` does, and so does the first token that fails.
    `client` reveals, else the one that the engine is bound to.

    Tokenised attributes of objects that the session already holds are loaded again when they
    are read next; at the end of the block those of all its objects are, so that values end
    with it. What was assigned and not yet flushed stays.
    """
    plain: Any = getattr(session, "sync_session", session)
    if _KEY in plain.info:
        raise UsageError("this session is revealing already")
    _forget(plain)
    plain.info[_KEY] = _Purpose(client, purpose, on_behalf_of)
    try:
        yield session
    finally:
        del plain.info[_KEY]
        _forget(plain)


def _forget(session: Session) -> None:
    """Objects are asked for their tokenised attributes anew, but for what was assigned."""
    for one in session.identity_map.values():
        state = inspect(one)
        keys = [
            key
            for key in tokenised_attributes(state.mapper)
            if key in state.dict and not state.attrs[key].history.has_changes()
        ]
        if keys:
            session.expire(one, keys)


def _execute(state: ORMExecuteState) -> Any:
    said: _Purpose | None = state.session.info.get(_KEY)
    if said is None or not state.is_select or READ.get() is not None:
        return None
    read = READ.set({})
    try:
        result = state.invoke_statement().freeze()
        covered = _known(READ.get() or {}, result.data)
    finally:
        READ.reset(read)
    if covered:
        client = said.client or client_of(state.session.get_bind(**state.bind_arguments))
        if client is None:
            raise UsageError("bind(engine, client) says who reveals")
        try:
            reveal(client, covered, purpose=said.purpose, on_behalf_of=said.on_behalf_of)
        except BaseException:
            _forget(state.session)
            raise
    return result()


def _known(read: dict[int, Covered], rows: Iterable[Any]) -> list[Covered]:
    """What can be revealed. A joined row repeats an object that is there already: what was read
    for the repetition is in nobody's hands, and its context is not known."""
    unknown = {key for key, one in read.items() if one.context is None and one.column.context_from}
    shown = (value for row in rows for value in (row if isinstance(row, tuple | Row) else (row,)))
    if unknown and any(id(value) in unknown for value in shown):
        raise UsageError(_WHOLE)
    return [one for key, one in read.items() if key not in unknown]


def _loaded(one: Any, *_: Any) -> None:
    """An object was made of a row: what is bound to another attribute learns its context."""
    read = READ.get()
    if not read:
        return
    mapper: Mapper[Any] = inspect(one).mapper
    held = inspect(one).dict
    for key, column in tokenised_attributes(mapper).items():
        entry = read.get(id(held.get(key)))
        if entry is not None and column.context_from is not None:
            bound = held.get(column.context_from)
            origin = read.get(id(bound))
            entry.context = bound if origin is None else origin.token
            if entry.context is None:
                raise UsageError(_WHOLE)


event.listen(Session, "do_orm_execute", _execute)
event.listen(Mapper, "load", _loaded)
event.listen(Mapper, "refresh", _loaded)
