"""What one configuration says, judged: before anything of it is opened, and before a reload."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec.structs import replace

from vault.access.grants import Access
from vault.access.honeytokens import Honeytokens
from vault.access.identity import Identities
from vault.audit.entry import Disclosure
from vault.config import Server, Settings
from vault.crypto.kek import open_kek
from vault.crypto.keyset import Keyset
from vault.crypto.keyset_file import load as load_keyset
from vault.crypto.secret import KeyAccess
from vault.engine.persons import Persons
from vault.engine.transformation import compile_transformations
from vault.errors import SetUpError
from vault.store.base import Charge
from vault.trust import authorities_of


class Rules:
    """What one configuration says, without any state: who may do what, with which keys."""

    def __init__(self, settings: Settings) -> None:
        """Raises SetUpError for a keyset that cannot be opened or a bad transformation."""
        self.settings = settings
        self.keyset = self.open_keyset()
        self.transformations = compile_transformations(settings, self.keyset)
        self.identities = Identities(settings)
        self.authorities = authorities_of(settings)
        self.access = Access(settings)
        self.honeytokens = Honeytokens(settings.honeytokens)
        key = self.keyset.derive_root("person").reveal(KeyAccess())
        self.persons = Persons(key, self.transformations)

    def open_keyset(self) -> Keyset:
        """As it is now. Blocks; raises SetUpError where it or its KEK cannot be had."""
        keys = self.settings.keys
        return load_keyset(keys.keyset, open_kek(keys.kek, keys.keyset.parent))

    @property
    def vaulted(self) -> bool:
        """Whether there are random tokens, and so a store of them."""
        return any(one.vaulted is not None for one in self.transformations.values())

    def check_follows(self, before: "Rules") -> None:
        """Raises SetUpError where a running service cannot go from `before` to these."""
        new, old = self.settings, before.settings
        if (new.identity.certificates is None) != (old.identity.certificates is None):
            raise SetUpError("the first [identity.certificates], or none, needs a restart")
        for section in ("server", "store", "audit"):
            if _fixed(getattr(new, section)) != _fixed(getattr(old, section)):
                raise SetUpError(f"a change of [{section}] needs a restart")
        if self.vaulted and not before.vaulted:
            raise SetUpError("the first vaulted transformation needs a restart")
        if self.record_key() != before.record_key():
            raise SetUpError("this is another keyset, not a newer one: put the right one back")

    def record_key(self) -> Ed25519PublicKey:
        """What the record's checkpoints are verified with."""
        seed = self.keyset.derive_root("audit").reveal(KeyAccess())
        return Ed25519PrivateKey.from_private_bytes(seed).public_key()

    def charge_of(self, entry: Disclosure) -> Charge | None:
        """What a recorded disclosure costs by these rules, though it may not be granted any more:
        its budget is that of other grants too. None where its client is gone."""
        found = self.access.limits_of(
            entry.principal,
            entry.operation,  # type: ignore[arg-type] # the record holds operations only
            entry.end_user,
        )
        if found is None:
            return None
        limits, people = found
        return Charge(
            principal=entry.principal,
            end_user=entry.end_user,
            items=entry.items,
            limits=limits,
            persons=frozenset(bytes.fromhex(person) for person in entry.persons),
            people=people,
        )


def _fixed(section: object) -> object:
    """A section but for what a reload may change: which files hold the certificate."""
    if isinstance(section, Server) and section.tls_certificate is not None:
        return replace(section, tls_certificate=Path(), tls_key=Path())
    return section
