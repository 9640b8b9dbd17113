"""The record's entries as events of the Open Cybersecurity Schema Framework, for a SIEM.

All of them are Datastore Activity (class 6005) of version 1.5.0. What the schema has no place for
stands under `unmapped`, by the record's own names. Nothing is added that the record does not
hold, so no event has a value, a token or a context either.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

import msgspec

import vault
from vault.audit.entry import Disclosure, Entry, Event, Refusals, Tokenised, seconds

VERSION: Final = "1.5.0"
CATEGORY, CLASS = 6, 6005

READ, QUERY, ENCRYPT, DECRYPT, OTHER = 1, 4, 9, 10, 99
ACTIVITIES: Final[Mapping[str, int]] = {
    "tokenise": ENCRYPT,
    "detokenise": DECRYPT,
    "mask": READ,
    "match": QUERY,
}
NAMES: Final = {READ: "Read", QUERY: "Query", ENCRYPT: "Encrypt", DECRYPT: "Decrypt"}
SUCCESS, FAILURE = 1, 2
INFORMATIONAL, LOW, HIGH, CRITICAL = 1, 2, 4, 5
SEVERE: Final[Mapping[str, int]] = {
    "honeytoken": CRITICAL,
    "halted": HIGH,
    "lock": HIGH,
    "repaired": HIGH,
    "state_accepted": HIGH,
    "unlock": HIGH,
}
"""Events that are more than informational."""
DATABASE, TABLE = 1, 3
SYSTEM = 3
"""A user that is a program."""
PERSONS: Final = 100
"""So many of an entry are named, so that a syslog server that takes 8,192 octets (RFC 5425 asks for
them) does not cut an event short; the record has all."""


def event(writer: str, entry: Entry) -> dict[str, Any]:
    """An entry of the chain `writer`. Told apart from all others by `metadata.uid`, so that what
    is delivered twice can be recognised."""
    activity, severity, status = _judged(entry)
    name = NAMES.get(activity) or (entry.name if isinstance(entry, Event) else "Refused")
    made: dict[str, Any] = {
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "Datastore Activity",
        "activity_id": activity,
        "activity_name": name,
        "type_uid": CLASS * 100 + activity,
        "severity_id": severity,
        "status_id": status,
        "time": round(seconds(entry.time) * 1_000),
        "metadata": _metadata(writer, entry),
        "actor": {"user": _user(entry)},
        "src_endpoint": _endpoint(_told(entry, "source")),
        "database": {"name": "jeton", "type_id": 99, "type": "token vault"},
        "type_id": DATABASE,
        "unmapped": _unmapped(entry),
    }
    if (transformation := _told(entry, "transformation")) is not None:
        made |= {"table": {"name": transformation}, "type_id": TABLE}
    if isinstance(entry, Refusals):
        made |= {"status_code": entry.code, "count": entry.count}
    return made


def _judged(entry: Entry) -> tuple[int, int, int]:
    """The activity, how severe it is, and whether it succeeded."""
    if isinstance(entry, Disclosure):
        return ACTIVITIES[entry.operation], INFORMATIONAL, SUCCESS
    if isinstance(entry, Tokenised):
        return ENCRYPT, INFORMATIONAL, SUCCESS
    if isinstance(entry, Refusals):
        return OTHER, LOW, FAILURE
    return OTHER, SEVERE.get(entry.name, INFORMATIONAL), SUCCESS


def _metadata(writer: str, entry: Entry) -> dict[str, Any]:
    told = {
        "version": VERSION,
        "product": {"name": "Jeton", "vendor_name": "Jeton", "version": vault.__version__},
        "log_name": writer,
        "uid": f"{writer}.{entry.seq}",
        "sequence": entry.seq,
        "original_time": entry.time,
    }
    if (request := _told(entry, "request_id")) is not None:
        told["correlation_uid"] = request
    return told


def _user(entry: Entry) -> dict[str, Any]:
    user: dict[str, Any] = {"name": _told(entry, "principal") or "jeton", "type_id": SYSTEM}
    if (credential := _told(entry, "credential")) is not None:
        user["credential_uid"] = credential
    return user


_UNKNOWN: Final = {"name": "unknown"}


def _endpoint(source: str | None) -> dict[str, Any]:
    if not source:
        return dict(_UNKNOWN)
    try:
        return {"ip": str(ip_address(source))}
    except ValueError:
        return {"name": re.sub(r"[^\w.:-]", "_", source)}


def _told(entry: Entry, name: str) -> str | None:
    """A field of an entry; of an event, of its detail."""
    found = entry.detail.get(name) if isinstance(entry, Event) else getattr(entry, name, None)
    return None if found is None else str(found)


def _unmapped(entry: Entry) -> dict[str, Any]:
    """The entry but for what was said already."""
    fields: dict[str, Any] = msgspec.to_builtins(entry)
    detail = fields.pop("detail", None) or {}
    said = {"seq", "time", "principal", "credential", "source", "code", "count", "transformation"}
    told = {
        name: one for name, one in (fields | detail).items() if name not in said and one is not None
    }
    if (more := len(told.get("persons", ())) - PERSONS) > 0:
        told |= {"persons": told["persons"][:PERSONS], "persons_left_out": more}
    return told
