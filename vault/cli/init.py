"""`jeton init`: a folder with all that the service needs, made whole or not at all."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from vault.access.identity import mint
from vault.cli.files import sync_folder, write_new
from vault.cli.group import examples
from vault.cli.options import DEFAULT_CONFIG, json_option
from vault.cli.screen import note, print_json
from vault.cli.shipped import CLIENTS, CONFIG, KEK, KEYSET, configuration
from vault.crypto.kek import new_kek_text, open_kek
from vault.crypto.keyset import new_keyset
from vault.crypto.keyset_file import save
from vault.errors import SetUpError


@dataclass(frozen=True, slots=True)
class Installation:
    """What was made. The credentials are known nowhere else."""

    config: Path
    credentials: dict[str, str]


def create(folder: Path, *, development: bool = False) -> Installation:
    """Fresh keys, configuration and credentials in `folder`, which is new or empty.

    A crash leaves no half installation: what is written elsewhere is renamed into place, the
    configuration last. Raises SetUpError where there is something already, OSError.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        words = f"{folder} is not empty: nothing is overwritten; name a new or empty folder"
        raise SetUpError(words)
    beside = folder if folder.exists() else folder.parent
    beside.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".jeton-init-", dir=beside))  # mode 0700
    try:
        credentials = _write(staging, development=development)
        if beside == folder:
            _move_into(folder, staging)
        else:
            staging.rename(folder)
            sync_folder(beside)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return Installation(folder / CONFIG, credentials)


def _write(folder: Path, *, development: bool) -> dict[str, str]:
    minted = {name: mint(name) for name in CLIENTS}
    hashes = {name: digest for name, (_, digest) in minted.items()}
    write_new(folder / KEK, new_kek_text() + "\n")
    save(folder / KEYSET, new_keyset(datetime.now(UTC)), open_kek(f"file:{KEK}", folder))
    write_new(folder / CONFIG, configuration(hashes, development=development))
    sync_folder(folder)
    return {name: text for name, (text, _) in minted.items()}


def _move_into(folder: Path, staging: Path) -> None:
    """An empty folder may be a mount point or somebody's working directory: it stays."""
    folder.chmod(0o700)
    for name in (KEK, KEYSET, CONFIG):
        os.link(staging / name, folder / name)  # fails where a name is taken meanwhile
    shutil.rmtree(staging)
    sync_folder(folder)


@click.command(
    epilog=examples("jeton init", "jeton init /srv/jeton", "jeton init --json > credentials.json")
)
@click.argument(
    "directory", metavar="[DIR]", default=DEFAULT_CONFIG.parent, type=click.Path(path_type=Path)
)
@json_option
def init(directory: Path, as_json: bool) -> None:
    """Write a ready configuration, fresh keys and credentials.

    Everything goes into DIR (./jeton-data), which must be new or empty: the configuration, a
    keyset and the key that wraps it, and later the store and the record. The credentials of
    the three example clients are printed this once; only their hashes are kept.
    """
    made = create(directory)
    config = directory / CONFIG
    if as_json:
        print_json({"config": str(config), "clients": made.credentials})
        return
    note(f"Wrote {config}, {KEYSET} and {KEK}. The credentials, shown this once:\n")
    for name, credential in made.credentials.items():
        click.echo(f"{name:<15}{credential}")
    note(
        f"\nKeep {KEK} and {KEYSET} backed up, apart from each other: without both, no token "
        f"opens again.\nNext: jeton serve --config {config}"
    )
