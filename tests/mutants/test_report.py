"""The mutation run says no more than it found out."""

import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.mutants.explained import Explained, changed

mutation = pytest.importorskip("tests.mutants.__main__")  # which needs mutmut
ROOT = Path(__file__).parents[2]


def test_what_was_not_mutated_has_no_score(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.mutants", "access", "crypto", "--survivors"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "nothing was mutated of access, crypto\n"


def test_what_a_mutant_left_running_ends_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, left = tmp_path / "mutmut", tmp_path / "left"
    program.write_text(f"#!/bin/sh\nsleep 1000 &\necho $! > {left}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.chdir(tmp_path)
    mutation.run(["vault.access.*"])
    with suppress(ProcessLookupError):
        process = os.pidfd_open(int(left.read_text()))
        assert select.select([process], [], [], 10)[0], "it still runs"


def test_a_mutation_has_the_same_words_wherever_it_stands() -> None:
    lines = ["--- a", "+++ b", "@@ -{0} +{0} @@", " def f(above):"]
    diff = "\n".join([*lines, "-    return above + {1}", "+    return above - {1}"])
    assert changed(diff.format(1, 7)) == "return above [-+-]{+-+} 7"
    assert changed(diff.format(90, 7)) == changed(diff.format(1, 7)) != changed(diff.format(1, 8))


def test_only_who_is_in_the_file_is_explained_and_it_holds_no_others(tmp_path: Path) -> None:
    kept = tmp_path / "explained.toml"
    kept.write_text(
        "[[group]]\nwhy = 'A reason.'\npatterns = ['cache']\n"
        "[group.mutants]\n'vault/access/limits.py f' = ['[-a-]{+b+}', 'gone']\n"
        "'vault/crypto/ff1.py f' = ['gone']\n"
    )
    explained = Explained.load(kept)
    assert "vault/access/limits.py f: [-a-]{+b+}" in explained
    assert "vault/access/limits.py g: a cache" in explained
    assert "vault/access/limits.py g: [-a-]{+b+}" not in explained
    assert explained.unused(["access"]) == ["vault/access/limits.py f: gone"]
