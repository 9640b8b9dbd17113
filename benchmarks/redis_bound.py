"""Random tokens on Redis beside `redis-benchmark` on the same server, which is the bound.

    python -m benchmarks run redis_bound

As benchmarks/vaulted.py measures it: an `HGET` for each token found, two `HSET` for each one made,
over as many connections and with as long pipelines. Every write is flushed.
"""

from collections.abc import Iterator

from benchmarks.pace import COMMAND, Pace
from benchmarks.redis_server import serving
from benchmarks.results import Result, result
from benchmarks.vaulted import Rates, on_redis

CALLS = 2_000
"""Of a round, for each second of a pace."""


def redis_bound(pace: Pace) -> Iterator[Result]:
    """`baseline` is what `redis-benchmark` reaches. Needs `redis-server`."""
    rounds: list[tuple[Rates, Rates]] = []
    with serving("--appendonly", "yes", "--appendfsync", "always") as server:
        for _ in range(pace.rounds):
            server.ask("FLUSHALL")
            rounds.append(on_redis(server, CALLS * pace.seconds))
    for name in rounds[0][0]:
        yield result(
            f"random tokens on Redis, {name}",
            "values/s",
            [reached[name] for reached, _ in rounds],
            COMMAND.format("redis_bound"),
            [bound[name] for _, bound in rounds],
        )
