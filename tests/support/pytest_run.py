"""A run of pytest within a test, without the settings of this project."""

import os
import subprocess
import sys
from pathlib import Path


def run_in(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Of the tests in `folder`."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    plain = ["-q", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plain, *options],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        env={key: value for key, value in os.environ.items() if "PYTEST" not in key},
    )
