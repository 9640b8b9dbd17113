"""Real processes on one store and one record: killed at any instant, or all at once at a limit."""

import asyncio
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.ledgers import House
from tests.support.records import SEED, small_disk
from vault.audit.checkpoint import Checkpoints
from vault.audit.entry import Disclosure, Receipt
from vault.audit.verify import verify
from vault.errors import Refusal

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LIMIT = 100_000


class Worker:
    """A worker process; `receipts` are those that it answered."""

    def __init__(self, house: House, callers: int, limit: int, count: int) -> None:
        command = [sys.executable, "-m", "tests.support.ledger_worker", str(house.folder)]
        self.process = subprocess.Popen(
            [*command, str(callers), str(limit), str(count)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        assert self._stdout.readline() == "ready\n"

    def go(self) -> None:
        self._stdin.write("go\n")
        self._stdin.flush()

    def receipts(self) -> list[Receipt]:
        """All of them, once the process has ended; its last line may be torn."""
        lines = self._stdout.read().splitlines(keepends=True)
        self.process.wait(30)
        whole = [line for line in lines if line.endswith("\n") and line != "spent\n"]
        return [Receipt.parse(line) for line in whole]

    def kill_after(self, seconds: float) -> None:
        threading.Timer(seconds, self.process.kill).start()


def test_killed_at_any_instant_nothing_answered_is_lost(house: House) -> None:
    chance = random.Random(20_261_124)
    receipts: list[Receipt] = []
    for _ in range(8):
        worker = Worker(house, callers=32, limit=LIMIT, count=LIMIT)
        worker.go()
        worker.kill_after(chance.uniform(0.01, 0.35))
        receipts += worker.receipts()
    assert len(receipts) > 100
    key = Checkpoints(house.settings.folder, SEED).public_key
    report = verify(house.settings.folder, key, receipts=receipts)
    assert report.clean, report.findings
    answered = {(receipt.writer, receipt.sequence) for receipt in receipts}
    assert len(answered) == len(receipts)
    assert {writer for writer, _ in answered} == {"w0"}  # a killed worker's chain is taken up
    recorded = {entry.seq for entry in house.recorded(Disclosure)}
    assert {sequence for _, sequence in answered} <= recorded
    # What is left of a budget that is a little larger than what the record knows of.
    spent = len(recorded)
    last = Worker(house, callers=1, limit=spent + 50, count=100)
    last.go()
    assert len(last.receipts()) <= 50


def test_all_workers_together_reveal_exactly_the_limit(house: House) -> None:
    workers = [Worker(house, callers, 1_000, 10_000) for callers in (97, 1, 1, 1)]
    for worker in workers:
        worker.go()
    receipts = [receipt for worker in workers for receipt in worker.receipts()]
    assert len(receipts) == 1_000
    assert len(house.recorded(Disclosure)) == 1_000
    assert {receipt.writer for receipt in receipts} >= {"w0"}
    key = Checkpoints(house.settings.folder, SEED).public_key
    assert verify(house.settings.folder, key, receipts=receipts).clean


async def test_a_full_disk_refuses_and_reveals_come_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        house = House(tmp_path, audit={"folder": disk / "audit"})
        async with house.ledger() as (ledger, _):
            receipts = [await house.reveal(ledger)]
            ballast = disk / "ballast"
            with pytest.raises(OSError, match="space"):
                ballast.write_bytes(bytes(300_000))
            answers = await asyncio.gather(
                *(house.reveal(ledger) for _ in range(600)), return_exceptions=True
            )
            refused = [answer for answer in answers if isinstance(answer, Refusal)]
            assert {refusal.code for refusal in refused} == {"audit_unavailable"}
            receipts += [answer for answer in answers if isinstance(answer, Receipt)]
            await ledger.maintenance.tick()
            ballast.unlink()
            receipts.append(await house.reveal(ledger))
        key = Checkpoints(house.settings.folder, SEED).public_key
        report = verify(house.settings.folder, key, receipts=receipts)
        assert report.clean, report.findings
        assert len(house.recorded(Disclosure)) == len(receipts)
