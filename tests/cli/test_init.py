"""`jeton init` makes all or nothing, for the owner's eyes only."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from vault.access.identity import checksum_fits
from vault.cli import init
from vault.cli.init import create
from vault.config import DEFAULT_LIMITS, load
from vault.crypto import keyset_file
from vault.crypto.kek import open_kek
from vault.errors import SetUpError


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_everything_is_private(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        create(tmp_path / "new")
        (tmp_path / "empty").mkdir()
        create(tmp_path / "empty")
    finally:
        os.umask(before)
    for name in ("new", "empty"):
        private = {"jeton.toml": 0o600, "keyset.json": 0o600, "kek.key": 0o600}
        assert modes(tmp_path / name) == {name: 0o700} | private


def test_what_is_written_can_be_served(tmp_path: Path) -> None:
    made = create(tmp_path / "deep" / "er")
    settings = load(made.config, {})
    kek = open_kek(settings.keys.kek, made.config.parent)
    assert keyset_file.load(settings.keys.keyset, kek).primary.version == 1
    assert not settings.development
    assert list(settings.transformations) == ["fr-nir", "birth-date", "digits"]


def test_the_clients_are_the_contracts(tmp_path: Path) -> None:
    clients = load(create(tmp_path / "new").config, {}).clients
    may = {
        name: [(g.operation, g.transformation, g.purposes) for g in client.grants]
        for name, client in clients.items()
    }
    assert may == {
        "intake": [("tokenise", name, ()) for name in ("fr-nir", "birth-date", "digits")],
        "reimbursement": [
            ("detokenise", name, ("reimbursement",)) for name in ("fr-nir", "birth-date")
        ],
        "portal": [(operation, "fr-nir", ("display",)) for operation in ("mask", "match")],
    }
    reveal, people = clients["reimbursement"].limits.reveal, clients["reimbursement"].limits.people
    assert reveal is not None
    assert people is not None
    assert (reveal.hour, people.day) == (10_000, 2_000)
    portal = clients["portal"].limits
    assert portal.people is not None
    assert portal.end_user is not None
    assert portal.end_user.people is not None
    assert (portal.people.day, portal.end_user.people.day) == (2_000, 200)
    intake = clients["intake"].limits.tokenise
    assert intake is not None
    assert intake.hour == DEFAULT_LIMITS["tokenise.hour"]


def test_json_and_nothing_else(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("init", "--json", tmp_path / "new")
    assert result.exit_code == 0
    assert result.stderr == ""
    said = json.loads(result.stdout)
    assert set(said) == {"config", "clients"}
    assert Path(said["config"]) == tmp_path / "new" / "jeton.toml"
    assert list(said["clients"]) == ["intake", "reimbursement", "portal"]
    assert all(checksum_fits(credential) for credential in said["clients"].values())


def test_credentials_are_printed_once_and_kept_as_hashes(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    result = run("init")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["intake", "reimbursement", "portal"]
    written = (tmp_path / "jeton-data" / "jeton.toml").read_text("utf-8")
    for line in lines:
        assert line.split()[1] not in written


def test_nothing_is_overwritten(run: Callable[..., Result], tmp_path: Path) -> None:
    run("init")
    before = {path: path.read_bytes() for path in (tmp_path / "jeton-data").iterdir()}
    again = run("init")
    assert again.exit_code == 2
    assert "nothing is overwritten" in again.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "jeton-data").iterdir()} == before


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(SetUpError):
        create(tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("step", ["write_new", "save", "configuration", "sync_folder"])
def test_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, exists: bool
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    folder = tmp_path / "new"
    if exists:
        folder.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(init, step, full)
        with pytest.raises(OSError, match="No space left"):
            create(folder)
    assert list(tmp_path.iterdir()) == ([folder] if exists else [])
    assert not exists or list(folder.iterdir()) == []
    create(folder)
