"""What all workers and replicas must agree on: counters, persons, request ids, locks, marks.

`base.Store` is the protocol; `open_store` picks the implementation by the address.
"""

from pathlib import Path

from vault.errors import SetUpError
from vault.store.base import Store
from vault.store.sqlite import SqliteStore
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import TokenStore

__all__ = ["Store", "TokenStore", "open_store", "open_tokens"]


def open_store(url: str, base: Path) -> Store:
    """Open the store at `url`: ``sqlite:PATH``, relative to `base`.

    Each process opens it for itself. Raises SetUpError for another scheme, and where the
    store cannot be used.
    """
    return SqliteStore.open(base / _path(url))


async def open_tokens(url: str, base: Path) -> TokenStore:
    """Open the random tokens of the store at `url`: with SQLite a file of their own, beside the
    store's (``jeton.db``, ``jeton.tokens.db``). Raises as `open_store`.
    """
    path = base / _path(url)
    return SqliteTokens.open(path.with_name(f"{path.stem}.tokens{path.suffix}"))


def _path(url: str) -> str:
    scheme, _, path = url.partition(":")
    if scheme != "sqlite" or not path:
        raise SetUpError("store.url must be sqlite:PATH, such as sqlite:jeton.db")
    return path
