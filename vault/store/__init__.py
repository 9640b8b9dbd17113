"""What all workers and replicas must agree on: counters, persons, request ids, locks, marks.

`base.Store` is the protocol; `open_store` picks the implementation by the address.
"""

from pathlib import Path

from vault.errors import SetUpError
from vault.store.base import Store
from vault.store.sqlite import SqliteStore

__all__ = ["Store", "open_store"]


def open_store(url: str, base: Path) -> Store:
    """Open the store at `url`: ``sqlite:PATH``, relative to `base`.

    Each process opens it for itself. Raises SetUpError for another scheme, and where the
    store cannot be used.
    """
    scheme, _, path = url.partition(":")
    if scheme != "sqlite" or not path:
        raise SetUpError("store.url must be sqlite:PATH, such as sqlite:jeton.db")
    return SqliteStore.open(base / path)
