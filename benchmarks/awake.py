"""Keeps the load generator's core awake while something is measured.

On a virtual machine a write to an idle core costs the writer, which is the server, an interrupt
of some ten microseconds to wake it: the more idle the generator, the slower the server looks. A
loop at the lowest priority keeps the core from sleeping and gives way to the generator.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.cores import TIED


@contextmanager
def awake(core: str) -> Iterator[None]:
    loop = [sys.executable, "-c", "while True: pass"]
    process = subprocess.Popen([*TIED, "nice", "-n", "19", "taskset", "-c", core, *loop])
    try:
        yield
    finally:
        process.kill()
        process.wait()
