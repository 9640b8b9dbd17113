"""Files and environment -> frozen, typed settings, judged whole before anything starts.

`settings` has the shape and every default, `reading` turns a TOML file and the environment
into it, `checks` holds the rules that no single key can break alone.
"""

from vault.config.checks import NAME, PURPOSE, format_of
from vault.config.identity import CertificateOf, Certificates, Identity, Issuer, TokenOf
from vault.config.proxy import FieldRule, Listener, Proxy, Route, Upstream
from vault.config.reading import load, read
from vault.config.settings import (
    DAY,
    DEFAULT_LIMITS,
    HOUR,
    Audit,
    Client,
    Credential,
    EndUserLimits,
    Grant,
    Honeytokens,
    Keys,
    Limits,
    Operation,
    Server,
    Settings,
    StoreSettings,
    Transformation,
    Window,
)
from vault.config.witness import Witness

__all__ = [
    "DAY",
    "DEFAULT_LIMITS",
    "HOUR",
    "NAME",
    "PURPOSE",
    "Audit",
    "CertificateOf",
    "Certificates",
    "Client",
    "Credential",
    "EndUserLimits",
    "FieldRule",
    "Grant",
    "Honeytokens",
    "Identity",
    "Issuer",
    "Keys",
    "Limits",
    "Listener",
    "Operation",
    "Proxy",
    "Route",
    "Server",
    "Settings",
    "StoreSettings",
    "TokenOf",
    "Transformation",
    "Upstream",
    "Window",
    "Witness",
    "format_of",
    "load",
    "read",
]
