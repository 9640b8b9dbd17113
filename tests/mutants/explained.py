"""The survivors that may live: `explained.toml`, and the words by which it knows them."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

KEPT = Path(__file__).with_name("explained.toml")


def changed(diff: str) -> str:
    """A mutation in a line: ``return [-a-]{+b+}``, whatever number it has and where it stands."""
    lines = diff.splitlines()[3:]
    before, after = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    start = _alike(before, after)
    while start and _within_word(before, start):
        start -= 1
    end = len(before) - _alike(before[start:][::-1], after[start:][::-1])
    while end < len(before) and _within_word(before, end):
        end += 1
    rest = len(before) - end
    new = after[start : len(after) - rest]
    return f"{before[:start]}[-{before[start:end]}-]{{+{new}+}}{before[end:]}"


def _alike(one: str, other: str) -> int:
    """How many characters they begin alike with."""
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def _within_word(text: str, at: int) -> bool:
    return bool(re.fullmatch(r"\w\w", text[at - 1 : at + 1]))


@dataclass
class Explained:
    """Mutants by their words, or by patterns of them."""

    mutants: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]
    met: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, path: Path = KEPT) -> "Explained":
        groups = tomllib.loads(path.read_text())["group"]
        assert all(group["why"] for group in groups)
        mutants = [
            f"{place}: {text}"
            for group in groups
            for place, texts in group.get("mutants", {}).items()
            for text in texts
        ]
        patterns = [re.compile(one) for group in groups for one in group.get("patterns", ())]
        return cls(frozenset(mutants), tuple(patterns))

    def __contains__(self, described: str) -> bool:
        if described in self.mutants:
            self.met.add(described)
            return True
        return any(pattern.search(described) for pattern in self.patterns)

    def unused(self, rooms: Iterable[str]) -> list[str]:
        """Of these rooms: entries that no survivor was held against."""
        return sorted(
            one
            for one in self.mutants - self.met
            if any(one.startswith(f"vault/{room}/") for room in rooms)
        )
