"""Each user class against a real service, and what a crossed threshold ends with."""

import re
import subprocess
import sys

import pytest

LOAD = [sys.executable, "-m", "benchmarks.locust.short", "--seconds", "2", "--users", "4"]

pytestmark = pytest.mark.system


def loaded(*thresholds):
    command = [*LOAD, *thresholds]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_run_within_its_thresholds_ends_with_0_after_every_kind_of_call():
    done = loaded("--most-p99-ms", "60000", "--most-failures", "0", "--least-rate", "0.1")
    assert done.returncode == 0, done.stderr
    assert "threshold crossed" not in done.stderr
    shown = done.stdout + done.stderr
    for name in ("tokenise", "tokenise 1000", "detokenise"):
        assert re.search(rf"POST +{name} +[1-9]", shown)


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        (["--most-p99-ms", "0.0001"], "p99 of tokenise"),
        (["--least-rate", "100000000"], "calls/s"),
    ],
)
def test_a_crossed_threshold_ends_with_1(thresholds, words):
    done = loaded(*thresholds)
    assert done.returncode == 1
    assert f"threshold crossed: {words}" in done.stderr
