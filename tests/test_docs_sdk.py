"""The pages about what the SDK goes with, and the example's, typed as they stand."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeton.testing import Service, serve
from tests.support.components import need_module, need_program
from tests.support.ports import free_port
from tests.support.pytest_run import run_in
from tests.support.snippets import ROOT, blocks, run_bash

pytestmark = pytest.mark.system

GRANTS = [
    *(f"tokenise:{name}" for name in ("fr-nir", "birth-date")),
    *(f"detokenise:{name}:audit" for name in ("fr-nir", "birth-date")),
    "mask:fr-nir:audit",
]
PAGES = {
    "with-arrow-and-pandas": "pandas",
    "with-logging": "logging",
    "with-pydantic": "pydantic",
    "with-sqlalchemy": "sqlalchemy",
    "with-tracing": "jeton",
}


@pytest.fixture(scope="module")
def reader() -> Iterator[Service]:
    with serve({"reader": GRANTS}) as service:
        yield service


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs(page: str, reader: Service, tmp_path: Path) -> None:
    need_module(PAGES[page])
    script = tmp_path / f"{page.replace('-', '_')}.py"
    script.write_text("\n".join(blocks(f"docs/{page}.md", "python")))
    environment = os.environ | {
        "JETON_URL": reader.url,
        "JETON_CREDENTIAL": reader.credentials["reader"],
    }
    command = [sys.executable, "-W", "error::ResourceWarning", str(script)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "284057512345672" not in done.stdout


def test_the_page_on_tests_is_a_test(tmp_path: Path) -> None:
    test, conftest = blocks("docs/with-pytest.md", "python")
    (tmp_path / "test_page.py").write_text(test)
    (tmp_path / "conftest.py").write_text(conftest)
    done = run_in(tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_examples_readme_does_what_it_says(tmp_path: Path) -> None:
    need_program("curl")
    page = "examples/third-party-payment"
    shutil.copytree(ROOT / page, tmp_path / "example")
    script = "\n".join(blocks(f"{page}/README.md", "bash"))
    lines = [line for line in script.splitlines() if not line.startswith("pip install")]
    script = "\n".join(lines).replace("jeton serve &", "jeton serve --port 8200 &")
    for port in ("8200", "8300", "8400"):
        script = script.replace(port, str(free_port()))
    printed = run_bash(script, tmp_path / "example")
    order = (tmp_path / "example" / "orders.txt").read_text()
    assert '"nir": "284057512345672"' in order
    assert '"paid":true' in printed
    assert printed.count("284057512345672") == 1  # the order, as it is shown at the end
