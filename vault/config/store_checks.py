"""The rules of `[store]`: which of its keys belong to which kind of store."""

import re
from collections.abc import Iterator

from vault.config.settings import StoreSettings
from vault.config.shape import Problem, nearest
from vault.errors import SetUpError
from vault.store.redis.address import is_redis, parse
from vault.store.redis.weaknesses import NAMES

_SOURCE = re.compile(r"(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)")
_OF_REDIS = (
    "accept", "password", "sentinel_username", "sentinel_password", "tls_ca", "tls_certificate",
    "tls_key",
)  # fmt: skip


def store_disagreements(store: StoreSettings) -> Iterator[Problem]:
    if not is_redis(store.url):
        yield from _sqlite(store)
        return
    try:
        address = parse(store.url)
    except SetUpError as error:
        yield Problem("store.url", str(error))
        return
    for index, name in enumerate(store.accept):
        if name not in NAMES:
            right = nearest(name, NAMES)
            advice = (
                f'did you mean "{right}"?' if right else f"there are {', '.join(sorted(NAMES))}"
            )
            yield Problem(f"store.accept[{index}]", f"no weakness has this name; {advice}")
    for key in ("password", "sentinel_password"):
        source = getattr(store, key)
        if source is not None and not _SOURCE.fullmatch(source):
            yield Problem(
                f"store.{key}", "expected env:NAME or file:PATH: where the password is, never it"
            )
    if address.kind != "sentinel":
        yield from _misplaced(
            store, ("sentinel_username", "sentinel_password"), "redis+sentinel://"
        )
    elif store.sentinel_username and not store.sentinel_password:
        yield Problem("store.sentinel_password", "missing: store.sentinel_username needs it")
    if address.username and not store.password:
        yield Problem("store.password", "missing: the user in store.url needs it")
    yield from _tls(store, address.tls)


def _tls(store: StoreSettings, tls: bool) -> Iterator[Problem]:
    if not tls:
        yield from _misplaced(store, ("tls_ca", "tls_certificate", "tls_key"), "rediss")
    elif (store.tls_certificate is None) != (store.tls_key is None):
        there, missing = "tls_certificate", "tls_key"
        if store.tls_certificate is None:
            there, missing = missing, there
        yield Problem(f"store.{missing}", f"missing: store.{there} needs it")


def _sqlite(store: StoreSettings) -> Iterator[Problem]:
    scheme, _, path = store.url.partition(":")
    if scheme != "sqlite" or not path:
        yield Problem(
            "store.url",
            "expected sqlite:PATH, redis://HOST, redis+sentinel://HOST,HOST/SERVICE or "
            "redis+cluster://HOST,HOST",
        )
    yield from _misplaced(store, _OF_REDIS, "redis")


def _misplaced(store: StoreSettings, keys: tuple[str, ...], where: str) -> Iterator[Problem]:
    for key in keys:
        if getattr(store, key):
            yield Problem(f"store.{key}", f"says something of {where} URLs only")
