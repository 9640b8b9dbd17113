"""Keys of issuers, kept fresh from a real JWKS server, and from files."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.issuers import Issuer
from vault.access.tokens import Tokens
from vault.config import Issuer as Configured
from vault.errors import SetUpError
from vault.trust.fetching import LARGEST, NotFetched, fetch
from vault.trust.kept import Kept
from vault.trust.keyrings import Keyrings


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer.serving() as one:
        yield one


def configured(keys: str, **more: Any) -> Configured:
    return Configured(Issuer().iss, ("jeton",), keys, ("ES256",), **more)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_callers_cannot_make_us_ask(issuer: Issuer) -> None:
    clock = Clock()
    keyrings = Keyrings(clock)
    await keyrings.renew({"one": configured(issuer.address)})
    assert issuer.asked == 1
    for _ in range(5):
        assert not keyrings.may_bring("one")
        await keyrings.bring("one")
    assert issuer.asked == 1
    clock.now = 11.0
    await asyncio.gather(*(keyrings.bring("one") for _ in range(20)))
    assert issuer.asked == 2, "all wait for the same fetch"
    assert not keyrings.may_bring("nobody")
    await keyrings.close()


async def test_an_issuer_that_is_away_keeps_its_keys(issuer: Issuer) -> None:
    keyrings = Keyrings()
    one = {"one": configured(issuer.address, keys_cooldown=0.1)}
    known = await keyrings.renew(one)
    issuer.away = True
    await asyncio.sleep(0.15)
    await keyrings.bring("one")
    assert issuer.asked == 2
    assert Tokens(one, known).verify(issuer.token("me"), time.time()).subject == "me"
    await keyrings.close()


async def test_a_service_starts_without_an_issuer_and_finds_it_later(issuer: Issuer) -> None:
    issuer.away = True
    keyrings = Keyrings()
    known = await keyrings.renew({"one": configured(issuer.address, keys_refresh=1.0)})
    assert not known["one"].is_good(time.time())
    issuer.away = False
    async with asyncio.timeout(10):
        while not known["one"].is_good(time.time()):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
    await keyrings.close()


async def test_a_reload_keeps_the_keys_of_who_is_as_before(issuer: Issuer) -> None:
    keyrings = Keyrings()
    one = configured(issuer.address)
    before = (await keyrings.renew({"one": one, "two": one}))["one"]
    issuer.away = True
    after = await keyrings.renew({"one": one})
    assert after["one"] is before
    assert before.is_good(time.time())
    await keyrings.close()


async def test_keys_that_another_worker_fetched_are_believed_as_long_as_there(
    issuer: Issuer, tmp_path: Path
) -> None:
    """Workers that a reload brings, or a death, may begin while the issuer is away."""
    one = {"one": configured(issuer.address, keys_keep=60.0)}
    first = Keyrings(folder=tmp_path)
    await first.renew(one)
    await first.close()
    fetched, issuer.away = time.time(), True
    second = Keyrings(folder=tmp_path)
    known = await second.renew(one)
    assert Tokens(one, known).verify(issuer.token("me"), time.time()).subject == "me"
    assert known["one"].is_good(fetched + 58)
    assert not known["one"].is_good(fetched + 61)
    await second.close()
    issuer.away = False
    issuer.rotate()
    third = Keyrings(folder=tmp_path)
    known = await third.renew(one)
    assert known["one"].find("key-0", "ES256", time.time()) is None, "what is fetched comes first"
    await third.close()


async def test_keys_of_an_address_outlive_a_change_of_who_they_are_for(issuer: Issuer) -> None:
    keyrings = Keyrings()
    await keyrings.renew({"one": configured(issuer.address)})
    issuer.away = True
    changed = await keyrings.renew({"one": configured(issuer.address, max_lifetime=60.0)})
    assert changed["one"].is_good(time.time())
    other = await keyrings.renew({"one": configured(f"{issuer.address}/elsewhere")})
    assert not other["one"].is_good(time.time())
    await keyrings.close()


def overwrite(folder: Path, text: bytes) -> None:
    [file] = folder.iterdir()
    file.write_bytes(text)


@pytest.mark.parametrize("kept", [b"", b"x", b"1\n{}", b"soon\n{}", b"-1\n" + b"x" * LARGEST])
async def test_what_was_kept_may_be_anything(issuer: Issuer, tmp_path: Path, kept: bytes) -> None:
    one = configured(issuer.address)
    Kept(tmp_path).put(one, b"{}", 0)
    overwrite(tmp_path, kept)
    issuer.away = True
    keyrings = Keyrings(folder=tmp_path)
    known = await keyrings.renew({"one": one})
    assert not known["one"].is_good(time.time())
    await keyrings.close()


async def test_a_folder_that_cannot_be_written_to_is_not_felt(issuer: Issuer) -> None:
    keyrings = Keyrings(folder=Path("/nowhere"))
    known = await keyrings.renew({"one": configured(issuer.address)})
    assert known["one"].is_good(time.time())
    await keyrings.close()


@pytest.mark.parametrize("text", [None, b"", b'{"keys": []}', b"x" * (LARGEST + 1)])
async def test_a_file_that_is_none(tmp_path: Path, text: bytes | None) -> None:
    path = tmp_path / "jwks.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(SetUpError, match=r"identity\.issuers\.one\.keys"):
        await Keyrings().renew({"one": configured(f"file:{path}")})


async def test_a_bad_file_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(Issuer().jwks())
    keyrings = Keyrings()
    good = await keyrings.renew({"one": configured(f"file:{path}")})
    with pytest.raises(SetUpError):
        await keyrings.renew({"one": configured(f"file:{tmp_path / 'none'}")})
    assert good["one"].is_good(time.time())
    assert not keyrings.may_bring("two")
    await keyrings.close()


def test_nobody_listens() -> None:
    with pytest.raises(NotFetched):
        fetch(configured("http://127.0.0.1:1/jwks"))


async def test_a_fetch_that_fails_as_nobody_thought_of_is_one_that_failed(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended the task that brings keys up to date, and the call that had waited for it."""
    keyrings = Keyrings()
    known = await keyrings.renew({"one": configured(issuer.address, keys_cooldown=0.1)})
    with monkeypatch.context() as broken:
        broken.setattr("vault.trust.keyrings.fetch", lambda _: {}["missing"])
        await asyncio.sleep(0.15)
        await keyrings.bring("one")
    assert known["one"].is_good(time.time())
    await keyrings.close()


async def test_how_many_are_away_is_told(issuer: Issuer) -> None:
    told: list[int] = []
    keyrings = Keyrings(tell=told.append)
    one = configured(issuer.address, keys_cooldown=0.0)
    await keyrings.renew({"one": one})
    issuer.away = True
    for _ in range(2):
        await keyrings.bring("one")
    issuer.away = False
    await keyrings.bring("one")
    assert told == [1, -1]
    issuer.away = True
    await keyrings.bring("one")
    await keyrings.renew({})
    assert told == [1, -1, 1, -1], "one that is no longer configured is not away"
    await keyrings.close()
