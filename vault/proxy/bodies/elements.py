"""What rules ask of the elements of XML, worked out once for all that stand in one state.

Of most elements nothing is asked: no path names them, nor an attribute or a text of them. They
are *plain*: one looks like the other, and nothing has to be known of one but that it is open.
"""

from collections.abc import Callable, Sequence

from vault.proxy.bodies.jsonpath import Path
from vault.proxy.bodies.pieces import Rule
from vault.proxy.bodies.ways import Plan, State, Way
from vault.proxy.bodies.xpath import TEXT

ANY = ""
"""A name that no path has: it leads where every element leads that no path names."""


class Kind:
    """All elements in one state."""

    __slots__ = ("attributes", "below", "live", "locals", "names", "plain", "text")

    def __init__(self, state: State, plain: State | None) -> None:
        self.live = bool(state.threads)
        """A path leads through them."""
        self.text = TEXT in state.names
        """Their text is asked for."""
        self.attributes = frozenset(name for name in state.names if name.startswith("@"))
        self.names = state.names
        self.locals = state.locals
        self.plain = plain
        """The state of children that none of these names, if those are plain."""
        self.below = None if self.live else self
        """Their kind, once there was one."""


class XmlPlan(Plan):
    """The rules of XML."""

    def __init__(self, rules: Sequence[Rule], compiled: Callable[[str], Path]) -> None:
        super().__init__(rules, compiled)
        self._kinds: dict[State, Kind] = {}

    def kind(self, state: State) -> Kind:
        kind = self._kinds.get(state)
        if kind is None:
            kind = Kind(state, self._plain(state))
            if state.remembered:
                self._kinds[state] = kind
        return kind

    def _plain(self, state: State) -> State | None:
        if TEXT in state.names or not state.remembered:
            return None  # a text that is asked for does not go on beyond any child
        way = self.way(state, ANY)
        return way.state if way.state.remembered and _is_plain(way) else None


def _is_plain(way: Way) -> bool:
    asked = any(name == TEXT or name.startswith("@") for name in way.state.names)
    return not (way.tests or way.hits or asked)
