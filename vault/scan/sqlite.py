"""SQLite databases: every column of every table as text, a value a line, and what was deleted."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from tempfile import NamedTemporaryFile
from typing import IO, Final

from vault.scan.streams import PIECE, Readable

Error = sqlite3.Error
_FREE_LIST: Final = slice(32, 36)
_PAGE_SIZE: Final = slice(16, 18)


class Lines:
    """Texts, one a line, as a file."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._texts = iter(texts)

    def read(self, size: int = -1, /) -> bytes:
        """At least `size` bytes, unless it ends."""
        taken, held = [], 0
        for text in self._texts:
            taken.append(text + b"\n")
            held += len(text) + 1
            if 0 <= size <= held:
                break
        return b"".join(taken)


def columns(file: IO[bytes]) -> Iterator[tuple[str, Readable]]:
    """By ``table.column``; numbers as they are written."""
    path = file.name
    if isinstance(path, str):
        yield from _columns(path)
    else:
        with NamedTemporaryFile() as copy:
            while data := file.read(PIECE):
                copy.write(data)
            copy.flush()
            yield from _columns(copy.name)
    yield "(free pages)", Lines(_free_pages(file))


def _columns(path: str) -> Iterator[tuple[str, Readable]]:
    from urllib.parse import quote  # noqa: PLC0415 - where there are databases

    with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro&immutable=1", uri=True)) as base:
        base.text_factory = bytes
        tables = base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            name = table.decode("utf-8", "replace")
            of = _quoted(name)
            for column, *_ in base.execute(f"SELECT * FROM {of} LIMIT 0").description:  # noqa: S608
                rows = base.execute(f"SELECT {_quoted(column)} FROM {of}")  # noqa: S608 - a name
                yield f"{name}.{column}", Lines(_text(value) for (value,) in rows)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return b"" if value is None else str(value).encode()


def _free_pages(file: IO[bytes]) -> Iterator[bytes]:
    """What stood in rows and tables that were deleted, until the database is vacuumed."""
    file.seek(0)
    head = file.read(100)
    size = int.from_bytes(head[_PAGE_SIZE], "big")
    size = 1 << 16 if size == 1 else size
    trunk, seen = int.from_bytes(head[_FREE_LIST], "big"), set[int]()
    while trunk and trunk not in seen:
        seen.add(trunk)
        page = _page(file, trunk, size)
        count = int.from_bytes(page[4:8], "big")
        for at in range(8, min(8 + 4 * count, len(page)), 4):
            yield _page(file, int.from_bytes(page[at : at + 4], "big"), size)
        trunk = int.from_bytes(page[:4], "big")


def _page(file: IO[bytes], number: int, size: int) -> bytes:
    file.seek((number - 1) * size)
    return file.read(size)
