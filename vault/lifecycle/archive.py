"""All tokens of one transformation in one file: for backups, and to move between stores.

What is sealed in the store stays so, under the same keyset; around it the file is sealed as a
whole. It is a line of JSON (the header), then frames: a length (u32, big endian) and that many
bytes of AES-256-GCM over up to 1,000 entries. Each frame is bound to the header, its number
and whether it is the last, so nothing can be left out, added, moved or cut off unseen.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import BinaryIO

import msgspec

from vault.crypto.aead import UnsealError, seal, unseal
from vault.crypto.secret import Secret
from vault.engine.vaulted import Vaulted
from vault.errors import SetUpError
from vault.lifecycle.tokens import PAGE, Progress
from vault.store.tokens import Entry, TokenStore

VERSION = 1
UNBOUNDED = 2**62
MAX_LINE = 4_096
MAX_FRAME = 64 * 1024 * 1024

DAMAGED = "the export is damaged, cut off, or of another keyset: nothing was imported"

_Row = tuple[int, bytes, bytes, bytes]
"""Kind, token, index, sealed."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Row]).decode


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in the open."""

    jeton_vault_export: int
    key_id: str
    """The transformation's stable name: keys and places are derived from it."""
    made: str
    id: str


async def write(
    file: BinaryIO, key: Secret, key_id: str, entries: AsyncIterator[tuple[int, Entry]]
) -> int:
    """Export; returns how many entries, erased ones too."""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    head = msgspec.json.encode(Header(VERSION, key_id, made, os.urandom(16).hex())) + b"\n"
    file.write(head)
    rows: list[_Row] = []
    number = count = 0
    async for kind, entry in entries:
        rows.append((kind, entry.token, entry.index, entry.sealed))
        count += 1
        if len(rows) == PAGE:
            _write_frame(file, key, head, number, rows, last=False)
            number, rows = number + 1, []
    _write_frame(file, key, head, number, rows, last=True)
    return count


def check(file: BinaryIO, key: Secret, key_id: str) -> int:
    """Read a whole export before anything is done with it; returns how many entries.

    Raises SetUpError where it is damaged, cut, of another transformation or keyset.
    """
    return sum(len(rows) for rows in _frames(file, key, key_id))


async def read(
    file: BinaryIO, key: Secret, vaulted: Vaulted, store: TokenStore, progress: Progress
) -> Counter[str]:
    """Import an export that `check` found whole. Counts entries: ``kept`` (now or before),
    ``erased``, ``gone`` (erased here since), ``taken`` (its value has another token here) and
    ``other`` (its token stands for another value here).
    """
    done: Counter[str] = Counter()
    for rows in _frames(file, key, vaulted.key_id):
        for kind in sorted({row[0] for row in rows}):
            some = [Entry(*row[1:]) for row in rows if row[0] == kind]
            await _import_page(store, vaulted.space(kind), some, done)
        await progress(len(rows))
    return +done


async def _import_page(
    store: TokenStore, space: str, entries: list[Entry], done: Counter[str]
) -> None:
    live = [entry for entry in entries if entry.sealed]
    dead = [entry.token for entry in entries if not entry.sealed]
    if dead:
        await store.erase(space, dead)
        done["erased"] += len(dead)
    if not live:
        return
    tokens = await store.create(space, live, UNBOUNDED)
    done["kept"] += sum(token == one.token for one, token in zip(live, tokens, strict=True))
    refused = [one.token for one, token in zip(live, tokens, strict=True) if token is None]
    done["taken"] += sum(
        token not in (None, one.token) for one, token in zip(live, tokens, strict=True)
    )
    others = await store.find(space, refused) if refused else []
    done["gone"] += others.count(None)
    done["other"] += len(others) - others.count(None)


def _write_frame(
    file: BinaryIO, key: Secret, head: bytes, number: int, rows: list[_Row], *, last: bool
) -> None:
    sealed = seal(key, _encode(rows), _bound(head, number, last=last))
    file.write(len(sealed).to_bytes(4) + sealed)


def _frames(file: BinaryIO, key: Secret, key_id: str) -> Iterator[list[_Row]]:
    head = file.readline(MAX_LINE)
    try:
        header = msgspec.json.decode(head, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SetUpError("this is no export of `jeton vault export`") from None
    if header.jeton_vault_export != VERSION:
        raise SetUpError("this export is of a later version of Jeton")
    if header.key_id != key_id:
        raise SetUpError("this export is of another transformation: its key_id is another")
    number = 0
    frame = _read_frame(file)
    while frame is not None:
        following = _read_frame(file)
        try:
            rows = _decode(unseal(key, frame, _bound(head, number, last=following is None)))
        except (UnsealError, msgspec.DecodeError):
            raise SetUpError(DAMAGED) from None
        yield rows
        number, frame = number + 1, following
    if number == 0:
        raise SetUpError(DAMAGED)


def _read_frame(file: BinaryIO) -> bytes | None:
    length = file.read(4)
    if not length:
        return None
    size = int.from_bytes(length)
    if len(length) < 4 or size > MAX_FRAME:
        raise SetUpError(DAMAGED)
    frame = file.read(size)
    if len(frame) < size:
        raise SetUpError(DAMAGED)
    return frame


def _bound(head: bytes, number: int, *, last: bool) -> bytes:
    return head + number.to_bytes(8) + (b"\1" if last else b"\0")
