"""Does a parsed TOML table have the settings' shape? Every misfit by its dotted key.

msgspec would say that something is wrong in ``$.clients[...]``; whoever mends a file wants
the name of the client. Messages say what is expected and never repeat what stands there.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from ipaddress import ip_network
from typing import NamedTuple

from msgspec import inspect

SHOWN = 40
"""A longer key may be a credential pasted into the wrong place: it is cut."""


class Problem(NamedTuple):
    """What is wrong, and the dotted key (``clients.portal.grants[0].operation``) where."""

    at: str
    text: str


def misfits(raw: object, kind: inspect.Type, at: str = "") -> Iterator[Problem]:
    """All places of `raw` that do not fit `kind`; none means that msgspec will convert it."""
    match kind:
        case inspect.UnionType():
            yield from misfits(raw, _not_none(kind), at)
        case inspect.StructType() if isinstance(raw, Mapping):
            yield from _struct(raw, kind, at)
        case inspect.DictType() if isinstance(raw, Mapping):
            for key, inner in raw.items():
                yield from misfits(inner, kind.value_type, dotted(at, key))
        case inspect.VarTupleType() if isinstance(raw, Sequence) and not isinstance(raw, str):
            for index, inner in enumerate(raw):
                yield from misfits(inner, kind.item_type, f"{at}[{index}]")
        case _ if not _fits(raw, kind):
            yield Problem(at, _advice(raw, kind))


def dotted(at: str, key: str) -> str:
    shown = key if len(key) <= SHOWN else f"{key[:12]}..."
    return f"{at}.{shown}" if at else shown


def nearest(key: str, known: Iterable[str]) -> str | None:
    """The known name that `key` is most likely a slip of."""
    close = get_close_matches(key, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def _struct(raw: Mapping[str, object], kind: inspect.StructType, at: str) -> Iterator[Problem]:
    fields = {field.encode_name: field for field in kind.fields}
    for key, inner in raw.items():
        if key in fields:
            yield from misfits(inner, fields[key].type, dotted(at, key))
        elif right := nearest(key, fields):
            yield Problem(dotted(at, key), f"unknown key; did you mean {dotted(at, right)}?")
        else:
            yield Problem(dotted(at, key), f"unknown key; known here: {', '.join(fields)}")
    for name, field in fields.items():
        if field.required and name not in raw:
            yield Problem(dotted(at, name), f"missing; expected {_expected(field.type)}")


def _not_none(kind: inspect.UnionType) -> inspect.Type:
    return next(t for t in kind.types if not isinstance(t, inspect.NoneType))


def _fits(raw: object, kind: inspect.Type) -> bool:
    match kind, raw:
        case (inspect.BoolType(), bool()) | (inspect.StrType() | inspect.CustomType(), str()):
            return True
        case inspect.IntType() as wanted, int(number) if not isinstance(number, bool):
            return _within(number, wanted)
        case inspect.FloatType() as wanted, (int() | float()) as number:
            return (
                not isinstance(number, bool) and math.isfinite(number) and _within(number, wanted)
            )
        case inspect.DateType(), date():
            return not isinstance(raw, datetime)
        case inspect.LiteralType() as wanted, str():
            return raw in wanted.values
    return False


def _within(number: float, kind: inspect.IntType | inspect.FloatType) -> bool:
    return (
        (kind.gt is None or number > kind.gt)
        and (kind.ge is None or number >= kind.ge)
        and (kind.le is None or number <= kind.le)
    )


def _advice(raw: object, kind: inspect.Type) -> str:
    if isinstance(raw, float) and not math.isfinite(raw):
        return f"expected {_expected(kind)}; nothing here may be infinite"
    return f"expected {_expected(kind)}"


_WORDS: dict[type[inspect.Type], str] = {
    inspect.BoolType: "true or false",
    inspect.CustomType: "a path in quotes",
    inspect.DateType: "a date without quotes, such as 2027-11-24",
    inspect.DictType: "a table",
    inspect.FloatType: "a number",
    inspect.IntType: "a whole number",
    inspect.StrType: "a text in quotes",
    inspect.StructType: "a table",
    inspect.VarTupleType: "a list in [ ]",
}


def _expected(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType():
            return _expected(_not_none(kind))
        case inspect.LiteralType():
            return "one of " + ", ".join(f'"{value}"' for value in kind.values)
        case inspect.IntType() | inspect.FloatType():
            return _WORDS[type(kind)] + _range(kind)
    return _WORDS[type(kind)]


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.gt is not None:
        return f" above {kind.gt}, at most {kind.le}"
    return f" from {kind.ge} to {kind.le}" if kind.ge is not None else ""


def is_network(text: str) -> bool:
    """``10.1.0.0/16``, ``2001:db8::/32``, or one address."""
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
