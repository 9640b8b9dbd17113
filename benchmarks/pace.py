"""How long benchmarks take: the whole for figures, a quick run to see that they run."""

from dataclasses import dataclass

COMMAND = "python -m benchmarks run {}"


@dataclass(frozen=True)
class Pace:
    """How often everything is measured, and for how long each time."""

    rounds: int
    seconds: int

    def of(self, whole: int, quick: int) -> int:
        """How many of something there are: as many as its figures need, or as few as will do."""
        return quick if self.seconds == 1 else whole

    @property
    def warm(self) -> int:
        """Rounds that do not count: of cold servers and caches."""
        return self.of(1, 0)


WHOLE, QUICK = Pace(7, 4), Pace(1, 1)
