"""The service over HTTP: one ASGI callable, and the server that carries it.

`Application` turns requests into calls of a `Door` and answers back into HTTP; `serve` binds,
runs, reloads and ends. Nothing here decides who may do what, or touches a value.
"""

from vault.web.addresses import listeners
from vault.web.dispatch import Application
from vault.web.door import Door, Holder
from vault.web.serving import Reload, Renewal, certificate_of, serve
from vault.web.tls import Certificate

__all__ = [
    "Application",
    "Certificate",
    "Door",
    "Holder",
    "Reload",
    "Renewal",
    "certificate_of",
    "listeners",
    "serve",
]
