"""A connection to a listener: the service's own, which hands on the certificate that the caller
showed."""

from asyncio import Transport
from typing import Any

from vault.web.connection import Connection
from vault.web.exchange import Exchange


class ProxyConnection(Connection):
    _certificate: Any = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._certificate = transport.get_extra_info("peercert") or None

    def _page(self, exchange: Exchange, version: str) -> Any:
        cycle = super()._page(exchange, version)
        cycle.scope["jeton.certificate"] = self._certificate  # type: ignore[typeddict-unknown-key]
        return cycle
