"""`jeton keys`: the keyset's versions and what wraps them."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import tomlkit

from vault.cli import stored
from vault.cli.files import edit, write_new
from vault.cli.group import Group, examples
from vault.cli.options import config_option, json_option
from vault.cli.screen import note, print_json, table
from vault.config import Settings, format_of, load, read
from vault.crypto import keyset_file
from vault.crypto.kek import KINDS, Kek, new_kek_text, open_kek
from vault.crypto.keyset import Keyset
from vault.errors import SetUpError

AFTER: Final = (
    "A running service keeps the old keys until it is told: send it a SIGHUP, or restart it.\n"
    "Then back the keyset up: an older copy is refused from now on."
)
KEK_VARIABLE: Final = "JETON__KEYS__KEK"


@dataclass(frozen=True, slots=True)
class Keys:
    """A keyset, opened, and where it came from."""

    settings: Settings
    keyset: Keyset
    kek: Kek

    @classmethod
    def open(cls, config: Path) -> "Keys":
        """Raises SetUpError."""
        settings = load(config, os.environ)
        kek = open_kek(settings.keys.kek, settings.keys.keyset.parent)
        return cls(settings, keyset_file.load(settings.keys.keyset, kek), kek)

    @classmethod
    def open_to_change(cls, config: Path) -> "Keys":
        """Raises SetUpError, also for a keyset that is older than one that was served: what
        grows out of it would soon be taken for the newest, with other keys."""
        return cls.open(config).fresh()

    def fresh(self) -> "Keys":
        """These, if none newer were served. Raises SetUpError."""
        known = stored.state(self.settings)
        self.keyset.refuse_older_than(0 if known is None else known.generation)
        return self

    def save(self, keyset: Keyset) -> None:
        """Raises SetUpError."""
        keyset_file.save(self.settings.keys.keyset, keyset, self.kek)

    def pinning(self, version: int) -> list[str]:
        """The transformations whose tokens are all of this version: their formats have no room
        to say of which one they are."""
        return [
            name
            for name, one in self.settings.transformations.items()
            if one.method == "fpe"
            and one.key_version == version
            and format_of(one).slots < self.keyset.slots
        ]

    @property
    def vaulted(self) -> list[str]:
        """The transformations whose values are sealed in the store, each under some version."""
        known = self.settings.transformations
        return [name for name, one in known.items() if one.method == "vaulted"]


@click.group(
    cls=Group,
    epilog=examples(
        "jeton keys list",
        "jeton keys rotate",
        "jeton keys destroy 1",
        "jeton keys rewrap --to file:new-kek.key",
    ),
)
def keys() -> None:
    """Look after the keyset: list, rotate, destroy, rewrap.

    New tokens are made with the primary version; enabled ones open theirs. Every change writes
    the keyset file whole, as a new generation, and no older one is taken after it.
    """


@keys.command(name="list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """Show the versions, their states and who is pinned to them."""
    opened = Keys.open(config)
    keyset = opened.keyset
    pinned = {v.version: opened.pinning(v.version) for v in keyset.versions}
    if as_json:
        versions = [
            {
                "version": v.version,
                "state": str(v.state),
                "created": v.created,
                "slot": (v.version - 1) % keyset.slots,
                "pinned_by": pinned[v.version],
            }
            for v in keyset.versions
        ]
        print_json({"generation": keyset.generation, "slots": keyset.slots, "versions": versions})
        return
    table(
        ("version", "state", "created", "slot", "pinned by"),
        (
            (
                str(v.version),
                str(v.state),
                v.created,
                str((v.version - 1) % keyset.slots),
                ", ".join(pinned[v.version]),
            )
            for v in keyset.versions
        ),
        title=f"Generation {keyset.generation}",
    )


@keys.command()
@config_option
def rotate(config: Path) -> None:
    """Make a new primary version; old tokens still open.

    Refused while the slot of the new version is held by one that is not destroyed: its old
    tokens would open as other people.
    """
    opened = Keys.open_to_change(config)
    before = opened.keyset.primary.version
    rotated = opened.keyset.rotate(datetime.now(UTC))
    opened.save(rotated)
    new = rotated.primary.version
    note(f"Version {new} is primary; tokens of version {before} still open. {AFTER}")
    note(
        f"Re-tokenise what is stored, then `jeton keys destroy {before}`: until then there is no "
        "next rotation."
    )
    if opened.vaulted:
        note(
            f"Random tokens stay as they are: once the service has the new keys, "
            f"{_rewraps(opened.vaulted)} seals what they stand for under version {new}."
        )
    pinned = opened.pinning(before)
    if pinned:
        note(
            f"Not rotated, for their tokens cannot say of which version they are: "
            f"{', '.join(pinned)}. Once re-tokenised, they say key_version = {new}."
        )


@keys.command()
@click.argument("version", type=click.IntRange(1, 10_000))
@config_option
def disable(version: int, config: Path) -> None:
    """Open no more tokens of a version, until it is enabled."""
    _move(config, version, lambda opened: opened.keyset.disable(version))
    note(f"Version {version} is disabled: its tokens do not open. {AFTER}")


@keys.command()
@click.argument("version", type=click.IntRange(1, 10_000))
@config_option
def enable(version: int, config: Path) -> None:
    """Open the tokens of a disabled version again."""
    _move(config, version, lambda opened: opened.keyset.enable(version))
    note(f"Version {version} is enabled: its tokens open again. {AFTER}")


@keys.command()
@click.argument("version", type=click.IntRange(1, 10_000))
@config_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def destroy(version: int, config: Path, yes: bool) -> None:
    """Give up a version for good, and with it all its tokens.

    Refused while a transformation is pinned to it, or the store has values that are sealed
    under it. Copies of the keyset in backups still hold the version: destroy those too.
    """

    def destroyed(opened: Keys) -> Keyset:
        after = opened.keyset.destroy(version)
        _refuse_sealed(opened, version)
        if not yes:
            _confirm(f"Tokens of version {version} will never open again, for anybody. Go on?")
        return after

    _move(config, version, destroyed, pinned_refuse=True)
    note(f"Version {version} is destroyed. {AFTER}")
    note("Copies of the keyset in backups still hold it.")


@keys.command(
    epilog=examples(
        "jeton keys rewrap --to file:new-kek.key",
        "jeton keys rewrap --to env:JETON_KEK",
        "jeton keys rewrap --to aws-kms:alias/jeton",
    )
)
@click.option("--to", "spec", required=True, metavar="KEK", help=f"One of {KINDS}.")
@config_option
def rewrap(spec: str, config: Path) -> None:
    """Wrap the keyset under another key-encryption key.

    The configuration's keys.kek is changed with it. A file that does not exist is made, with a
    fresh key; paths are relative to the configuration. If somebody may have had the keyset AND
    its old KEK, this does not help: rotate, re-tokenise, destroy.
    To other providers too: pkcs11:URI and aws-kms:KEY have a page each. If this is stopped
    halfway, the keyset may be under the new KEK and the configuration name the old one: run it
    again.
    """
    folder = config.absolute().parent
    kind, _, rest = spec.partition(":")
    opened = _open_to_rewrap(spec, config)
    made = kind == "file" and rest != "" and not (folder / rest).exists()
    if made:
        write_new(folder / rest, new_kek_text() + "\n")
    text = _naming(spec, config.read_text("utf-8"))  # what cannot be edited is seen before
    keys_then = read(text, folder, {}, str(config)).keys
    kek = open_kek(keys_then.kek, opened.settings.keys.keyset.parent)
    keyset_file.save(opened.settings.keys.keyset, opened.keyset.renewed(), kek)  # and tries it
    if KEK_VARIABLE in os.environ:
        note(f"{KEK_VARIABLE} is set and goes before the file: set it to the new KEK.")
    else:
        edit(config, lambda text: _naming(spec, text))
    fresh = (
        f"{folder / rest} holds a fresh KEK: back it up, apart from the keyset. " if made else ""
    )
    note(f"The keyset is wrapped under the new KEK. {fresh}{AFTER}")


def _open_to_rewrap(spec: str, config: Path) -> Keys:
    """The keyset under its KEK, or already under the new one, where a rewrap was stopped between
    the keyset and the configuration. Raises SetUpError."""
    try:
        return Keys.open_to_change(config)
    except SetUpError as old:
        settings = load(config, os.environ)
        try:
            text = _naming(spec, config.read_text("utf-8"))
            then = read(text, config.absolute().parent, {}, str(config)).keys.kek
            kek = open_kek(then, settings.keys.keyset.parent)
            return Keys(settings, keyset_file.load(settings.keys.keyset, kek), kek).fresh()
        except SetUpError:
            raise old from None


def _naming(spec: str, text: str) -> str:
    """The configuration's text with another keys.kek."""
    document: Any = tomlkit.parse(text)
    document.setdefault("keys", tomlkit.table())["kek"] = spec
    return tomlkit.dumps(document)


def _move(
    config: Path,
    version: int,
    change: Callable[[Keys], Keyset],
    *,
    pinned_refuse: bool = False,
) -> None:
    opened = Keys.open_to_change(config)
    pinned = opened.pinning(version)
    if pinned and pinned_refuse:
        raise SetUpError(
            f"key version {version} is pinned: all tokens of {', '.join(pinned)} are of it. "
            "Re-tokenise them under another key_version, or take them out of the configuration"
        )
    opened.save(change(opened))
    if pinned:
        note(f"All tokens of {', '.join(pinned)} are of version {version}.")


def _refuse_sealed(opened: Keys, version: int) -> None:
    """Raises SetUpError where the store has values that would never open again."""
    sealed = stored.sealed_under(opened.settings, version)
    if gone := sealed.keys() - set(opened.vaulted):
        raise SetUpError(
            f"values are sealed under key version {version} and would be lost whose transformations"
            f" are not in the configuration (key_id {', '.join(sorted(gone))}): put them back, and"
            " rewrap or erase what they have"
        )
    if sealed:
        counts = ", ".join(f"{count:,} of {name}" for name, count in sealed.items())
        enable = ""
        if not opened.keyset.versions[version - 1].usable:
            enable = f"`jeton keys enable {version}`, and then "
        raise SetUpError(
            f"values are sealed under key version {version} ({counts}) and would be lost: "
            f"{enable}{_rewraps(list(sealed))} seals them under the primary version, then "
            "destroy this one"
        )


def _rewraps(names: list[str]) -> str:
    return " and ".join(f"`jeton vault rewrap {name}`" for name in names)


def _confirm(question: str) -> None:
    """Ask whoever is there. In a script nobody is, and its command line is the answer."""
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        agreed = not sys.stdin.isatty()
    if not agreed:
        raise SetUpError("not confirmed, nothing is changed (--yes does without asking)")
