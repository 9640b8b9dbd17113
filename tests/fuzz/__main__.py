"""Runs a harness under atheris, from its kept corpus and what earlier runs have grown.

    python -m tests.fuzz formats --seconds 300     new inputs for five minutes
    python -m tests.fuzz all --seconds 60          every harness, one after another
    python -m tests.fuzz every --seconds 10        all of them at once, in one process
    python -m tests.fuzz all --seeds               the harnesses' seeds into their corpora
    python -m tests.fuzz formats --keep            take into the corpus what reaches new code

A crash, a hang or a run out of memory ends the harness; its input is in ``findings/NAME/``, and
the exit code is 1. atheris instruments what is imported and libFuzzer ends the process, so each
harness has a process of its own.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path

from tests.fuzz import EVERY, FOLDER, NAMES, PLANTED, harness, scratch

GROWN = FOLDER / "grown"
FINDINGS = FOLDER / "findings"
WORD = re.compile(rb'"?[\w.-]{2,40}"?|[^\s\w]{2,6}')
LONGEST = 4_096
"""Bytes of an input."""
HANG = 10
"""Seconds that one input may take."""
ARRAYS = ["vault.scan.digits", "vault.scan.finder", "vault.scan.readings"]
"""Are not traced: atheris keeps whatever a comparison of arrays gives."""
MEMORY = 2_048
"""MiB that the process may have."""


def main() -> int:
    asked = _arguments()
    if asked.inside:
        return _inside(asked.name, asked.inside)
    failed = [name for name in _named(asked.name) if not _run(name, asked)]
    for name in failed:
        print(f"{name}: failed; see {asked.findings / name}", file=sys.stderr)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", choices=[*NAMES, "all", EVERY, PLANTED])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--findings", type=Path, default=FINDINGS, help="where crashes go")
    parser.add_argument("--grown", type=Path, default=GROWN, help="where new inputs go")
    parser.add_argument("--seeds", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--inside", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser.parse_args()


def _named(name: str) -> tuple[str, ...]:
    return NAMES if name == "all" else (name,)


def _run(name: str, asked: argparse.Namespace) -> bool:
    corpus, grown, found = FOLDER / "corpus" / name, asked.grown / name, asked.findings / name
    for folder in (grown, found):
        folder.mkdir(parents=True, exist_ok=True)
    if asked.seeds:
        return _lay(corpus, harness(name).seeds())
    if asked.keep:
        return _child(name, [corpus, grown], "-merge=1") == 0
    if not corpus.is_dir():
        corpus = grown
        _lay(grown, harness(name).seeds())
    options = [f"-max_total_time={asked.seconds}", "-print_final_stats=1"]
    if words := _words(corpus):
        book = asked.grown / f"{name}.dict"
        book.write_text("".join(f'"{word}"\n' for word in words), "ascii")
        options.append(f"-dict={book}")
    # New inputs are written to the first folder.
    folders = list(dict.fromkeys([grown, corpus]))
    return _child(name, folders, f"-artifact_prefix={found}{os.sep}", *options) == 0


def _lay(folder: Path, inputs: Iterable[bytes]) -> bool:
    """Put inputs into a folder, by the names that libFuzzer gives them."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in inputs:
        (folder / sha1(one, usedforsecurity=False).hexdigest()).write_bytes(one)
    return True


def _words(corpus: Path) -> list[str]:
    """What the corpus is made of, to be put in at other places, as libFuzzer spells it."""
    found = {word for path in corpus.iterdir() for word in WORD.findall(path.read_bytes())}
    return sorted("".join(f"\\x{byte:02x}" for byte in word) for word in found)


def _child(name: str, folders: list[Path], *options: str) -> int:
    limits = [f"-max_len={LONGEST}", f"-timeout={HANG}", f"-rss_limit_mb={MEMORY}"]
    inside = [*map(str, folders), *limits, *options]
    command = [sys.executable, "-m", "tests.fuzz", name, "--inside", *inside]
    with tempfile.TemporaryDirectory(prefix="jeton-fuzz-", dir=scratch.where()) as temporary:
        environment = os.environ | {"TMPDIR": temporary}
        done = subprocess.run(command, check=False, cwd=FOLDER.parents[1], env=environment)
    return done.returncode


def _inside(name: str, options: list[str]) -> int:
    """In the process that libFuzzer ends."""
    import atheris  # noqa: PLC0415 - not there on every Python, and not needed by the parent

    with atheris.instrument_imports(["vault"], ARRAYS, enable_loader_override=False):
        run = harness(name).run
    # What libFuzzer starts again, through a shell, to merge.
    again = f"{shlex.quote(sys.executable)} -m tests.fuzz {name} --inside"
    atheris.Setup([again, *options], run)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
