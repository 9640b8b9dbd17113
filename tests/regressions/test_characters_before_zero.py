"""The vector path took the characters `*` to `/` for digits: a batch had tokens for texts that a
single call refused."""

import numpy as np
import pytest

from vault.formats import words

WRONG = "*+,-./"


@pytest.mark.parametrize("character", WRONG)
@pytest.mark.parametrize("place", range(8))
def test_they_are_no_digits(character: str, place: int) -> None:
    text = "1" * place + character + "1" * (7 - place)
    cells = np.frombuffer(f"{text}11111111".encode(), np.uint8).reshape(2, 8)
    good, _ = words.read(words.load(cells, 0))
    assert good.tolist() == [False, True]
