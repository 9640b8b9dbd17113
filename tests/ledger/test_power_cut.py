"""A power cut at every step of a group: whatever of it the disk kept, nothing spent is forgotten.

A group is settled, and at each of its steps what a disk may hold then is put aside: the store
with or without the commits that SQLite has not synced, the record with or without the bytes
that it has not. Then a ledger is opened on each of them, on a machine that was started anew.
"""

import asyncio
import contextlib
import shutil
import sqlite3
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.failpoints import steps
from tests.support.ledgers import House, somebody
from tests.support.records import SEED
from vault.audit.checkpoint import Checkpoints
from vault.audit.entry import Disclosure, Receipt
from vault.audit.verify import verify
from vault.errors import Refusal

pytestmark = pytest.mark.slow

LIMIT = 20
GROUPS = 2
TOGETHER = 3


@dataclass(frozen=True)
class Disk:
    """What is left after a cut; `answered` by then, and at most `asked` for."""

    words: str
    folder: Path
    store_is_whole: bool
    answered: tuple[Receipt, ...]
    asked: int
    charged: int


@dataclass
class Camera:
    """Puts aside what the disk may hold, step by step."""

    house: House
    to: Path
    disks: list[Disk] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    asked: int = 0
    charged: int = 0
    _lost: Path | None = None
    _synced: Path | None = None

    def group(self) -> None:
        """Another one begins: a cut may take all of the store's commits from now on."""
        self.asked += TOGETHER
        self._lost = self._store()

    def reached(self, step: str) -> None:
        if step == "charged":
            self.charged = self.asked
        if step == "recording":
            self._synced = self._record()
        records = {"all": self._record()}
        if step in ("half written", "written"):
            assert self._synced is not None
            records["synced"] = self._synced
        assert self._lost is not None
        for kept, record in records.items():
            for whole, store in ((True, self._store()), (False, self._lost)):
                self._put(f"{step}, record {kept}, store whole: {whole}", record, store, whole)

    def _put(self, words: str, record: Path, store: Path, whole: bool) -> None:
        folder = self.to / str(len(self.disks))
        shutil.copytree(record, folder / "audit")
        shutil.copy(store, folder / "jeton.db")
        self.disks.append(
            Disk(words, folder, whole, tuple(self.receipts), self.asked, self.charged)
        )

    def _record(self) -> Path:
        return Path(shutil.copytree(self.house.settings.folder, self.to / uuid.uuid4().hex))

    def _store(self) -> Path:
        copy = self.to / f"{uuid.uuid4().hex}.db"
        with (
            contextlib.closing(sqlite3.connect(self.house.database)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        return copy


async def test_nothing_spent_is_forgotten(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    camera = Camera(house, aside)
    async with house.ledger() as (ledger, _):
        with steps(camera.reached):
            for _ in range(GROUPS):
                camera.group()
                together = [
                    house.reveal(ledger, str(uuid.uuid4()), persons=[somebody()])
                    for _ in range(TOGETHER)
                ]
                for receipt in asyncio.as_completed(together):
                    camera.receipts.append(await receipt)
    assert len(camera.disks) > 20 * GROUPS
    monkeypatch.setattr("vault.ledger.recovery.boot_id", lambda: "another start")
    for number, disk in enumerate(camera.disks):
        await _opened(disk, by_people=number % 2 == 0)


async def _opened(disk: Disk, *, by_people: bool) -> None:
    """Held to what was answered; spent is what was recorded at least, and charged at most."""
    most = {"people": LIMIT} if by_people else {"reveals": LIMIT}
    house = House(disk.folder, **most)
    async with house.ledger() as (ledger, store):
        assert (await store.state()).halted is None, disk.words
        recorded = len(house.recorded(Disclosure))
        key = Checkpoints(house.settings.folder, SEED).public_key
        report = verify(house.settings.folder, key, receipts=disk.answered)
        assert report.clean, (disk.words, report.findings)
        left = 0
        with contextlib.suppress(Refusal):
            while True:
                await house.reveal(ledger, persons=[somebody()])
                left += 1
    spent = LIMIT - left
    assert len(disk.answered) <= recorded <= spent <= disk.asked, disk.words
    if disk.store_is_whole:
        assert spent == disk.charged, disk.words
    else:
        assert spent == recorded, disk.words
