"""A run that is told to end: by Ctrl-C, a supervisor, or a terminal that goes."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending() -> Iterator[Sequence[signal.Signals]]:
    """What told this process to end, so far. Each also raises KeyboardInterrupt, so that servers
    are ended and folders go. At the end the process ends by the first of them, as a shell that
    waits for it expects."""
    told: list[signal.Signals] = []

    def heed(number: int, _: FrameType | None) -> None:
        told.append(signal.Signals(number))
        raise KeyboardInterrupt

    before = {one: signal.signal(one, heed) for one in SIGNALS}
    try:
        yield told
    except KeyboardInterrupt:
        if not told:
            raise
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    if told:
        sys.stdout.flush()
        signal.signal(told[0], signal.SIG_DFL)
        os.kill(os.getpid(), told[0])
