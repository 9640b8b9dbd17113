"""Where processes run, and for how long: on one core, and no longer than who started them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

TIED = ("setpriv", "--pdeathsig", "TERM")
"""Before a command: it is ended as its parent is, even where that is killed."""


def cores() -> tuple[str, str]:
    """The server's, and the load's: the first two of those that this process may use, which in a
    container need not be those of the machine. One has to do for both where there is one."""
    free = sorted(os.sched_getaffinity(0))
    return str(free[0]), str(free[min(1, len(free) - 1)])


@contextmanager
def on_core(core: str) -> Iterator[None]:
    """Keeps this process, and those that it starts meanwhile, there."""
    free = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(core)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, free)
