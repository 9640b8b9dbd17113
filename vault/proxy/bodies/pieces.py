"""What parsers of bodies give: bytes that pass as they are, and fields that rules select, one by
one or many records of them at once."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
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
        self.text = text
        self.rule = rule
        self.raw = raw
        self.encode = encode
        if rule.leading is not None:
            rest = text[rule.leading :]
            self.text = text[: rule.leading]
            self.encode = lambda new: encode(new + rest)
        self.context = context if context is not None else rule.context
        self.dropped = dropped
        self.outcome: str | ItemError | None = None

    def __repr__(self) -> str:
        return f"<Field by {self.rule.selector!r}>"


class Column:
    """The texts that one rule selected in many records, "" where it selected none.

    `context` may be the column beside it, or texts of these records. `outcome` has as many items.
    """

    __slots__ = ("context", "gaps", "outcome", "rule", "texts")

    def __init__(self, texts: list[str], rule: Rule) -> None:
        self.texts = texts
        self.rule = rule
        self.gaps = "" in texts
        self.context: str | Field | Column | list[str] | None = rule.context
        self.outcome: Sequence[str | ItemError] | None = None

    def __repr__(self) -> str:
        return f"<Column by {self.rule.selector!r}>"


class Columns(ABC):
    """Whole records whose fields stand in columns: as its fields one by one, at less cost each."""

    __slots__ = ("columns", "records")

    def __init__(self, records: bytes, columns: Sequence[Column]) -> None:
        self.records = records
        self.columns = columns

    def __len__(self) -> int:
        """How many fields."""
        return sum(len(of.texts) - (of.gaps and of.texts.count("")) for of in self.columns)

    @abstractmethod
    def put_back(self) -> bytes | None:
        """The records with what became of them; None where that has to be seen one by one."""

    @abstractmethod
    def apart(self) -> Sequence["bytes | Field"]:
        """The same pieces as another way finds them, of which nobody was asked yet."""

    def one_by_one(self) -> Sequence["bytes | Field"]:
        """The same pieces, with what became of them."""
        pieces = self.apart()
        columns = {id(column.rule): column for column in self.columns}
        places = {key: _filled(column) for key, column in columns.items()}
        for piece in pieces:
            if isinstance(piece, Field):
                column, place = columns[id(piece.rule)], next(places[id(piece.rule)])
                if column.outcome is not None:
                    piece.outcome = column.outcome[place]
                if not isinstance(column.context, Column | list):
                    piece.context = column.context
        return pieces

    def __repr__(self) -> str:
        return f"<Columns by {[column.rule.selector for column in self.columns]}>"


def _filled(column: Column) -> Iterator[int]:
    return (place for place, text in enumerate(column.texts) if text)


Piece = bytes | Field | Columns


def one_by_one(pieces: Iterable[Piece]) -> list[bytes | Field]:
    """Pieces without columns."""
    out: list[bytes | Field] = []
    for piece in pieces:
        if isinstance(piece, bytes | Field):
            out.append(piece)
        else:
            out += piece.one_by_one()
    return out


class Parser(Protocol):
    """Chunks cut anywhere in, pieces out, in order; together they are the body."""

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        """Whatever `chunk` completes. Raises Unparsable."""
        ...

    def close(self) -> Sequence[Piece]:
        """What was still held when the body ended. Raises Unparsable."""
        ...
