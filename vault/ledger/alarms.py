"""Alarms on their way to whoever watches: kept until they are delivered, over restarts too.

An alarm is a file in a folder before the caller hears of it, so no crash loses one. Whichever
worker holds the folder's lock posts them, oldest first, signed, and again until the receiver
answers 2xx: at least once each, told apart by their `id`. They go to one address, by TLS
unless it is this machine, and never say whom or what was asked for.
"""

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
import ssl
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from vault.audit.entry import Detail
from vault.audit.locking import FileLock
from vault.audit.segment import sync_folder
from vault.deadline import post
from vault.ledger.committer import Tell

TIMEOUT_SECONDS = 5.0
"""For each step of a post; all of it has twice as long."""
LOOK_SECONDS, LONGEST_WAIT = 1.0, 300.0
"""How often others' alarms are looked for, and how long a receiver that fails is left alone."""
SIGNATURE = "Jeton-Signature"


class Alarms:
    """The folder of alarms that are not delivered yet, and the task that delivers them."""

    def __init__(self, folder: Path, url: str | None, key: bytes, tell: Tell) -> None:
        """`key` signs; without `url` nothing is kept."""
        self._folder = folder
        self._url = url
        self._key = key
        self._tell = tell
        self._task: asyncio.Task[None] | None = None
        self._raised = asyncio.Event()
        self._closing = threading.Event()

    def start(self) -> None:
        """Deliver what is there, and whatever comes."""
        self._task = asyncio.create_task(self._run(), name="alarms")

    def renew(self, url: str | None) -> None:
        """Go on under a new configuration."""
        self._url = url

    async def close(self) -> None:
        """What is under way is ended with its time; what is left is for the next start."""
        self._closing.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def put(self, detail: Detail, now: float) -> None:
        """Keep an alarm: on disk once this returns, or it is told why not."""
        if self._url is None:
            return
        try:
            await asyncio.to_thread(self._write, detail, now)
        except OSError as error:
            self._tell("alarm_failed", {"error": type(error).__name__})
        self._raised.set()

    def _write(self, detail: Detail, now: float) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{int(now * 1_000_000):020d}-{secrets.token_hex(8)}"
        body = msgspec.json.encode({"event": "honeytoken", "id": name, "at": int(now)} | detail)
        fresh = self._folder / f".{name}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._folder / f"{name}.json")
        sync_folder(self._folder)

    async def _run(self) -> None:
        wait = LOOK_SECONDS
        while True:
            self._raised.clear()
            try:
                arrived = self._url is None or await asyncio.to_thread(self._deliver, self._url)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                self._tell("alarm_failed", {"error": type(error).__name__})
                arrived = False
            wait = LOOK_SECONDS if arrived else min(wait * 2, LONGEST_WAIT)
            with contextlib.suppress(TimeoutError):  # a new one is tried at once
                await asyncio.wait_for(self._raised.wait(), wait)

    def _deliver(self, url: str) -> bool:
        """All there are; False where one did not arrive."""
        if not self._folder.is_dir():
            return True
        lock = FileLock.take(self._folder / "lock")
        if lock is None:
            return True  # another worker is at it
        try:
            for path in sorted(self._folder.glob("*.json")):
                if self._closing.is_set() or not self._post(url, path.read_bytes()):
                    return False
                path.unlink()
            return True
        finally:
            lock.release()

    def _post(self, address: str, body: bytes) -> bool:
        url = urlsplit(address)
        tls = ssl.create_default_context() if url.scheme == "https" else None
        headers = {
            "Content-Type": "application/json",
            SIGNATURE: signature(self._key, body, int(time.time())),
        }
        status = post(url, tls, body, headers, TIMEOUT_SECONDS, 2 * TIMEOUT_SECONDS)
        arrived = 200 <= status < 300
        if not arrived:
            self._tell("alarm_failed", {"error": f"HTTP{status}"})
        return arrived


def signature(key: bytes, body: bytes, at: int) -> str:
    """``t=SECONDS,v1=HEX``: HMAC-SHA-256 over the time, a full stop and the body, so that a
    receiver can refuse what is old or was not sent by this service."""
    mac = hmac.new(key, f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"
