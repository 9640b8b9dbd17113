"""Why targets are missed: what the page says, beside the figure in the report."""

import re

import pytest

from benchmarks import hot_path
from benchmarks.missed import ROWS, reason, rows
from benchmarks.suite import TARGETS


def test_every_row_of_the_page_is_in_the_report_and_the_other_way_round():
    told = {beginning for beginning, _ in ROWS.values()}
    targets = [target for target, _ in rows()]
    assert all(any(target.startswith(one) for target in targets) for one in told)
    assert all(any(target.startswith(one) for one in told) for target in targets)


@pytest.mark.parametrize(
    ("figure", "word"),
    [
        ("single tokenise", "bare callable"),
        ("single tokenise, beside FastAPI and fastfpe", "beside others"),
        ("FF1 of 15 digits, vector", "AES"),
        ("body rewriter, xml", "expat"),
        ("fr-nir, batches of 4,096", "engine_formats"),
    ],
)
def test_a_figure_has_the_row_of_its_target(figure, word):
    found = reason(figure)
    assert found is not None
    assert word in found.text
    assert not re.search(r"[`\]]", found.text)


def test_a_figure_without_a_row_has_none():
    assert reason("FF1 of 15 digits, vector, beside fastfpe 0.2.1") is None
    assert reason("single tokenise, processor time") is None


def test_profiles_are_those_that_are_drawn():
    drawn = {hot_path.plot(name) for name in (*TARGETS, *hot_path.EDGE, *hot_path.LOOPS)}
    assert {profile for _, profile in ROWS.values() if profile} <= drawn
