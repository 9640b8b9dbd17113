"""`jeton check-config` ended in an OverflowError over formats with more texts than floats count to,
such as 256 letters and digits."""

import math

from vault.access.guessing import behind_mask, population
from vault.config import Transformation

LONG = Transformation("alphanumeric", min_length=256, keep_last=0)


def test_it_is_a_number() -> None:
    assert math.isfinite(population(LONG))
    assert math.isfinite(behind_mask(LONG).candidates)
