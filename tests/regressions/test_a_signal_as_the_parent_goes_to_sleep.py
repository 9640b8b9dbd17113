"""The parent of several workers slept through a SIGTERM that came after it had looked for signals
and before it waited: it ended only when something else woke it."""

import os
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from vault.web import workers
from vault.web.server_config import ServerConfig
from vault.web.workers import Workers

LIMITS = SimpleNamespace(workers=0, startup_timeout=1.0, shutdown_timeout=1.0)


def test_it_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    wait, heard = workers.wait, []

    def as_it_goes_to_sleep(sources: Any, seconds: float | None) -> list[Any]:
        os.kill(os.getpid(), signal.SIGTERM)
        assert seconds is None, "nothing else would wake it"
        heard.append(wait(sources, 5))
        return heard[-1]

    monkeypatch.setattr(workers, "wait", as_it_goes_to_sleep)
    config: ServerConfig = SimpleNamespace(limits=LIMITS)  # type: ignore[assignment]
    before = signal.getsignal(signal.SIGTERM)
    Workers(config, []).run()
    assert [len(each) for each in heard] == [1]
    assert signal.getsignal(signal.SIGTERM) is before
