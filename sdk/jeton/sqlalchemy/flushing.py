"""What a session is about to write: one call for all of its objects."""

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import event, inspect
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.attributes import flag_modified

from jeton.results import Sensitive, Token
from jeton.sqlalchemy.binding import client_of, tokenise_rows
from jeton.sqlalchemy.types import TokenisedString, refuse_loose_ends

_ATTRIBUTES: "WeakKeyDictionary[Mapper[Any], dict[str, TokenisedString]]" = WeakKeyDictionary()


def tokenised_attributes(mapper: Mapper[Any]) -> dict[str, TokenisedString]:
    """The attributes of a class that hold tokens, by name."""
    found = _ATTRIBUTES.get(mapper)
    if found is None:
        found = {
            attribute.key: attribute.columns[0].type
            for attribute in mapper.column_attrs
            if isinstance(attribute.columns[0].type, TokenisedString)
        }
        _ATTRIBUTES[mapper] = found
    return found


def _before_flush(session: Session, _flush: Any, _objects: Any) -> None:
    """Put tokens into the objects themselves, which hold what the database will."""
    work: dict[Any, dict[Mapper[Any], list[Any]]] = {}
    for one in (*session.new, *session.dirty):
        mapper = inspect(one).mapper
        attributes = tokenised_attributes(mapper)
        if attributes and inspect(one).persistent:
            _refuse_loose_ends(one, attributes)
        client = client_of(session.get_bind(mapper)) if attributes else None
        if client is not None and _changed(one, attributes):
            work.setdefault(client, {}).setdefault(mapper, []).append(one)
    for client, classes in work.items():
        _tokenise(client, classes)


def _refuse_loose_ends(one: Any, attributes: dict[str, TokenisedString]) -> None:
    state = inspect(one)
    bound = {key: column for key, column in attributes.items() if column.context_from}
    names = {*bound, *(str(column.context_from) for column in bound.values())}
    changed = {key for key in names if state.attrs[key].history.has_changes()}
    if not changed:
        return
    for key, column in bound.items():
        if getattr(one, key) is None:
            setattr(one, key, None)  # nothing is bound: the update says so
            flag_modified(one, key)
        else:
            refuse_loose_ends(changed, {key: column})


def _changed(one: Any, attributes: dict[str, TokenisedString]) -> dict[str, Any]:
    """The attributes that were assigned something that is no token yet."""
    state = inspect(one)
    assigned = {key: state.attrs[key].history.added for key in attributes}
    return {
        key: added[0]
        for key, added in assigned.items()
        if added and isinstance(added[0], str | Sensitive) and not isinstance(added[0], Token)
    }


def _tokenise(client: Any, classes: dict[Mapper[Any], list[Any]]) -> None:
    """All classes go into the same rounds, under keys that name the class too."""
    rows: list[dict[str, Any]] = []
    columns: dict[str, TokenisedString] = {}
    owners: list[tuple[Any, dict[str, Any], dict[str, str]]] = []
    for number, (mapper, objects) in enumerate(classes.items()):
        names = {key: f"{number}.{key}" for key in tokenised_attributes(mapper)}
        for key, column in tokenised_attributes(mapper).items():
            columns[names[key]] = _renamed(column, number)
        for one in objects:
            row = _row(one, mapper, number)
            rows.append(row)
            owners.append((one, row, names))
    tokenise_rows(client, rows, columns)
    for one, row, names in owners:
        for key in _changed(one, tokenised_attributes(inspect(one).mapper)):
            setattr(one, key, row[names[key]])


def _renamed(column: TokenisedString, number: int) -> TokenisedString:
    if column.context_from is None:
        return column
    return TokenisedString(column.transformation, context_from=f"{number}.{column.context_from}")


def _row(one: Any, mapper: Mapper[Any], number: int) -> dict[str, Any]:
    """What was assigned, and what that is bound to."""
    changed = _changed(one, tokenised_attributes(mapper))
    row = {f"{number}.{key}": value for key, value in changed.items()}
    for key in changed:
        bound = tokenised_attributes(mapper)[key].context_from
        if bound is not None:
            row.setdefault(f"{number}.{bound}", getattr(one, bound))
    return row


event.listen(Session, "before_flush", _before_flush)
