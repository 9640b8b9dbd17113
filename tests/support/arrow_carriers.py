"""Every place of an Arrow stream that a value may stand in, in sound streams and broken ones."""

from collections.abc import Callable

import pyarrow as pa

from tests.support.arrow import batch, stream


def _sound(value: str, item: str) -> bytes:
    return stream(batch(**{item: pa.array([value, value])}))


def _with_schema(value: str, item: str) -> bytes:
    marked = {value: value, "pandas": value}
    field = pa.field(item, pa.utf8(), metadata=marked)
    schema = pa.schema([field], metadata=marked)
    return stream(pa.record_batch([pa.array(["1234567890"])], schema=schema))


def _dictionary(value: str, item: str) -> bytes:
    array = pa.DictionaryArray.from_arrays(pa.array([0, None, 1]), pa.array(["1234567890", value]))
    return stream(batch(**{item: array}))


def _spare(value: str, item: str) -> bytes:
    array = pa.DictionaryArray.from_arrays(pa.array([0]), pa.array(["1234567890", value]))
    return stream(batch(**{item: array}))


def _out_of_range(value: str, item: str) -> bytes:
    indices = pa.Array.from_buffers(pa.int32(), 1, [None, pa.py_buffer(b"\7\0\0\0")])
    array = pa.DictionaryArray.from_arrays(indices, pa.array([value]), safe=False)
    return stream(batch(**{item: array}))


def _nested(value: str, item: str) -> bytes:
    return stream(batch(**{item: pa.array([{value: [value]}])}))


def _invalid(value: str, item: str) -> bytes:
    data = b"\xff" + value.encode()
    offsets = len(data).to_bytes(4, "little")
    buffers = [None, pa.py_buffer(b"\0\0\0\0" + offsets), pa.py_buffer(data)]
    return stream(batch(**{item: pa.Array.from_buffers(pa.utf8(), 1, buffers)}))


def _flipped(value: str, item: str) -> bytes:
    sent = bytearray(_sound(value, item))
    for at in range(16, len(sent), 97):
        sent[at] ^= 0x10
    return bytes(sent)


def _column(kind: pa.DataType) -> Callable[[str, str], bytes]:
    return lambda value, item: stream(batch(**{item: pa.array([value]).cast(kind)}))


ARROW: dict[str, Callable[[str, str], bytes]] = {
    "value": _sound,
    "view": _column(pa.string_view()),
    "binary": _column(pa.binary()),
    "large binary": _column(pa.large_binary()),
    "list": lambda value, item: stream(batch(**{item: pa.array([[value]])})),
    "nested": _nested,
    "column name": lambda value, _: stream(batch(**{value: pa.array([value])})),
    "extra column": lambda value, item: stream(
        batch(**{item: pa.array(["1"]), value: pa.array([value])})
    ),
    "column twice": lambda value, item: stream(
        pa.record_batch([pa.array([value])] * 2, names=[item, item])
    ),
    "context": lambda value, item: stream(
        batch(**{item: pa.array(["1234567890"]), "context": pa.array([value])})
    ),
    "context not NFC": lambda value, item: stream(
        batch(**{item: pa.array(["1234567890"]), "context": pa.array([f"e\u0301{value}"])})
    ),
    "context of a null": lambda value, item: stream(
        batch(**{item: pa.array([None], pa.utf8()), "context": pa.array([value])})
    ),
    "candidate": lambda value, item: stream(
        batch(**{item: pa.array(["1234567890"]), "candidate": pa.array([value])})
    ),
    "metadata": _with_schema,
    "dictionary": _dictionary,
    "spare entry": _spare,
    "index out of range": _out_of_range,
    "invalid UTF-8": _invalid,
    "compressed": lambda value, item: stream(
        batch(**{item: pa.array([value] * 50)}), compression="lz4"
    ),
    "cut": lambda value, item: _sound(value, item)[:-40],
    "without end": lambda value, item: _sound(value, item)[:-8],
    "and more": lambda value, item: _sound(value, item) + value.encode() * 4,
    "in front": lambda value, item: value.encode() + _sound(value, item),
    "flipped": _flipped,
    "file": lambda value, item: b"ARROW1\0\0" + _sound(value, item),
    "text": lambda value, _: value.encode() * 20,
}
