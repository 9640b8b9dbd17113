"""Exports: whole, or not taken."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.tokens import NIRS, vaulted
from vault.crypto.secret import Secret
from vault.errors import SetUpError
from vault.lifecycle import archive
from vault.lifecycle.tokens import Lifecycle, nobody
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import Entry

KEY = Secret(bytes(range(32)))


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[tuple[SqliteTokens, SqliteTokens]]:
    here, there = (SqliteTokens.open(tmp_path / name) for name in ("here.db", "there.db"))
    yield here, there
    await here.close()
    await there.close()


async def exported(store: SqliteTokens) -> io.BytesIO:
    file = io.BytesIO()
    entries = Lifecycle(vaulted(), store).entries()
    await archive.write(file, KEY, "t", entries)
    file.seek(0)
    return file


async def test_moves_everything_to_another_store(
    stores: tuple[SqliteTokens, SqliteTokens],
) -> None:
    here, there = stores
    tokens = [str(text) for text in (await vaulted().tokenise(here, NIRS, None)).texts]
    await Lifecycle(vaulted(), here).erase_tokens(tokens[:2])
    file = await exported(here)
    assert archive.check(file, KEY, "t") == len(NIRS)
    file.seek(0)
    done = await archive.read(file, KEY, vaulted(), there, nobody)
    assert done == {"kept": len(NIRS) - 2, "erased": 2}
    back = await vaulted().detokenise(there, tokens, None)
    assert back.texts == [None, None, *NIRS[2:]]
    again = (await vaulted().tokenise(there, NIRS, None)).texts
    assert again[2:] == tokens[2:]
    assert not {*again[:2]} & {*tokens[:2]}


def decrypted(file: io.BytesIO) -> bytes:
    """All that the frames hold, as they are read."""
    file.seek(0)
    rows = [row for frame in archive._frames(file, KEY, "t") for row in frame]
    return b"".join(part for _, *parts in rows for part in parts)


async def test_what_was_erased_is_not_in_an_export(
    stores: tuple[SqliteTokens, SqliteTokens],
) -> None:
    here, _ = stores
    one = vaulted()
    tokens = [str(text) for text in (await one.tokenise(here, NIRS, None)).texts]
    kept = [entry async for _, entry in Lifecycle(one, here).entries()]
    before = decrypted(await exported(here))
    await Lifecycle(one, here).erase_tokens(tokens[:3])
    after = decrypted(await exported(here))
    erased = {place[1] for token in tokens[:3] if (place := one.place(token))}
    for entry in kept:
        assert entry.sealed in before
        assert entry.token in after, "a token stays taken"
        for part in (entry.index, entry.sealed, entry.sealed[12:24]):
            assert (part in after) == (entry.token not in erased)


async def test_what_was_erased_since_stays_erased(
    stores: tuple[SqliteTokens, SqliteTokens],
) -> None:
    here, _ = stores
    tokens = [str(text) for text in (await vaulted().tokenise(here, NIRS, None)).texts]
    file = await exported(here)
    await Lifecycle(vaulted(), here).erase_tokens(tokens[:3])
    fresh = (await vaulted().tokenise(here, NIRS[:1], None)).texts
    done = await archive.read(file, KEY, vaulted(), here, nobody)
    assert done == {"kept": len(NIRS) - 3, "gone": 2, "taken": 1}
    back = await vaulted().detokenise(here, [*tokens, *map(str, fresh)], None)
    assert back.texts == [None, None, None, *NIRS[3:], NIRS[0]]


async def test_a_token_that_stands_for_another_value_is_told(
    stores: tuple[SqliteTokens, SqliteTokens],
) -> None:
    here, there = stores
    await vaulted().tokenise(here, NIRS[:1], None)
    ((kind, entry),) = [pair async for pair in Lifecycle(vaulted(), here).entries()]
    index = bytes(15) + entry.index[-1:]
    await there.create(vaulted().space(kind), [Entry(entry.token, index, b"sealed")], 9)
    done = await archive.read(await exported(here), KEY, vaulted(), there, nobody)
    assert done == {"other": 1}


def written(count: int = 2_500) -> bytes:
    async def entries() -> AsyncIterator[tuple[int, Entry]]:
        for number in range(count):
            yield 0, Entry(number.to_bytes(6), bytes(16), bytes(48))

    file = io.BytesIO()
    asyncio.run(archive.write(file, KEY, "t", entries()))
    return file.getvalue()


WHOLE = written()


@pytest.mark.parametrize("count", [0, 1, 1_000, 1_001])
def test_any_number_of_entries(count: int) -> None:
    assert archive.check(io.BytesIO(written(count)), KEY, "t") == count


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_no_byte_is_changed_unseen(at: int, by: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] ^= by
    with pytest.raises(SetUpError):
        archive.check(io.BytesIO(bytes(changed)), KEY, "t")


@given(st.integers(0, len(WHOLE) - 1))
def test_no_cut_is_unseen(size: int) -> None:
    with pytest.raises(SetUpError):
        archive.check(io.BytesIO(WHOLE[:size]), KEY, "t")


def frames() -> tuple[bytes, list[bytes]]:
    head, _, rest = WHOLE.partition(b"\n")
    found = []
    while rest:
        size = 4 + int.from_bytes(rest[:4])
        found.append(rest[:size])
        rest = rest[size:]
    return head + b"\n", found


@pytest.mark.parametrize("order", [(0, 1), (0, 2), (1, 2), (1, 0, 2), (0, 1, 1, 2), (0, 1, 2, 2)])
def test_no_frame_is_left_out_moved_or_added(order: tuple[int, ...]) -> None:
    head, found = frames()
    assert len(found) == 3
    assert archive.check(io.BytesIO(head + b"".join(found)), KEY, "t") == 2_500
    with pytest.raises(SetUpError, match="damaged"):
        archive.check(io.BytesIO(head + b"".join(found[at] for at in order)), KEY, "t")


def test_another_keyset_or_transformation_is_told() -> None:
    with pytest.raises(SetUpError, match="another keyset"):
        archive.check(io.BytesIO(WHOLE), Secret(bytes(32)), "t")
    with pytest.raises(SetUpError, match="another transformation"):
        archive.check(io.BytesIO(WHOLE), KEY, "u")
    with pytest.raises(SetUpError, match="no export"):
        archive.check(io.BytesIO(b"{}\n"), KEY, "t")
    later = WHOLE.replace(b'"jeton_vault_export":1', b'"jeton_vault_export":2', 1)
    with pytest.raises(SetUpError, match="later version"):
        archive.check(io.BytesIO(later), KEY, "t")
