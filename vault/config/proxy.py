"""The shape of ``[proxy]``: where the edge proxy listens, what stands behind it, and which fields
of the messages that pass are rewritten. Every default stands here."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=2**40)]
Choice = Literal["block", "pass"]
Guard = Literal["off", "report", "mask", "block"]


class Listener(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits and timeouts of its connections are those of ``[server]``."""

    host: str = "127.0.0.1"
    """Where to listen. Empty: at no address of the network, at `socket` alone."""
    port: Port = 8300
    socket: Path | None = None
    tls_certificate: Path | None = None
    """PEM, the chain after it; with `tls_key`. None: plain HTTP."""
    tls_key: Path | None = None
    client_ca: Path | None = None
    """PEM of the authorities that clients' certificates must come from. None: nobody is asked."""


class Upstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    urls: tuple[str, ...]
    """``http://HOST:PORT`` or ``https://...``, one for each endpoint, without a path."""
    tls_ca: Path | None = None
    """PEM. None: the system's authorities."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    health: str | None = None
    """A path that an endpoint in good health answers with 2xx. None: only those that cannot be
    connected to are left alone for a while."""
    health_seconds: Seconds = 2.0
    connect_timeout: Seconds = 5.0
    answer_timeout: Seconds = 60.0
    """How long the upstream may be silent, before its answer and in the middle of it."""
    max_connections: Count = 256


class FieldRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to the fields that `select` finds. ``json:$.nir``, ``xml://p:nir``, ``csv:nir``,
    ``fixed:2:12-26``, ``hl7:PID-3.1``, ``form:nir``, ``multipart:nir``, ``text:fr-nir``,
    ``ndjson:nir``, ``header:X-Nir``, ``path:nir``, ``query:nir``."""

    select: str
    operation: Literal["tokenise", "detokenise", "mask", "drop"]
    transformation: str | None = None
    """None: only where the operation is `drop`."""
    context: str | None = None
    """A constant."""
    context_select: str | None = None
    """Another field of the same record (then in the words of the same kind of body), or a field
    of the head: ``header:...``, ``path:...``, ``query:...``. In JSON, XML and HL7 the first that
    stands there of several, parted by ``|``."""
    on_error: Choice = "block"
    leading: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """So many characters are the value, what follows stays: 8 for the date of a date and time."""


class ProfileUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    """``fhir``, ``cda``, ``hl7-pam-fr``, ``iso20022`` or ``rsf``."""
    operation: Literal["tokenise", "detokenise", "mask"]


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first route that fits a request has it; one that fits none is answered 404."""

    listener: str
    upstream: str
    client: str | None = None
    """Whose grants and limits the rules spend: a name of ``[clients]``."""
    hosts: tuple[str, ...] = ()
    """None: any."""
    methods: tuple[str, ...] = ()
    """None: any."""
    path: str = "/**"
    """``/patients/{nir}/claims``; ``*`` is one segment, ``/**`` at the end any number of them."""
    content_types: tuple[str, ...] = ()
    """None: any. Those of a request with a body."""
    purpose: str | None = None
    end_user: str | None = None
    """``header:NAME``, ``cookie:NAME``, ``cookie:NAME:CLAIM`` or ``certificate``."""
    request: tuple[FieldRule, ...] = ()
    response: tuple[FieldRule, ...] = ()
    request_profile: ProfileUse | None = None
    """Ready rules, after those of the route's own."""
    response_profile: ProfileUse | None = None
    upgrade: tuple[Literal["websocket"], ...] = ()
    """What a request may change the protocol to; bytes then pass both ways untouched, until both
    sides are silent for `answer_timeout`. Only of a route without rules and without guard."""
    guard_requests: Guard = "off"
    """What becomes of real numbers that the rules leave: the leak guard."""
    guard_responses: Guard = "off"
    unparsable: Choice = "block"
    """What becomes of a body that breaks the rules of its kind, if that shows before any of it
    has left."""
    others: Choice = "block"
    """What becomes of a body of a kind that no rule is about, where there are rules for bodies."""
    types: dict[str, str] = {}
    """Media type -> kind of body, beside those that are known."""
    namespaces: dict[str, str] = {}
    """Prefix -> URI, for ``xml:`` selectors."""
    delimiter: str = ","
    header: bool = True
    """Whether the first row of a CSV body names its columns."""
    encoding: str | None = None
    """Of CSV, fixed-width and HL7 bodies. None: UTF-8, and Latin-1 for fixed width."""
    record_length: Count | None = None
    """Of fixed-width records without line ends."""


class Proxy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    port: Port = 8201
    """Where ``/livez``, ``/readyz`` and ``/metrics`` are answered: never on a listener."""
    whole: Count = 256 * 1024
    """Bodies up to this many bytes are rewritten at one go, larger ones as they pass."""
    expansion: Count = 200
    """How many times its size a compressed body may unfold to."""
    listeners: dict[str, Listener] = {}
    upstreams: dict[str, Upstream] = {}
    routes: dict[str, Route] = {}
