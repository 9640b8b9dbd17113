"""A scrape that came as a worker started was answered with 500, and so was every one after a
worker was killed as it started: its files are empty until they are filled. The log said that the
error was called `error`."""

import struct
from pathlib import Path

import pytest

from tests.telemetry.test_metrics import SCRAPE, WORKER, in_process, parsed, value
from vault.telemetry.failures import describe
from vault.telemetry.metrics import Together

KINDS = ("counter_7", "histogram_7", "gauge_livemin_7", "gauge_livemax_7", "gauge_livesum_7")


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_others_count_is_told(tmp_path: Path, kind: str) -> None:
    in_process(WORKER.replace("FREE", "400"), tmp_path)
    (tmp_path / f"{kind}.db").touch()
    samples = parsed(in_process(SCRAPE.replace("PIDS", "()"), tmp_path).encode())
    assert value(samples, "in_flight") == 2
    assert value(samples, "record_free_bytes") == 400
    assert value(samples, "request_seconds_count", operation="mask") == 2


def test_a_file_that_has_its_size_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "counter_7.db").write_bytes(bytes(1 << 16))
    assert list(Together(None, path=tmp_path).collect()) == []


def test_a_file_that_goes_once_it_was_listed(tmp_path: Path) -> None:
    (tmp_path / "gauge_livemin_7.db").symlink_to(tmp_path / "gone")
    assert list(Together(None, path=tmp_path).collect()) == []


def test_the_log_says_whose_error_it_was() -> None:
    with pytest.raises(struct.error) as caught:
        struct.unpack("i", b"")
    assert describe(caught.value)["error"] == "struct.error"
