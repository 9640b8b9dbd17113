"""Limits that end a run of locust with exit code 1 where they are crossed.

    locust ... --most-p99-ms 50 --most-failures 0.001 --least-rate 1000 --most-generator-share 0.8

In a distributed run the main process judges the sum of all.
"""

import sys
from argparse import ArgumentParser
from typing import Any

from locust import events
from locust.runners import WorkerRunner

from benchmarks.locust.generator import WARNING, busiest


def crossed(stats: Any, options: Any, share: float) -> list[str]:
    """What was crossed, a line each: by a run without a single call all that there is. `share` is
    that of a core which the generator used."""
    if not stats.total.num_requests:
        return ["no call was made"]
    found: list[str] = []
    if options.most_p99_ms is not None:
        found += [
            f"p99 of {entry.name}: {slowest} ms, more than {options.most_p99_ms:g}"
            for entry in stats.entries.values()
            if (slowest := entry.get_response_time_percentile(0.99)) > options.most_p99_ms
        ]
    if options.most_failures is not None and stats.total.fail_ratio > options.most_failures:
        found.append(f"failures: {stats.total.fail_ratio:.4f}, more than {options.most_failures:g}")
    if options.least_rate is not None and stats.total.total_rps < options.least_rate:
        found.append(f"calls/s: {stats.total.total_rps:.0f}, fewer than {options.least_rate:g}")
    most = options.most_generator_share
    if most is not None and share > most:
        found.append(f"the generator's share of its core: {share:.0%}, more than {most:.0%}")
    return found


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--most-p99-ms", type=float, help="of each kind of call")
    parser.add_argument("--most-failures", type=float, help="share of all calls")
    parser.add_argument("--least-rate", type=float, help="calls a second")
    parser.add_argument(
        "--most-generator-share", type=float, help="of a core, by the busiest process that loads"
    )


def judge(environment: Any, **_: Any) -> None:
    if environment.runner is None or isinstance(environment.runner, WorkerRunner):
        return
    share = busiest()
    if share > WARNING:
        print(
            f"the generator used {share:.0%} of its core: its figures are its own rather than"
            " the service's; use --processes or more machines",
            file=sys.stderr,
        )
    if not environment.stats.total.num_requests and not environment.parsed_options.headless:
        return  # a page on which no run was started
    found = crossed(environment.stats, environment.parsed_options, share)
    for line in found:
        print(f"threshold crossed: {line}", file=sys.stderr)
    if found:
        environment.process_exit_code = 1


events.init_command_line_parser.add_listener(add_options)  # type: ignore[no-untyped-call]
events.quitting.add_listener(judge)  # type: ignore[no-untyped-call]
