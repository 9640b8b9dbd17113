"""A record was put back to an older copy, but for the witness's cosignatures beside it: the service
told the witness that it was as far as these, was signed for, and went on revealing."""

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.records import SEED
from tests.witness.test_server import Serving, serving, signed
from vault.audit.checkpoint import FILE, all_lines
from vault.audit.locking import FileLock
from vault.config import Audit, Witness
from vault.ledger.witnessing import FORKED, Witnessing
from vault.witness.cosignature import FILE as COSIGNATURES
from vault.witness.logs import logs

KEY = Ed25519PrivateKey.from_private_bytes(SEED).public_key()


def watched(folder: Path, one: Serving) -> tuple[Witnessing, Witness, list[str]]:
    (folder.parent / "credential").write_text(one.credential, "ascii")
    (folder.parent / "credential").chmod(0o600)
    key = folder.parent / "w" / "witness" / "witness.pem"
    said = Witness(one.url, key, f"file:{folder.parent / 'credential'}")
    halted: list[str] = []

    async def halt(reason: str) -> None:
        halted.append(reason)

    settings = Audit(folder=folder, witness=said)

    def tell(name: str, _: object) -> None:
        if name == "witness_forgot":
            halted.append(name)

    return Witnessing(settings, KEY, time.time, tell, halt), said, halted


@pytest.mark.parametrize("begun", [False, True], ids=["running", "started"])
async def test_it_is_noticed_at_once(tmp_path: Path, begun: bool) -> None:
    record = tmp_path / "record"
    lines = signed(record, 5)
    with serving(tmp_path / "w") as one:
        witnessing, said, halted = watched(record, one)
        await witnessing.look(said)
        assert not halted
        assert (record / COSIGNATURES).exists()
        (record / FILE).write_bytes(b"".join(lines[:3]))
        if begun:
            witnessing, said, halted = watched(record, one)
        await witnessing.look(said)
        assert halted == [FORKED]


async def test_a_witness_that_was_put_back_is_told_of_and_given_what_it_lacks(
    tmp_path: Path,
) -> None:
    record = tmp_path / "record"
    lines = signed(record, 4)
    with serving(tmp_path / "w") as one:
        witnessing, said, told = watched(record, one)
        await witnessing.look(said)
        (path,) = logs(tmp_path / "w" / "witness").values()
        path.write_bytes(b"".join(lines[:2]))
        signed(record, 1)
        await witnessing.look(said)
        assert told == ["witness_forgot"]
        assert list(all_lines(path)) == list(all_lines(record / FILE))


async def test_a_record_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    record = tmp_path / "record"
    signed(record, 5)
    with serving(tmp_path / "w") as one:
        for _ in range(3):
            witnessing, said, halted = watched(record, one)
            await witnessing.look(said)
            signed(record, 1)
            await witnessing.look(said)
            assert not halted
        assert one.witness.known(witnessing._log)[1].number == 8
    assert FileLock.take(record / "witness.lock") is not None
