"""A process that serves: a vault, the application around it, and its reloads."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from vault.app import Rules, Vault, names_of, open_vault
from vault.config import Settings, load
from vault.errors import SetUpError
from vault.telemetry import install, watch
from vault.telemetry.metrics import FOLDER as METRICS_FOLDER
from vault.telemetry.metrics import Metrics
from vault.web import Application, Holder, serve

CONFIG = "JETON_CONFIG"
"""Where worker processes find the configuration file: they inherit the environment only."""

FLUSH_SECONDS = 1.0


class Process:
    """A serving process: its configuration file, the vault in force, the application around it."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._settings = settings
        self._holder = Holder()
        self._vault: Vault | None = None
        self.application = Application(self._holder, settings.server, self._open)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        watch(asyncio.get_running_loop())
        async with open_vault(self._settings) as vault:
            self._vault = self._holder.door = vault
            counting = asyncio.create_task(_count(vault.metrics), name="metrics")
            try:
                yield
            finally:
                counting.cancel()
                vault.metrics.flush()

    async def reload(self) -> None:
        """Put the file as it now is into force. Raises SetUpError, and all stays as it was."""
        before = self._vault
        if before is None:
            raise SetUpError("the service is still starting: reload it again once it is ready")
        settings = replace(load(self._path, os.environ), server=self._settings.server)
        try:
            self._vault = self._holder.door = await before.reload(settings)
        except BaseException:
            before.metrics.reloaded(ok=False)
            raise
        before.metrics.reloaded(ok=True)


async def _count(metrics: Metrics) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        metrics.flush()


def create() -> Application:
    """The ASGI application of a worker process, by the configuration that `JETON_CONFIG` names."""
    path = Path(os.environ[CONFIG])
    settings = load(path, os.environ)
    install(names_of(settings))
    return Process(path, settings).application


def run(path: Path, settings: Settings, started: Callable[[], object] | None = None) -> None:
    """Serve what the configuration file at `path` says until SIGTERM or SIGINT.

    `settings` are the file's as loaded, perhaps with another address or number of workers.
    `started` is called once the addresses are served. Raises SetUpError where it cannot start.
    """
    install(names_of(settings))
    if settings.server.workers == 1:
        process = Process(path, settings)
        serve(settings.server, process.application, process.reload, started)
        return

    async def judge() -> None:
        Rules(load(path, os.environ))

    Rules(settings)  # what is wrong with it is said once, and before any worker starts
    os.environ[CONFIG] = str(path.absolute())
    with tempfile.TemporaryDirectory(prefix="jeton-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        serve(settings.server, "vault.process:create", judge, started)
