"""Programs that some tests need and a developer's machine may not have.

Missing, they skip the test by name; where ``JETON_REQUIRE_COMPONENTS=1`` (as in ``.ci/run``)
a missing one is a failure, so that a skip cannot hide there.
"""

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest


def required() -> bool:
    return os.environ.get("JETON_REQUIRE_COMPONENTS") == "1"


def need_program(name: str) -> str:
    """The path of a program; else the test is skipped, or fails where all are required."""
    found = shutil.which(name)
    return found if found is not None else missing(f"the program {name} is missing")


def need_module(name: str) -> None:
    """The same for a Python module of an optional dependency group."""
    if importlib.util.find_spec(name) is None:
        missing(f"the Python module {name} is missing")


def missing(why: str) -> NoReturn:
    """Skip, or fail where nothing may be skipped."""
    if required():
        pytest.fail(f"{why}, and JETON_REQUIRE_COMPONENTS=1")
    pytest.skip(why)
