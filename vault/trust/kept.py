"""The last keys of each address: for keyrings that begin while it is away.

Those are a worker's that takes the place of another, after a reload or a death, and an issuer's
whose configuration was changed. Workers of one service share a folder that only they can write to,
and that goes with their parent.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from vault.config import Issuer
from vault.trust.fetching import LARGEST


class Kept:
    def __init__(self, folder: Path | None) -> None:
        """None: of this process alone."""
        self._folder = folder
        self._known: dict[str, bytes] = {}

    def put(self, issuer: Issuer, text: bytes, at: float) -> None:
        """What was fetched, and when; a disk that is full is not felt."""
        name, whole = _name(issuer), b"%d\n" % at + text
        self._known[name] = whole
        if self._folder is None:
            return
        fresh = self._folder / f"{name}.{os.getpid()}"
        with suppress(OSError):
            fresh.write_bytes(whole)
            fresh.rename(self._folder / name)

    def get(self, issuer: Issuer) -> tuple[bytes, int] | None:
        """Raises nothing: what cannot be read is not there."""
        name = _name(issuer)
        whole = self._known.get(name)
        if whole is None and self._folder is not None:
            with suppress(OSError), (self._folder / name).open("rb") as file:
                whole = file.read(LARGEST + 32)
        if whole is None:
            return None
        at, _, text = whole.partition(b"\n")
        return (text, int(at)) if at.isdigit() else None


def _name(issuer: Issuer) -> str:
    """Of what its keys depend on: where they come from, and who says that it is there."""
    said = f"{issuer.iss}\n{issuer.keys}\n{issuer.keys_ca}"
    return hashlib.sha256(said.encode()).hexdigest()
