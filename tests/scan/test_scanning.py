"""Files of all kinds are looked into, in bounded memory, and nothing is passed over in silence."""

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vault.scan import sources
from vault.scan.finder import Kind
from vault.scan.sarif import sarif
from vault.scan.scanning import Report, scan, scan_file

NIR, SPACED = "284057512345672", "2 84 05 75 123 456 72"
CONTENT = f"first line\nsecond {NIR}\n\nand {SPACED}.\n".encode()


def found(report: Report) -> int:
    return report.count(Kind.REAL)


def zipped(content: bytes, name: str = "in.txt") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def tarred(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("in.txt")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def test_places_are_lines_and_columns(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(CONTENT)
    (source,) = scan_file(file).sources
    assert [(one.line, one.column, one.length) for one in source.places] == [(2, 8, 15), (4, 5, 21)]
    assert [CONTENT[one.offset :][: one.length].decode() for one in source.places] == [NIR, SPACED]


@pytest.mark.parametrize("piece", [2, 8, 16, 40, 64])
def test_pieces_cut_anywhere_give_the_same(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(CONTENT * 20)
    whole = scan_file(file).sources
    monkeypatch.setattr(sources, "PIECE", piece)
    assert scan_file(file).sources == whole
    assert whole[0].counts == {"real": 40}


@pytest.mark.parametrize(
    "pack",
    [
        zipped,
        tarred,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda content: gzip.compress(tarred(zipped(content))),
        lambda content: content.decode().encode("utf-16"),
        lambda content: content.decode().encode("utf-16-be"),
    ],
)
def test_archives_are_looked_into(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = tmp_path / "packed"
    file.write_bytes(pack(CONTENT))
    report = scan_file(file)
    assert found(report) == 2
    assert not report.skipped


def test_a_database_is_read_by_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "people.db"
    with sqlite3.connect(file) as base:
        base.execute("CREATE TABLE people (name TEXT, nir TEXT, number INTEGER)")
        base.execute("INSERT INTO people VALUES ('x', ?, ?)", (SPACED, int(NIR)))
    assert {one.name.rpartition("!")[2] for one in scan_file(file).sources} == {
        "people.nir",
        "people.number",
    }


@pytest.mark.parametrize(
    "content",
    [
        zipped(CONTENT)[:60],
        gzip.compress(CONTENT)[:-12],
        b"PGDMP\x01\x0e",
        b"%PDF-1.7",
        gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(zipped(CONTENT)))))),
    ],
    ids=["half a zip", "half a gzip", "a dump of PostgreSQL", "a PDF", "too deep"],
)
def test_what_is_not_looked_at_is_named(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "strange"
    file.write_bytes(content)
    (skipped,) = scan_file(file).skipped
    assert skipped.startswith(str(file))


def test_a_bomb_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "FREE", 1 << 20)
    monkeypatch.setattr(sources, "EXPANSION", 10)
    monkeypatch.setattr(sources, "PIECE", 1 << 16)
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress(b" " * 50_000_000))
    assert scan_file(file).skipped


def test_many_files_on_several_cores(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.txt").write_bytes(CONTENT)
    (tmp_path / "link").symlink_to(tmp_path / "0.txt")
    report = Report()
    for one in scan(sources.files([tmp_path], ["1?.txt"]), 2):
        report.add(one)
    assert (report.files, found(report)) == (30, 60)


def test_sarif_says_where_and_never_what(tmp_path: Path) -> None:
    file = tmp_path / "a b.txt"
    file.write_bytes(CONTENT + zipped(CONTENT))
    report = scan_file(file)
    told = json.dumps(sarif(report))
    assert NIR not in told
    (run,) = json.loads(told)["runs"]
    first, second = run["results"]
    location = first["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"].endswith("a%20b.txt")
    assert location["region"]["startLine"] == 2
    assert first["partialFingerprints"] != second["partialFingerprints"]
