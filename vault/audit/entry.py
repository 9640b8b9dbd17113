"""What stands on a line of the record: who was shown how much about whom, never what.

Persons are keyed pseudonyms; no entry has a field that could hold a value, a token or a
context. Times are ISO 8601 in UTC with microseconds, so that text order is time order.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import msgspec

from vault.audit.names import WRITER


class _Entry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    tag_field="kind",
    forbid_unknown_fields=True,
):
    """`seq` and an empty `time` are filled in when the entry is put into its group."""

    seq: int = 0
    time: str = ""


class Disclosure(_Entry, frozen=True, kw_only=True, gc=False, tag="disclosure"):
    """One answered request that revealed, masked or matched: written before its answer."""

    principal: str
    credential: str
    """The first eight hex digits of the credential's hash."""
    source: str
    operation: str
    transformation: str
    items: int
    failed: int = 0
    persons: Sequence[str] = ()
    """The distinct people it was about: 32 hex digits each (made by the engine)."""
    purpose: str | None = None
    end_user: str | None = None
    end_user_proof: str | msgspec.UnsetType = msgspec.UNSET
    """The issuer whose token proved the end user; nothing where the caller claims it."""
    request_id: str | None = None
    matched: int | None = None
    """How many candidates of a match were right."""
    duplicate: bool = False
    """The same request was charged before, and so not again."""


class Refusals(_Entry, frozen=True, kw_only=True, gc=False, tag="refusals"):
    """How often a principal was refused with a code in the `seconds` from `time` on."""

    principal: str
    code: str
    count: int
    seconds: int = 1


class Tokenised(_Entry, frozen=True, kw_only=True, gc=False, tag="tokenised"):
    """How many values a principal had tokenised in the `seconds` from `time` on."""

    principal: str
    transformation: str
    items: int
    failed: int = 0
    seconds: int = 1


Detail = dict[str, str | int | None]


class Event(_Entry, frozen=True, kw_only=True, tag="event"):
    """Something the operator or the service did: `start`, `stop`, `repaired`, `resumed`,
    `halted`, `replayed`, `state_accepted`, `retention`, `lock`, `unlock`, ..."""

    name: str
    detail: Detail = {}


CLOSED = "closed"
"""The event that ends a chain: an operator says that its writer will not come back."""

Entry = Disclosure | Refusals | Tokenised | Event

DISCLOSURE, EVENT = b'{"kind":"disclosure"', b'{"kind":"event"'
"""How the lines of these kinds begin, so that readers need not decode the others."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


def decode(line: bytes) -> Entry:
    """Raises msgspec.DecodeError where the line is no entry."""
    try:
        return _decoder.decode(line)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError("this line is not UTF-8") from error


def lines(entries: Iterable[Entry], first: int, time: str) -> bytes:
    """The entries as lines, numbered from `first` on; `time` where an entry has none."""
    out = bytearray()
    for seq, entry in enumerate(entries, first):
        stamped = msgspec.structs.replace(entry, seq=seq, time=entry.time or time)
        out += _encoder.encode(stamped)
        out += b"\n"
    return bytes(out)


def timestamp(now: float) -> str:
    """Seconds since 1970 as the record writes them."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(time: str) -> float:
    """The inverse of `timestamp`. Raises ValueError where the text is no time."""
    return datetime.fromisoformat(time).timestamp()


_RECEIPT = re.compile(rf"({WRITER})\.([1-9][0-9]{{0,17}})\.([0-9a-fA-F]{{64}})")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a caller may keep as evidence that its reveal stands in the record."""

    writer: str
    sequence: int
    digest: str
    """The hash of the group that holds the entry, in hex."""

    def __str__(self) -> str:
        return f"{self.writer}.{self.sequence}.{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError where the text is no receipt."""
        parts = _RECEIPT.fullmatch(text.strip())
        if parts is None:
            raise ValueError("a receipt reads <writer>.<sequence>.<64 hex digits>")
        return cls(parts[1], int(parts[2]), parts[3].lower())
