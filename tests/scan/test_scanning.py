"""Files are looked at in parts, on all cores; places are right whatever the cut."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import nir_key
from vault.scan import scanning, sources, streams
from vault.scan.finder import Kind
from vault.scan.scanning import Report, Scanned, scan, scan_file

NIR, SPACED = "284057512345672", "2 84 05 75 123 456 72"
TOKEN = "1844575123456" + nir_key("1844575123456")
CONTENT = f"first line\nsecond {NIR}\n\nand {SPACED}.\n".encode()


def scanned(*paths: Path, jobs: int = 1) -> Report:
    report = Report()
    for one in scan(paths, jobs):
        report.add(one)
    report.join()
    return report


def test_places_are_lines_and_columns(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(CONTENT)
    (source,) = scan_file(file).sources
    assert [(one.line, one.column, one.length, one.nth) for one in source.places] == [
        (2, 8, 15, 1),
        (4, 5, 21, 2),
    ]
    assert [CONTENT[one.offset :][: one.length].decode() for one in source.places] == [NIR, SPACED]


@pytest.mark.parametrize("piece", [1, 7, 40, 150, 1 << 12])
def test_pieces_of_any_size_give_the_same(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(CONTENT * 30 + f"{TOKEN}\n".encode() * 5)
    whole = scan_file(file).sources
    monkeypatch.setattr(streams, "PIECE", piece)
    assert scan_file(file).sources == whole
    assert whole[0].counts == {"real": 60, "token": 5}


@given(
    st.lists(st.sampled_from([NIR, SPACED, TOKEN, "\n", "x" * 50, "x", "%20"]), max_size=40),
    st.integers(1, 400),
)
def test_parts_of_any_size_make_the_same_whole(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], part: int
) -> None:
    file = tmp_path_factory.mktemp("parts") / "a.txt"
    file.write_text("\n".join(texts))
    whole = scanned(file)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scanning, "PART", part)
        parts = scanned(file)
    assert (parts.files, parts.bytes) == (whole.files, whole.bytes)
    places = [(one.name, one.counts, one.places) for one in whole.sources]
    assert [(one.name, one.counts, one.places) for one in parts.sources] == places


def test_all_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(CONTENT * 300)
    (source,) = scanned(file).sources
    assert source.counts == {"real": 600}
    assert len(source.places) == scanning.SHOWN
    assert [one.nth for one in source.places] == list(range(1, scanning.SHOWN + 1))


def test_many_files_on_several_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        (tmp_path / f"{number}.txt").write_bytes(CONTENT)
    (tmp_path / "link").symlink_to(tmp_path / "0.txt")
    (tmp_path / "large.txt").write_bytes(b"\n" * 3_000 + CONTENT)
    monkeypatch.setattr(scanning, "PART", 1_000)
    report = scanned(*sources.files([tmp_path], ["1?.txt"]), jobs=2)
    assert (report.files, report.count(Kind.REAL)) == (31, 62)
    assert report.sources == sorted(report.sources, key=lambda one: one.name)
    (large,) = [one for one in report.sources if one.name.endswith("large.txt")]
    assert [(one.line, one.column) for one in large.places] == [(3_002, 8), (3_004, 5)]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    (skipped,) = scanned(tmp_path / "gone.txt").skipped
    assert skipped == f"{tmp_path / 'gone.txt'}: No such file or directory"


def test_what_was_counted_before_a_break_stays() -> None:
    found = Scanned("a", {"real": 1}, lines=3, line_start=30)
    found.add(replace(found, places=[], first=40))
    assert (found.counts, found.lines) == ({"real": 2}, 6)
