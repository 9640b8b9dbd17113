"""Several processes on one file, and processes that die: nothing twice, nothing forgotten."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.store.contract import left
from tests.store.spender import GROUP, limit
from vault.store.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]


def start(path: Path, ceiling: int, *how: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.spender", f"sqlite:{path}", str(ceiling), *how],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def spent(path: Path, ceiling: int) -> int:
    async def ask() -> int:
        store = SqliteStore.open(path)
        try:
            return ceiling - await left(store, limit(ceiling), time.time())
        finally:
            await store.close()

    return asyncio.run(ask())


def test_four_processes_spend_exactly_the_limit(tmp_path: Path) -> None:
    """They also race to make the file."""
    path, ceiling = tmp_path / "jeton.db", 1000
    processes = [start(path, ceiling) for _ in range(4)]
    totals = [int(each.communicate()[0].split()[-1]) for each in processes]
    assert [each.returncode for each in processes] == [0] * 4
    assert sum(totals) == ceiling
    assert spent(path, ceiling) == ceiling


@pytest.mark.parametrize("acknowledged", [1, 5, 40, 41])
def test_killed_in_the_middle(tmp_path: Path, acknowledged: int) -> None:
    path, ceiling = tmp_path / "jeton.db", 10**6
    with start(path, ceiling) as process:
        assert process.stdout is not None
        for _ in range(acknowledged):
            process.stdout.readline()
        process.kill()
        said = process.stdout.read().split()
    at_least = int(said[-1]) if said else acknowledged * GROUP
    charged = spent(path, ceiling)
    assert at_least <= charged <= at_least + GROUP
    assert charged % GROUP == 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        persons = connection.execute("SELECT COUNT(*) FROM persons").fetchone()[0]
        [marked] = connection.execute("SELECT charged FROM marks").fetchone()
    assert persons == marked == charged


def test_killed_with_the_turn_lets_others_go_on(tmp_path: Path) -> None:
    path, ceiling = tmp_path / "jeton.db", 10**6
    killed, other = start(path, ceiling), start(path, ceiling)
    with killed, other:
        assert killed.stdout is not None
        assert other.stdout is not None
        killed.stdout.readline()
        killed.kill()
        last = [int(other.stdout.readline()) for _ in range(20)][-1]
        other.kill()
    assert spent(path, ceiling) >= last


def test_a_full_disk_and_room_again(tmp_path: Path) -> None:
    path, ceiling = tmp_path / "jeton.db", 10**6
    process = start(path, ceiling, "full")
    output, _ = process.communicate()
    assert process.returncode == 0
    first, before, after = output.splitlines()
    code, charged = first.split()
    assert code == "store_unavailable"
    assert int(charged) > 0
    assert int(before) == int(charged), "what was refused is not charged"
    assert int(after) == int(charged) + GROUP
