"""A worker that died before it served was counted as ready: the end of its pipe was taken for the
word that it serves."""

from multiprocessing.connection import wait

import pytest

from vault.web import worker
from vault.web.worker import Worker


def test_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_work", print)  # a process that says nothing to its parent
    started = Worker(None, [])  # type: ignore[arg-type]
    assert wait([started.pipe], 20), "its end is heard"
    assert started.is_gone(patience=20)
    assert not started.serves
    assert started.trouble == "a worker ended before it served, with exit code 0: see the log"
    started.pipe.close()
