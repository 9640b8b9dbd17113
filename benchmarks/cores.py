"""Keeps this process, and those that it starts meanwhile, on one core."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def on_core(core: str) -> Iterator[None]:
    free = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(core)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, free)
