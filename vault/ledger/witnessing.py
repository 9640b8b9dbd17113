"""Takes every checkpoint to the witness, and keeps what it signs beside them.

Whichever worker holds the folder's lock does it, about when a checkpoint was written, and
sooner where reveals depend on it; the others read how far it came. A witness that knows another
record than this one means that this one went backwards, or was replaced: reveals stop until an
operator has said so on both sides.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vault.audit.checkpoint import (
    FILE,
    append_lines,
    last_line,
    line_hash,
    lines_after,
    load_public_key,
    number_of,
)
from vault.audit.locking import FileLock
from vault.config import Audit, Witness
from vault.errors import SetUpError
from vault.ledger.committer import Tell
from vault.store.redis.options import secret_of
from vault.witness.client import Disbelieved, Known, WitnessAway, WitnessClient
from vault.witness.cosignature import FILE as COSIGNATURES
from vault.witness.cosignature import RECORD, Cosignature, is_by, log_of, read, spell

TICK_SECONDS: Final = 1.0
BATCH_BYTES: Final = 1_048_576
SHARE: Final = 4
"""How often it is asked, at least, in the time that it may be away."""
FORKED: Final = "the witness knows another record than this one, or a longer one"
AWAY: Final = "the witness has not signed for too long"


class Forked(Exception):
    """The witness knows another record."""


class Witnessing:
    """One worker's part in it; does nothing where the configuration names no witness."""

    def __init__(
        self,
        settings: Audit,
        key: Ed25519PublicKey,
        clock: Callable[[], float],
        tell: Tell,
        halt: Callable[[str], Awaitable[None]],
    ) -> None:
        """`key`: the checkpoints' public one. `halt` stops reveals, on the record. Raises
        SetUpError for a key or a credential that cannot be read."""
        self._settings = settings
        self._said = settings.witness
        self._clock = clock
        self._tell = tell
        self._halt = halt
        self._task: asyncio.Task[None] | None = None
        self._away = False
        if self._said is not None:
            self._log = log_of(key, self._said.name or settings.host or RECORD)
            self._client = client_of(self._said)
            self._last = Cosignature(0, "", 0, "")
            """The newest that is known to be the witness's."""
            self._heard = 0.0
            """When that was, at the latest: a clock of its that is ahead counts for nothing."""

    def start(self) -> None:
        if self._said is not None:
            self._tell("witnessed", {"at": self._clock()})  # until it is heard of, from here on
            self._task = asyncio.create_task(self._run(self._said), name="witness")

    async def close(self) -> None:
        """Once more, for the last checkpoint."""
        if self._task is None or self._said is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if not self._away:
            await self.look(self._said)

    @property
    def trouble(self) -> str | None:
        """Why nothing may be disclosed; None while all is well."""
        if self._said is None or self._said.required_within is None:
            return None
        return AWAY if self._clock() - self._heard > self._said.required_within else None

    async def look(self, witness: Witness) -> None:
        """Read how far it came, and take on what is due."""
        try:
            forked = await asyncio.to_thread(self._look, witness)
        except (WitnessAway, OSError) as error:
            if not self._away:
                self._tell("witness_away", {"error": type(error).__name__})
            self._away = True
            return
        if self._away:
            self._away = False
            self._tell("witness_back", {})
        if forked:
            await self._halt(FORKED)

    async def _run(self, witness: Witness) -> None:
        while True:
            try:
                await self.look(witness)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                self._tell("duty_failed", {"duty": "witness", "error": type(error).__name__})
            await asyncio.sleep(TICK_SECONDS)

    def _look(self, witness: Witness) -> bool:
        """Whether the witness knows another record."""
        folder = self._settings.folder
        self._read(folder / COSIGNATURES)
        ours = number_of(last_line(folder / FILE))
        age = self._clock() - self._heard
        if ours == self._last.number and 0 <= age < self._pulse(witness):
            return False
        lock = FileLock.take(folder / "witness.lock")
        if lock is None:
            return False  # another worker is at it
        try:
            self._read(folder / COSIGNATURES)
            self._client = replace(self._client, credential=_credential_of(witness))
            self._take_on(folder)
        except SetUpError:
            raise WitnessAway("its credential cannot be read") from None
        except (Forked, Disbelieved):
            return True
        finally:
            lock.release()
        return False

    def _pulse(self, witness: Witness) -> float:
        within = witness.required_within
        period = self._settings.checkpoint_seconds
        return period if within is None else min(period, within / SHARE)

    def _read(self, path: Path) -> None:
        """Another worker may have gone further. Whoever owns the folder may have put anything
        there: only what the witness signed counts, and only where it is newer."""
        line = last_line(path)
        found = read(line) if line is not None else None
        if found is None or found.time <= self._last.time or self._client.key is None:
            return
        if is_by(self._client.key, self._log, found):
            self._hear(found)

    def _hear(self, signed: Cosignature) -> None:
        self._last, self._heard = signed, min(signed.time, self._clock())
        self._tell("witnessed", {"at": self._heard})

    def _take_on(self, folder: Path) -> None:
        """All that the witness lacks. Raises Forked, Disbelieved, WitnessAway, OSError."""
        old = self._last.number
        while True:
            lines = lines_after(folder / FILE, old, BATCH_BYTES)
            try:
                signed = self._client.add(self._log, old, lines)
            except Known as known:
                if known.end.number == old:
                    raise WitnessAway("it contradicts itself") from None
                old = self._agreed(folder, known.end)
                if old < self._last.number:
                    self._tell("witness_forgot", {"number": old})
                continue
            self._agreed(folder, signed)  # asked for none, it signs for what it has, not for ours
            append_lines(folder / COSIGNATURES, spell(signed) + b"\n")
            self._hear(signed)
            old = signed.number
            if old >= number_of(last_line(folder / FILE)):
                return

    def _agreed(self, folder: Path, end: Cosignature) -> int:
        """The number from which on the witness lacks checkpoints. Raises Forked."""
        if end.number == 0:
            return 0
        lines = lines_after(folder / FILE, end.number - 1, 1)
        if not lines or number_of(lines[0]) != end.number or line_hash(lines[0]) != end.hash:
            raise Forked
        return end.number


def client_of(witness: Witness) -> WitnessClient:
    """Raises SetUpError."""
    key, credential = load_public_key(witness.key), _credential_of(witness)
    return WitnessClient(witness.url, key, credential, witness.tls_ca)


def _credential_of(witness: Witness) -> str:
    """Read whenever the witness is asked: it may be renewed. Raises SetUpError."""
    credential = secret_of(witness.credential, "audit.witness.credential")
    if credential is None:
        raise SetUpError("audit.witness.credential: nothing is there")
    return credential
