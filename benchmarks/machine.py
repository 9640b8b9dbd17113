"""What figures are measured on and with."""

import os
import platform
import re
import shutil
import ssl
import subprocess
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.about import about

ROOT = Path(__file__).parent.parent
PROGRAMS = {
    "wrk": ("-v",),
    "redis-server": ("--version",),
    "nginx": ("-v",),
    "postgres": ("--version",),
    "java": ("-version",),
}
PACKAGES = (
    "jeton",
    "cryptography",
    "msgspec",
    "numpy",
    "pyarrow",
    "aiohttp",
    "starlette",
    "uvicorn",
)
UNTOLD = "not told"


def machine() -> dict[str, object]:
    return {
        "system": platform.platform(),
        "processor": _of("/proc/cpuinfo", "model name"),
        "processors": os.cpu_count(),
        "governor": _governor(),
        "memory": _of("/proc/meminfo", "MemTotal"),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "programs": {name: _version(name, *options) for name, options in PROGRAMS.items()},
        "versions": {name: version(name) for name in PACKAGES},
        "compared with": about(),
    }


def commit() -> str:
    """Of the code that is measured; `dirty` where it was changed since."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return UNTOLD
    return told.stdout.strip() or UNTOLD


def _governor() -> str:
    """How the kernel sets the clock: the machine's own affair where it is a virtual one."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return UNTOLD


def _of(file: str, key: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return UNTOLD


def _version(program: str, *options: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if path is None:
        return "missing"
    done = subprocess.run([path, *options], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(?:\.\d+)?", done.stdout + done.stderr)
    return found[0] if found else "there"
