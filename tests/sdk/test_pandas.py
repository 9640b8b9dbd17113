"""Series and DataFrames through a real service."""

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import jeton
from jeton import pandas as columns
from jeton.testing import Service
from tests.sdk.test_arrow import GRANTS

pytestmark = pytest.mark.system

NIRS = ["284057512345672", None, "184057512345625", "284057512345672"]
DTYPES: list[Any] = [
    "str",
    "string",
    "string[python]",
    "string[pyarrow]",
    object,
    "category",
    pd.ArrowDtype(pa.string()),
    pd.ArrowDtype(pa.large_string()),
    pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())),
]


@pytest.fixture(scope="session")
def jeton_clients() -> dict[str, list[str]]:
    return {"columns": GRANTS}


@pytest.fixture
def client(jeton_service: Service) -> jeton.Client:
    return jeton_service.client("columns", purpose="test")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_series_keeps_its_index_name_dtype_and_gaps(client: jeton.Client, dtype: Any) -> None:
    series = pd.Series(NIRS, dtype=dtype, index=[7, 5, 5, 1], name="nir")
    tokens = columns.tokenise(client, "fr-nir", series).all()
    expected = client.tokenise("fr-nir", [NIRS[0] or "", NIRS[2] or ""]).all()
    shown = [None if pd.isna(one) else one for one in tokens]
    assert shown == [expected[0], None, expected[1], expected[0]]
    assert (tokens.name, list(tokens.index)) == ("nir", [7, 5, 5, 1])
    assert str(tokens.dtype) == str(series.dtype)
    revealed = columns.detokenise(client, "fr-nir", tokens).all()
    assert "284057512345672" not in repr(revealed)
    pd.testing.assert_series_equal(revealed.reveal(), series, check_categorical=False)
    masks = columns.mask(client, "fr-nir", tokens).all()
    assert [None if pd.isna(one) else one[:3] for one in masks] == ["284", None, "184", "284"]
    matched = columns.match(client, "fr-nir", tokens, series).all()
    assert [None if pd.isna(one) else bool(one) for one in matched] == [True, None, True, True]


def test_errors_stand_beside_their_rows(client: jeton.Client) -> None:
    series = pd.Series(["284057512345672", "none"], index=["a", "b"])
    got = columns.tokenise(client, "fr-nir", series)
    assert got.errors["b"] == "invalid_value"
    assert pd.isna(got.column["b"])
    with pytest.raises(jeton.InvalidValue):
        got.all()


def test_a_frame_is_done_column_by_column(client: jeton.Client) -> None:
    frame = pd.DataFrame({"nir": ["284057512345672"], "born": ["1984-05-12"], "paid": [3]})
    done = columns.tokenise_frame(
        client, frame, {"nir": "fr-nir", "born": "birth-date"}, contexts={"born": "nir"}
    )
    assert frame["nir"][0] == "284057512345672"
    nir = client.tokenise("fr-nir", "284057512345672")
    assert done["nir"][0] == nir
    assert done["born"][0] == client.tokenise("birth-date", "1984-05-12", context=nir)


def test_what_is_no_text_is_refused_without_being_repeated(client: jeton.Client) -> None:
    for wrong in (pd.Series([284057512345672]), pd.Series(["x", 284057512345672], dtype=object)):
        with pytest.raises(jeton.UsageError) as caught:
            columns.tokenise(client, "fr-nir", wrong)
        assert "284057512345672" not in f"{caught.value}{caught.value.__context__!r}"
    series = pd.Series(["1984-05-12"], index=["a"])
    with pytest.raises(jeton.UsageError, match="index"):
        columns.tokenise(client, "birth-date", series, context=pd.Series(["c"]))
