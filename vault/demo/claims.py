"""The small claims database of a third-party payer. It never holds a value, only tokens."""

import random
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE insured (
    id INTEGER PRIMARY KEY, first_name TEXT, nir TEXT UNIQUE, birth_date TEXT, insurer TEXT
);
CREATE TABLE claim (
    id INTEGER PRIMARY KEY, insured_id INTEGER REFERENCES insured, act TEXT, cents INTEGER
);
"""
ACTS = ("consultation", "pharmacy", "optics", "dental care", "physiotherapy", "hospital day")


@dataclass(frozen=True, slots=True)
class Row:
    """One insured person with what is owed, as a screen shows it."""

    first_name: str
    nir: str
    birth_date: str
    insurer: str
    cents: int

    @property
    def due(self) -> str:
        """The sum as it is printed."""
        return f"{self.cents / 100:,.2f} €"


def fill(path: Path, insured: Iterable[tuple[str, str, str, str]], seed: int = 7) -> int:
    """Insert (first name, NIR token, birth date token, insurer) with 1 to 3 claims each.

    Returns the number of claims.
    """
    chance = random.Random(seed)  # noqa: S311 - synthetic amounts, reproducible on purpose
    count = 0
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(SCHEMA)
        for number, person in enumerate(insured, 1):
            database.execute("INSERT INTO insured VALUES (?, ?, ?, ?, ?)", (number, *person))
            for _ in range(chance.randint(1, 3)):
                count += 1
                claim = (number, chance.choice(ACTS), chance.randrange(800, 40_000))
                database.execute("INSERT INTO claim VALUES (NULL, ?, ?, ?)", claim)
    return count


def rows(path: Path, ids: Sequence[int] | None = None) -> list[Row]:
    """The rows of the screen, all or those of some insured persons."""
    where = "" if ids is None else f"WHERE i.id IN ({','.join('?' * len(ids))})"
    query = (
        "SELECT i.first_name, i.nir, i.birth_date, i.insurer, SUM(c.cents) FROM insured i "  # noqa: S608
        f"JOIN claim c ON c.insured_id = i.id {where} GROUP BY i.id ORDER BY i.id"
    )
    with closing(sqlite3.connect(path)) as database:
        return [Row(*row) for row in database.execute(query, ids or ())]
