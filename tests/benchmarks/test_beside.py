"""Bars of what was measured beside others."""

from benchmarks.beside import BOUND, drawn
from benchmarks.curves import Curve
from benchmarks.results import Result


def measured(name, value, baseline):
    return Result(name, "values/s", value, 0.0, baseline, value / baseline, None, "c")


def test_each_kind_of_work_is_a_plot_after_the_results():
    results = [
        measured("FF1", 25.0, 80.0),
        measured("FF1, beside a", 25.0, 0.1),
        measured("FF1, beside b", 25.0, 0.2),
    ]
    *told, plot = drawn(iter(results), "engines", "Engines")
    assert told == results
    assert isinstance(plot, Curve)
    assert plot.name == "engines-ff1"
    bars = {name: points[0][1] for name, points in plot.lines.items()}
    assert bars == {"Jeton": 25.0, BOUND: 80.0, "a": 0.1, "b": 0.2}
    assert plot.log_y
    assert "powers of ten" in plot.caption


def test_bars_that_can_be_compared_begin_at_nothing():
    results = [measured(f"single, beside {name}", 4.0, 2.0) for name in "ab"]
    plot = list(drawn(iter(results), "services", "Services"))[-1]
    assert isinstance(plot, Curve)
    assert not plot.log_y


def test_a_pair_alone_is_no_plot():
    results = [measured("batch, beside a", 4.0, 2.0)]
    assert list(drawn(iter(results), "services", "Services")) == results
