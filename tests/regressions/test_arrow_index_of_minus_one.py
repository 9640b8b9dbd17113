"""An index of -1 into an Arrow dictionary was read as null: a forged row was answered as if it were
empty, instead of being refused."""

import numpy as np
import pyarrow as pa
import pytest

from vault.errors import Refusal
from vault.web.arrow_columns import read


def test_it_leads_out_of_its_dictionary() -> None:
    indices = pa.Array.from_buffers(
        pa.int8(), 2, [None, pa.py_buffer(np.array([0, -1], "i1").tobytes())]
    )
    column = pa.DictionaryArray.from_arrays(indices, pa.array(["a", "b"]), safe=False)
    with pytest.raises(Refusal) as refused:
        read([column], column.type, 1_000)
    assert refused.value.code == "malformed_request"


def test_null_is_null() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int8()), pa.array(["a"]))
    assert read([column], column.type, 1_000).codes.tolist() == [0, -1]
