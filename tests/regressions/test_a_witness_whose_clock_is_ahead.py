"""With a witness whose clock was ahead, reveals went on for as much longer than `required_within`
after it had signed for the last time."""

import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.records import SEED
from tests.witness.test_server import serving, signed
from vault.config import Audit, Witness
from vault.ledger.witnessing import AWAY, Witnessing

KEY = Ed25519PrivateKey.from_private_bytes(SEED).public_key()
AHEAD = 200.0


async def test_it_counts_from_when_it_was_heard(tmp_path: Path) -> None:
    signed(tmp_path / "record", 2)
    credential, passed = tmp_path / "credential", [0.0]

    async def halt(_: str) -> None:
        raise AssertionError

    with serving(tmp_path / "w", clock=lambda: time.time() + AHEAD) as one:
        credential.write_text(one.credential, "ascii")
        credential.chmod(0o600)
        key = tmp_path / "w" / "witness" / "witness.pem"
        said = Witness(one.url, key, f"file:{credential}", required_within=30.0)
        settings = Audit(folder=tmp_path / "record", witness=said)
        clock = lambda: time.time() + passed[0]  # noqa: E731
        for _ in range(2):  # the second reads what the first was given
            passed[0] = 0.0
            witnessing = Witnessing(settings, KEY, clock, lambda *_: None, halt)
            assert witnessing.trouble == AWAY
            await witnessing.look(said)
            assert witnessing.trouble is None
            passed[0] = 31.0
            assert witnessing.trouble == AWAY
