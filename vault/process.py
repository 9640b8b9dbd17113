"""A process that serves: a vault, the application around it, and its reloads."""

import asyncio
import gc
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from vault.app import Vault, names_of, open_vault
from vault.config import Settings, load
from vault.errors import SetUpError
from vault.rules import Rules
from vault.telemetry import install, watch
from vault.telemetry.metrics import FOLDER as METRICS_FOLDER
from vault.telemetry.metrics import Metrics
from vault.web import Application, Holder, Reload, Renewal, certificate_of, serve

FLUSH_SECONDS = 1.0
TRACED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Where traces go, as OpenTelemetry's exporters call it: with neither there are none."""
SWITCH_SECONDS = 0.0005
"""How long a thread with a large batch keeps the interpreter from the loop, which has small calls
to answer: a tenth of Python's own."""
COLLECT_AFTER = 10_000
"""Objects between two looks for garbage in circles, of which a request makes none."""


class Process:
    """A serving process: the vault in force, and the application around it."""

    def __init__(self, settings: Settings, kept: Path | None = None) -> None:
        """`kept`: where several workers keep issuers' keys for one another."""
        self._settings = settings
        self._kept = kept
        self._holder = Holder()
        self._vault: Vault | None = None
        self.application = Application(self._holder, settings.server, self._open)
        self._tracing = None
        if wanted(os.environ):
            from vault.traced import Tracing  # noqa: PLC0415 - an extra, and not cheap

            self._tracing = Tracing.start()
            self.application.calls = self._tracing.calls(self._holder, settings.server)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        watch(asyncio.get_running_loop())
        async with open_vault(self._settings, self._tracing, self._kept) as vault:
            self._vault = self._holder.door = vault
            gc.freeze()  # what is there by now stays: no collection needs to look at it again
            gc.set_threshold(COLLECT_AFTER)
            sys.setswitchinterval(SWITCH_SECONDS)
            counting = asyncio.create_task(count(vault.metrics), name="metrics")
            try:
                yield
            finally:
                counting.cancel()
                vault.metrics.flush()
                if self._tracing is not None:
                    await asyncio.to_thread(self._tracing.close)

    async def reload(self, read: Callable[[], Settings]) -> Renewal:
        """Put what `read` gives into force. Raises SetUpError, and all stays as it was."""
        before = self._vault
        if before is None:
            raise SetUpError("the service is still starting: reload it again once it is ready")
        try:
            settings = read()
            renewal = Renewal(certificate_of(settings.server, settings.identity))
            self._vault = self._holder.door = await before.reload(settings)
        except BaseException:
            before.metrics.reloaded(ok=False)
            raise
        before.metrics.reloaded(ok=True)
        return renewal


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether there are to be traces."""
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and any(environ.get(name) for name in TRACED)


async def count(metrics: Metrics) -> None:
    """Bring what was counted to where it is shown, every second."""
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        metrics.flush()


def create(settings: Settings, kept: Path) -> Application:
    """The ASGI application of a worker process, by what its parent has read and judged: the
    file may have changed since, and nobody has said yet that it is meant."""
    install(names_of(settings))
    return Process(settings, kept).application


def run(
    path: Path, environ: Mapping[str, str], started: Callable[[], object] | None = None
) -> None:
    """Serve what the configuration file at `path` says, with `environ` laid over it, until
    SIGTERM or SIGINT. `started` is called once the addresses are served. Raises SetUpError
    where it cannot start."""
    settings = load(path, environ)
    install(names_of(settings))
    read = partial(load, path, environ)
    if settings.server.workers == 1:
        process = Process(settings)
        reload = partial(process.reload, read)
        serve(settings.server, process.application, reload, started, settings.identity)
        return
    rules = Rules(settings)  # what is wrong is said before any worker starts
    with (
        tempfile.TemporaryDirectory(prefix="jeton-metrics-") as folder,
        tempfile.TemporaryDirectory(prefix="jeton-issuers-") as kept,
    ):
        os.environ[METRICS_FOLDER] = folder
        made = partial(create, kept=Path(kept))
        judge = _judge(rules, read, made)
        serve(settings.server, partial(made, settings), judge, started, settings.identity)


def _judge(
    rules: Rules, read: Callable[[], Settings], made: Callable[[Settings], Application]
) -> Reload:
    """A parent's part of a reload: its workers are replaced by such as serve what it found."""

    async def judge() -> Renewal:
        settings = read()
        certificate = certificate_of(settings.server, settings.identity)
        Rules(settings).check_follows(rules)
        return Renewal(certificate, partial(made, settings))

    return judge
