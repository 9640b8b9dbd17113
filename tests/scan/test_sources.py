"""Archives of all kinds are looked into, and nothing is passed over in silence."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scan.test_scanning import CONTENT, NIR
from vault.proxy.encodings import _zstd
from vault.scan import sources, streams
from vault.scan.finder import Kind
from vault.scan.scanning import Report, scan_file

zstd: Any = _zstd()
LARGE = b"".join(b"%d\n" % number for number in range(300_000)) + CONTENT
"""Longer than what tells a file's kind, and folds badly enough to be broken in the middle."""


def found(report: Report) -> int:
    return report.count(Kind.REAL)


def zipped(content: bytes, *names: str, encrypted: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        for name in names or ("in.txt",):
            archive.writestr(name, content)
    data = out.getvalue()
    if encrypted:  # the flag, in both headers: nothing else of it is looked at
        for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            place = data.rindex(magic) + at
            data = data[:place] + bytes([data[place] | 1]) + data[place + 1 :]
    return data


def tarred(content: bytes, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name in ("in.txt", "é" * 120):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "in.txt"
        archive.addfile(link)
    return out.getvalue()


def scan_bytes(folder: Path, content: bytes, name: str = "strange") -> Report:
    file = folder / name
    file.write_bytes(content)
    return scan_file(file)


@pytest.mark.parametrize(
    ("pack", "count"),
    [
        (zipped, 2),
        (lambda content: zipped(content, "a.txt", "b/c.xml"), 4),
        (tarred, 4),
        (lambda content: tarred(content, tarfile.GNU_FORMAT), 4),
        (gzip.compress, 2),
        (lambda content: gzip.compress(content) * 2, 4),
        (bz2.compress, 2),
        (lzma.compress, 2),
        (zstd.compress, 2),
        (lambda content: gzip.compress(tarred(zipped(zstd.compress(content)))), 4),
        (lambda content: content.decode().encode("utf-16"), 2),
    ],
    ids="zip members tar gnu-tar gz two-gz bz2 xz zst all-of-them utf-16".split(),
)
def test_archives_are_looked_into(
    pack: Callable[[bytes], bytes], count: int, tmp_path: Path
) -> None:
    report = scan_bytes(tmp_path, pack(CONTENT))
    assert found(report) == count
    assert not report.skipped
    report = scan_bytes(tmp_path, pack(LARGE))
    assert found(report) == count
    assert NIR not in repr(report)


def test_members_are_named_by_their_way(tmp_path: Path) -> None:
    packed = gzip.compress(tarred(zipped(CONTENT, "c.txt")))
    names = [one.name for one in scan_bytes(tmp_path, packed, "a.tar.gz").sources]
    assert names[0] == f"{tmp_path}/a.tar.gz!a.tar!in.txt!c.txt"


def test_office_documents_are_archives(tmp_path: Path) -> None:
    cells = f"<sst><si><t>{NIR}</t></si><si><t xml:space='preserve'>x</t></si></sst>"
    number = f'<c r="A1"><v>{NIR}</v></c><c><v>2.84057512345672E14</v></c>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", cells)
        archive.writestr("xl/worksheets/sheet1.xml", number)
    report = scan_bytes(tmp_path, out.getvalue(), "people.xlsx")
    assert [one.counts for one in report.sources] == [{"real": 1}, {"real": 2}]


FIVE_TIMES = zipped(CONTENT)
for _ in range(sources.DEPTH):
    FIVE_TIMES = gzip.compress(FIVE_TIMES)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zipped(CONTENT)[:60], "BadZipFile"),
        (gzip.compress(CONTENT)[:-12], "EOFError"),
        (gzip.compress(LARGE)[:-12], "EOFError"),
        (gzip.compress(LARGE) + b"garbage", "BadGzipFile"),
        (lzma.compress(LARGE)[:-100], "EOFError"),
        (zstd.compress(LARGE)[:-100], "EOFError"),
        (tarred(LARGE)[:1_000_000], "ReadError"),
        (zipped(CONTENT, encrypted=True), "encrypted"),
        (b"PGDMP\x01\x0e", "EOFError"),
        (b"PGDMP\x01\x02\x00\x04\x08\x01", "unknown version"),
        (b"SQLite format 3\x00" + b"x" * 200, "DatabaseError"),
        (b"%PDF-1.7", "PDF is not looked into"),
        (b"7z\xbc\xaf\x27\x1c", "7z is not looked into"),
        (b"PAR1 and nothing else", "ArrowInvalid"),
        (FIVE_TIMES, "deeper than 5"),
    ],
    ids=(
        "half a zip,half a gzip,half a large gzip,garbage after gzip,half an xz,half a zst,"
        "half a tar,encrypted,half a dump,an old dump,no database,PDF,7z,no Parquet,too deep"
    ).split(","),
)
def test_what_is_not_looked_at_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    skipped = scan_bytes(tmp_path, content).skipped
    assert all(text.startswith(str(tmp_path / "strange")) for text in skipped)
    assert reason in skipped[-1]
    assert len(skipped) <= 2  # an archive, and what it was cut in


def test_one_bad_member_hides_no_other(tmp_path: Path) -> None:
    data = bytearray(zipped(LARGE, "bad.txt", "good.txt"))
    damaged = data.index(b"bad.txt") + 50
    data[damaged : damaged + 20] = random.Random(1).randbytes(20)
    report = scan_bytes(tmp_path, bytes(data))
    assert [text for text in report.skipped if "bad.txt" in text]
    assert [one.counts for one in report.sources if "good.txt" in one.name] == [{"real": 2}]


def test_a_bomb_stops_whatever_it_is_folded_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "FREE", 1 << 20)
    monkeypatch.setattr(streams, "EXPANSION", 10)
    bomb = b" " * 20_000_000 + CONTENT
    for packed in (gzip.compress(bomb), zipped(gzip.compress(bomb)), zipped(bomb[:800_000], *"ab")):
        report = scan_bytes(tmp_path, packed)
        assert "a bomb" in report.skipped[0]
        assert found(report) == 0


def test_links_are_not_followed_and_names_left_out(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.log").write_bytes(CONTENT)
    (inside / "a.txt").write_bytes(CONTENT)
    (tmp_path / "folder").symlink_to(inside)
    (inside / "around").symlink_to(inside)
    (inside / "pipe").symlink_to("/dev/zero")
    assert list(sources.files([tmp_path], ["*.log"])) == [inside / "a.txt"]
