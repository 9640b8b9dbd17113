"""People who do not exist."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from stdnum.fr import nir as stdnum_nir

from tests.support.tokens import keyset
from vault.config import Settings
from vault.config import Transformation as Configured
from vault.engine.persons import Persons
from vault.engine.transformation import Transformation, compile_transformations
from vault.errors import SetUpError
from vault.lifecycle.decoys import Decoy, Planter
from vault.store.sqlite_tokens import SqliteTokens

KEY = bytes(32)
ALL = compile_transformations(
    Settings(
        transformations={
            "birth-date": Configured("birth-date", person="context:fr-nir"),
            "fr-nir": Configured("fr-nir"),
            "kept": Configured("fr-nir", "vaulted"),
            "kept-date": Configured("birth-date", "vaulted", person="context:kept"),
            "six": Configured("birth-date-6", person="context:fr-nir"),
            "digits": Configured("digits"),
            "alone": Configured("birth-date"),
            "bound": Configured("fr-nir", context="required"),
        }
    ),
    keyset(),
)
PERSONS = Persons(KEY, ALL)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteTokens]:
    opened = SqliteTokens.open(tmp_path / "tokens.db")
    yield opened
    await opened.close()


def test_nobody_has_a_number_like_theirs_but_everybody_one_of_that_shape() -> None:
    for _ in range(500):
        decoy = Decoy.draw()
        assert stdnum_nir.is_valid(decoy.nir)
        assert ALL["fr-nir"].format.read_value(decoy.nir).kind == 0
        assert 1 <= int(decoy.nir[5:7]) <= 95
        assert 950 <= int(decoy.nir[7:10]) <= 989
        assert decoy.nir[1:5] == f"{decoy.born:%y%m}"
        assert date(1930, 1, 1) <= decoy.born <= date(2009, 12, 31)


async def test_their_dates_are_bound_to_their_numbers(store: SqliteTokens) -> None:
    wanted = [ALL[name] for name in ("birth-date", "fr-nir", "six")]
    planted = await Planter(wanted, PERSONS, store).plant()
    number = planted.tokens["fr-nir"]
    nir = ALL["fr-nir"].detokenise([number], None).texts[0]
    born = ALL["birth-date"].detokenise([planted.tokens["birth-date"]], number).texts[0]
    six = ALL["six"].detokenise([planted.tokens["six"]], number).texts[0]
    assert nir is not None
    assert born is not None
    assert nir[1:5] == born[2:4] + born[5:7]
    assert six == born[8:10] + born[5:7] + born[2:4]
    assert planted.person == PERSONS.of(ALL["fr-nir"], nir, None)
    assert planted.person == PERSONS.of(ALL["birth-date"], born, number)


async def test_random_tokens_can_be_theirs_too(store: SqliteTokens) -> None:
    planted = await Planter([ALL["kept-date"], ALL["kept"]], PERSONS, store).plant()
    vaulted = ALL["kept"].vaulted
    assert vaulted is not None
    nir = (await vaulted.detokenise(store, [planted.tokens["kept"]], None)).texts[0]
    assert nir is not None
    assert planted.person == PERSONS.of(ALL["kept"], nir, None)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["digits"], "might be somebody's"),
        (["birth-date"], "together with"),
        (["fr-nir", "alone"], "together with"),
        (["bound"], "told apart"),
    ],
)
def test_who_might_exist_is_not_planted(names: list[str], words: str) -> None:
    wanted: list[Transformation] = [ALL[name] for name in names]
    with pytest.raises(SetUpError, match=words):
        Planter(wanted, PERSONS, None)
