"""Files and environment -> frozen, typed settings. Every default stands here."""

from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

Operation = Literal["tokenise", "detokenise", "mask", "match"]
HOUR, DAY = 3_600, 86_400


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    port: int = 8200
    workers: int = 1
    max_items: int = 10_000
    max_body: int = 8 * 1024 * 1024
    max_headers: int = 16 * 1024
    body_timeout: float = 10.0
    header_timeout: float = 10.0
    keep_alive_timeout: float = 75.0
    shutdown_timeout: float = 20.0
    max_in_flight: int = 512
    metrics_host: str | None = None
    metrics_port: int | None = None
    """/metrics at an address of its own; None: beside the rest."""


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keyset: Path = Path("keyset.json")
    kek: str = "file:kek.key"


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str = "sqlite:jeton.db"


class Audit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    folder: Path = Path("audit")
    retention_days: int = 365
    segment_bytes: int = 256 * 1024 * 1024
    checkpoint_seconds: float = 60.0
    reserve_bytes: int = 64 * 1024 * 1024
    """Below this much free space only reveals are still recorded."""
    alarm_bytes: int = 1024 * 1024 * 1024
    """Below this much free space the log and the metrics raise an alarm."""


class Transformation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    method: Literal["fpe"] = "fpe"
    key_id: str | None = None
    """The stable name that keys are derived from; None: the transformation's name."""
    key_version: int = 1
    """For formats with a single key slot: the version their tokens are pinned to."""
    context: Literal["required", "optional", "none"] | None = None
    """None: as the format ships (`required` for dates, else `optional`)."""
    person: str = "value"
    """`value`, `context`, or `context:NAME` of another transformation."""
    band: Literal["safe", "official", "none"] | None = None
    wrong_key: Literal["refuse", "keep"] | None = None
    alphabet: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    keep_first: int | None = None
    keep_last: int | None = None


class Credential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    expires: date | None = None
    networks: tuple[str, ...] = ()


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    operation: Operation
    transformation: str
    purposes: tuple[str, ...] = ()


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    hour: int | None = None
    day: int | None = None


class EndUserLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Nothing here is limited unless it is said: these come on top of the client's limits."""

    tokenise: Window | None = None
    reveal: Window | None = None
    match: Window | None = None
    people: Window | None = None


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """None, whole or in part: the shipped default (`DEFAULT_LIMITS`)."""

    tokenise: Window | None = None
    reveal: Window | None = None
    match: Window | None = None
    people: Window | None = None
    end_user: EndUserLimits | None = None


DEFAULT_LIMITS: dict[str, int] = {
    "tokenise.hour": 1_000_000,
    "tokenise.day": 5_000_000,
    "reveal.hour": 1_000,
    "reveal.day": 5_000,
    "match.hour": 1_000,
    "match.day": 5_000,
    "people.day": 500,
}


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    credentials: tuple[Credential, ...] = ()
    grants: tuple[Grant, ...] = ()
    limits: Limits = msgspec.field(default_factory=Limits)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    server: Server = msgspec.field(default_factory=Server)
    keys: Keys = msgspec.field(default_factory=Keys)
    store: StoreSettings = msgspec.field(default_factory=StoreSettings)
    audit: Audit = msgspec.field(default_factory=Audit)
    transformations: dict[str, Transformation] = {}
    clients: dict[str, Client] = {}
    development: bool = False
