"""Figures in the documentation stand beside a command that makes them anew."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.suite import BENCHMARKS
from tests.support.snippets import ROOT

PAGES = sorted(
    path.relative_to(ROOT)
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs" / "day-two").glob("*.md"),
        *(ROOT / "docs" / "runbooks").glob("*.md"),
        ROOT / "sdk" / "README.md",
    )
)
RUN = re.compile(r"python -m benchmarks run((?: +[a-z_0-9]+)*)")
ALONE = re.compile(r"(?:python -m |`)(benchmarks(?:\.[a-z_]+)+)")
TEST = re.compile(r"`(tests/[a-z_0-9/]+\.py)`")
FIGURE = re.compile(
    r"\d[\d,.]*(?: million)?(?: M)? (?:single |random )?"
    r"(?:values|calls|requests|tokens|NIRs|MB|reveals|numbers|charges)(?:/s\b| a second)"
)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_benchmarks_that_a_page_names_are_there(page: Path) -> None:
    text = (ROOT / page).read_text("utf-8")
    named = {name for found in RUN.finditer(text) for name in found[1].split()}
    assert named <= set(BENCHMARKS)
    for module in ALONE.findall(text):
        assert find_spec(module) is not None, module


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_with_rates_says_how_they_are_measured(page: Path) -> None:
    text = (ROOT / page).read_text("utf-8")
    figures = FIGURE.findall(text)
    ways = (RUN, ALONE, TEST)
    assert not figures or any(way.search(text) for way in ways), figures


def test_every_benchmark_is_in_the_table_of_the_page() -> None:
    rows = (ROOT / "docs" / "benchmarks.md").read_text("utf-8").splitlines()
    told = {
        name for row in rows if row.startswith("| `") for name in re.findall("`([a-z_]+)`", row)
    }
    assert set(BENCHMARKS) <= told


def test_results_name_commands_that_are_there() -> None:
    named = {
        name
        for file in (ROOT / "benchmarks").glob("*.py")
        for name in re.findall(r'COMMAND\.format\("([a-z_]+)"\)', file.read_text("utf-8"))
    }
    assert named == set(BENCHMARKS)
