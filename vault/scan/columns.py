"""Parquet and Arrow: every column as text, a value a line, with ``jeton[arrow]``.

Their bytes say little: values stand one behind the other with nothing between, or folded.
"""

import json
from collections.abc import Iterable, Iterator
from typing import IO, Any

from vault.scan.sqlite import Lines
from vault.scan.streams import Readable, Skipped


def columns(file: IO[bytes], head: bytes) -> Iterator[tuple[str, Readable]]:
    """By the column's name. Raises Skipped where pyarrow is missing."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise Skipped("Parquet and Arrow are read with jeton[arrow]") from None
    if head.startswith(b"PAR1"):
        parquet = pq.ParquetFile(file)
        for name in parquet.schema_arrow.names:
            yield name, _lines(name, parquet.iter_batches(columns=[name]))
        return
    opened = pa.ipc.open_file if head.startswith(b"ARROW1") else pa.ipc.open_stream
    for name in opened(file).schema.names:
        file.seek(0)
        reader = opened(file)
        is_file = head.startswith(b"ARROW1")
        batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
        yield name, _lines(name, batches)


def _lines(name: str, batches: Iterable[Any]) -> Lines:
    return Lines(text for batch in batches for text in _texts(batch.column(name)))


def _texts(column: Any) -> Iterator[bytes]:
    for value in column.to_pylist():
        if isinstance(value, bytes):
            yield value
        elif isinstance(value, (list, dict)):
            yield json.dumps(value, default=str).encode()
        else:
            yield b"" if value is None else str(value).encode()
