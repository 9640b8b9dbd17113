"""What a route says of the messages of one direction, worked out once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vault.config import FieldRule, Route
from vault.errors import SetUpError
from vault.proxy.bodies.pieces import Rule
from vault.proxy.kinds import IsToken, Parsers

HEAD = frozenset(("header", "path", "query"))


class Place(NamedTuple):
    """A field of a head: which part, and its name there."""

    part: str
    name: str

    @classmethod
    def of(cls, select: str) -> "Place":
        part, _, name = select.partition(":")
        return cls(part, name.lower() if part == "header" else name)


class Rules:
    """The rules for requests, or those for answers."""

    def __init__(
        self, configured: Sequence[FieldRule], route: Route, is_token: IsToken, at: str
    ) -> None:
        """`at` is where they stand, for SetUpError: a selector that cannot be followed."""
        self.head: list[tuple[Place, Rule]] = []
        self.borrowed: dict[Rule, Place] = {}
        """Rules whose context is a field of the head."""
        bodies: dict[str, list[Rule]] = {}
        for one in configured:
            kind, _, selector = one.select.partition(":")
            rule = _rule(one, selector if kind not in HEAD else one.select)
            if one.context_select is not None and one.context_select.partition(":")[0] in HEAD:
                self.borrowed[rule] = Place.of(one.context_select)
            if kind in HEAD:
                self.head.append((Place.of(one.select), rule))
            else:
                bodies.setdefault(kind, []).append(rule)
        self.parsers = _parsers(bodies, route, is_token, at)

    @property
    def headers(self) -> set[bytes]:
        """The names of those that are rewritten, or lend contexts."""
        places = [*(place for place, _ in self.head), *self.borrowed.values()]
        return {place.name.encode() for place in places if place.part == "header"}

    def __bool__(self) -> bool:
        return bool(self.head) or self.parsers.any


def _rule(one: FieldRule, selector: str) -> Rule:
    inner = one.context_select
    if inner is not None:
        kind, _, rest = inner.partition(":")
        inner = None if kind in HEAD else rest if kind == one.select.partition(":")[0] else inner
    return Rule(
        selector,
        one.transformation or "",
        one.operation,
        context=one.context,
        context_selector=inner,
        on_error=one.on_error,
        leading=one.leading,
    )


def _parsers(bodies: Mapping[str, list[Rule]], route: Route, is_token: IsToken, at: str) -> Parsers:
    for kind, rules in bodies.items():
        try:
            Parsers({kind: rules}, route, is_token)
        except ValueError as error:
            raise SetUpError(f"{at}: {kind}: {error}") from None
    return Parsers(bodies, route, is_token)
