"""Programs that some tests need and a developer's machine may not have.

Missing, they skip the test by name; where ``JETON_REQUIRE_COMPONENTS=1`` (as in ``.ci/run``)
a missing one is a failure, so that a skip cannot hide there.
"""

import importlib.util
import os
import shutil

import pytest


def required() -> bool:
    return os.environ.get("JETON_REQUIRE_COMPONENTS") == "1"


def need_program(name: str) -> str:
    """The path of a program; else the test is skipped, or fails where all are required."""
    found = shutil.which(name)
    return found if found is not None else _missing(f"the program {name}")


def need_module(name: str) -> None:
    """The same for a Python module of an optional dependency group."""
    if importlib.util.find_spec(name) is None:
        _missing(f"the Python module {name}")


def _missing(what: str) -> str:
    if required():
        pytest.fail(f"{what} is missing, and JETON_REQUIRE_COMPONENTS=1")
    pytest.skip(f"{what} is missing")
