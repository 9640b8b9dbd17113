"""A running vault, opened for the random tokens of one transformation."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from vault.app import Vault, open_vault
from vault.audit.entry import Detail
from vault.cli.screen import note
from vault.config import load
from vault.crypto.secret import Secret
from vault.engine.vaulted import Vaulted
from vault.errors import ItemError, Refusal, SetUpError
from vault.lifecycle.tokens import Lifecycle
from vault.store.tokens import TokenStore

T = TypeVar("T")

EXPORT_KEY: Final = "vault export"
"""What the key of exports is derived for."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A running vault, and the transformation that was named."""

    vault: Vault
    name: str
    vaulted: Vaulted
    store: TokenStore
    lifecycle: Lifecycle

    async def on_record(self, event: str, **detail: str | int | None) -> None:
        said: Detail = {"transformation": self.name, **detail}
        await self.vault.ledger.event(event, said)

    async def compact(self) -> None:
        """What was erased leaves the store's files too."""
        try:
            await self.store.compact()
        except Refusal as refusal:
            note(f"The values are erased, but the store's files still hold them: {refusal.detail}.")

    @property
    def export_key(self) -> Secret:
        return self.vault.rules.keyset.derive_root(EXPORT_KEY)


def run(config: Path, name: str, work: Callable[[Opened], Awaitable[T]]) -> T:
    """Do it with the transformation of that name. Raises SetUpError."""

    async def at_work() -> T:
        async with _open(config, name) as opened:
            try:
                return await work(opened)
            except ItemError as error:
                raise SetUpError(f"one of the items is none: {error}") from None

    return asyncio.run(at_work())


@asynccontextmanager
async def _open(config: Path, name: str) -> AsyncIterator[Opened]:
    settings = load(config, os.environ)
    known = [each for each, one in settings.transformations.items() if one.method == "vaulted"]
    if name not in known:
        there = f": there are {', '.join(known)}" if known else ", and no other is"
        raise SetUpError(f"no vaulted transformation has this name{there}")
    async with open_vault(settings) as running:
        vaulted = running.rules.transformations[name].vaulted
        assert vaulted is not None
        assert running.tokens is not None
        yield Opened(running, name, vaulted, running.tokens, Lifecycle(vaulted, running.tokens))
