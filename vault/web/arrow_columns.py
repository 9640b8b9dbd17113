"""Arrow's columns of text as the engine's columns, and the engine's answers as Arrow's.

Texts of one width go to the engine as they stand in Arrow's buffer, and its rows come back as
such a buffer. A dictionary goes there once, without the entries that no row has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vault.engine.column import Coded, Codes, Rows
from vault.engine.context import Contexts
from vault.errors import Refusal
from vault.formats.base import Flags
from vault.web.body import check_context, malformed

Array = Any
Kind = Any
"""pyarrow comes without types."""

NULL = -1


def text_kind(kind: Kind) -> Kind | None:
    """The kind of text a column holds, behind a dictionary too; None if it is another column."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return kind if any(is_(kind) for is_ in known) else None


def answer_kind(kind: Kind) -> Kind:
    """As what a column is answered: as it came, with room for any number of answers."""
    return pa.dictionary(pa.int32(), text_kind(kind)) if pa.types.is_dictionary(kind) else kind


@dataclass(slots=True, repr=False)  # values stand in it
class Column:
    """A column of all batches. With `codes`, row `i` is the text at ``codes[i]`` of `array`
    (NULL: none), whose texts differ; else `array` has the rows themselves."""

    array: Array
    """One utf8 or large_utf8 array, validated."""
    codes: Codes | None = None

    def there(self) -> Flags:
        """The rows that are not null."""
        if self.codes is not None:
            coded: Flags = self.codes != NULL
            return coded
        return _flags(self.array.is_valid())

    def items(self, rows: Flags | None, room: int) -> Sequence[str]:
        """The texts of these rows (None: all), of which none is null.

        Raises Refusal ``too_large`` where they have more than `room` bytes, written out.
        """
        if self.codes is None:
            return _texts(self.array if rows is None else self.array.filter(pa.array(rows)))
        array, codes = _used(self.array, self.codes if rows is None else self.codes[rows])
        lengths = np.diff(_offsets(array)).astype(np.int64)
        if int(np.bincount(codes, minlength=len(array)) @ lengths) > room:
            raise Refusal("too_large", f"a column has at most {room} bytes, written out")
        return Coded(_texts(array), codes)

    def contexts(self, rows: Flags | None) -> Contexts:
        """The contexts of these rows (None: all). Raises Refusal ``malformed_request``."""
        array, codes = self.array, self.codes
        if codes is None:
            encoded = array.dictionary_encode()
            array, codes = encoded.dictionary, _numbers(encoded.indices)
        codes = codes if rows is None else codes[rows]
        given = codes != NULL
        if not given.any():
            return None
        array, codes[given] = _used(array, codes[given])
        distinct: list[str | None] = array.to_pylist()
        for context in distinct:
            check_context(str(context))
        if given.all():
            return distinct[0] if len(distinct) == 1 else Coded(distinct, codes)
        codes[~given] = len(distinct)
        return Coded([*distinct, None], codes)


def read(chunks: Sequence[Array], kind: Kind, room: int) -> Column:
    """The column of these chunks, not yet validated, of a `kind` that holds text.

    Raises Refusal, or whatever pyarrow does, for what is malformed, or has more than `room`
    bytes.
    """
    if not pa.types.is_dictionary(kind):
        return Column(_join([_plain(chunk, room) for chunk in chunks], room))
    parts: list[Array] = []
    starts: dict[object, int] = {}
    numbers: list[Codes] = [np.empty(0, np.int64)]
    size = 0
    for chunk in chunks:
        dictionary = chunk.dictionary
        same = _identity(dictionary)
        if same not in starts:  # a stream sends a dictionary once for many batches
            starts[same] = size
            parts.append(_plain(dictionary, room))
            size += len(dictionary)
        chunk.indices.validate(full=True)
        codes = _numbers(chunk.indices)
        if len(codes) and codes.max() >= len(dictionary):
            raise malformed("an index leads out of its dictionary")
        codes[codes != NULL] += starts[same]
        numbers.append(codes)
    joined = _join(parts, room).dictionary_encode()  # null entries are null rows
    places = np.append(_numbers(joined.indices), NULL)
    return Column(joined.dictionary, places[np.concatenate(numbers)])


def written(results: Sequence[str | bool | None], kind: Kind, places: Codes | None) -> Array:
    """Results as an array of `kind`; with `places`, row `i` has result ``places[i]`` (NULL:
    null)."""
    if isinstance(results, Coded):
        once = _text_array(results.distinct).dictionary_encode()
        indices = once.indices.take(pa.array(results.codes))
        array = pa.DictionaryArray.from_arrays(indices, once.dictionary)
    elif pa.types.is_boolean(kind):
        array = pa.array(results, kind)
    else:
        array = _text_array(results)
        if pa.types.is_dictionary(kind):
            array = array.dictionary_encode()
    array = placed(array, places)
    if pa.types.is_dictionary(kind):
        dictionary = array.dictionary.cast(kind.value_type)
        return pa.DictionaryArray.from_arrays(array.indices, dictionary)
    return array if array.type == kind else array.cast(kind)


def placed(array: Array, places: Codes | None) -> Array:
    """With `places`, an array whose row `i` is row ``places[i]`` of this one (NULL: null)."""
    return array if places is None else array.take(pa.array(places, mask=places == NULL))


def _text_array(texts: Sequence[Any]) -> Array:
    """As utf8."""
    if not isinstance(texts, Rows):
        return pa.array(list(texts), pa.utf8())
    rows, width = texts.cells.shape
    there = None
    if texts.there is not None and not texts.there.all():
        there = pa.py_buffer(np.packbits(texts.there, bitorder="little"))
    offsets = pa.py_buffer(np.arange(rows + 1, dtype=np.int32) * np.int32(width))
    cells = pa.py_buffer(np.ascontiguousarray(texts.cells))
    return pa.Array.from_buffers(pa.utf8(), rows, [there, offsets, cells])


def _texts(array: Array) -> Sequence[str]:
    """Without nulls: as rows where all are ASCII and of one width."""
    offsets = _offsets(array)
    if len(array):
        width = int(offsets[1] - offsets[0])
        if width and (np.diff(offsets) == width).all():
            data = np.frombuffer(array.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
            if data.max() < 0x80:
                return Rows(data.reshape(-1, width))
    texts: list[str] = array.to_pylist()
    return texts


def _offsets(array: Array) -> NDArray[np.signedinteger[Any]]:
    """Where each text of a utf8 or large_utf8 array begins, and where the last one ends."""
    if not len(array):
        return np.zeros(1, np.int64)
    kind = np.dtype(np.int32 if pa.types.is_string(array.type) else np.int64)
    start = array.offset * kind.itemsize
    return np.frombuffer(array.buffers()[1], kind, len(array) + 1, start)


def _plain(array: Array, room: int) -> Array:
    """A column of text, validated; utf8_view, whose texts may share their bytes, as utf8."""
    array.validate(full=True)
    if not pa.types.is_string_view(array.type):
        return array
    if not len(array):
        return pa.array([], pa.utf8())
    validity, buffer, *data = array.buffers()
    views = np.frombuffer(buffer, np.int32, 4 * (array.offset + len(array))).reshape(-1, 4).copy()
    rows = views[array.offset :]
    rows[~_flags(array.is_valid())] = 0  # whatever is there: nobody validates it, and casts read it
    if int(rows[:, 0].sum(dtype=np.int64)) > room:
        raise Refusal("too_large", f"a column has at most {room} bytes, written out")
    buffers = [validity, pa.py_buffer(views), *data]
    whole = pa.Array.from_buffers(array.type, len(array), buffers, offset=array.offset)
    return whole.cast(pa.utf8())


def _join(arrays: Sequence[Array], room: int) -> Array:
    if not arrays:
        return pa.array([], pa.utf8())
    if sum(int(offsets[-1] - offsets[0]) for offsets in map(_offsets, arrays)) > room:
        raise Refusal("too_large", f"a column has at most {room} bytes, written out")
    return arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)


def _identity(array: Array) -> object:
    """The same for two arrays that are one in memory."""
    buffers = [None if b is None else (b.address, b.size) for b in array.buffers()]
    return array.offset, len(array), *buffers


def _used(array: Array, codes: Codes) -> tuple[Array, Codes]:
    """Without the texts that no code means."""
    used = np.zeros(len(array), np.bool_)
    used[codes] = True
    if used.all():
        return array, codes
    return array.filter(pa.array(used)), (np.cumsum(used) - 1)[codes]


def _numbers(indices: Array) -> Codes:
    """A copy, with NULL for null."""
    numbers: Codes = indices.fill_null(0).cast(pa.int64()).to_numpy().copy()
    if len(numbers) and numbers.min() < 0:
        raise malformed("an index leads out of its dictionary")
    if indices.null_count:
        numbers[_flags(indices.is_null())] = NULL
    return numbers


def _flags(array: Array) -> Flags:
    flags: Flags = array.to_numpy(zero_copy_only=False)
    return flags
