"""Keeps the keys of all issuers fresh, as long as a process lives.

They are fetched when it starts, every `keys_refresh` seconds, and once more for a token with an
unknown `kid`, though not within `keys_cooldown` of the last time: callers cannot make us ask.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from vault.access.keyring import BadKeys, Keyring
from vault.config import Issuer
from vault.errors import SetUpError
from vault.telemetry import log
from vault.trust.fetching import SECONDS, fetch
from vault.trust.kept import Kept

AGAIN: Final = 5.0
"""Seconds after a fetch that failed, at least."""
WAITING: Final = 64
"""Calls that may wait for a fetch at once: a body of each is kept meanwhile."""


class _One:
    """The keyring of one issuer, and who brings it up to date."""

    def __init__(
        self,
        name: str,
        issuer: Issuer,
        clock: Callable[[], float],
        tell: Callable[[int], object],
        kept: Kept,
    ) -> None:
        self.issuer = issuer
        self.keyring = Keyring(issuer)
        self._kept = kept
        self._name = name
        self._clock = clock
        self._tell = tell
        self._asked = float("-inf")
        self._under_way: asyncio.Task[bool] | None = None
        self._failing = False
        self._refreshing: asyncio.Task[None] | None = None

    async def once(self) -> bool:
        """Fetch, or wait for who is fetching. Whether it brought keys."""
        if self._under_way is None or self._under_way.done():
            self._asked = self._clock()
            self._under_way = asyncio.create_task(self._fetch(), name="keys")
        return await asyncio.shield(self._under_way)

    @property
    def may_ask(self) -> bool:
        """A fetch is under way, or there was none lately."""
        if self._under_way is not None and not self._under_way.done():
            return True
        return self._clock() - self._asked >= self.issuer.keys_cooldown

    def start(self) -> None:
        self._refreshing = asyncio.create_task(self._refresh(), name="keys-refresh")

    async def close(self) -> None:
        for task in (self._refreshing, self._under_way):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._failing:
            self._failing = False
            self._tell(-1)

    async def _refresh(self) -> None:
        while True:
            pause = min(AGAIN, self.issuer.keys_refresh) if self._failing else None
            await asyncio.sleep(pause or self.issuer.keys_refresh)
            await self.once()

    async def _fetch(self) -> bool:
        try:
            async with asyncio.timeout(2 * SECONDS):
                text, now = await asyncio.to_thread(fetch, self.issuer), time.time()
                self.keyring.put(text, now)
                await asyncio.to_thread(self._kept.put, self.issuer, text, now)
        except Exception:  # noqa: BLE001 - whatever it is, it is tried again: else old keys stay
            if not self._failing:
                log.warning("issuer-away", issuer=self._name)
                self._tell(1)
            self._failing = True
            return False
        finally:
            self._asked = self._clock()
        if self._failing:
            log.info("issuer-back", issuer=self._name)
            self._tell(-1)
        self._failing = False
        return True

    def take_what_was_kept(self) -> None:
        """Until the first fetch, which may bring nothing."""
        found = self._kept.get(self.issuer)
        if found is not None:
            with suppress(BadKeys):
                text, at = found
                self.keyring.put(text, min(at, time.time()))


class Keyrings:
    """Those of one process, over all reloads."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[int], object] = lambda _: None,
        folder: Path | None = None,
    ) -> None:
        """`tell`, `folder`: see `vault.trust.Believing`."""
        self._clock = clock
        self._tell = tell
        self._kept = Kept(folder)
        self._known: dict[str, _One] = {}
        self._waiting = 0

    async def renew(self, issuers: Mapping[str, Issuer]) -> Mapping[str, Keyring]:
        """The keyrings of `issuers`, fetched: one whose configuration is as it was goes on.

        An address that is away is asked again; raises SetUpError for a file that cannot be used.
        """
        before, fresh = self._known, {}
        for name, issuer in issuers.items():
            known = before.get(name)
            same = known is not None and known.issuer == issuer
            fresh[name] = known if same and known else self._begun(name, issuer)
        fetched = await asyncio.gather(*(one.once() for one in fresh.values()))
        for (name, one), there in zip(fresh.items(), fetched, strict=True):
            if not there and one.issuer.keys.startswith("file:"):
                raise SetUpError(
                    f"identity.issuers.{name}.keys: the file cannot be read, or is no JWKS with a "
                    "public key for its algorithms"
                )
        self._known = fresh
        for name, one in fresh.items():
            if before.get(name) is not one:
                one.start()
        for name, one in before.items():
            if fresh.get(name) is not one:
                await one.close()
        return {name: one.keyring for name, one in fresh.items()}

    def _begun(self, name: str, issuer: Issuer) -> _One:
        one = _One(name, issuer, self._clock, self._tell, self._kept)
        one.take_what_was_kept()
        return one

    def may_bring(self, issuer: str) -> bool:
        """Whether it is worth while to wait for another fetch."""
        one = self._known.get(issuer)
        return one is not None and one.may_ask and self._waiting < WAITING

    async def bring(self, issuer: str) -> None:
        """Fetch its keys, whatever comes of it."""
        one = self._known.get(issuer)
        if one is None or not self.may_bring(issuer):
            return
        self._waiting += 1
        try:
            await one.once()
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        for one in self._known.values():
            await one.close()
