"""What the store knows, where there is one: asking makes none."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vault.cli.pace import Pace
from vault.config import Settings
from vault.lifecycle import tokens as lifecycle
from vault.store import open_store, open_tokens, tokens_path
from vault.store.base import State

SQLITE: Final = "sqlite:"


def state(settings: Settings) -> State | None:
    """None where the store was never made. Raises Refusal where it cannot be reached."""
    return asyncio.run(_ask(settings)) if _is_made(settings) else None


def sealed_under(settings: Settings, version: int) -> dict[str, int]:
    """How many values the store keeps sealed under a key version, by vaulted transformation, or
    by the key id of one that is not configured any more; those that keep none are left out.
    From then on none is sealed under it. Raises Refusal where the store cannot be reached."""
    if not _has_tokens(settings):
        return {}
    names = {
        one.key_id or name: name
        for name, one in settings.transformations.items()
        if one.method == "vaulted"
    }
    counts = asyncio.run(_count(settings, version))
    return {names.get(key_id, key_id): count for key_id, count in counts.items()}


def _has_tokens(settings: Settings) -> bool:
    url, base = settings.store.url, settings.keys.keyset.parent
    return not url.startswith(SQLITE) or tokens_path(url, base).exists()


def _is_made(settings: Settings) -> bool:
    url = settings.store.url
    return not url.startswith(SQLITE) or Path(url.removeprefix(SQLITE)).exists()


async def _count(settings: Settings, version: int) -> Mapping[str, int]:
    store = await open_tokens(settings.store, settings.keys.keyset.parent)
    try:
        total = sum([(await store.count(space)).tokens for space in await store.spaces()])
        async with Pace("counting", total) as pace:
            return await lifecycle.sealed_under(store, version, pace.went)
    finally:
        await store.close()


async def _ask(settings: Settings) -> State:
    store = await open_store(settings.store, settings.keys.keyset.parent)
    try:
        return await store.state()
    finally:
        await store.close()
