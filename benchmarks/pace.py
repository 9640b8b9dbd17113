"""How long benchmarks take: the whole for figures, a quick run to see that they run."""

from dataclasses import dataclass

COMMAND = "python -m benchmarks run {}"


@dataclass(frozen=True)
class Pace:
    """How often everything is measured, and for how long each time."""

    rounds: int
    seconds: int


WHOLE, QUICK = Pace(7, 4), Pace(1, 1)
