"""Statistics, JSON and comparison of benchmarks."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import main
from benchmarks.results import Result, moved, read, result, spread, write

PLAIN = Result("a", "values/s", 100.0, 0.05, None, None, None, "c")
BESIDE = Result("b", "values/s", 100.0, 0.05, 200.0, 0.5, "ratio >= 0.60", "c")


def test_the_ratio_is_the_median_of_pairs_not_the_ratio_of_medians():
    one = result("a", "s", [10, 20, 90], "c", [10, 40, 100])
    assert (one.value, one.baseline, one.ratio) == (20, 40, 0.9)
    assert one.spread == pytest.approx((0.95 - 0.7) / 0.9)


def test_spread_is_the_interquartile_range_over_the_median():
    assert spread([1, 2, 3, 4, 5]) == pytest.approx(2 / 3)
    assert spread([7]) == 0
    assert spread([0, 0, 3]) == 0


def test_samples_without_a_partner_are_refused():
    with pytest.raises(ValueError, match="zip"):
        result("a", "s", [1, 2], "c", [1])


@given(st.lists(st.floats(1, 1e9), min_size=2), st.floats(0.1, 10))
def test_spread_does_not_depend_on_the_unit(samples, scale):
    assert spread([one * scale for one in samples]) == pytest.approx(
        spread(samples), rel=1e-9, abs=1e-9
    )


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        ("ratio >= 0.50", True),
        ("ratio >= 0.51", False),
        ("value <= 100", True),
        ("value >= 1e6", False),
        (None, None),
    ],
)
def test_targets(target, reached):
    assert replace(BESIDE, target=target).reached is reached


@pytest.mark.parametrize("target", ["ratio >= 1", "value > 1"])
def test_a_target_that_cannot_be_judged_is_no_failure_in_silence(target):
    with pytest.raises(ValueError, match="cannot be judged"):
        assert replace(PLAIN, target=target).reached


def test_the_file_is_a_list_of_exactly_these_members(tmp_path):
    path = tmp_path / "new" / "latest.json"
    write(path, [PLAIN, BESIDE])
    members = "name unit value spread baseline ratio target command".split()
    assert [list(one) for one in json.loads(path.read_text())] == [members, members]
    assert read(path) == [PLAIN, BESIDE]


def test_what_is_within_the_spread_of_either_run_has_not_moved():
    assert moved([PLAIN], [replace(PLAIN, value=104.0)]) == {}
    assert moved([PLAIN], [replace(PLAIN, value=110.0)]) == {"a": pytest.approx(0.1)}
    assert moved([PLAIN], [replace(PLAIN, value=110.0, spread=0.2)]) == {}
    assert moved([replace(PLAIN, spread=0.0)], [replace(PLAIN, value=101.0, spread=0.0)]) == {}


def test_figures_with_a_baseline_are_compared_by_ratio():
    assert moved([BESIDE], [replace(BESIDE, value=50.0)]) == {}
    assert moved([BESIDE], [replace(BESIDE, ratio=0.4)]) == {"b": pytest.approx(-0.2)}


def test_what_only_one_run_has_is_not_compared():
    assert moved([PLAIN], [BESIDE]) == {}


def test_what_was_nothing_is_compared_too():
    nothing = replace(PLAIN, value=0.0)
    assert moved([nothing], [nothing]) == {}
    assert moved([nothing], [PLAIN]) == {"a": math.inf}
    assert moved([PLAIN], [nothing]) == {"a": -1.0}


def test_compare_says_what_moved(tmp_path, capsys):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    write(old, [PLAIN, BESIDE])
    write(new, [replace(PLAIN, value=120.0), BESIDE])
    main(["compare", str(old), str(new)])
    assert capsys.readouterr().out == "a: +20.0%\n"
    write(new, [replace(PLAIN, value=120.0, spread=0.0), BESIDE])
    main(["compare", str(old), str(new)])
    assert capsys.readouterr().out == "a: +20.0% (measured once: perhaps noise)\n"
    main(["compare", str(old), str(old)])
    assert capsys.readouterr().out == "nothing moved beyond noise\n"


def test_compare_says_what_only_one_run_has(tmp_path, capsys):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    write(old, [PLAIN, *(replace(BESIDE, name=name) for name in "bcdef")])
    write(new, [PLAIN, replace(PLAIN, name="z")])
    main(["compare", str(old), str(new)])
    assert capsys.readouterr().out.splitlines() == [
        "nothing moved beyond noise",
        f"only in {old}: b; c; d and 2 more",
        f"only in {new}: z",
    ]


@pytest.mark.parametrize("text", [None, "", "[", '{"run": "whole run"}', "[1]", '[{"name": 1}]'])
def test_what_cannot_be_compared_is_a_usage_error(tmp_path, capsys, text):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    write(good, [PLAIN])
    if text is not None:
        bad.write_text(text)
    for files in ((good, bad), (bad, good)):
        with pytest.raises(SystemExit) as ended:
            main(["compare", *map(str, files)])
        assert ended.value.code == 2
        assert f"nothing to compare: {bad}" in capsys.readouterr().err


def test_an_unknown_name_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", "nothing"])
    assert ended.value.code == 2
    assert "no benchmark nothing" in capsys.readouterr().err
