"""How many MB a second `jeton scan` looks through, on one core and on all of them.

python -m benchmarks run scan
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result
from vault.proxy.guard import Guard
from vault.scan.finder import find
from vault.scan.scanning import scan

SIZE, LITTLE = 64 << 20, 8 << 20
CHUNK = 64 << 10
PROSE = b"The quick brown fox jumps over the lazy dog, said nobody in 2024, and left at 12:30.\n"
TABLE = b"1,2024-05-12,some text,12345678,3.1415,999\n"


def texts(size: int) -> dict[str, bytes]:
    numbers = list(nirs(2_000, seed=3))
    rows = b"".join(b"%b,some text\n" % nir.encode() for nir in numbers)
    forms = b"".join(b"%b;some text\n" % _spaced(nir).encode() for nir in numbers)
    return {
        "text without hits": PROSE * (size // len(PROSE)),
        "numbers without hits": TABLE * (size // 4 // len(TABLE)),
        "a number every line": rows * 200,
        "a spaced number every line": forms * 100,
        "escaped text without hits": quote(PROSE).encode() * (size // 4 // len(PROSE)),
    }


def _spaced(nir: str) -> str:
    return f"{nir[0]} {nir[1:3]} {nir[3:5]} {nir[5:7]} {nir[7:10]} {nir[10:13]} {nir[13:]}"


def scanner(pace: Pace) -> Iterator[Result]:
    rounds, command = max(1, pace.rounds // 2), COMMAND.format("scan")
    found = texts(pace.of(SIZE, LITTLE))
    for name, data in found.items():
        rates = []
        for _ in range(rounds):
            began = time.process_time()
            find(data)
            rates.append(len(data) / 1e6 / (time.process_time() - began))
        target = "value >= 400" if name == "text without hits" else None
        yield result(f"scan, {name}, one core", "MB/s", rates, command, target=target)
    prose = found["text without hits"]
    yield from _guarded(prose, rounds, command)
    yield from _on_all_cores(prose, rounds, command)


def _guarded(data: bytes, rounds: int, command: str) -> Iterator[Result]:
    """What the leak guard of a route costs a body that has nothing to hide."""
    rates, small = [], []
    for _ in range(rounds):
        began, guard = time.process_time(), Guard("block", lambda _: None)
        for at in range(0, len(data), CHUNK):
            guard.feed(data[at : at + CHUNK])
        guard.close()
        rates.append(len(data) / 1e6 / (time.process_time() - began))
        began = time.process_time()
        for at in range(0, 2_000 * 2_048, 2_048):
            guard.check(data[at : at + 2_048])
        small.append((time.process_time() - began) / 2_000 * 1e6)
    yield result("guard, text in chunks of 64 KiB, one core", "MB/s", rates, command)
    yield result("guard, a body of 2 KiB, one core", "us", small, command)


def _on_all_cores(data: bytes, rounds: int, command: str) -> Iterator[Result]:
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.txt" for number in range(8)]
        for file in files:
            file.write_bytes(data)
        taken: dict[int, list[float]] = {1: [], cores: []}
        for _ in range(rounds):
            for jobs, of in taken.items():
                began = time.perf_counter()
                size = sum(one.bytes for one in scan(files, jobs))
                of.append(size / 1e6 / (time.perf_counter() - began))
    yield result(
        f"scan, 8 files on {cores} cores beside one", "MB/s", taken[cores], command, taken[1]
    )
