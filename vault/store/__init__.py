"""What all workers and replicas must agree on: counters, persons, request ids, locks, marks.

`base.Store` is the protocol; `open_store` picks the implementation by the address.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from vault.errors import SetUpError
from vault.store.base import Store
from vault.store.redis.address import is_redis
from vault.store.redis.options import StoreSettings
from vault.store.sqlite import SqliteStore
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import TokenStore

__all__ = ["Store", "TokenStore", "is_redis", "open_store", "open_tokens", "tokens_path"]

Tell = Callable[[str, Mapping[str, str | int | float]], None]
_NO_REDIS = "store.url names a Redis: install `jeton[redis]`"


def _tell_nobody(name: str, facts: Mapping[str, str | int | float]) -> None: ...


async def open_store(settings: StoreSettings, base: Path, tell: Tell = _tell_nobody) -> Store:
    """Open the store at `settings.url`: ``sqlite:PATH``, relative to `base`, or a Redis URL.

    Each process opens it for itself. Raises SetUpError for another scheme, and where the
    store cannot be used; Refusal (store_unavailable) where it cannot be reached. `tell` hears
    how the calls of a store of the network fare.
    """
    if is_redis(settings.url):
        # Not before it is needed: redis-py is an extra.
        try:
            from vault.store.redis.guard import RedisStore  # noqa: PLC0415
            from vault.store.redis.link import Link  # noqa: PLC0415
        except ModuleNotFoundError:
            raise SetUpError(_NO_REDIS) from None
        return await RedisStore.open(await Link.open(settings, tell))
    return SqliteStore.open(base / _path(settings.url))


async def open_tokens(settings: StoreSettings, base: Path, tell: Tell = _tell_nobody) -> TokenStore:
    """Open the vaulted tokens that belong to a store: of ``sqlite:PATH`` a file of their own
    beside it (``jeton.db``, ``jeton.tokens.db``), of a Redis URL in the same Redis.

    Each process opens them for itself. Raises SetUpError as `open_store`.
    """
    if is_redis(settings.url):
        # Not before it is needed: redis-py is an extra.
        try:
            from vault.store.redis.link import Link  # noqa: PLC0415
            from vault.store.redis.tokens import RedisTokens  # noqa: PLC0415
        except ModuleNotFoundError:
            raise SetUpError(_NO_REDIS) from None
        return RedisTokens(await Link.open(settings, tell), settings.replicas, tell)
    return SqliteTokens.open(tokens_path(settings.url, base), tell)


def tokens_path(url: str, base: Path) -> Path:
    """The file of vaulted tokens that belongs to ``sqlite:PATH``."""
    path = base / _path(url)
    return path.with_name(f"{path.stem}.tokens{path.suffix}")


def _path(url: str) -> str:
    scheme, _, path = url.partition(":")
    if scheme != "sqlite" or not path:
        raise SetUpError("store.url must be sqlite:PATH, such as sqlite:jeton.db")
    return path
