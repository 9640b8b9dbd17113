"""How many MB a second `jeton scan` looks through, on one core and on all of them.

python -m benchmarks run scan
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result
from vault.scan.finder import find
from vault.scan.scanning import scan

SIZE = 64 << 20
PROSE = b"The quick brown fox jumps over the lazy dog, said nobody in 2024, and left at 12:30.\n"
TABLE = b"1,2024-05-12,some text,12345678,3.1415,999\n"


def texts() -> dict[str, bytes]:
    leak = b"".join(b"%b,some text\n" % nir.encode() for nir in nirs(2_000, seed=3))
    return {
        "text without hits": PROSE * (SIZE // len(PROSE)),
        "numbers without hits": TABLE * (SIZE // 4 // len(TABLE)),
        "a number every line": leak * 20,
    }


def scanner(pace: Pace) -> Iterator[Result]:
    rounds, command = max(1, pace.rounds // 2), COMMAND.format("scan")
    for name, data in texts().items():
        rates = []
        for _ in range(rounds):
            began = time.process_time()
            for _found in find(data):
                pass
            rates.append(len(data) / 1e6 / (time.process_time() - began))
        target = "value >= 400" if name == "text without hits" else None
        yield result(f"scan, {name}, one core", "MB/s", rates, command, target=target)
    yield from _on_all_cores(rounds, command)


def _on_all_cores(rounds: int, command: str) -> Iterator[Result]:
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.txt" for number in range(8)]
        for file in files:
            file.write_bytes(texts()["text without hits"])
        taken: dict[int, list[float]] = {1: [], cores: []}
        for _ in range(rounds):
            for jobs, of in taken.items():
                began = time.perf_counter()
                size = sum(one.bytes for one in scan(files, jobs))
                of.append(size / 1e6 / (time.perf_counter() - began))
    yield result(
        f"scan, 8 files on {cores} cores beside one", "MB/s", taken[cores], command, taken[1]
    )
