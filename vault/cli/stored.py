"""What the store knows, where there is one: asking makes none."""

import asyncio
from pathlib import Path
from typing import Final

from vault.cli.pace import Pace
from vault.config import Settings
from vault.crypto.keyset import Keyset
from vault.engine.transformation import Transformation
from vault.lifecycle.tokens import Lifecycle
from vault.store import open_store, open_tokens, tokens_path
from vault.store.base import State

SQLITE: Final = "sqlite:"


def state(settings: Settings) -> State | None:
    """None where the store was never made. Raises Refusal where it cannot be reached."""
    return asyncio.run(_ask(settings)) if _is_made(settings) else None


def sealed_under(settings: Settings, keyset: Keyset, version: int) -> dict[str, int]:
    """How many values the store keeps sealed under a key version, by vaulted transformation;
    those that keep none are left out. Raises Refusal where it cannot be reached."""
    known = [
        Transformation(name, one, keyset)
        for name, one in settings.transformations.items()
        if one.method == "vaulted"
    ]
    if not known or not _has_tokens(settings):
        return {}
    return asyncio.run(_count(settings, known, version))


def _has_tokens(settings: Settings) -> bool:
    url, base = settings.store.url, settings.keys.keyset.parent
    return not url.startswith(SQLITE) or tokens_path(url, base).exists()


def _is_made(settings: Settings) -> bool:
    url = settings.store.url
    return not url.startswith(SQLITE) or Path(url.removeprefix(SQLITE)).exists()


async def _count(settings: Settings, known: list[Transformation], version: int) -> dict[str, int]:
    found = {}
    store = await open_tokens(settings.store, settings.keys.keyset.parent)
    try:
        for one in known:
            assert one.vaulted is not None
            tokens = Lifecycle(one.vaulted, store)
            async with Pace("counting", await tokens.count()) as pace:
                spaces = await tokens.stats(versions=True, progress=pace.went)
            if count := sum(space.versions[version] for space in spaces):
                found[one.name] = count
    finally:
        await store.close()
    return found


async def _ask(settings: Settings) -> State:
    store = await open_store(settings.store, settings.keys.keyset.parent)
    try:
        return await store.state()
    finally:
        await store.close()
