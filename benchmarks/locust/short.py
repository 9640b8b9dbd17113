"""A short headless run of the locustfile against a service of its own; fails if a call does.

    python -m benchmarks.locust.short [--seconds 5] [--users 16] [OPTION OF LOCUST ...] [CLASS ...]

With --ceiling the same users first call a bare callable, which answers as soon as it can: what
they reach there is the most that this generator can make. The run fails if the service was
called at more than four fifths of that, since it may then be faster than was measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.http import (
    BARE,
    CLIENTS,
    SERVER_CORE,
    add_clients,
    initialised,
    on_uvicorn,
    vault,
)

CEILING = 0.8


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """The exit code of locust, which has the cores that the server leaves."""
    cores = os.sched_getaffinity(0)
    left = ",".join(map(str, cores - {int(SERVER_CORE)} or cores))
    command = ["taskset", "-c", left, sys.executable, "-m", "locust"]
    command += ["-f", "benchmarks/locust/locustfile.py", "--headless", "--only-summary"]
    done = subprocess.run([*command, *arguments], env=os.environ | environment, check=False)
    return done.returncode


def rate(arguments: Sequence[str], environment: Mapping[str, str], stats: Path) -> float:
    """Calls a second of single tokenise; ends the run where one fails."""
    if load([*arguments, "--json-file", str(stats), "Tokenise"], environment):
        raise SystemExit(1)
    [entry] = json.loads(stats.with_name(f"{stats.name}.json").read_text())
    calls: int = entry["num_requests"]
    took: float = entry["last_request_timestamp"] - entry["start_time"]
    return calls / took


def service(stack: ExitStack, folder: Path) -> dict[str, str]:
    """Starts it; the environment that the locustfile reads."""
    config = initialised(folder / "data")
    credentials = add_clients(config, CLIENTS)
    return {
        "JETON_URL": stack.enter_context(vault(config))[0],
        "JETON_CREDENTIAL": credentials["bench-in"],
        "JETON_REVEAL_CREDENTIAL": credentials["bench-out"],
        "JETON_PURPOSE": "benchmark",
    }


def main() -> int:
    """The exit code of locust: 1 where any call failed or a threshold was crossed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--ceiling", action="store_true")
    given, more = parser.parse_known_args()
    size = ["--users", str(given.users), "--spawn-rate", str(given.users)]
    size += ["--run-time", f"{given.seconds}s"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = service(stack, folder)
        if not given.ceiling:
            return load([*size, *more], environment)
        bare = stack.enter_context(on_uvicorn(BARE))[0]
        most = rate(size, {"JETON_URL": bare}, folder / "most")
        reached = rate([*size, *more], environment, folder / "reached")
    share = reached / most
    print(f"the generator's most: {most:,.0f} calls/s; this run: {reached:,.0f}, {share:.0%} of it")
    if share > CEILING:
        print("the generator is the bottleneck: use --processes", file=sys.stderr)
    return int(share > CEILING)


if __name__ == "__main__":
    sys.exit(main())
