"""`jeton audit`: verified with the keys or without, exported, accepted."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import VALUE, Jeton
from vault.audit.segment import chains, segments

PAYER = ("--purpose", "reimbursement")


@pytest.fixture
def used(jeton: Jeton) -> Jeton:
    """An installation with one tokenisation, one reveal and one refusal on record."""
    token = jeton.done("tokenise", "fr-nir", "-", client="intake", stdin=VALUE)
    jeton.done("detokenise", "fr-nir", "-", *PAYER, client="reimbursement", stdin=token)
    assert jeton("detokenise", "fr-nir", "-", client="reimbursement", stdin=token).exit_code == 2
    return jeton


def segment(jeton: Jeton) -> Path:
    return segments(chains(jeton.folder / "audit")[0])[0]


def lose_store(jeton: Jeton) -> None:
    for path in jeton.folder.glob("jeton.db*"):
        path.unlink()


def test_a_whole_record(used: Jeton) -> None:
    assert "as it was written" in used.done("audit", "verify")
    said = json.loads(used.done("audit", "verify", "--json"))
    assert said["clean"]
    assert said["findings"] == []
    assert said["entries"] > 0
    assert set(said["writers"]) == {"w0"}


def test_a_changed_record_is_told_by_its_place(used: Jeton) -> None:
    path = segment(used)
    path.write_bytes(path.read_bytes().replace(b'"purpose":"reimb', b'"purpose":"reimB'))
    result = used("audit", "verify")
    assert result.exit_code == 1
    assert f"w0/{path.name}, line" in result.stdout
    assert "CHANGED" in result.stdout
    said = used("audit", "verify", "--json")
    assert said.exit_code == 1
    assert json.loads(said.stdout)["findings"][0]["code"] == "edited"


def test_a_record_that_was_cut_is_found_by_the_stores_mark(used: Jeton) -> None:
    path = segment(used)
    lines = path.read_bytes().splitlines(keepends=True)
    seals = [index for index, line in enumerate(lines) if line.startswith(b'{"seal"')]
    path.write_bytes(b"".join(lines[: seals[-2] + 1]))
    (used.folder / "audit" / "checkpoints.jsonl").write_bytes(
        (used.folder / "audit" / "checkpoints.jsonl").read_bytes().splitlines(keepends=True)[0]
    )
    assert "the store's mark" in used("audit", "verify").stdout
    lose_store(used)
    result = used("audit", "verify")
    assert "not held against its marks" in result.stderr


def test_a_record_begun_anew_in_the_place_of_another_is_not_taken_for_it(used: Jeton) -> None:
    shutil.rmtree(used.folder / "audit")
    token = used.done("tokenise", "fr-nir", "-", client="intake", stdin=VALUE)
    assert used("detokenise", "fr-nir", "-", *PAYER, client="reimbursement", stdin=token).exit_code
    result = used("audit", "verify")
    assert result.exit_code == 1
    assert "What is there of the record is as it was written" in result.stdout
    said = used("audit", "verify", "--json")
    assert said.exit_code == 1
    assert "store's mark" in json.loads(said.stdout)["stopped"]
    used.done("audit", "accept", "--reason", "the disk was lost")
    used.done("audit", "verify")


def test_what_was_kept_elsewhere_is_held_against_it(used: Jeton, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    shutil.copy(used.folder / "audit" / "checkpoints.jsonl", kept)
    tail = json.loads(used.done("audit", "verify", "--json"))["writers"]["w0"]
    receipt = f"w0.{tail['sequence']}.{tail['hash']}"
    used.done("audit", "verify", "--checkpoint", kept, "--receipt", receipt)
    false = f"w0.{tail['sequence']}.{'0' * 64}"
    result = used("audit", "verify", "--receipt", false)
    assert result.exit_code == 1
    assert "receipt knows another group here" in result.stdout


def test_with_the_public_key_no_keyset_is_needed(used: Jeton) -> None:
    (used.folder / "kek.key").unlink()
    assert used("audit", "verify").exit_code == 2
    used.done("audit", "verify", "--public-key", used.folder / "audit" / "public.pem")
    result = used("audit", "verify", "--public-key", used.config)
    assert result.exit_code == 2
    assert "no public key" in result.stderr


def test_before_the_first_start_there_is_no_record(jeton: Jeton) -> None:
    for verb in ("verify", "export"):
        result = jeton("audit", verb)
        assert result.exit_code == 2
        assert "there is no record" in result.stderr


def test_verify_makes_no_store(used: Jeton) -> None:
    lose_store(used)
    used.done("audit", "verify")
    assert not list(used.folder.glob("jeton.db*"))


def test_export_as_lines(used: Jeton) -> None:
    kept = [json.loads(line) for line in used.done("audit", "export").splitlines()]
    assert [one["seq"] for one in kept] == list(range(1, len(kept) + 1))
    kinds = {one["kind"] for one in kept}
    assert kinds == {"event", "tokenised", "disclosure", "refusals"}
    only = used.done("audit", "export", "--client", "intake").splitlines()
    assert {json.loads(line)["principal"] for line in only} == {"intake"}
    assert used.done("audit", "export", "--until", "2020-01-01") == ""
    assert used.done("audit", "export", "--since", "2020-01-01T00:00:00+02:00").count("\n") == len(
        kept
    )


def test_export_as_a_table(used: Jeton) -> None:
    rows = list(csv.DictReader(io.StringIO(used.done("audit", "export", "--format", "csv"))))
    assert [row["principal"] for row in rows if row["kind"] == "disclosure"] == ["reimbursement"]


def test_export_of_what_is_no_entry(used: Jeton) -> None:
    path = segment(used)
    path.write_bytes(path.read_bytes().replace(b'"kind":"disclosure"', b'"kind":"disclosurf"'))
    result = used("audit", "export")
    assert result.exit_code == 2
    assert "jeton audit verify" in result.stderr


def test_a_state_that_went_backwards_is_accepted_on_the_record(used: Jeton) -> None:
    token = used.done("tokenise", "fr-nir", "-", client="intake", stdin=VALUE)
    reveal = ("detokenise", "fr-nir", "-", *PAYER)
    lose_store(used)
    stopped = used(*reveal, client="reimbursement", stdin=token)
    assert stopped.exit_code == 2
    assert "jeton audit accept" in stopped.stderr
    said = used("audit", "accept", "--reason", "the disk was lost")
    assert said.exit_code == 0
    assert "on the record" in said.stderr
    assert used.done(*reveal, client="reimbursement", stdin=token) == f"{VALUE}\n"
    events = [json.loads(line) for line in used.done("audit", "export").splitlines()]
    (accepted,) = [one for one in events if one.get("name") == "state_accepted"]
    assert accepted["detail"]["reason"] == "the disk was lost"


def test_accept_where_nothing_was_stopped(used: Jeton) -> None:
    assert "nothing is changed" in used("audit", "accept", "--reason", "x").stderr
    assert used("audit", "accept", "--reason", " ").exit_code == 2
    assert used("audit", "accept").exit_code == 2
