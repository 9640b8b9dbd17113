"""An Arrow stream whose null rows had views that led nowhere killed the worker: pyarrow validates
the views of rows that are there, and reads all of them as it casts."""

import pyarrow as pa
import pytest

from tests.support import arrow
from vault.web import arrow_body

LIES = [(-1, 0, 0, 0), (-(2**31), 0, 0, 0), (2**31 - 1, 0, 0, 0), (60, 0, 220, 0), (60, 0, 0, -9)]
TEXTS = ["1234", None, "a text that is not in its view", None, "5"]


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("first", [0, 1, 2])
def test_nobody_looks_at_the_views_of_null_rows(lie: tuple[int, ...], first: int) -> None:
    good = pa.array(TEXTS, pa.string_view())
    validity, views, *data = good.buffers()
    forged = bytearray(views.to_pybytes())
    for row, text in enumerate(TEXTS):
        if text is None:
            forged[16 * row : 16 * row + 16] = _int32s(*lie)
    buffers = [validity, pa.py_buffer(bytes(forged)), *data]
    column = pa.Array.from_buffers(pa.string_view(), len(TEXTS), buffers).slice(first)
    stream = arrow.stream(arrow.batch(value=column))
    sent = arrow_body.decode("tokenise", stream, 100, 1_000)
    assert list(sent.items) == [text for text in TEXTS[first:] if text is not None]


def _int32s(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little", signed=True) for number in numbers)
