"""One client is written, the other made: they cannot have drifted apart."""

import inspect
import subprocess
import sys

import jeton
from tests.support.snippets import ROOT


def test_the_synchronous_client_is_what_the_script_makes() -> None:
    command = [sys.executable, str(ROOT / "sdk" / "unasync.py"), "--check"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_both_have_the_same_methods_with_the_same_arguments() -> None:
    for name, method in inspect.getmembers(jeton.Client, inspect.isfunction):
        if not name.startswith("_"):
            twin = getattr(jeton.AsyncClient, name)
            assert list(inspect.signature(twin).parameters) == list(
                inspect.signature(method).parameters
            )
            assert inspect.getdoc(twin) == inspect.getdoc(method)
