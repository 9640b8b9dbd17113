"""A PostgreSQL server for benchmarks, on a Unix socket in a folder that goes with it."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30.0
OPTIONS = ("-c", "listen_addresses=", "-c", "shared_buffers=256MB")
"""Durability is as shipped: every commit is flushed."""


def program(name: str) -> str | None:
    """Debian keeps those of each version of the server in a folder of its own."""
    folders = (str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin"))
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


@contextmanager
def postgresql(prefix: Sequence[str] = ()) -> Iterator[str]:
    """Its address; the command is run behind `prefix`. Raises OSError where it cannot start."""
    initdb, postgres = program("initdb"), program("postgres")
    # It refuses to run as root, where Debian's package has a user of its own for it.
    who = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True, **who).strip())  # type: ignore[call-overload]
    try:
        init = [initdb, "-D", str(folder / "data"), "-A", "trust", "-U", "app"]
        subprocess.run(init, check=True, **quiet, **who)  # type: ignore[call-overload]
        command = [*prefix, postgres, "-D", str(folder / "data"), "-k", str(folder), *OPTIONS]
        server = subprocess.Popen(command, **quiet, **who)  # type: ignore[call-overload]
        try:
            _await(folder / ".s.PGSQL.5432", server)
            yield f"postgresql://app@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(START_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await(path: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(path)) == 0:
                return
        time.sleep(0.02)
    raise OSError("the database server does not listen")
