"""A quick run, as it is typed."""

import json
import subprocess
import sys

import pytest

from benchmarks.results import read

pytestmark = pytest.mark.system


def test_a_quick_run_writes_results_machine_and_report(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "run", "engine", "--quick", "--results"]
    subprocess.run([*command, str(tmp_path)], stdout=subprocess.DEVNULL, timeout=120, check=True)
    results = read(tmp_path / "latest.json")
    assert len(results) == 2
    assert all(one.value > 0 and one.ratio and one.ratio > 0 for one in results)
    about = json.loads((tmp_path / "machine.json").read_text())
    assert about["versions"]["numpy"]
    assert about["run"].startswith("quick")
    assert all(one.name in (tmp_path / "report.html").read_text() for one in results)
