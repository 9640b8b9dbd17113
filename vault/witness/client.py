"""Asks a witness: to take checkpoints and sign for them, or what it knows."""

import http.client
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vault.audit.checkpoint import NO_PREVIOUS, line_hash
from vault.deadline import ending
from vault.witness.cosignature import HEADER, PREFIX, Cosignature, is_by, read

SECONDS: Final = 10.0
SKEW_SECONDS: Final = 300
"""How far the witness's clock may be from ours."""
LONGEST: Final = 3_600.0
MOST_ANSWER: Final = 4_096


class WitnessAway(Exception):
    """There is no answer, or none by the witness's key; its words are ours."""


class Known(Exception):
    """What the witness knows, which is not what was said that it does."""

    def __init__(self, end: Cosignature) -> None:
        super().__init__("the witness knows another end of the log")
        self.end = end


class Disbelieved(Exception):
    """The witness will not take the checkpoints, whatever is done about its knowing."""


@dataclass(frozen=True, slots=True)
class WitnessClient:
    url: str
    """``https://HOST[:PORT]``, ``http://`` on this machine, or ``unix:PATH``."""
    key: Ed25519PublicKey | None
    """Every answer has to be signed by it. None: not looked at."""
    credential: str
    ca: Path | None = None

    def add(self, log: str, old: int, lines: Sequence[bytes]) -> Cosignature:
        """Raises Known, Disbelieved, WitnessAway."""
        body = b"old %d\n" % old + b"".join(lines)
        status, answer, _ = self._ask("POST", log, body)
        said = read(answer)
        if status == http.client.CONFLICT and said is not None:
            self._check(log, said)
            raise Known(said)
        if status == http.client.UNPROCESSABLE_ENTITY:
            raise Disbelieved
        if status != http.client.OK or said is None:
            raise WitnessAway(f"it answers {status}")
        self._check(log, said)
        return said

    def names(self, key: str) -> list[str]:
        """Of the logs under a key. Raises WitnessAway."""
        status, answer, _ = self._ask("GET", key)
        if status != http.client.OK:
            raise WitnessAway(f"it answers {status}")
        return answer.decode("ascii", "replace").split()

    def lines(self, log: str) -> list[bytes]:
        """Every checkpoint that it has of a log: as many, and in the order, that it signs for now.

        Raises WitnessAway.
        """
        status, answer, header = self._ask("GET", log)
        said = read(header.encode("latin-1", "replace"))
        if status != http.client.OK or said is None:
            raise WitnessAway(f"it answers {status}")
        self._check(log, said)
        lines = answer.splitlines(keepends=True)
        digest = line_hash(lines[-1]) if lines else NO_PREVIOUS
        if len(lines) != said.number or digest != said.hash:
            raise WitnessAway("it does not give what it signs for")
        return lines

    def _check(self, log: str, said: Cosignature) -> None:
        if self.key is None:
            return
        if not is_by(self.key, log, said):
            raise WitnessAway("its answer is not signed by its key")
        if abs(said.time - time.time()) > SKEW_SECONDS:
            raise WitnessAway("its answer is an old one, or its clock is wrong")

    def _ask(self, method: str, log: str, body: bytes = b"") -> tuple[int, bytes, str]:
        connection, tls = self._connection()
        headers = {"Authorization": f"Bearer {self.credential}"}
        # What it knows may be long; while it signs, a thread of a service's waits.
        seconds = LONGEST if method == "GET" else 2 * SECONDS
        try:
            with self._connected(connection) as plain, ending(plain, seconds):
                connection.sock = (
                    tls.wrap_socket(plain, server_hostname=connection.host) if tls else plain
                )
                connection.request(method, PREFIX + log, body or None, headers)
                answer = connection.getresponse()
                content = answer.read() if method == "GET" else answer.read(MOST_ANSWER)
            return answer.status, content, answer.headers.get(HEADER, "")
        except (OSError, http.client.HTTPException):
            raise WitnessAway("it cannot be reached") from None
        finally:
            connection.close()

    def _connection(self) -> tuple[http.client.HTTPConnection, ssl.SSLContext | None]:
        """Not connected yet, and what to encrypt it with."""
        if self.url.startswith("unix:"):
            return http.client.HTTPConnection("witness"), None
        url = urlsplit(self.url)
        host = url.hostname or ""
        if url.scheme != "https":
            return http.client.HTTPConnection(host, url.port), None
        try:
            tls = ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError):
            raise WitnessAway("its authority's certificate cannot be read") from None
        return http.client.HTTPSConnection(host, url.port, context=tls), tls

    def _connected(self, connection: http.client.HTTPConnection) -> socket.socket:
        if not self.url.startswith("unix:"):
            return socket.create_connection((connection.host, connection.port), SECONDS)
        plain = socket.socket(socket.AF_UNIX)
        try:
            plain.settimeout(SECONDS)
            plain.connect(self.url.removeprefix("unix:"))
        except OSError:
            plain.close()
            raise
        return plain
