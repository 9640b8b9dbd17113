"""Who owns the volumes, the store and the keyset writes the record anew, whole and well signed.
Nothing on the machine can tell; the witness does."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Jeton
from tests.support.records import NOW, disclosure
from vault.audit.checkpoint import FILE, Checkpoints, all_lines
from vault.audit.entry import Entry
from vault.audit.writer import RecordWriter
from vault.config import load
from vault.crypto.secret import KeyAccess
from vault.rules import Rules
from vault.witness import logs
from vault.witness.cosignature import FILE as COSIGNATURES
from vault.witness.cosignature import log_of, spell
from vault.witness.logs import Witness

Chains = dict[str, Sequence[Entry]]
ENTRIES = [disclosure(items=n + 1) for n in range(12)]
WRITTEN: Chains = {"w0": ENTRIES[:8], "w1": ENTRIES[8:]}


class Owner:
    """Of everything but the witness."""

    def __init__(self, jeton: Jeton, tmp_path: Path) -> None:
        settings = load(jeton.config, {})
        self.jeton = jeton
        self.folder = settings.audit.folder
        self.seed = Rules(settings).keyset.derive_root("audit").reveal(KeyAccess())
        self.witness = tmp_path / "witness"
        self.cosigned = b""
        shutil.rmtree(self.folder, ignore_errors=True)
        Path(settings.store.url.removeprefix("sqlite:")).unlink(missing_ok=True)

    def write(self, chains: Chains, group: int = 2) -> None:
        """A record of these chains, with a checkpoint over all after every group."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        checkpoints = Checkpoints(self.folder, self.seed)
        checkpoints.write({}, NOW, epoch="e", generation=1)
        writers = {}
        for name in chains:
            (self.folder / name).mkdir()
            taken = RecordWriter.take(self.folder / name)
            assert taken is not None
            writers[name] = taken
        for name, entries in chains.items():
            for at in range(0, len(entries), group):
                writers[name].append(entries[at : at + group], NOW + at)
                tails = {one.name: one.tail for one in writers.values()}
                checkpoints.write(tails, NOW + at, epoch="e", generation=1)
        for writer in writers.values():
            writer.close()

    def show(self) -> None:
        """The record to the witness, whose cosignature is kept beside it."""
        logs.make(self.witness)
        logs.trust(self.witness, self.folder / "public.pem")
        one = Witness(self.witness, lambda: NOW)
        log = log_of(Checkpoints(self.folder, self.seed).public_key, "record")
        self.cosigned = spell(one.add(log, 0, list(all_lines(self.folder / FILE)))) + b"\n"
        one.close()
        self.cosign()

    def cosign(self) -> None:
        (self.folder / COSIGNATURES).write_bytes(self.cosigned)

    def verify(self, *options: str) -> dict[str, Any]:
        result = self.jeton("audit", "verify", "--json", *options)
        found: dict[str, Any] = json.loads(result.stdout)
        assert result.exit_code == (0 if found["clean"] else 1)
        return found

    def codes(self, *options: str) -> set[str]:
        return {one["code"] for one in self.verify(*options)["findings"]}


@pytest.fixture
def owner(jeton: Jeton, tmp_path: Path) -> Owner:
    one = Owner(jeton, tmp_path)
    one.write(WRITTEN)
    one.show()
    return one


def removed(chains: Chains) -> Chains:
    return chains | {"w0": [*ENTRIES[:3], *ENTRIES[4:8]]}


def reordered(chains: Chains) -> Chains:
    return chains | {"w0": [*ENTRIES[:2], *reversed(ENTRIES[2:8])]}


def altered(chains: Chains) -> Chains:
    return chains | {"w0": [*ENTRIES[:5], disclosure(items=1), *ENTRIES[6:8]]}


def without_a_writer(chains: Chains) -> Chains:
    return {"w0": chains["w0"]}


def older(chains: Chains) -> Chains:
    return chains | {"w0": ENTRIES[:4]}


def begun_anew(chains: Chains) -> Chains:
    return {"w0": [disclosure("intake")]}


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        (removed, {"rewritten"}),
        (reordered, {"rewritten"}),
        (altered, {"rewritten"}),
        (without_a_writer, {"missing_writer"}),
        (older, {"truncated"}),
        (begun_anew, {"missing_writer", "truncated"}),
    ],
)
def test_each_is_found_by_the_witness_where_nothing_else_can(
    owner: Owner, attack: Callable[[Chains], Chains], expected: set[str]
) -> None:
    assert owner.verify("--witness", str(owner.witness))["clean"]
    owner.write(attack(WRITTEN))
    assert owner.verify()["clean"]
    assert owner.codes("--witness", str(owner.witness)) >= expected
    key = str(owner.witness / logs.PUBLIC_KEY)
    assert owner.codes("--witness-key", key) == {"checkpoint_gap"}  # the cosignatures are gone
    owner.cosign()
    kept = owner.codes("--witness-key", key)
    assert kept & {"checkpoint_gap", "checkpoint_chain"}


def test_cosignatures_of_others_do_not_count(owner: Owner, tmp_path: Path) -> None:
    key = str(owner.witness / logs.PUBLIC_KEY)
    assert owner.verify("--witness-key", key)["clean"]
    logs.make(tmp_path / "another")
    another = str(tmp_path / "another" / logs.PUBLIC_KEY)
    assert owner.codes("--witness-key", another) == {"bad_signature", "checkpoint_gap"}


def test_a_witness_that_knows_nothing_of_it_is_no_proof(owner: Owner, tmp_path: Path) -> None:
    logs.make(tmp_path / "another")
    result = owner.jeton("audit", "verify", "--witness", str(tmp_path / "another"))
    assert result.exit_code == 2
    assert "the witness knows nothing of this record" in result.stderr


def test_by_url_it_wants_a_credential(owner: Owner) -> None:
    result = owner.jeton("audit", "verify", "--witness", "http://127.0.0.1:1")
    assert result.exit_code == 2
    assert "audit.witness.credential: missing" in result.stderr
