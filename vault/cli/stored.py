"""What the store knows, where there is one: asking makes none."""

import asyncio
from pathlib import Path
from typing import Final

from vault.config import Settings
from vault.store import open_store
from vault.store.base import State

SQLITE: Final = "sqlite:"


def state(settings: Settings) -> State | None:
    """None where the store was never made. Raises Refusal where it cannot be reached."""
    url = settings.store.url
    if url.startswith(SQLITE) and not Path(url.removeprefix(SQLITE)).exists():
        return None
    return asyncio.run(_ask(settings))


async def _ask(settings: Settings) -> State:
    store = await open_store(settings.store, settings.keys.keyset.parent)
    try:
        return await store.state()
    finally:
        await store.close()
