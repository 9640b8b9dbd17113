"""Loads that change: give this file beside the locustfile, and one of the curves.

    locust -f benchmarks/locust/locustfile.py,benchmarks/locust/shapes.py --headless \\
        --shape day --shape-users 200 --shape-seconds 600 --arrivals 5 Claims

Users come and go by the curve, so with `--arrivals` the offered rate follows it too: at the top
it is as many calls a second as users times arrivals.
"""

import time
from argparse import ArgumentParser
from typing import Any

from locust import LoadTestShape, events

from benchmarks.locust.curves import CURVES


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--shape", choices=list(CURVES), default="ramp")
    parser.add_argument("--shape-users", type=int, default=100, help="at the top")
    parser.add_argument("--shape-seconds", type=float, default=60.0, help="of the whole run")


events.init_command_line_parser.add_listener(add_options)  # type: ignore[no-untyped-call]


class Shape(LoadTestShape):
    def tick(self) -> tuple[int, float] | None:
        """How many users there are now, and that all of a difference come within a second."""
        assert self.runner is not None
        options: Any = self.runner.environment.parsed_options
        over = (time.perf_counter() - self.start_time) / options.shape_seconds
        if over >= 1:
            return None
        users = max(1, round(CURVES[options.shape](over) * options.shape_users))
        return users, options.shape_users
