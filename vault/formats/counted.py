"""Sets of texts of one width that are counted: a text's rank, and the text at a rank.

Formats that are declared rather than programmed are put together from these. A set answers
any ASCII text of its width, and never raises for one: whatever is not in it has no rank.
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from vault.formats.check_characters import Check

State = TypeVar("State")


class Counted(Protocol):
    """The texts at the ranks ``0 .. size-1``, each `width` characters wide."""

    width: int
    size: int

    def rank(self, text: str) -> int | None:
        """None where the text is not one of the set; `text` is ASCII and of its width."""
        ...

    def text(self, rank: int) -> str:
        """The inverse, for ranks below `size`."""
        ...


class Numbers:
    """The numbers `first` to `last`, with their leading zeros; by default all of the width."""

    def __init__(self, width: int, first: int = 0, last: int | None = None) -> None:
        self.width = width
        self.first = first
        self.last = 10**width - 1 if last is None else last
        self.size = self.last - first + 1

    def rank(self, text: str) -> int | None:
        if not text.isdigit():
            return None
        number = int(text)
        return number - self.first if self.first <= number <= self.last else None

    def text(self, rank: int) -> str:
        return str(self.first + rank).zfill(self.width)


class OneOf:
    """The texts given, in their order."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)
        self.width = len(texts[0])
        self.size = len(texts)
        self._ranks = {text: rank for rank, text in enumerate(texts)}

    def rank(self, text: str) -> int | None:
        return self._ranks.get(text)

    def text(self, rank: int) -> str:
        return self.texts[rank]


class Row:
    """One of each of its parts, side by side; the last changes fastest."""

    def __init__(self, *parts: Counted) -> None:
        self.parts = parts
        self.width = sum(part.width for part in parts)
        self.size = 1
        for part in parts:
            self.size *= part.size

    def rank(self, text: str) -> int | None:
        at = total = 0
        for part in self.parts:
            rank = part.rank(text[at : at + part.width])
            if rank is None:
                return None
            total = total * part.size + rank
            at += part.width
        return total

    def text(self, rank: int) -> str:
        texts = []
        for part in reversed(self.parts):
            rank, at = divmod(rank, part.size)
            texts.append(part.text(at))
        return "".join(reversed(texts))


class Checked:
    """A set of bodies, each with the check characters that are right for it."""

    def __init__(self, body: Counted, check: Check) -> None:
        self.body, self.check = body, check
        self.width = body.width + check.width
        self.size = body.size

    def rank(self, text: str) -> int | None:
        body = text[: self.body.width]
        rank = self.body.rank(body)
        if rank is None or self.check.of(body) != text[self.body.width :]:
            return None
        return rank

    def text(self, rank: int) -> str:
        body = self.body.text(rank)
        return body + self.check.of(body)


class Either:
    """The texts of one set, then those of the next: sets that share no text."""

    def __init__(self, *sets: Counted) -> None:
        self.sets = sets
        self.width = sets[0].width
        self.size = sum(one.size for one in sets)

    def rank(self, text: str) -> int | None:
        before = 0
        for one in self.sets:
            rank = one.rank(text)
            if rank is not None:
                return before + rank
            before += one.size
        return None

    def text(self, rank: int) -> str:
        for one in self.sets:
            if rank < one.size:
                return one.text(rank)
            rank -= one.size
        raise IndexError("a rank is not below the size")


class Without:
    """A set but for a few of its texts."""

    def __init__(self, whole: Counted, *texts: str) -> None:
        self.whole = whole
        self.width = whole.width
        self.size = whole.size - len(texts)
        ranks = [whole.rank(text) for text in texts]
        self.gaps = sorted(rank for rank in ranks if rank is not None)

    def rank(self, text: str) -> int | None:
        rank = self.whole.rank(text)
        if rank is None or rank in self.gaps:
            return None
        return rank - bisect_right(self.gaps, rank)

    def text(self, rank: int) -> str:
        for gap in self.gaps:
            rank += rank >= gap
        return self.whole.text(rank)


class Walk(Generic[State]):
    """The texts that a walk through states accepts, in the order of the characters allowed.

    `places` are the characters of each place; `step` goes on from a state by a character, or
    answers None; `alike` maps states with as many ways on as each other to one key, so that
    ways are counted once for them all.
    """

    def __init__(
        self,
        places: Sequence[str],
        start: State,
        step: Callable[[State, int, str], State | None],
        accepts: Callable[[State], bool],
        alike: Callable[[State], Hashable],
    ) -> None:
        self.width = len(places)
        self._places, self._start = places, start
        self._step, self._accepts, self._alike = step, accepts, alike
        self._ways: dict[tuple[int, Hashable], int] = {}
        self.size = self._count(0, start)

    def rank(self, text: str) -> int | None:
        state, total = self._start, 0
        for at, character in enumerate(text):
            for other in self._places[at]:
                following = self._step(state, at, other)
                if other == character:
                    break
                total += self._count(at + 1, following)
            else:
                return None
            if following is None:
                return None
            state = following
        return total if self._accepts(state) else None

    def text(self, rank: int) -> str:
        state, characters = self._start, ""
        for at, allowed in enumerate(self._places):
            for character in allowed:
                following = self._step(state, at, character)
                ways = self._count(at + 1, following)
                if following is not None and rank < ways:
                    state = following
                    characters += character
                    break
                rank -= ways
        return characters

    def _count(self, at: int, state: State | None) -> int:
        """How many texts go on from `state` before the place `at`."""
        if state is None:
            return 0
        key = (at, self._alike(state))
        ways = self._ways.get(key)
        if ways is None:
            if at == self.width:
                ways = int(self._accepts(state))
            else:
                steps = (self._step(state, at, character) for character in self._places[at])
                ways = sum(self._count(at + 1, following) for following in steps)
            self._ways[key] = ways
        return ways


def but_for_check(numbers: Counted, text: str) -> bool:
    """Whether only the check characters keep a text out of a set: a typing error, likely."""
    match numbers:
        case Checked():
            return numbers.body.rank(text[: numbers.body.width]) is not None
        case Either():
            return any(but_for_check(one, text) for one in numbers.sets)
    return False
