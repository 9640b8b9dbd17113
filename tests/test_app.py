"""The composition root: what a reload takes in, and what is said of what is missing."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import structs

from vault.app import open_vault
from vault.cli.init import create
from vault.config import Transformation, load
from vault.crypto.kek import open_kek
from vault.crypto.keyset import new_keyset
from vault.crypto.keyset_file import load as load_keyset
from vault.crypto.keyset_file import save
from vault.errors import SetUpError
from vault.service import Answer, Call
from vault.telemetry import logs


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return create(tmp_path / "data").config


async def test_a_reload_takes_a_newer_keyset_and_no_other(config: Path) -> None:
    settings = load(config, {})
    path = settings.keys.keyset
    kek = open_kek(settings.keys.kek, path.parent)
    ours = load_keyset(path, kek)
    async with open_vault(settings) as vault:
        path.unlink()
        save(path, replace(new_keyset(datetime.now(UTC)), generation=9), kek)
        with pytest.raises(SetUpError, match="another keyset"):
            await vault.reload(load(config, {}))
        assert (await vault.store.state()).generation == 1
        path.unlink()
        save(path, ours.rotate(datetime.now(UTC)), kek)
        assert (await vault.reload(load(config, {}))).rules.keyset.primary.version == 2


def test_no_value_is_seen_in_what_carries_it() -> None:
    value = "284127500100136"
    call = Call("detokenise", "fr-nir", "portal", [value], candidates=[value])
    assert value not in repr(call) + repr(Answer([value]))


@pytest.mark.parametrize("others", [True, False])
async def test_what_only_random_tokens_could_do_needs_their_store(
    config: Path, others: bool
) -> None:
    settings = load(config, {})
    known = {"kept": Transformation("fr-nir", "vaulted")}
    if others:
        known |= settings.transformations
    async with open_vault(structs.replace(settings, transformations=known, clients={})) as vault:
        assert all((await vault.readiness()).operations.values())
        file = settings.keys.keyset.with_name("jeton.tokens.db")
        away = file.rename(file.with_suffix(".away"))
        found = await vault.readiness()
        assert set(found.operations.values()) == {others}
        assert (found.trouble is None) == others
        away.rename(file)
        assert (await vault.readiness()).trouble is None


async def test_a_list_of_honeytokens_that_is_missing_is_said(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(logs, "_setting", logs.replace(logs._setting, stream=stream))
    async with open_vault(load(config, {})):
        pass
    assert "no-honeytokens" not in stream.getvalue()
    unsaid = load(config, {})
    meant = structs.replace(unsaid.honeytokens, mask_and_match="lock")
    settings = structs.replace(unsaid, honeytokens=meant)
    async with open_vault(settings) as vault:
        [said] = [line for line in stream.getvalue().splitlines() if "no-honeytokens" in line]
        assert '"warning"' in said
        assert str(settings.honeytokens.file) in said
        settings.honeytokens.file.touch()
        await vault.reload(settings)
    assert stream.getvalue().count("no-honeytokens") == 1
