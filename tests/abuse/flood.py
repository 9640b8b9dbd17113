"""A flood of malformed requests against a real service that honest callers use meanwhile.

    python -m tests.abuse.flood [--requests 1000000] [--at-once 64] [--seed 1]

Prints what came of every kind, and exits 1 where a promise was broken: every answer is a
documented one and comes within a second, the worker's memory is within 10 MB of where it was
once it was warm, its files are closed, honest callers are answered, and its log holds
no error.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import uvloop

from tests.abuse.client import LONGEST, Client, Tally
from tests.abuse.requests import flood
from tests.support.calls import Place, calling
from tests.support.processes import open_files, resident
from tests.support.service import Service

PATIENCE = {"header_timeout": 2, "body_timeout": 2}
"""Seconds; shorter than as shipped, so that slow requests take the flood less time."""
MOST_MEMORY = 10_000_000
WARM = 50_000
"""Requests until the worker has all that it comes to need: from then on its memory is level."""
VALUE = "185012A00401008"
BOUNDLESS = {
    f"{budget}.{window}": 10**11
    for budget in ("tokenise", "reveal", "match", "people")
    for window in ("hour", "day")
    if (budget, window) != ("people", "hour")
}


def prepared(folder: Path, patience: Mapping[str, float] = PATIENCE) -> Service:
    """A service that is not started, with an enemy's client and an honest one."""
    service = Service.create(folder)
    service.add_client("enemy", ["tokenise:fr-nir"], BOUNDLESS)
    grants = ["tokenise:fr-nir", "detokenise:fr-nir:test"]
    service.add_client("honest", grants, BOUNDLESS)
    lines = "".join(f"{name} = {seconds}\n" for name, seconds in patience.items())
    service.edit(lambda text: text.replace("[server]\n", f"[server]\n{lines}"))
    return service


@contextmanager
def honest_callers(service: Service) -> Iterator[None]:
    """They reveal what they tokenised; none of their calls fails, or AssertionError is raised."""
    answer = service.post("tokenise/fr-nir", {"value": VALUE}, service.credentials["honest"])
    body = json.dumps({"token": answer.body["token"]})
    headers = {
        "Authorization": f"Bearer {service.credentials['honest']}",
        "Content-Type": "application/json",
        "Jeton-Purpose": "test",
    }

    def call(connection):
        time.sleep(0.02)
        connection.request("POST", "/v1/detokenise/fr-nir", body, headers)
        return connection.getresponse()

    with calling([Place(service.port, service.tls)], call, each=1):
        yield


def run(
    service: Service,
    count: int,
    at_once: int,
    seed: int,
    longest: float = LONGEST,
    verbose: bool = False,
    memory: int = MOST_MEMORY,
) -> list[str]:
    """The promises that were broken; `service` runs, with one worker. `longest`: seconds an
    answer may take; `memory`: bytes by which it may grow once it is warm."""
    assert service.process is not None
    pid, began = service.process.pid, time.monotonic()
    files, log = files_at_rest(service), service.log.stat().st_size
    attacks = flood(seed, count, service.credentials["enemy"])

    def progress(tally: Tally) -> None:
        if verbose:
            done, memory = tally.sent.total(), resident(pid) / 1e6
            print(f"{done:>9,} after {time.monotonic() - began:.0f} s, {memory:.1f} MB", flush=True)

    client = Client(service.port, pid, progress, longest=longest)

    def sent(part: Iterator) -> Tally:
        return uvloop.run(client.send(part, at_once))

    with honest_callers(service):
        first = sent(islice(attacks, min(WARM, count // 4)))
        before = resident(pid)
        tally = sent(attacks)
        after = resident(pid)
    broken = first.broken + tally.broken
    if after > before + memory:
        broken.append(f"memory grew from {before / 1e6:.1f} to {after / 1e6:.1f} MB")
    if (left := settled(pid, files)) > files:
        broken.append(f"{left - files} files are still open")
    with service.log.open("rb") as file:
        file.seek(log)
        broken += sorted({f"the log says {event}" for event in _errors(file.read())})
    if verbose:
        _print(tally, first, before, after, time.monotonic() - began)
    return broken


def files_at_rest(service: Service) -> int:
    """Of a service that was used: what it opens at the first call, or soon after, is open."""
    assert service.process is not None
    credential = service.credentials["honest"]
    token = service.post("tokenise/fr-nir", {"value": VALUE}, credential).body["token"]
    service.post("detokenise/fr-nir", {"token": token}, credential, "test")
    return settled(service.process.pid, 0, patience=1.5)


def settled(pid: int, files: int, patience: float = 10) -> int:
    """The open files, once connections that were left are closed."""
    deadline = time.monotonic() + patience
    while (now := open_files(pid)) > files and time.monotonic() < deadline:
        time.sleep(0.1)
    return now


def _errors(log: bytes) -> Iterator[str]:
    """Events of errors, and lines that are no events."""
    for line in log.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            yield "something that is no event"
        else:
            if event["level"] not in {"info", "warning"}:
                yield event["event"]


def _print(tally: Tally, warm: Tally, before: int, after: int, seconds: float) -> None:
    for kind in sorted(tally.sent):
        answers = ", ".join(
            f"{status} {code} {count:,}" if status else f"{code} {count:,}"
            for (of, status, code), count in sorted(tally.answers.items())
            if of == kind
        )
        print(f"{kind:32}{tally.sent[kind]:>8,}  {tally.slowest[kind] * 1e3:6.0f} ms  {answers}")
    warmed = warm.sent.total()
    count = tally.sent.total() + warmed
    print(f"{count:,} requests in {seconds:.0f} s; memory {before / 1e6:.1f} MB after {warmed:,},")
    print(f"{after / 1e6:.1f} MB after all")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        service = prepared(Path(folder)).start()
        try:
            broken = run(service, options.requests, options.at_once, options.seed, verbose=True)
        finally:
            service.stop()
    for promise in broken:
        print(f"BROKEN: {promise}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
