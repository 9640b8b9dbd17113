"""`jeton audit collect` and `close`: a machine that goes, and its record that stays."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import VALUE, Jeton
from tests.support.redis import Redis
from vault.audit.segment import segments
from vault.audit.writer import RecordWriter


@pytest.fixture
def revealing(jeton: Jeton) -> Jeton:
    reveal(jeton)
    return jeton


def reveal(jeton: Jeton) -> None:
    token = jeton.done("tokenise", "fr-nir", "-", client="intake", stdin=f"{VALUE}\n")
    options = ("--purpose", "reimbursement")
    jeton.done("detokenise", "fr-nir", "-", *options, client="reimbursement", stdin=token)


def record(jeton: Jeton) -> Path:
    return jeton.folder / "audit"


def test_it_copies_and_verifies_all_that_is_there(revealing: Jeton, tmp_path: Path) -> None:
    to = tmp_path / "records"
    first = json.loads(revealing.done("audit", "collect", to, "--json"))
    reveal(revealing)
    second = json.loads(revealing.done("audit", "collect", to, "--json"))
    assert first["clean"]
    assert second["clean"]
    assert second["entries"] > first["entries"]
    revealing.done("audit", "verify", "--folder", to / "record")


def test_what_was_changed_since_it_was_collected_is_found(revealing: Jeton, tmp_path: Path) -> None:
    to = tmp_path / "records"
    revealing.done("audit", "collect", to)
    path = segments(record(revealing) / "w0")[-1]
    path.write_bytes(path.read_bytes().replace(b'"items":1', b'"items":2'))
    result = revealing("audit", "collect", to)
    assert result.exit_code == 1
    assert "rewritten: the record is not here any more" in result.stdout


def test_a_machine_that_is_gone_is_still_verified(revealing: Jeton, tmp_path: Path) -> None:
    to = tmp_path / "records"
    revealing.done("audit", "collect", to)
    shutil.rmtree(record(revealing))
    revealing.done("audit", "verify", "--folder", to / "record")
    shutil.rmtree(to / "record" / "w0")
    result = revealing("audit", "verify", "--folder", to / "record")
    assert result.exit_code == 1
    assert "missing_writer" in result.stdout


def test_a_closed_chain_ends_for_good(revealing: Jeton) -> None:
    said = revealing("audit", "close", "w0", "--reason", "scaled down for good")
    assert said.exit_code == 0, said.stderr
    again = revealing("audit", "close", "w0", "--reason", "once more")
    assert again.exit_code == 0  # nothing more is written
    revealing.done("audit", "verify")
    events = [json.loads(line) for line in revealing.done("audit", "export").splitlines()]
    ends = [event for event in events if event.get("name") == "closed"]
    assert [event["detail"] for event in ends] == [{"reason": "scaled down for good"}]
    reveal(revealing)
    assert (record(revealing) / "w1").is_dir()
    revealing.done("audit", "verify")


def test_a_chain_that_has_a_writer_is_not_closed(revealing: Jeton) -> None:
    writer = RecordWriter.take(record(revealing) / "w0")
    assert writer is not None
    result = revealing("audit", "close", "w0", "--reason", "x")
    assert result.exit_code == 2
    assert "has a writer" in result.stderr
    writer.close()
    for wrong in (("w9", "x"), ("../w0", "x"), ("w0", " ")):
        assert revealing("audit", "close", wrong[0], "--reason", wrong[1]).exit_code == 2


def test_records_of_one_name_do_not_mix(revealing: Jeton, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(record(revealing), other)
    folders = ("--folder", record(revealing), "--folder", other)
    result = revealing("audit", "collect", tmp_path / "to", *folders)
    assert result.exit_code == 2
    assert "one name" in result.stderr
    assert not (tmp_path / "to").exists()


def test_machines_that_share_a_store_are_collected_one_at_a_time(
    jeton: Jeton, redis_server: Redis, tmp_path: Path
) -> None:
    """A copy is as old as its collecting, and what nobody has collected yet is not missing."""
    redis_server.ask("FLUSHALL")
    url = redis_server.settings().url
    jeton.edit('url = "sqlite:jeton.db"', f'url = "{url}"\nreplicas = 0')
    to, shipped = tmp_path / "records", jeton.config.read_text("utf-8")

    def on(pod: str) -> Jeton:
        said = f'[audit]\nhost = "{pod}"\nfolder = "{pod}"'
        jeton.config.write_text(shipped.replace('[audit]\nfolder = "audit"', said), "utf-8")
        assert said in jeton.config.read_text("utf-8")
        return jeton

    for pod in ("pod-0", "pod-1"):
        reveal(on(pod))
    for pod in ("pod-0", "pod-1", "pod-0"):
        on(pod).done("audit", "collect", to)
        reveal(on(pod))
    every = [option for pod in ("pod-0", "pod-1") for option in ("--folder", jeton.folder / pod)]
    jeton.done("audit", "collect", to, *every)
    shutil.rmtree(jeton.folder / "pod-1" / "pod-1-w0")
    shutil.rmtree(to / "pod-1" / "pod-1-w0")
    result = on("pod-1")("audit", "collect", to)
    assert result.exit_code == 1
    assert "missing_writer" in result.stdout
