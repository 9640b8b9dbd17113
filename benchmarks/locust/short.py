"""A short headless run of the locustfile against a service of its own; fails if a call does.

python -m benchmarks.locust.short [--seconds 5] [--users 16] [OPTION OF LOCUST ...]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.http import CLIENTS, add_clients, free_port, initialised, server


def main() -> int:
    """The exit code of locust: 1 where any call failed or a threshold was crossed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--users", type=int, default=16)
    given, more = parser.parse_known_args()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        config = initialised(Path(folder) / "data")
        credentials = add_clients(config, CLIENTS)
        serve = [sys.executable, "-m", "vault", "serve", "--config", str(config)]
        environment = os.environ | {
            "JETON_URL": url,
            "JETON_CREDENTIAL": credentials["bench-in"],
            "JETON_REVEAL_CREDENTIAL": credentials["bench-out"],
            "JETON_PURPOSE": "benchmark",
        }
        load = [sys.executable, "-m", "locust", "-f", "benchmarks/locust/locustfile.py"]
        load += ["--headless", "--only-summary", "--users", str(given.users)]
        load += ["--spawn-rate", str(given.users), "--run-time", f"{given.seconds}s", *more]
        with server([*serve, "--port", str(port)], f"{url}/readyz"):
            return subprocess.run(load, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
