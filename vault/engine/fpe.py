"""Vaultless tokens: a format's ranks, permuted by FF1 under the key of a slot.

Two paths give the same answers: item by item, and by numpy columns for batches. The column
path takes whatever the format's columns accept, and hands every other row to the scalar
path, which either answers it or says what is wrong with it: so there is one place only where
errors are made.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vault.crypto.keyset import Keyset
from vault.crypto.permutation import Permutation
from vault.engine.column import Rows, as_cells
from vault.engine.context import Contexts, context_at, tweak, tweaks
from vault.engine.outcome import Outcome
from vault.errors import ItemError, NotAToken, Refusal
from vault.formats.base import Cells, Columns, Flags, Format, Place, Ranks

VECTOR_FROM = 12
"""Batches from this size on take the column path (benchmarks/engine.py shows where it wins)."""

CHUNK = 4_096
"""Items a pass: the working set of a pass stays in the second-level cache."""

ROWS_CHUNK = 16_384
"""The same for items that come as rows: there are no strings beside them."""

Tweaks = bytes | NDArray[np.uint8]


class Fpe:
    """One transformation's permutations, by kind and key version.

    Where the format has room for the keyset's slots, the slot of a token names its version;
    where it has not, every token is of the pinned `key_version`.
    """

    def __init__(self, form: Format, keyset: Keyset, key_id: str, key_version: int) -> None:
        self.format = form
        self.pinned = key_version if form.slots < keyset.slots else None
        self._keyset = keyset
        self._key_id = key_id
        self._permutations: dict[tuple[int, int], Permutation] = {}
        version = self.pinned or keyset.primary.version
        slot = 0 if self.pinned else (version - 1) % keyset.slots
        self.versions = self._versions()
        """The usable key version of each slot; None where there is none."""
        self._reading = _Detokenising(self)
        self._writing = _Tokenising(self, version, slot) if self.versions[slot] == version else None

    def tokenise(self, values: Sequence[str], contexts: Contexts) -> Outcome:
        """A token for every value, or its error.

        Raises Refusal (keys_unavailable) where the key to tokenise with is not usable.
        """
        if self._writing is None:
            raise Refusal("keys_unavailable", "the key version to tokenise with is not usable")
        return self._run(values, contexts, self._writing)

    def detokenise(self, tokens: Sequence[str], contexts: Contexts) -> Outcome:
        """The value of every token, or its error; a wrong context is not always noticed."""
        return self._run(tokens, contexts, self._reading)

    def permutation(self, kind: int, version: int) -> Permutation:
        made = self._permutations.get((kind, version))
        if made is None:
            key = self._keyset.derive(version, "default", self._key_id)
            made = Permutation(key, self.format.domain(kind))
            self._permutations[kind, version] = made
        return made

    def _run(self, items: Sequence[str], contexts: Contexts, way: "_Way") -> Outcome:
        if len(items) == 1 and isinstance(items, list):  # a single call
            outcome = Outcome([None])
            try:
                outcome.texts = [way.one(items[0], tweak(context_at(contexts, 0)))]
            except ItemError as error:
                outcome.fail(0, error)
            return outcome
        outcome = Outcome.to(items)
        columns = self.format.columns
        left: Sequence[int] = range(len(items))
        if columns is not None and len(items) >= VECTOR_FROM:
            left = _run_columns(items, tweaks(contexts, len(items)), columns, way, outcome)
        same = tweak(contexts) if contexts is None or isinstance(contexts, str) else None
        for index in left:
            try:
                by = same or tweak(context_at(contexts, index))
                outcome.put(index, way.one(items[index], by))
            except ItemError as error:
                outcome.fail(index, error)
        return outcome

    def _versions(self) -> list[int | None]:
        if self.pinned is None:
            found = [self._keyset.in_slot(slot) for slot in range(self._keyset.slots)]
        else:
            found = [next((v for v in self._keyset.versions if v.version == self.pinned), None)]
        return [each.version if each is not None and each.usable else None for each in found]


class _Tokenising:
    """Values to tokens under one key version."""

    def __init__(self, fpe: Fpe, version: int, slot: int) -> None:
        self._fpe, self._format = fpe, fpe.format
        self._version, self._slot = version, slot

    def one(self, value: str, by: bytes) -> str:
        kind, rank, form = self._format.read_value(value)
        permutation = self._fpe.permutation(kind, self._version)
        permuted = permutation.encrypt(rank, by)
        return self._format.write_token(Place(kind, self._slot * permutation.size + permuted, form))

    def many(self, cells: Cells, by: Tweaks, kind: int, columns: Columns) -> tuple[Flags, Cells]:
        good, ranks = columns.read_values(cells)
        ranks = _zeroed(ranks, good)
        ranks = self._fpe.permutation(kind, self._version).encrypt_array(ranks, by)
        if self._slot:
            ranks += np.uint64(self._slot * self._format.domain(kind).size)
        return good, columns.write_tokens(ranks, cells)


class _Detokenising:
    """Tokens to values, each under the key version of its slot."""

    def __init__(self, fpe: Fpe) -> None:
        self._fpe, self._format = fpe, fpe.format

    def one(self, token: str, by: bytes) -> str:
        kind, rank, form = self._format.read_token(token)
        slot, permuted = divmod(rank, self._format.domain(kind).size)
        version = self._version(slot)
        if version is None:
            raise NotAToken("no usable key version stands in this token's slot")
        opened = self._fpe.permutation(kind, version).decrypt(permuted, by)
        return self._format.write_value(Place(kind, opened, form))

    def _version(self, slot: int) -> int | None:
        versions = self._fpe.versions
        return versions[slot] if slot < len(versions) else None

    def many(self, cells: Cells, by: Tweaks, kind: int, columns: Columns) -> tuple[Flags, Cells]:
        good, ranks = columns.read_tokens(cells)
        ranks = _zeroed(ranks, good)
        slots = ranks // np.uint64(self._format.domain(kind).size)
        for slot in range(int(slots.max()) + 1):
            rows = slots == np.uint64(slot)
            version = self._version(slot)
            if version is None:
                good = good & ~rows
                ranks[rows] = 0  # theirs are no values' ranks: they may not be written
                continue
            permutation = self._fpe.permutation(kind, version)
            base = np.uint64(slot * self._format.domain(kind).size)
            if rows.all():
                ranks = permutation.decrypt_array(ranks - base, by)
            else:
                some = by if isinstance(by, bytes) else by[rows]
                ranks[rows] = permutation.decrypt_array(ranks[rows] - base, some)
        written, out = columns.write_values(ranks, cells)
        return good & written, out


_Way = _Tokenising | _Detokenising


def _zeroed(ranks: Ranks, good: Flags) -> Ranks:
    """Rows that are no values have undefined ranks: give them one inside the domain."""
    return ranks if good.all() else np.where(good, ranks, np.uint64(0))


def _run_columns(
    items: Sequence[str], by: Tweaks, columns: Columns, way: _Way, outcome: Outcome
) -> list[int]:
    """Answer what the columns accept; returns the indexes of all other items."""
    left: list[int] = []
    chunk = ROWS_CHUNK if isinstance(items, Rows) else CHUNK
    for start in range(0, len(items), chunk):
        part = items[start : start + chunk]
        some = by if isinstance(by, bytes) else by[start : start + chunk]
        cells = as_cells(part)
        if cells is not None:
            rows: Sequence[int] = range(start, start + len(part))
            left += _run_rows(rows, cells, some, columns, way, outcome)
        else:
            left += _run_mixed(start, part, some, columns, way, outcome)
    return left


def _run_mixed(
    start: int,
    items: Sequence[str],
    by: Tweaks,
    columns: Columns,
    way: _Way,
    outcome: Outcome,
) -> list[int]:
    """Items of several lengths, a column pass for each length that there is enough of."""
    left: list[int] = []
    lengths = np.fromiter(map(len, items), np.int64, len(items))
    for width in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == width)
        chosen = [items[row] for row in rows.tolist()]
        cells = as_cells(chosen) if len(rows) >= VECTOR_FROM else None
        places = (rows + start).tolist()
        if cells is None:
            left += places
        else:
            some = by if isinstance(by, bytes) else by[rows]
            left += _run_rows(places, cells, some, columns, way, outcome)
    return left


def _run_rows(
    rows: Sequence[int],
    cells: Cells,
    by: Tweaks,
    columns: Columns,
    way: _Way,
    outcome: Outcome,
) -> list[int]:
    """One column pass: rows of one width, whose answers go to the places `rows`."""
    kind = columns.kind(cells.shape[1])
    if kind is None:
        return list(rows)
    good, out = way.many(cells, by, kind, columns)
    return outcome.put_cells(rows, out, good)
