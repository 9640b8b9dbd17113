"""Databases and their dumps, by table and column: made by the real programs."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.scan.test_scanning import NIR, SPACED, TOKEN
from tests.scan.test_sources import zipped
from tests.support.components import missing, need_program
from vault.scan.finder import Kind
from vault.scan.scanning import Report, scan_file

ROWS = 5_000


def counts(report: Report) -> dict[str, dict[str, int]]:
    """By the name within the file."""
    assert not report.skipped
    return {one.name.rpartition("!")[2]: one.counts for one in report.sources}


def sqlite(file: Path) -> Path:
    with closing(sqlite3.connect(file)) as base:
        base.execute('CREATE TABLE "peo""ple" (name TEXT, "the nir" TEXT, number INTEGER, f REAL)')
        base.execute("CREATE TABLE tokens (token BLOB, empty TEXT)")
        rows = [("x", SPACED, int(NIR), float(NIR))] * ROWS
        base.executemany('INSERT INTO "peo""ple" VALUES (?, ?, ?, ?)', rows)
        base.execute("INSERT INTO tokens VALUES (?, NULL)", (TOKEN.encode(),))
        base.commit()
    return file


def test_sqlite_by_its_columns(tmp_path: Path) -> None:
    report = scan_file(sqlite(tmp_path / "a ?#%.db"))
    assert counts(report) == {
        'peo"ple.the nir': {"real": ROWS},
        'peo"ple.number': {"real": ROWS},
        'peo"ple.f': {"real": ROWS},
        "tokens.token": {"token": 1},
    }
    (column, *_) = report.sources
    assert [place.line for place in column.places[:3]] == [1, 2, 3]  # rows


def test_sqlite_in_an_archive(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(zipped(sqlite(tmp_path / "a.db").read_bytes(), "a.db"))
    assert counts(scan_file(file))['peo"ple.number'] == {"real": ROWS}


def test_sqlite_what_was_deleted_is_still_there(tmp_path: Path) -> None:
    file = sqlite(tmp_path / "a.db")
    with closing(sqlite3.connect(file)) as base:
        base.execute("PRAGMA secure_delete = OFF")  # Debian's wipes what it frees
        base.execute('DROP TABLE "peo""ple"')
        base.commit()
        assert counts(scan_file(file))["(free pages)"]["real"] > ROWS * 9 // 10
        base.execute("VACUUM")
    assert counts(scan_file(file)) == {"tokens.token": {"token": 1}}


TABLE = pa.table(
    {
        "name": ["x"] * ROWS,
        "nir": [NIR] * ROWS,
        "spaced": pa.array([SPACED.encode()] * ROWS),
        "number": [int(NIR)] * ROWS,
        "word": pa.array([NIR] * ROWS).dictionary_encode(),
        "nested": [{"nirs": [NIR, TOKEN]}] + [None] * (ROWS - 1),
    }
)
COLUMNS = {
    **{name: {"real": ROWS} for name in ("nir", "spaced", "number", "word")},
    "nested": {"real": 1, "token": 1},
}


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_parquet(compression: str, tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet", compression=compression, row_group_size=700)
    assert counts(scan_file(tmp_path / "a.parquet")) == COLUMNS


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
def test_arrow(new: object, tmp_path: Path) -> None:
    with new(tmp_path / "a.arrow", TABLE.schema) as writer:  # type: ignore[operator]
        writer.write_table(TABLE, max_chunksize=700)
    assert counts(scan_file(tmp_path / "a.arrow")) == COLUMNS


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """The environment of a PostgreSQL server's own."""
    for name in ("pg_dump", "psql"):
        need_program(name)
    with TemporaryDirectory() as folder:  # pytest's own are closed to other users
        yield from postgresql(Path(folder))


def postgresql(folder: Path) -> Iterator[dict[str, str]]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        missing("the program initdb is missing")
    binaries, data = found[-1].parent, folder / "data"
    as_user: list[str] = []
    if os.geteuid() == 0:  # which it refuses to run as
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        shutil.chown(folder, "nobody", "nogroup")
    environment = {**os.environ, "PGHOST": str(folder), "PGUSER": "scan", "PGDATABASE": "postgres"}

    def run(*command: object) -> None:
        subprocess.run([*as_user, *map(str, command)], check=True, capture_output=True, cwd="/")

    run(binaries / "initdb", "-D", data, "-U", "scan", "-A", "trust", "--no-sync", "-E", "UTF8")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run(binaries / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start")
    try:
        yield environment
    finally:
        run(binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


SQL = f"""
CREATE TABLE people (name text, nir text, number bigint DEFAULT {NIR});
INSERT INTO people SELECT 'name ' || n, '{SPACED}' FROM generate_series(1, {ROWS}) n;
CREATE TABLE tokens (token text);
INSERT INTO tokens VALUES ('{TOKEN}');
CREATE TABLE empty (x int);
SELECT lo_from_bytea(0, 'of {NIR}');
"""


@pytest.mark.system
@pytest.mark.parametrize("options", [("-Fp",), ("-Fc",), ("-Fc", "-Z0"), ("-Ft",), ("-Fd",)])
def test_dumps_of_postgresql(
    options: tuple[str, ...], server: dict[str, str], tmp_path: Path
) -> None:
    base = tmp_path.name.replace("-", "_").lower()
    database = {**server, "PGDATABASE": base}
    subprocess.run(["psql", "-qc", f'CREATE DATABASE "{base}"'], check=True, env=server)
    dump = tmp_path / "dump"
    for command in (
        ["psql", "-v", "ON_ERROR_STOP=1", "-qc", SQL],
        ["pg_dump", *options, "-f", str(dump)],
    ):
        subprocess.run(command, check=True, env=database, capture_output=True)
    files = [file for file in (dump, *dump.rglob("*")) if file.is_file()]
    report = Report()
    for file in files:
        report.add(scan_file(file))
    assert not report.skipped
    rows = 2 * ROWS
    if options[0] == "-Fc":
        told = counts(report)
        assert told.pop("(statements)") == {"real": 1}
        assert told.pop("public.people") == {"real": rows}
        assert told.pop("public.tokens") == {"token": 1}
        assert list(told.values()) == [{"real": 1}]  # the large object
    else:
        # The large object is written in hexadecimal in a plain dump.
        statements = {"-Fp": 1, "-Ft": 3, "-Fd": 1}[options[0]]
        assert report.count(Kind.TOKEN) == 1
        assert report.count(Kind.REAL) - rows in {statements, statements + 1}
