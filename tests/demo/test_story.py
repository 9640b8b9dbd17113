"""`jeton demo` as a user types it: its story is true, and it leaves nothing behind."""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import JETON

pytestmark = pytest.mark.system

PEOPLE = 2_500


def _environment(folder: Path) -> dict[str, str]:
    """Temporary files under `folder`; settings of another installation, which it must not use."""
    return os.environ | {
        "TMPDIR": str(folder),
        "JETON_CONFIG": "/nowhere/jeton.toml",
        "JETON__STORE__URL": "sqlite:/nowhere/jeton.db",
    }


def _left_behind(folder: Path) -> list[str]:
    """Files in `folder`, and processes that were started with something in it."""
    processes = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(folder) in path.read_bytes():
                processes.append(path.parent.name)
        except OSError:  # it has just ended
            continue
    return processes + [path.name for path in folder.iterdir()]


def _demo(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*JETON, "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=_environment(folder),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page") / "breach.html"


@pytest.fixture(scope="module")
def story(folder: Path, html: Path) -> dict[str, Any]:
    done = _demo(folder, "--json", "--html", str(html))
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_database_holds_nobodys_number(story: dict[str, Any]) -> None:
    assert story["people"] == story["phished"]["rows"] == PEOPLE
    assert story["claims"] >= PEOPLE
    assert story["phished"]["identifiers_in_copy"] == 0


def test_the_phished_account_gets_no_value(story: dict[str, Any]) -> None:
    phished = story["phished"]
    assert phished["asked"] == 2 * PEOPLE
    assert phished["values"] == 0
    assert set(phished["refused"]) == {"401 unauthenticated", "403 not_allowed"}
    assert phished["masked_people"] == phished["limit"] == 200
    assert phished["stopped_by"] == "end_user.people.day"


def test_stolen_credentials_stop_at_their_limits(story: dict[str, Any]) -> None:
    reimbursement, portal, intake = story["stolen"]
    assert reimbursement["people"] == reimbursement["limit"] == 2_000
    assert reimbursement["stopped_by"] == "people.day"
    assert reimbursement["refusal"] == portal["refusal"] == "429 budget_exhausted"
    # The honest masks and the phished account's are of the same hour.
    assert 0 < portal["people"] < portal["limit"] == 1_000
    assert portal["stopped_by"] == "reveal.hour"
    assert intake["people"] == 0
    assert intake["refusal"] == "403 not_allowed"


def test_ten_rows_as_three_viewers_see_them(story: dict[str, Any]) -> None:
    lines = story["lines"]
    assert len(lines) == 10
    assert {line["remark"] for line in lines} == {"", "Corsican", "born abroad", "lunar date"}
    for line in lines:
        stored, seen, shown = (line[viewer] for viewer in ("stored", "reimbursement", "phished"))
        assert len(stored["nir"]) == len(seen["nir"]) == 15
        assert stored["nir"] != seen["nir"]
        assert stored["birth_date"] > "2200-" > seen["birth_date"]
        assert shown["nir"] == seen["nir"][:3] + "*" * 12
        assert shown["birth_date"] == stored["birth_date"]


def test_the_record_knows_all_of_it(story: dict[str, Any]) -> None:
    record = story["record"]
    assert record["verified"] is True
    assert record["people_by_client"] == {
        "portal": story["stolen"][1]["people"],
        "reimbursement": 2_000,
    }
    assert (
        record["refusals"]["portal: not_allowed"] == story["phished"]["refused"]["403 not_allowed"]
    )
    assert not any(who.startswith("intake") for who in record["people_by_client"])


def test_the_page_was_written(story: dict[str, Any], html: Path) -> None:
    text = html.read_text("utf-8")
    assert story["record"]["receipt"] in text
    assert story["lines"][0]["stored"]["nir"] in text


def test_nothing_is_left_behind(story: dict[str, Any], folder: Path) -> None:
    assert _left_behind(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_behind_by_an_interrupt(tmp_path: Path, number: signal.Signals) -> None:
    """In the middle, with the service running; the whole terminal hears it, and twice."""
    command = [*JETON, "demo", "--people", "20000"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(tmp_path),
        start_new_session=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "starting the service" in line:
            break
    for _ in range(2):
        os.killpg(process.pid, number)
    process.communicate(timeout=180)
    assert process.returncode == 128 + number
    assert _left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--people", "10"], "--people"),
        (["--html", "/nowhere/breach.html"], "--html"),
    ],
)
def test_a_mistake_is_said_before_anything_begins(
    tmp_path: Path, arguments: Sequence[str], said: str
) -> None:
    done = _demo(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert _left_behind(tmp_path) == []
