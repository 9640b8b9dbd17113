"""What a configuration says: what a reload may change, and what a recorded disclosure costs."""

from pathlib import Path

import pytest

from tests.support.records import disclosure
from vault.cli.init import create
from vault.config import load
from vault.errors import SetUpError
from vault.rules import Rules


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return create(tmp_path / "data").config


@pytest.mark.parametrize(("was", "becomes"), [("jeton.db", "new.db"), ('"audit"', '"fresh"')])
def test_budgets_and_record_do_not_change_under_a_running_service(
    config: Path, was: str, becomes: str
) -> None:
    before = Rules(load(config, {}))
    Rules(load(config, {})).check_follows(before)
    config.write_text(config.read_text().replace(was, becomes))
    with pytest.raises(SetUpError, match="needs a restart"):
        Rules(load(config, {})).check_follows(before)


def test_a_charge_outlives_the_grant_that_it_was_made_under(config: Path) -> None:
    """The budget is that of the client's other grants too."""
    entry = disclosure("reimbursement", items=7)
    before = Rules(load(config, {})).charge_of(entry)
    config.write_text(config.read_text().replace('"detokenise"', '"mask"'))
    after = Rules(load(config, {})).charge_of(entry)
    assert before == after
    assert after is not None
    assert after.items == 7
    assert {limit.name for limit in after.limits + after.people} == {
        "reveal.hour",
        "reveal.day",
        "people.day",
    }
    assert Rules(load(config, {})).charge_of(disclosure("gone")) is None
