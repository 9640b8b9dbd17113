"""The credential of the witness was read as the service started: one that was renewed meanwhile
kept the witness away until a restart, and where it is required, reveals stopped."""

import hashlib
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.records import SEED
from tests.witness.test_server import serving, signed
from vault.config import Audit, Witness
from vault.ledger.witnessing import Witnessing

KEY = Ed25519PrivateKey.from_private_bytes(SEED).public_key()


async def halt(_: str) -> None:
    raise AssertionError


async def test_it_is_read_when_the_witness_is_asked(tmp_path: Path) -> None:
    signed(tmp_path / "record", 2)
    told: list[tuple[str, Any]] = []
    credential = tmp_path / "credential"
    with serving(tmp_path / "w") as one:
        write(credential, one.credential)
        said = Witness(one.url, tmp_path / "w/witness/witness.pem", f"file:{credential}", None)
        settings = Audit(folder=tmp_path / "record", witness=said)
        witnessing = Witnessing(settings, KEY, time.time, lambda *each: told.append(each), halt)
        one.witness.credential = hashlib.sha256(b"another").hexdigest()
        await witnessing.look(said)
        credential.unlink()
        await witnessing.look(said)
        write(credential, "another")
        await witnessing.look(said)
    assert [name for name, _ in told] == ["witness_away", "witnessed", "witness_back"]


def write(path: Path, text: str) -> None:
    path.write_text(text, "ascii")
    path.chmod(0o600)
