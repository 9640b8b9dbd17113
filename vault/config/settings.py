"""The settings' shape. Every default of Jeton stands here, and nowhere else."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from vault.config.identity import CertificateOf, Identity, TokenOf
from vault.config.proxy import Proxy
from vault.config.witness import Witness

Operation = Literal["tokenise", "detokenise", "mask", "match"]
HOUR, DAY = 3_600, 86_400

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
"""0: any free port."""
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=2**40)]
Ceiling = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
"""No limit is infinite: ten million million a day is beyond what any machine answers."""


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    """Where to listen. Empty: at no address of the network, at `socket` alone."""
    port: Port = 8200
    socket: Path | None = None
    """A Unix socket to listen on too, for its owner and group. None: there is none."""
    tls_certificate: Path | None = None
    """PEM, the chain after it; with `tls_key`. None: plain HTTP."""
    tls_key: Path | None = None
    """PEM, of no pass phrase, and not open to everybody."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    max_items: Count = 10_000
    max_body: Count = 8 * 1024 * 1024
    arrow_max_items: Count = 1_000_000
    arrow_max_body: Count = 64 * 1024 * 1024
    max_headers: Count = 16 * 1024
    body_timeout: Seconds = 10.0
    header_timeout: Seconds = 10.0
    keep_alive_timeout: Seconds = 75.0
    shutdown_timeout: Seconds = 20.0
    startup_timeout: Seconds = 120.0
    max_in_flight: Count = 512
    max_connections: Count = 4_096
    metrics_host: str | None = None
    metrics_port: Port | None = None
    """/metrics at an address of its own; None: beside the rest."""


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keyset: Path = Path("keyset.json")
    kek: str = "file:kek.key"
    kek_required_within: Annotated[float, msgspec.Meta(gt=0, le=31 * DAY)] | None = None
    """Seconds for which a running service goes on with its keys while their KEK cannot be had.
    None: as long as it runs."""


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str = "sqlite:jeton.db"
    timeout: Annotated[float, msgspec.Meta(gt=0, le=60)] = 0.5
    """Redis: seconds that a call may take, retries included."""
    replicas: Annotated[int, msgspec.Meta(ge=0, le=16)] = 1
    """Redis: how many replicas must hold a write before it counts. 0: a single server."""
    accept: tuple[str, ...] = ()
    """Redis: weaknesses of its settings to go on with, by name; the log says what they lose."""
    password: str | None = None
    """Redis: `env:NAME` or `file:PATH`; the user stands in the URL."""
    sentinel_username: str | None = None
    """Of the sentinels, which have users of their own. None: they ask for nobody."""
    sentinel_password: str | None = None
    """Of the sentinels: `env:NAME` or `file:PATH`."""
    tls_ca: Path | None = None
    """Redis over TLS: PEM. None: the system's authorities."""
    tls_certificate: Path | None = None
    """Redis over TLS: the client's certificate, PEM; with `tls_key`."""
    tls_key: Path | None = None
    """PEM, of no pass phrase."""


class Audit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    folder: Path = Path("audit")
    host: str | None = None
    """Of a Redis store: what this machine's chains are called by, unlike any other machine's
    that shares the store. None: as the machine is named."""
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 365
    segment_bytes: Count = 256 * 1024 * 1024
    checkpoint_seconds: Seconds = 60.0
    reserve_bytes: Annotated[int, msgspec.Meta(ge=0, le=2**50)] = 64 * 1024 * 1024
    """Below this much free space only reveals are still recorded."""
    alarm_bytes: Annotated[int, msgspec.Meta(ge=0, le=2**50)] = 1024 * 1024 * 1024
    """Below this much free space the log and the metrics raise an alarm."""
    witness: Witness | None = None
    """Who keeps the checkpoints elsewhere. None: nobody is asked."""


class Transformation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    method: Literal["fpe", "vaulted"] = "fpe"
    convergent: bool | None = None
    """Of `vaulted`: whether a value has one token under one context. None: it has."""
    max_fill: Annotated[float, msgspec.Meta(gt=0, le=0.9)] | None = None
    """Of `vaulted`: the share of the tokens that may be in use. None: a half."""
    key_id: str | None = None
    """The stable name that keys are derived from; None: the transformation's name."""
    key_version: Count = 1
    """For formats with a single key slot: the version their tokens are pinned to."""
    context: Literal["required", "optional", "none"] | None = None
    """None: as the format ships (`required` for dates, else `optional`)."""
    person: str = "value"
    """`value`, `context`, or `context:NAME` of another transformation."""
    band: Literal["safe", "official", "none"] | None = None
    wrong_key: Literal["refuse", "keep"] | None = None
    alphabet: str | None = None
    min_length: Count | None = None
    max_length: Count | None = None
    template: str | None = None
    keep_first: Annotated[int, msgspec.Meta(ge=0, le=256)] | None = None
    keep_last: Annotated[int, msgspec.Meta(ge=0, le=256)] | None = None


class Credential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    """The credential's SHA-256 in hex: the credential itself is kept nowhere."""
    expires: date | None = None
    """Good to the end of this day, UTC."""
    networks: tuple[str, ...] = ()
    """The CIDR networks it may come from; none: from anywhere."""


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    operation: Operation
    transformation: str
    purposes: tuple[str, ...] = ()
    end_user_issuers: tuple[str, ...] = ()
    """Issuers of `[identity.issuers]`: the end user is who a token of one of them says."""


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    hour: Ceiling | None = None
    day: Ceiling | None = None


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
    tokens: tuple[TokenOf, ...] = ()
    certificates: tuple[CertificateOf, ...] = ()
    issued_to: tuple[str, ...] = ()
    """Whom end users' tokens that it may bring are for: their `azp`, `client_id` or only `aud`."""


class Honeytokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file: Path = Path("honeytokens")
    """The people who do not exist, as `jeton honeytokens plant` lists them."""
    webhook: str | None = None
    """Where alarms are posted, signed. None: they stand in the record alone."""
    outbox: Path = Path("alarms")
    """The folder of alarms that are not delivered yet."""
    mask_and_match: Literal["alarm", "lock"] = "alarm"
    """What mask and match do that touch one; detokenise locks."""
    exempt: tuple[str, ...] = ()
    """Clients that may touch them: bulk jobs that go through all there is."""

    @property
    def meant(self) -> bool:
        """Whether anything is said about them, so that there should be a list of them."""
        unsaid = Honeytokens()
        said = (self.file.name, self.webhook, self.mask_and_match, self.exempt)
        return said != (unsaid.file.name, unsaid.webhook, unsaid.mask_and_match, unsaid.exempt)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    server: Server = msgspec.field(default_factory=Server)
    keys: Keys = msgspec.field(default_factory=Keys)
    store: StoreSettings = msgspec.field(default_factory=StoreSettings)
    audit: Audit = msgspec.field(default_factory=Audit)
    honeytokens: Honeytokens = msgspec.field(default_factory=Honeytokens)
    identity: Identity = msgspec.field(default_factory=Identity)
    transformations: dict[str, Transformation] = {}
    clients: dict[str, Client] = {}
    proxy: Proxy = msgspec.field(default_factory=Proxy)
    development: bool = False
    """Throw-away keys, loopback only; every answer says so."""
