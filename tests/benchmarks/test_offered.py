"""Calls at a constant rate: a server that stalls cannot hide it."""

import asyncio
import os
import signal
import time

import pytest

from benchmarks import http
from benchmarks.offered import Load, _request

pytestmark = pytest.mark.system

RATE, SECONDS, STALL = 200.0, 1.5, 0.6
CALL = _request(http.Work("single", "/", [], 1, ""), b"{}")


def test_all_calls_that_were_due_while_it_stalled_count_from_then():
    async def stalled(load, pid):
        loop = asyncio.get_running_loop()
        loop.call_later(0.3, os.kill, pid, signal.SIGSTOP)
        loop.call_later(0.3 + STALL, os.kill, pid, signal.SIGCONT)
        await load.run()

    with http.on_uvicorn(http.BARE) as (url, pid):
        load = Load(int(url.rpartition(":")[2]), [CALL], RATE, SECONDS)
        asyncio.run(stalled(load, pid))
    assert len(load.taken) == int(RATE * SECONDS)
    late = sum(one > STALL * 1e3 / 2 for one in load.taken)
    # Of 200 a second, those of the first half of 0.6 seconds: a closed loop would have seen 32.
    assert late >= 0.8 * RATE * STALL / 2
    assert max(load.taken) >= 0.8 * STALL * 1e3


def test_a_refusal_ends_the_run(tmp_path):
    with http.vault(http.initialised(tmp_path / "data")) as (url, _):
        unknown = _request(http.Work("single", "/v1/tokenise/fr-nir", [], 1, "nobody"), b"{}")
        load = Load(int(url.rpartition(":")[2]), [unknown], RATE, 0.25)
        with pytest.raises(SystemExit, match="not answered with 200"):
            asyncio.run(load.run())


def test_the_rate_is_kept():
    with http.on_uvicorn(http.BARE) as (url, _):
        load = Load(int(url.rpartition(":")[2]), [CALL], RATE, 0.5)
        began = time.perf_counter()
        asyncio.run(load.run())
        taken = time.perf_counter() - began
    assert taken >= 0.5 - 1 / RATE
