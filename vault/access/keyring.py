"""The public keys of an issuer, as far as they are believed: no I/O, `vault.trust` brings them."""

from collections.abc import Mapping
from typing import Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from vault.config import Issuer

Key = RSAKey | ECKey | OKPKey

KINDS: Final[Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {
    "RSA": RSAKey,
    "EC": ECKey,
    "OKP": OKPKey,
}
CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "Ed25519": "Ed25519"}
FEWEST_BITS: Final = 2_048
MOST_BITS: Final = 8_192
"""Above, a verification takes as long as somebody wants it to."""
MOST_KEYS: Final = 64
LONGEST_KID: Final = 256


class BadKeys(Exception):
    """The text is no JWKS with a key that could be used; says why."""


class Keys:
    """The keys of one JWKS that can verify one of an issuer's algorithms."""

    __slots__ = ("_all", "_named", "text")

    def __init__(self, text: bytes, algorithms: tuple[str, ...]) -> None:
        """Raises BadKeys. Symmetric, private and unknown keys are passed over."""
        self.text = text
        self._all: list[tuple[str | None, dict[str, str], Key]] = []
        for raw in _listed(text)[:MOST_KEYS]:
            if (key := _key(raw)) is not None and any(_suits(raw, key, a) for a in algorithms):
                self._all.append((raw.get("kid"), raw, key))
        if not self._all:
            raise BadKeys("it has no public key for the algorithms that are named")
        self._named: dict[str, list[tuple[dict[str, str], Key]]] = {}
        for kid, raw, key in self._all:
            if isinstance(kid, str) and kid:
                self._named.setdefault(kid, []).append((raw, key))

    def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The one key; without a `kid` only where no other could be meant."""
        if kid is None:
            candidates = [(raw, key) for _, raw, key in self._all]
        else:
            candidates = self._named.get(kid, [])
        found = [key for raw, key in candidates if _suits(raw, key, algorithm)]
        return found[0] if len(found) == 1 else None


class Keyring:
    """What is known of an issuer's keys now."""

    def __init__(self, issuer: Issuer) -> None:
        self._algorithms = issuer.algorithms
        self._keep = issuer.keys_keep
        self._keys: Keys | None = None
        self._until = 0.0
        self.version = 0
        """Another one: what was verified by the keys before has to be verified again."""

    def put(self, text: bytes, now: float) -> None:
        """These keys, and no others, from `now` on (seconds since 1970). Raises BadKeys, and what
        was known stays."""
        if self._keys is None or self._keys.text != text:
            self._keys = Keys(text, self._algorithms)
            self.version += 1
        self._until = now + self._keep

    def is_good(self, now: float) -> bool:
        return self._keys is not None and now < self._until

    def find(self, kid: str | None, algorithm: str, now: float) -> Key | None:
        if self._keys is None or now >= self._until:
            return None
        return self._keys.find(kid, algorithm)


def _listed(text: bytes) -> list[dict[str, str]]:
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadKeys("it is no JSON") from None
    keys = raw.get("keys") if isinstance(raw, dict) else None
    if not isinstance(keys, list):
        raise BadKeys("it is no JWKS, which has a list of `keys`")
    return [key for key in keys if isinstance(key, dict)]


def _key(raw: dict[str, str]) -> Key | None:
    kind = KINDS.get(raw["kty"]) if isinstance(raw.get("kty"), str) else None
    if kind is None or "d" in raw:
        return None
    public = {name: raw[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in raw}
    try:
        key = kind.import_key(public)  # type: ignore[arg-type]
        if isinstance(key, RSAKey) and not FEWEST_BITS <= key.public_key.key_size <= MOST_BITS:
            return None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return key


def _suits(raw: dict[str, str], key: Key, algorithm: str) -> bool:
    if raw.get("use", "sig") != "sig" or raw.get("alg", algorithm) != algorithm:
        return False
    curve = CURVES.get(algorithm)
    if curve is None:
        return isinstance(key, RSAKey)
    return not isinstance(key, RSAKey) and raw.get("crv") == curve
