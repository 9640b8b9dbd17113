"""Fuzzing: every parser that meets bytes of others, a small file each.

A harness has `run(data)`, which ends quietly where any bytes give either a result that is as it
should be or one of the documented errors, and `seeds()`, from which its corpus was grown:
``corpus/NAME/``. `python -m tests.fuzz --help` says how to let one run.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

NAMES = (
    "arrow_bodies",
    "checkpoint_files",
    "configuration",
    "credentials",
    "formats",
    "headers",
    "json_bodies",
    "keyset_files",
    "proofs",
    "proxied_bodies",
    "receipts",
    "record_files",
    "requests",
    "scanned_bytes",
)
FOLDER = Path(__file__).parent
EVERY = "every"
"""All of them in one process."""
PLANTED = "planted"
"""Fails on purpose: shows that failures are found, kept and told."""


class Harness(NamedTuple):
    """One parser, under arbitrary bytes."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]

    @property
    def corpus(self) -> list[Path]:
        """What is kept of it; nothing for one that only stands for others."""
        folder = FOLDER / "corpus" / self.name
        return sorted(folder.glob("[!.]*")) if folder.is_dir() else []


def harness(name: str) -> Harness:
    module = import_module(f"tests.fuzz.{name}")
    return Harness(name, module.run, module.seeds)
