"""Its own database: people as they were typed in."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

SCHEMA = """CREATE TABLE IF NOT EXISTS people (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, nir TEXT NOT NULL UNIQUE, born TEXT NOT NULL)"""


class Person(NamedTuple):
    id: int
    name: str
    nir: str
    born: str


class Invalid(Exception):
    """What was typed in is refused, for this reason."""


class People:
    def __init__(self, file: Path) -> None:
        self._file = file
        with self._open() as database:
            database.execute(SCHEMA)

    def add(self, name: str, nir: str, born: str) -> None:
        """Raises Invalid, as a careful system does."""
        _check(name, nir, born)
        try:
            with self._open() as database:
                row = name, nir, born
                database.execute("INSERT INTO people (name, nir, born) VALUES (?, ?, ?)", row)
        except sqlite3.IntegrityError:
            raise Invalid("This person is there already.") from None

    def find(self, nir: str = "") -> list[Person]:
        """All of them, or those of a number."""
        where, given = ("WHERE nir = ?", (nir,)) if nir else ("", ())
        with self._open() as database:
            rows = database.execute(
                f"SELECT id, name, nir, born FROM people {where} ORDER BY name",  # noqa: S608
                given,
            )
            return [Person(*row) for row in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._file)
        try:
            with database:
                yield database
        finally:
            database.close()


def _check(name: str, nir: str, born: str) -> None:
    if not name.strip():
        raise Invalid("A name is missing.")
    if not re.fullmatch(r"[1-8]\d{4}(?:\d{2}|2[AB])\d{8}", nir) or not _key_fits(nir):
        raise Invalid("This is no social security number: look at its key.")
    try:
        datetime.strptime(born, "%d/%m/%Y")  # noqa: DTZ007
    except ValueError:
        raise Invalid("A birth date is written DD/MM/YYYY.") from None


def _key_fits(nir: str) -> bool:
    body = nir[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(body) % 97 == int(nir[13:])
