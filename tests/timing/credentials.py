"""Credentials, known and unknown, cannot be told apart by time.

    python -m tests.timing.credentials [--samples 100000] [--over-http 100000] [--planted]

Known ones that are refused, expired or from a wrong network, beside unknown ones: with another
client's name, with a known client's, and malformed, all of one length. Times the step that finds
a credential's client, in process, and whole requests on one connection to a real service. Prints
Welch's t of every two kinds, and exits with 1 where any |t| is 4.5 or more.

Good ones are timed in process too, and printed apart: the answer tells them, so nothing is asked
of them. With `--planted` the step in process returns early for an unknown credential: that has to
be found.
"""

import argparse
import secrets
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from random import Random

from tests.support.service import Service
from tests.timing.welch import Setting, report, sample, worst
from vault.access.identity import Identities, mint
from vault.config import Client, Credential, Settings

HERE, ELSEWHERE = "127.0.0.1", "203.0.113.0/24"
CLIENT, NOBODY = "client", "nobody"  # of one length
LONG_AGO = date(2020, 1, 1)
PER_KIND = 8
"""Credentials of each kind in one set-up."""
AT_ONCE = 500
"""Samples of each kind from one set-up: what place a credential has in memory, or in a table,
is drawn anew for the next."""
GOOD = "good"
REFUSED = ("expired", "elsewhere", "unknown", "prefix", "malformed")
KINDS = (GOOD, *REFUSED)


@dataclass(frozen=True)
class Cast:
    """Credentials of every kind, and what a configuration keeps of the first three."""

    texts: Mapping[str, Sequence[str]]
    kept: Sequence[Credential]


def cast(chance: Random) -> Cast:
    texts: dict[str, list[str]] = {kind: [] for kind in KINDS}
    kept: list[Credential] = []
    for kind in chance.sample(KINDS * PER_KIND, len(KINDS) * PER_KIND):
        text, digest = mint(NOBODY if kind == "unknown" else CLIENT)
        if kind == "malformed":
            text = secrets.token_hex(len(text))[: len(text)]
        if kind == GOOD:
            kept.append(Credential(digest))
        elif kind == "expired":
            kept.append(Credential(digest, expires=LONG_AGO))
        elif kind == "elsewhere":
            kept.append(Credential(digest, networks=(ELSEWHERE,)))
        texts[kind].append(text)
    return Cast(texts, kept)


def in_process(chance: Random, *, planted: bool = False) -> Setting[bytes, str]:
    """A fresh configuration; the headers are decoded anew each time, as the web does."""
    fresh = cast(chance)
    known = Identities(Settings(clients={CLIENT: Client(credentials=tuple(fresh.kept))}))
    now = datetime.now(UTC)
    digests = {each.sha256 for each in fresh.kept}

    def find(header: str) -> object:
        return known.find(header, HERE, now)

    def find_or_return(header: str) -> object:
        if sha256(header[7:].encode()).hexdigest() not in digests:
            return None
        return known.find(header, HERE, now)

    kinds = {kind: [f"Bearer {text}".encode() for text in fresh.texts[kind]] for kind in KINDS}
    return Setting(lambda raw: raw.decode("latin-1"), find_or_return if planted else find, kinds)


def over_http(service: Service, fresh: Cast, connection: socket.socket) -> Setting[bytes, bytes]:
    """Whole requests on one connection, from sending to the last byte of the answer."""

    def ask(request: bytes) -> None:
        connection.sendall(request)
        answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 401 ")
        while not answer.endswith(b"}"):
            answer = connection.recv(65_536)
            assert answer, "the service closed the connection"

    def request(text: str) -> bytes:
        head = "POST /v1/detokenise/fr-nir HTTP/1.1\r\nhost: here\r\n"
        fields = "content-type: application/json\r\ncontent-length: 2\r\n"
        return f"{head}{fields}authorization: Bearer {text}\r\n\r\n{{}}".encode()

    kinds = {kind: [request(text) for text in fresh.texts[kind]] for kind in REFUSED}
    return Setting(lambda raw: raw, ask, kinds)


def served(folder: Path, fresh: Cast) -> Service:
    """A service that knows the credentials of a cast, not started yet."""
    service = Service.create(folder)
    kept = ", ".join(_table(each) for each in fresh.kept)
    grant = '{ operation = "detokenise", transformation = "fr-nir", purposes = ["timing"] }'
    section = f"\n[clients.{CLIENT}]\ncredentials = [{kept}]\ngrants = [{grant}]\n"
    service.edit(lambda config: config + section)
    return service


def _table(kept: Credential) -> str:
    members = [f'sha256 = "{kept.sha256}"']
    if kept.expires is not None:
        members.append(f"expires = {kept.expires.isoformat()}")
    members += [f'networks = ["{network}"]' for network in kept.networks]
    return f"{{ {', '.join(members)} }}"


def measure_in_process(samples: int, *, planted: bool = False, seed: int = 1) -> bool:
    def fresh(chance: Random) -> Setting[bytes, str]:
        return in_process(chance, planted=planted)

    taken = sample(fresh, samples, AT_ONCE, seed)
    good = taken.pop(GOOD)
    print(f"a good one differs by its answer: t {worst(good, taken['unknown']):.2f}")
    return report("in process", taken)


def measure_over_http(samples: int, folder: Path) -> bool:
    fresh = cast(Random(1))
    service = served(folder, fresh).start()
    try:
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            setting = over_http(service, fresh, connection)
            return report("over HTTP", sample(lambda _: setting, samples, samples))
    finally:
        service.stop()


def main(measures: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--over-http", type=int, default=100_000)
    parser.add_argument("--planted", action="store_true")
    given = parser.parse_args(measures)
    alike = [measure_in_process(given.samples, planted=given.planted)]
    if given.over_http:
        with tempfile.TemporaryDirectory() as folder:
            alike.append(measure_over_http(given.over_http, Path(folder)))
    return 0 if all(alike) else 1


if __name__ == "__main__":
    sys.exit(main())
