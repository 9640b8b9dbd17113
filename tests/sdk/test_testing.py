"""The fixture `jeton_service`, as the tests of another project would use it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import jeton
from jeton import testing
from tests.support.pytest_run import run_in

pytestmark = pytest.mark.system

NIR = "284057512345672"

CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def jeton_clients():
    return {"billing": ["tokenise:fr-nir", "detokenise:fr-nir:billing"]}

@pytest.fixture(scope="session")
def jeton_limits():
    return {"reveal.hour": 1}
"""
TEST = """
import jeton, pathlib, pytest

def note(service):
    with pathlib.Path("seen.txt").open("a") as seen:
        seen.write(f"{service.url} {service.config}\\n")

def test_of_billing(jeton_service):
    note(jeton_service)
    client = jeton_service.client("billing", purpose="billing")
    token = client.tokenise("fr-nir", "284057512345672")
    assert client.detokenise("fr-nir", token).reveal() == "284057512345672"
    with pytest.raises(jeton.BudgetExhausted):
        jeton_service.client("billing", timeout=1).detokenise("fr-nir", token, purpose="billing")

def test_of_the_portal(jeton_service):
    note(jeton_service)
    token = jeton_service.client("intake").tokenise("fr-nir", "284057512345672")
    portal = jeton_service.client("portal", purpose="display")
    assert portal.mask("fr-nir", token, on_behalf_of="agent").startswith("284**")
"""


def pytest_in(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """A run of its own, without the settings of this project."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(TEST)
    return run_in(folder, *options)


@pytest.mark.parametrize(("options", "services"), [((), 1), (("-n", "2", "--dist=each"), 2)])
def test_a_session_has_a_service_that_ends_with_it(
    tmp_path: Path, options: tuple[str, ...], services: int
) -> None:
    done = pytest_in(tmp_path, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = {line.split()[0]: line.split()[1] for line in (tmp_path / "seen.txt").open()}
    assert len(seen) == services
    assert not any(Path(config).exists() for config in seen.values())
    for url in seen:
        with pytest.raises(jeton.Unreachable):
            jeton.Client(url, "c", timeout=1).transformations()


def test_without_the_service_it_says_what_to_install(tmp_path: Path) -> None:
    hidden = "from jeton import testing\ntesting.entry_points = lambda **_: ()\n"
    (tmp_path / "no_service.py").write_text(hidden)
    done = pytest_in(tmp_path, "-p", "no_service")
    assert done.returncode == 1
    assert "jeton_service: the service is not installed here: pip install jeton" in done.stdout


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(jeton.JetonError, match="OPERATION is one of tokenise"),
        testing.serve({"a": ["no-such-operation:fr-nir"]}),
    ):
        pass


def test_the_environment_does_not_lead_it_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JETON__STORE__URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("JETON_CONFIG", str(tmp_path / "another.toml"))
    with testing.serve() as service:
        assert service.client("intake").tokenise("fr-nir", NIR) != NIR


def test_the_service_ends_with_those_who_were_killed(tmp_path: Path) -> None:
    program = (
        "import jeton.testing, time, pathlib\n"
        f"with jeton.testing.serve(folder=pathlib.Path({str(tmp_path)!r})) as service:\n"
        "    print(service.url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while answers(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not answers(url)


def answers(url: str) -> bool:
    try:
        jeton.Client(url, "c", timeout=1, tries=1).transformations()
    except (jeton.Unreachable, jeton.NoAnswer):
        return False
    except jeton.Unauthenticated:
        pass
    return True


def test_it_is_ready_soon() -> None:
    started = time.perf_counter()
    with testing.serve() as service:
        taken = time.perf_counter() - started
        assert service.client("intake").tokenise("fr-nir", NIR) != NIR
    print(f"ready after {taken:.2f} s")
    # Under a second on two idle cores; this only says that nothing waits for minutes.
    assert taken < 15
