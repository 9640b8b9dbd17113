"""A revealed column shows itself nowhere, and errors know their rows."""

import copy
import json
import logging
import pickle

import numpy as np
import pytest

import jeton
from jeton.columns import Outcome, SensitiveColumn

NIR = "284057512345672"


@pytest.fixture
def covered() -> SensitiveColumn[list[str]]:
    return SensitiveColumn([NIR])


def test_it_shows_itself_nowhere(
    covered: SensitiveColumn[list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    outcome = Outcome(covered, [None], None)
    logging.getLogger("test").warning("%s %r", covered, outcome)
    shown = [
        repr(covered),
        str(covered),
        f"{covered}",
        f"{covered:>20}",
        repr(outcome),
        caplog.text,
    ]
    shown += [caplog.text, json.dumps({"a": covered}, default=str), repr({"a": [covered]})]
    assert not [text for text in shown if NIR in text]
    assert "<sensitive>" in caplog.text


def test_nothing_reads_it_but_reveal(covered: SensitiveColumn[list[str]]) -> None:
    assert covered.reveal() == [NIR]
    assert len(covered) == 1
    assert copy.copy(covered) is covered
    assert copy.deepcopy(covered) is covered
    for read in (pickle.dumps, np.asarray, json.dumps, iter, lambda one: one[0]):
        with pytest.raises(TypeError) as caught:
            read(covered)  # type: ignore[operator]
        assert NIR not in str(caught.value)


def test_the_first_error_is_raised_by_its_kind() -> None:
    with pytest.raises(jeton.NotAToken) as caught:
        Outcome([None], ["not_a_token"], (0, "not_a_token")).all()
    assert (caught.value.index, caught.value.code) == (0, "not_a_token")
    with pytest.raises(jeton.ItemError):
        Outcome([None], ["one_of_a_later_version"], (0, "one_of_a_later_version")).all()
