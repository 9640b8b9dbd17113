"""What parsers of bodies give: bytes that pass as they are, and fields that rules select."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from vault.errors import ItemError, JetonError

Operation = Literal["tokenise", "detokenise", "mask", "drop"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to the fields that `selector` finds; each kind of body says how it is read.

    `context` is a constant. `context_selector` names another field of the same record; where
    that one is tokenised too its token is the context, as it is on the way back. Of several
    `alternatives` the first that stands there counts. `leading`: so many characters of the text
    are the value, what follows them stays.
    """

    selector: str
    transformation: str
    operation: Operation
    context: str | None = None
    context_selector: str | None = None
    on_error: Literal["block", "pass"] = "block"
    leading: int | None = None


_ALTERNATIVE = re.compile(r"(?:'[^']*'|\"[^\"]*\"|\|\||[^|'\"]|['\"])+")


def alternatives(context_selector: str | None) -> list[str]:
    """Those that are parted by ``|``, outside quotes."""
    return [one.strip() for one in _ALTERNATIVE.findall(context_selector or "") if one.strip()]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many bytes one token and one record may hold in memory, and how deep bodies nest."""

    token: int = 4 << 20
    record: int = 4 << 20
    depth: int = 128


class Unparsable(JetonError):
    """The body breaks a rule of its kind at a byte; says nothing of what stands there.

    What is unfinished is found when the body ends or a limit is reached: `offset` is then where
    the unfinished part begins.
    """

    def __init__(self, rule: str, offset: int) -> None:
        super().__init__(f"{rule}, at byte {offset}")
        self.rule = rule
        self.offset = offset


class DoesNotFit(ItemError):
    """The replacement cannot be written where the text stood."""

    code = "does_not_fit"


class Field:
    """A text that a rule selected: its place holds `raw`, and `encode` writes another text there.

    `encode` may raise DoesNotFit. `outcome` is what the engine answered, once it has.
    """

    __slots__ = ("context", "dropped", "encode", "outcome", "raw", "rule", "text")

    def __init__(
        self,
        text: str,
        rule: Rule,
        raw: bytes,
        encode: Callable[[str], bytes],
        *,
        context: "str | Field | None" = None,
        dropped: bytes = b"",
    ) -> None:
        self.text = text[: rule.leading]
        self.rule = rule
        self.raw = raw
        rest = text[len(self.text) :]
        self.encode = (lambda new: encode(new + rest)) if rest else encode
        self.context = context if context is not None else rule.context
        self.dropped = dropped
        self.outcome: str | ItemError | None = None

    def __repr__(self) -> str:
        return f"<Field by {self.rule.selector!r}>"


Piece = bytes | Field


class Parser(Protocol):
    """Chunks cut anywhere in, pieces out, in order; together they are the body."""

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        """Whatever `chunk` completes. Raises Unparsable."""
        ...

    def close(self) -> Sequence[Piece]:
        """What was still held when the body ended. Raises Unparsable."""
        ...
