"""A process that is the edge proxy: a vault, routes and upstreams, and its reloads."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from vault.app import Vault, names_of, open_vault
from vault.config import Settings, load
from vault.errors import SetUpError
from vault.process import count
from vault.proxy.exchange import Edge, Holder
from vault.proxy.routes import routes_of
from vault.proxy.serving import Listeners
from vault.proxy.upstream import Upstream
from vault.telemetry import install, watch
from vault.web.door import Holder as Door
from vault.web.pages import METRICS, livez, pages, readyz


class EdgeProcess:
    """The edge in force, and what it needs open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.holder = Holder()
        self.door = Door()
        self._vault: Vault | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Raises SetUpError, and Refusal where store or record cannot be reached."""
        watch(asyncio.get_running_loop())
        async with AsyncExitStack() as stack:
            vault = await stack.enter_async_context(open_vault(self._settings))
            stack.push_async_callback(self._close)
            await self._put_in_force(vault)
            counting = asyncio.create_task(count(vault.metrics), name="metrics")
            try:
                yield
            finally:
                counting.cancel()

    async def reload(self, read: Callable[[], Settings]) -> None:
        """Put what `read` gives into force. Raises SetUpError, and all stays as it was."""
        before = self._vault
        assert before is not None
        earlier = self.holder.edge
        try:
            settings = read()
            if _fixed(settings) != _fixed(before.rules.settings):
                raise SetUpError("a change of the proxy's addresses needs a restart")
            check(settings)  # what the vault has taken in cannot be taken back
            await self._put_in_force(await before.reload(settings))
        except BaseException:
            before.metrics.reloaded(ok=False)
            raise
        before.metrics.reloaded(ok=True)
        retiring = asyncio.create_task(_retire(earlier, settings.server.shutdown_timeout))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _put_in_force(self, vault: Vault) -> None:
        settings = vault.rules.settings
        proxy = settings.proxy
        routes = {name: routes_of(settings, name, vault.is_token) for name in proxy.listeners}
        upstreams = {name: Upstream(name, one) for name, one in proxy.upstreams.items()}
        for upstream in upstreams.values():
            await upstream.open()
        self._vault = self.door.door = vault
        self.holder.edge = Edge(vault, routes, upstreams, proxy.whole, proxy.expansion)

    async def _close(self) -> None:
        for retiring in self._retiring:
            retiring.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        if (edge := getattr(self.holder, "edge", None)) is not None:
            await _retire(edge, 0)


def check(settings: Settings) -> None:
    """Whether routes and upstreams can be put into force. Raises SetUpError."""
    proxy = settings.proxy
    if not proxy.routes:
        raise SetUpError("proxy.routes: there are none; docs/proxy.md begins with one")
    for name in proxy.listeners:
        routes_of(settings, name, lambda *_: False)
    for name, one in proxy.upstreams.items():
        Upstream(name, one)


async def _retire(edge: Edge, patience: float) -> None:
    """Close the ways to its upstreams once nothing passes any more, after `patience` seconds in
    any case."""
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(edge.left(), patience)
    finally:
        for upstream in edge.upstreams.values():
            await upstream.close()


def _fixed(settings: Settings) -> object:
    proxy = settings.proxy
    return proxy.host, proxy.port, proxy.listeners, settings.server


def run(
    path: Path, environ: Mapping[str, str], started: Callable[[], object] | None = None
) -> None:
    """Serve the listeners of the configuration at `path`, with `environ` laid over it, until
    SIGTERM or SIGINT. Raises SetUpError where it cannot start."""
    settings = load(path, environ)
    check(settings)
    install(names_of(settings))
    process = EdgeProcess(settings)
    own = pages(process.door, {"/livez": livez, "/readyz": readyz, **METRICS})
    read = partial(load, path, environ)
    listeners = Listeners(settings, own, process.holder)
    listeners.run(process.opened(), partial(process.reload, read), started)
