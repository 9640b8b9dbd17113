"""The record's folder on a disk of its own that fills up, turns read-only, and goes away.

One service lives through all of it: no value leaves while its disclosure cannot be recorded, and
reveals resume without a restart once it can.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.records import mount, small_disk
from tests.support.service import Service, jeton
from tests.support.thief import House, Thief, add_client

pytestmark = pytest.mark.system

PEOPLE = 20
REVEALS = 20_000
ALL_OPERATIONS = ["detokenise:fr-nir:care", "mask:fr-nir:care", "match:fr-nir:care"]
BACK_SECONDS = 20.0


class Drill:
    """A caller that asks for everybody, and keeps what it got as evidence."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.thief: Thief = house.thief("desk", "care")
        self.receipts: list[str] = []

    def reveal(self) -> str:
        """``ok`` or the refusal's code; the answer has all the values, or none at all."""
        reply = self.thief.ask("detokenise", {"tokens": self.house.tokens})
        if reply.status == 200:
            assert reply.body["values"] == self.house.nirs
            self.receipts.append(reply.headers["Jeton-Receipt"])
            return "ok"
        assert self.house.leaks(reply) == []
        return str(reply.body["code"])

    def is_closed(self) -> None:
        """Nothing that has to be recorded is answered; what need not be goes on."""
        service, house = self.house.service, self.house
        assert [self.reveal() for _ in range(5)] == ["audit_unavailable"] * 5
        masked = self.thief.ask("mask", {"token": house.tokens[0]})
        candidate = {"token": house.tokens[0], "candidate": house.nirs[0]}
        matched = self.thief.ask("match", candidate)
        for reply in (masked, matched):
            assert (reply.status, reply.body["code"]) == (503, "audit_unavailable")
            assert reply.headers["Retry-After"]
        ready = service.get("readyz")
        assert (ready.status, ready.body["code"]) == (503, "audit_unavailable")
        assert service.get("livez").status == 200
        tokenised = house.thief("intake").ask("tokenise", {"value": house.nirs[0]})
        assert tokenised.body == {"token": house.tokens[0]}

    def is_open(self) -> None:
        assert self.reveal() == "ok"
        self.is_ready()

    def is_ready(self) -> None:
        """Within a few of the record's own tries: whoever is not ready is asked by nobody."""
        deadline = time.monotonic() + BACK_SECONDS
        while self.house.service.get("readyz").status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    service = Service.create(tmp_path)
    limits = {"reveal.hour": REVEALS * PEOPLE, "reveal.day": REVEALS * PEOPLE}
    service.credentials["desk"] = add_client(service.config, "desk", ALL_OPERATIONS, limits)
    # Also what is done once a minute is to be done while the disk is away.
    service.edit(lambda text: text.replace("[audit]\n", "[audit]\ncheckpoint_seconds = 1\n"))
    with small_disk(service.folder / "audit", "1m"):
        house = House(service)
        service.start()
        house.fill(PEOPLE)
        try:
            yield Drill(house)
        finally:
            service.kill()


def _umount(at: Path) -> None:
    subprocess.run(["umount", "-l", str(at)], check=True)


@contextmanager
def _full(disk: Path) -> Iterator[None]:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    ballast.unlink()


@contextmanager
def _read_only(disk: Path) -> Iterator[None]:
    mount("--bind", str(disk), str(disk))
    try:
        mount("-o", "remount,bind,ro", str(disk))
        yield
    finally:
        _umount(disk)


@contextmanager
def _gone(disk: Path) -> Iterator[None]:
    """Nothing but an empty folder is left where it was mounted."""
    kept = disk.with_name("kept")
    kept.mkdir()
    mount("--bind", str(disk), str(kept))
    try:
        _umount(disk)
        yield
        assert not list(disk.rglob("*.jsonl")), "nothing is recorded or signed on another disk"
        mount("--bind", str(kept), str(disk))
    finally:
        _umount(kept)


def test_full_then_read_only_then_gone(drill: Drill) -> None:
    service = drill.house.service
    disk = service.folder / "audit"
    drill.is_open()
    with _full(disk):
        for _ in range(REVEALS):  # what is left of the last page is used
            if drill.reveal() != "ok":
                break
        drill.is_closed()
    drill.is_open()
    with _read_only(disk):
        drill.is_closed()
        time.sleep(2.5)  # its own tries go on meanwhile
        drill.is_closed()
    drill.is_open()
    with _gone(disk):
        drill.is_closed()
        time.sleep(2.5)
        drill.is_closed()
    drill.is_open()
    # And where nobody asks, because it says that it is not ready, it comes back by itself.
    with _full(disk):
        for _ in range(REVEALS):
            if drill.reveal() != "ok":
                break
    drill.is_ready()
    drill.is_open()
    assert service.stop() == 0
    proofs = [word for receipt in drill.receipts for word in ("--receipt", receipt)]
    jeton("audit", "verify", "--config", str(service.config), *proofs)
    recorded = [entry for entry in drill.house.record() if entry["kind"] == "disclosure"]
    assert len(recorded) == len(drill.receipts), "recorded is what was answered, and nothing else"
    resumed = [entry for entry in drill.house.record() if entry.get("name") == "resumed"]
    assert len(resumed) >= 4
    assert "No space left on device" in {entry["detail"]["after"] for entry in resumed}
