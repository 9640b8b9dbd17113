"""What comes back from a batch: a result or an error for every item, in order."""

from dataclasses import dataclass, field

from vault.errors import ItemError


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """One failed item of a batch: its place, its stable code, and words without the value."""

    index: int
    code: str
    detail: str


@dataclass(slots=True)
class Outcome:
    """`texts` is as long as the batch, with None exactly where `errors` has an entry."""

    texts: list[str | None]
    errors: dict[int, ItemError] = field(default_factory=dict)

    def fail(self, index: int, error: ItemError) -> None:
        self.texts[index] = None
        self.errors[index] = error

    def failures(self) -> list[ItemFailure]:
        """The errors in the order of the batch."""
        return [
            ItemFailure(index, error.code, error.detail)
            for index, error in sorted(self.errors.items())
        ]
