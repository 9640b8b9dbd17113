"""Limits that end a run of locust with exit code 1 where they are crossed.

    locust ... --most-p99-ms 50 --most-failures 0.001 --least-rate 1000

A generator that has no processor time left measures itself: locust watches its own share, and
a run in which it exceeded 90 % says so at the end. In a distributed run the main process judges
the sum of all, and each generator warns for itself.
"""

import sys
from argparse import ArgumentParser
from typing import Any

from locust import events
from locust.runners import WorkerRunner

SET_UP = "(set-up)"


def crossed(stats: Any, options: Any) -> list[str]:
    """What was crossed, a line each. A run without a single answer crosses all that was asked."""
    found: list[str] = []
    if options.most_p99_ms is not None:
        measured = [entry for entry in stats.entries.values() if entry.name != SET_UP]
        found += [
            f"p99 of {entry.name}: {slowest} ms, more than {options.most_p99_ms:g}"
            for entry in measured
            if (slowest := entry.get_response_time_percentile(0.99)) > options.most_p99_ms
        ]
        if not any(entry.num_requests for entry in measured):
            found.append("no call was measured")
    if options.most_failures is not None and stats.total.num_requests == 0:
        found.append("no call was made")
    elif options.most_failures is not None and stats.total.fail_ratio > options.most_failures:
        found.append(f"failures: {stats.total.fail_ratio:.4f}, more than {options.most_failures:g}")
    if options.least_rate is not None and stats.total.total_rps < options.least_rate:
        found.append(f"calls/s: {stats.total.total_rps:.0f}, fewer than {options.least_rate:g}")
    return found


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--most-p99-ms", type=float, help="of each kind of call")
    parser.add_argument("--most-failures", type=float, help="share of all calls")
    parser.add_argument("--least-rate", type=float, help="calls a second")


def judge(environment: Any, **_: Any) -> None:
    if getattr(environment.runner, "cpu_warning_emitted", False):
        print("the generator ran out of processor time: its figures are its own", file=sys.stderr)
    if environment.runner is None or isinstance(environment.runner, WorkerRunner):
        return
    found = crossed(environment.stats, environment.parsed_options)
    for line in found:
        print(f"threshold crossed: {line}", file=sys.stderr)
    if found:
        environment.process_exit_code = 1


events.init_command_line_parser.add_listener(add_options)  # type: ignore[no-untyped-call]
events.quitting.add_listener(judge)  # type: ignore[no-untyped-call]
