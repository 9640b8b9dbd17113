"""Random tokens on a real Redis, beside redis-benchmark on the same server."""

import pytest

from benchmarks.pace import Pace
from benchmarks.redis_bound import redis_bound
from tests.support.components import need_program

pytestmark = pytest.mark.system


def test_each_kind_of_call_has_its_bound():
    need_program("redis-server")
    need_program("redis-benchmark")
    found = list(redis_bound(Pace(1, 1)))
    kinds = ("tokenise", "tokenise again", "back", "tokenise 1,000", "back 1,000")
    assert {f"random tokens on Redis, {kind}" for kind in kinds} < {one.name for one in found}
    assert all(0 < one.value < one.baseline for one in found)
