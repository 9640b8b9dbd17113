"""A witness that had not signed since the service started left its metric at 0, which means that
there is none: the alert that it is away was silent, most of all after a restart meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.records import SEED
from tests.witness.test_server import serving, signed
from vault.config import Audit, Witness
from vault.ledger.witnessing import Witnessing

KEY = Ed25519PrivateKey.from_private_bytes(SEED).public_key()
NOW = 1_900_000_000.0


def watching(tmp_path: Path, url: str, told: list[tuple[str, Any]]) -> Witnessing:
    async def halt(_: str) -> None:
        raise AssertionError

    credential = tmp_path / "credential"
    key = tmp_path / "w" / "witness" / "witness.pem"
    settings = Audit(
        folder=tmp_path / "record", witness=Witness(url, key, f"file:{credential}", None)
    )
    return Witnessing(settings, KEY, lambda: NOW, lambda *one: told.append(one), halt)


async def test_it_is_waited_for_since_the_start(tmp_path: Path) -> None:
    signed(tmp_path / "record", 2)
    told: list[tuple[str, Any]] = []
    with serving(tmp_path / "w") as one:
        (tmp_path / "credential").write_text(one.credential, "ascii")
        (tmp_path / "credential").chmod(0o600)
        url = one.url
    await once(watching(tmp_path, url, told))
    assert told[0] == ("witnessed", {"at": NOW})
    assert [name for name, _ in told] == ["witnessed", "witness_away"]


async def once(witnessing: Witnessing) -> None:
    assert witnessing._said is not None
    witnessing.start()
    await witnessing.look(witnessing._said)
    await asyncio.sleep(0)
    await witnessing.close()
