"""The keys of one installation: versions of a master key and a root secret, as pure data.

One version is primary and makes new tokens; enabled ones still open theirs; a disabled one
opens nothing until it is enabled again; a destroyed one is gone, and so are its tokens. Where
a format has room, a token shows the *slot* of its version: version v stands in slot
``(v - 1) % slots``, so a slot is free for the next version only once the last one that held
it is destroyed (else its old tokens would open as other people).

No key is used as it is: `Keyset.derive` gives one key a tenant, transformation and version by
HKDF-SHA-256 (RFC 5869), so that no token under one says anything of another. The root secret
is never rotated: what must outlive rotations (pseudonyms of persons, the record's signature)
derives from it. Every change raises `generation`, by which an older keyset that was put back
is noticed. How a keyset is kept in a file is `keyset_file`'s business.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.crypto.secret import KEY_BYTES, KeyAccess, Secret
from vault.errors import SetUpError

SLOTS = 2


class KeyState(StrEnum):
    """What a version may be used for."""

    PRIMARY = "primary"
    ENABLED = "enabled"
    DISABLED = "disabled"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of the master key; `secret` is None exactly when it is destroyed."""

    version: int
    state: KeyState
    created: str
    """ISO date and time, UTC."""
    secret: Secret | None

    @property
    def usable(self) -> bool:
        return self.state in (KeyState.PRIMARY, KeyState.ENABLED)


@dataclass(frozen=True, slots=True)
class Keyset:
    """All versions, oldest first. Changes return a new keyset of the next generation.

    Raises SetUpError unless the versions are 1, 2, ... with exactly one primary.
    """

    versions: tuple[KeyVersion, ...]
    generation: int
    slots: int
    root: Secret

    def __post_init__(self) -> None:
        numbers = [v.version for v in self.versions]
        primaries = [v for v in self.versions if v.state is KeyState.PRIMARY]
        gone = all((v.secret is None) == (v.state is KeyState.DESTROYED) for v in self.versions)
        if numbers != list(range(1, len(numbers) + 1)) or len(primaries) != 1 or not gone:
            raise SetUpError("the keyset is not consistent: restore it from a backup")
        if self.slots < 1 or self.generation < 1:
            raise SetUpError("a keyset has at least one slot and a generation from 1 on")

    @property
    def primary(self) -> KeyVersion:
        """The version that makes new tokens."""
        return next(v for v in self.versions if v.state is KeyState.PRIMARY)

    def in_slot(self, slot: int) -> KeyVersion | None:
        """The newest version of a slot that is not destroyed, usable or not."""
        for version in reversed(self.versions):
            held = (version.version - 1) % self.slots == slot
            if held and version.state is not KeyState.DESTROYED:
                return version
        return None

    def usable(self, version: int) -> KeyVersion:
        """A primary or enabled version. Raises SetUpError where it is neither, or unknown."""
        found = self._find(version)
        if not found.usable:
            raise SetUpError(f"key version {version} is {found.state}")
        return found

    def derive(self, version: int, tenant: str, key_id: str) -> Secret:
        """The 32-byte key of one tenant's transformation under a usable version.

        HKDF-SHA-256 without salt; info is the tenant, the key_id and the version in decimal,
        each UTF-8 with its length as u32, big endian, before it. Raises as `usable`.
        """
        secret = self.usable(version).secret
        assert secret is not None  # held by __post_init__
        return _hkdf(secret, tenant, key_id, str(version))

    def derive_root(self, purpose: str) -> Secret:
        """A 32-byte key that no rotation changes; info is the purpose, framed likewise."""
        return _hkdf(self.root, purpose)

    def rotate(self, now: datetime) -> "Keyset":
        """A new primary version; the old one stays enabled.

        Raises SetUpError while another version holds the slot that the new one takes.
        """
        number = len(self.versions) + 1
        holder = self.in_slot((number - 1) % self.slots)
        if holder is not None:
            raise SetUpError(
                f"version {number} would take the slot of version {holder.version}, whose tokens "
                f"would then open as other people: once they are re-tokenised, "
                f"run `jeton keys destroy {holder.version}`, then rotate"
            )
        older = [replace(v, state=KeyState.ENABLED) if v.usable else v for v in self.versions]
        newest = KeyVersion(number, KeyState.PRIMARY, _stamp(now), Secret.random())
        return replace(self, versions=(*older, newest), generation=self.generation + 1)

    def disable(self, version: int) -> "Keyset":
        """An enabled version opens no more tokens until it is enabled again."""
        return self._move(version, (KeyState.ENABLED,), KeyState.DISABLED)

    def enable(self, version: int) -> "Keyset":
        """A disabled version opens its tokens again."""
        return self._move(version, (KeyState.DISABLED,), KeyState.ENABLED)

    def destroy(self, version: int) -> "Keyset":
        """The version's secret goes for good, and with it the values behind its tokens."""
        return self._move(version, (KeyState.ENABLED, KeyState.DISABLED), KeyState.DESTROYED)

    def renewed(self) -> "Keyset":
        """The same keys as the next generation: what a file under a new KEK is saved as."""
        return replace(self, generation=self.generation + 1)

    def refuse_older_than(self, generation: int) -> None:
        """Raises SetUpError where this keyset is older than one that was served before."""
        if self.generation < generation:
            raise SetUpError(
                f"the keyset is of generation {self.generation}, but generation {generation} has "
                f"been served: an older file was put back; restore the newest one"
            )

    def _find(self, version: int) -> KeyVersion:
        if not 1 <= version <= len(self.versions):
            raise SetUpError(f"there is no key version {version}")
        return self.versions[version - 1]

    def _move(self, version: int, sources: tuple[KeyState, ...], target: KeyState) -> "Keyset":
        found = self._find(version)
        if found.state is KeyState.PRIMARY:
            raise SetUpError(
                f"key version {version} is primary, new tokens are made with it: rotate first"
            )
        if found.state not in sources:
            raise SetUpError(f"key version {version} is {found.state}: it cannot be {target}")
        secret = None if target is KeyState.DESTROYED else found.secret
        moved = replace(found, state=target, secret=secret)
        versions = (*self.versions[: version - 1], moved, *self.versions[version:])
        return replace(self, versions=versions, generation=self.generation + 1)


def new_keyset(now: datetime, slots: int = SLOTS) -> Keyset:
    """Fresh random keys: version 1, primary, generation 1."""
    first = KeyVersion(1, KeyState.PRIMARY, _stamp(now), Secret.random())
    return Keyset((first,), generation=1, slots=slots, root=Secret.random())


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="seconds")


def _hkdf(secret: Secret, *parts: str) -> Secret:
    texts = [part.encode() for part in parts]
    info = b"".join(len(text).to_bytes(4) + text for text in texts)
    kdf = HKDF(hashes.SHA256(), length=KEY_BYTES, salt=None, info=info)
    return Secret(kdf.derive(secret.reveal(KeyAccess())))
