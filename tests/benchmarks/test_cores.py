"""Which processors benchmarks take."""

import os

import pytest

from benchmarks.cores import cores


@pytest.mark.parametrize(
    ("free", "taken"),
    [({0, 1}, ("0", "1")), ({6, 2, 3}, ("2", "3")), ({5}, ("5", "5"))],
)
def test_the_cores_are_those_that_this_process_may_use(monkeypatch, free, taken):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: free)
    assert cores() == taken
