"""The record on its way to a SIEM: at least once, in order, over restarts and crashes.

A batch is sent, the receiver confirms it, and only then the cursor moves on, durably. Whatever
was not confirmed is sent again; `metadata.uid` of an event tells that it is the same.
"""

import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import SplitResult

import msgspec

from vault.audit.following import Ends, Located
from vault.audit.group import Tail
from vault.audit.ocsf import CRITICAL, HIGH, LOW, event
from vault.audit.segment import sync_folder
from vault.deadline import ending, post

TIMEOUT_SECONDS: Final = 30.0
"""For each step, and for all of a sending: with what its size adds."""
SLOWEST: Final = 50_000
"""Bytes a second of a receiver that is waited for."""
BODY_BYTES: Final = 1_000_000
"""Of one POST, if its events allow: more than a mebibyte is too large for many receivers."""
SYSLOG_PORT: Final = 6514
BATCH: Final = 500
LOG_AUDIT: Final = 13
"""The facility, RFC 5424 section 6.2.1."""
SEVERITIES: Final[Mapping[int, int]] = {LOW: 4, HIGH: 2, CRITICAL: 1}
"""Warning, critical and alert; all else is informational, 6."""


Tls = Callable[[], ssl.SSLContext]
"""Asked for each connection."""


class Unconfirmed(Exception):
    """The receiver did not say that it has the batch."""


class Cursor:
    """How far each chain was confirmed: a small file, replaced whole."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, msgspec.DecodeError where the file is no cursor."""
        self._path = path
        self.after: Ends = {}
        if path.exists():
            self.after = msgspec.json.decode(path.read_bytes(), type=dict[str, list[Tail]])

    def move(self, ends: Ends) -> None:
        """To what was read; durable once this returns. Raises OSError."""
        fresh = self._path.with_name(f".{self._path.name}.fresh")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(ends))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._path)
        sync_folder(self._path.parent)
        self.after = ends


class Receiver(Protocol):
    def send(self, batch: Sequence[Located]) -> None:
        """Return once the batch is confirmed. Raises OSError, Unconfirmed."""


class Http:
    """Batches are POSTed, an event a line (application/x-ndjson); 2xx confirms one."""

    def __init__(self, url: SplitResult, tls: Tls | None, token: str | None) -> None:
        """`token` goes into an Authorization header, as Bearer."""
        self._url, self._tls = url, tls
        self._headers = {"Content-Type": "application/x-ndjson"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def send(self, batch: Sequence[Located]) -> None:
        body = bytearray()
        for located in batch:
            line = _line(event(*located)) + b"\n"
            if body and len(body) + len(line) > BODY_BYTES:
                self._post(bytes(body))
                body.clear()
            body += line
        self._post(bytes(body))

    def _post(self, body: bytes) -> None:
        whole = _patience(body)
        tls = None if self._tls is None else self._tls()
        try:
            status = post(self._url, tls, body, self._headers, TIMEOUT_SECONDS, whole)
        except http.client.HTTPException as error:
            raise Unconfirmed("it hung up, was too slow, or its answer is no HTTP") from error
        if not 200 <= status < 300:
            raise Unconfirmed(f"it answered {status}")


class Syslog:
    """RFC 5424 over TLS (RFC 5425): a connection a batch.

    Syslog has no answers. What can be known is that the receiver has read everything: it then
    answers the end of the TLS connection (close_notify) with its own, as section 4.4 wants.
    """

    def __init__(self, url: SplitResult, tls: Tls) -> None:
        self._host, self._port, self._tls = url.hostname or "", url.port or SYSLOG_PORT, tls
        self._name = socket.gethostname() or "-"

    def send(self, batch: Sequence[Located]) -> None:
        messages = b"".join(self._message(event(*located)) for located in batch)
        with (
            socket.create_connection((self._host, self._port), TIMEOUT_SECONDS) as plain,
            ending(plain, _patience(messages)),
            self._tls().wrap_socket(plain, server_hostname=self._host) as connection,
        ):
            connection.sendall(messages)
            try:
                connection.unwrap()
            except ssl.SSLError as error:
                raise Unconfirmed("it hung up before it had read everything") from error

    def _message(self, told: dict[str, Any]) -> bytes:
        """Counted in octets, RFC 5425 section 4.3.1."""
        priority = LOG_AUDIT * 8 + SEVERITIES.get(told["severity_id"], 6)
        at = told["metadata"]["original_time"]
        head = f"<{priority}>1 {at} {self._name} jeton {os.getpid()} ocsf - "
        message = head.encode() + _line(told)
        return b"%d %s" % (len(message), message)


def _patience(sent: bytes) -> float:
    """The seconds that a sending of this may take."""
    return TIMEOUT_SECONDS + len(sent) / SLOWEST


def _line(told: dict[str, Any]) -> bytes:
    """In ASCII, so that syslog needs no mark before it."""
    return json.dumps(told, separators=(",", ":")).encode()
