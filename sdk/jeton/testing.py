"""A real service for tests: a process of its own, with keys and a store that are gone afterwards.

    with jeton.testing.serve() as service:
        token = service.client("intake").tokenise("fr-nir", nir)

`jeton.pytest_plugin` has it as the fixture `jeton_service`. The distribution `jeton`, which is
the service, has to be installed beside the SDK: ``pip install jeton``. There is nothing here
that imitates it, so nothing that could differ from it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from jeton.client import Client
from jeton.errors import JetonError

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.005

# Interpreter and imports are most of what a start costs: one process makes the folder, adds the
# clients, says the credentials on its stdout, and becomes the service. It ends with its stdin,
# which is a pipe from the tests: nothing is left running when those are killed.
_BOOTSTRAP = """
import contextlib, gc, io, json, os, signal, sys, threading
from importlib.metadata import entry_points

gc.set_threshold(100_000)  # a seventh of the imports' time went into looking for garbage

(command,) = entry_points(group="console_scripts", name="jeton")
main = command.load()

def run(arguments):
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            main(arguments)
    except SystemExit as ended:
        if ended.code:
            raise
    return json.loads(out.getvalue())

def ends_with_stdin():
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)

folder, additions = sys.argv[1], json.loads(sys.argv[2])
made = run(["init", "--json", folder])
for arguments in additions:
    added = run(["clients", "add", *arguments, "--config", made["config"], "--json"])
    made["clients"][added["name"]] = added["credential"]
print(json.dumps(made), flush=True)
os.dup2(2, 1)
threading.Thread(target=ends_with_stdin, daemon=True).start()
main(["serve", "--config", made["config"], "--host", "127.0.0.1", "--port", "0"])
"""


class NotInstalled(JetonError):
    """The service is not there: ``pip install jeton`` beside ``jeton-sdk``."""


@dataclass(frozen=True)
class Service:
    """A running service: where it is, and the credential of each client by name.

    As `jeton init` makes it: `intake` tokenises, `reimbursement` reveals ``fr-nir`` and
    ``birth-date`` for the purpose ``reimbursement``, `portal` masks and matches ``fr-nir`` for
    ``display``; and the clients that were asked for.
    """

    url: str
    credentials: Mapping[str, str] = field(repr=False)
    config: Path
    log: Path
    """What the process wrote."""
    _open: ExitStack = field(repr=False)

    def client(self, name: str, **settings: Any) -> Client:
        """A `Client` with that credential, closed when the service ends; `settings` are those
        that `Client` takes."""
        return self._open.enter_context(Client(self.url, self.credentials[name], **settings))


@contextmanager
def serve(
    clients: Mapping[str, Sequence[str]] | None = None,
    limits: Mapping[str, int] | None = None,
    folder: Path | None = None,
) -> Iterator[Service]:
    """Start a service on a free port of the loopback, and end it afterwards.

    `clients` names those to add, with their grants as `jeton clients add` takes them:
    ``{"billing": ["detokenise:fr-nir:billing"]}``. `limits` (``{"reveal.hour": 100}``) are
    those of each of them. `folder`, new or empty, is kept; otherwise it is temporary.

    Raises `NotInstalled`, or `JetonError` with the log's end where the service does not start.
    """
    if not entry_points(group="console_scripts", name="jeton"):
        raise NotInstalled("the service is not installed here: pip install jeton")
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jeton-")))
        log = folder / "service.log"
        process = stack.enter_context(_process(folder / "jeton-data", log, clients, limits))
        assert process.stdout is not None
        made = process.stdout.readline()
        port = _port(process, log) if made else _failed(log)
        made = json.loads(made)
        config, credentials = Path(made["config"]), made["clients"]
        open_clients = stack.enter_context(ExitStack())
        yield Service(f"http://127.0.0.1:{port}", credentials, config, log, open_clients)


@contextmanager
def _process(
    folder: Path,
    log: Path,
    clients: Mapping[str, Sequence[str]] | None,
    limits: Mapping[str, int] | None,
) -> Iterator["subprocess.Popen[bytes]"]:
    limited = [
        part for key, most in (limits or {}).items() for part in ("--limit", f"{key}={most}")
    ]
    additions = [
        [name, *(f"--grant={grant}" for grant in grants), *limited]
        for name, grants in (clients or {}).items()
    ]
    command = [sys.executable, "-c", _BOOTSTRAP, str(folder), json.dumps(additions)]
    # Variables that configure a service would lead this one to another's store.
    environment = {key: text for key, text in os.environ.items() if not key.startswith("JETON_")}
    with log.open("wb") as errors:
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for end in (process.stdin, process.stdout):
            if end is not None:
                end.close()


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """The port the service listens on, once it does."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n") and b'"event": "serving"' in line:
                return int(json.loads(line)["port"])
        time.sleep(_LOOK_SECONDS)
    return _failed(log)


def _failed(log: Path) -> int:
    tail = log.read_text("utf-8", "replace")[-2_000:]
    raise JetonError(f"the service did not start; it said:\n{tail}")
