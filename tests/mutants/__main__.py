"""`make mutants`: the code is changed in thousands of small ways; each has to fail a test.

mutmut makes the mutants and runs against each the tests that reach the changed function, of
those that mirror the room it is in. Who survives is held against `explained.toml`; whoever is
not in there makes this exit 1, and 2 where a room was not mutated. `--survivors` asks the tests
again, about the survivors only.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

from tests.mutants.explained import Explained, changed

ROOMS = ("access", "ledger", "crypto")
MADE = Path("mutants")
LOG = Path("mutants.log")
NOTICED = ("killed", "timeout")
"""A mutant that hangs is noticed too: its tests took many times as long as they do."""


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    status: str

    @property
    def room(self) -> str:
        return Path(self.file).parts[1]

    @property
    def function(self) -> str:
        mangled = self.name.rpartition(".")[2].rpartition("__mutmut_")[0]
        return mangled.removeprefix("xǁ").removeprefix("x_").replace("ǁ", ".")

    def describe(self) -> str:
        diff = get_diff_for_mutant(self.name, path=self.file)
        return f"{self.file} {self.function}: {changed(diff)}"


def mutants(rooms: list[str]) -> Iterator[Mutant]:
    for room in rooms:
        for kept in sorted(MADE.glob(f"vault/{room}/*.meta")):
            file = str(kept.relative_to(MADE).with_suffix(""))
            for name, code in json.loads(kept.read_text())["exit_code_by_key"].items():
                yield Mutant(name, file, status_by_exit_code[code])


def run(names: list[str]) -> None:
    """Test these mutants, by two processes."""
    program = str(Path(sys.executable).with_name("mutmut"))
    command = [program, "run", "--max-children", "2", *names]
    with LOG.open("w") as log:
        mutmut = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            failed = mutmut.wait()
        finally:  # and with it the servers of mutants that hung
            with suppress(ProcessLookupError):
                os.killpg(mutmut.pid, signal.SIGKILL)
    if failed:
        words = re.split(r"[\r\n]+", LOG.read_text())
        print("\n".join(words[-40:]), file=sys.stderr)
        sys.exit(2)


def report(found: list[Mutant], explained: Explained) -> bool:
    """Print the score and who stands; False where somebody stands unexplained."""
    standing = [mutant for mutant in found if mutant.status not in NOTICED]
    unexplained = [(one, text) for one in standing if (text := one.describe()) not in explained]
    print(f"{'room':8}{'mutants':>9}{'killed':>9}{'timeout':>9}{'survived':>10}{'unexplained':>13}")
    for room in dict.fromkeys(mutant.room for mutant in found):
        here = Counter(mutant.status for mutant in found if mutant.room == room)
        left = sum(mutant.room == room for mutant in standing)
        open_ = sum(mutant.room == room for mutant, _ in unexplained)
        print(
            f"{room:8}{here.total():9}{here['killed']:9}{here['timeout']:9}{left:10}{open_:13}"
            f"   score {1 - left / here.total():.1%}"
        )
    for mutant, text in unexplained:
        print(f"\n{mutant.status}: {mutant.name}\n    {text}")
    for text in explained.unused({mutant.room for mutant in found}):
        print(f"\nexplained, but no survivor (any more): {text}")
    return not unexplained


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"default: {' '.join(ROOMS)}")
    parser.add_argument("--survivors", action="store_true", help="test the survivors again")
    chosen = parser.parse_args()
    rooms: list[str] = chosen.rooms or list(ROOMS)
    if not set(rooms) <= set(ROOMS):
        parser.error(f"rooms are {', '.join(ROOMS)}")
    began = time.monotonic()
    if chosen.survivors:
        names = [mutant.name for mutant in mutants(rooms) if mutant.status not in NOTICED]
    else:
        shutil.rmtree(MADE, ignore_errors=True)
        names = [f"vault.{room}.*" for room in rooms]
    if names:  # mutmut takes none for all
        run(names)
    if fresh := [mutant.name for mutant in mutants(rooms) if mutant.status == "not checked"]:
        run(fresh)  # of functions that were changed since
    found = list(mutants(rooms))
    if missing := set(rooms) - {mutant.room for mutant in found}:
        print(f"nothing was mutated of {', '.join(sorted(missing))}", file=sys.stderr)
        sys.exit(2)
    fine = report(found, Explained.load())
    print(f"\n{(time.monotonic() - began) / 60:.0f} minutes")
    sys.exit(not fine)


if __name__ == "__main__":
    main()
