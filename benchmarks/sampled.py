"""Where a process spends its time, by py-spy: samples of its stacks, a line each."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

MEND = (
    "it has to look into another process: give it CAP_SYS_PTRACE (root has it; a container with"
    " --cap-add SYS_PTRACE), or sysctl kernel.yama.ptrace_scope=0"
)
RATE = 300
"""Samples a second."""


def sampled(pid: int, seconds: int, folder: Path, meanwhile: Callable[[], object]) -> list[str]:
    """``STACK COUNT`` each, outermost frame first. Raises SystemExit where py-spy may not look."""
    raw = folder / "samples"
    options = ["-p", str(pid), "-d", str(seconds), "-r", str(RATE), "-f", "raw", "-o", str(raw)]
    profiler = subprocess.Popen(
        [*py_spy(), "record", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        meanwhile()
        _, said = profiler.communicate(timeout=seconds + 60)
    finally:
        profiler.kill()
        profiler.wait()
    if profiler.returncode:
        why = " ".join(said.partition("Stack backtrace")[0].split())
        raise SystemExit(f"py-spy: {why}; {MEND}")
    return raw.read_text().splitlines()


def py_spy() -> list[str]:
    return [str(Path(sys.executable).with_name("py-spy"))]
