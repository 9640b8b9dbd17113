"""Columns of Arrow through a real service."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jeton
from benchmarks.population import nirs
from jeton import arrow, arrow_stream
from jeton.columns import SensitiveColumn
from jeton.protocol import TOKENISE, Answer, Call, Question
from jeton.testing import Service, serve
from tests.support.arrow import DICTIONARIES, TEXTS, laid_out
from tests.support.values import ordinary_nirs

pytestmark = pytest.mark.system

MUCH = {f"{budget}.day": 10**9 for budget in ("tokenise", "reveal", "match", "people")} | {
    f"{budget}.hour": 10**9 for budget in ("tokenise", "reveal", "match")
}
GRANTS = [
    "tokenise:fr-nir",
    "tokenise:birth-date",
    "detokenise:fr-nir:test",
    "detokenise:birth-date:test",
    "mask:fr-nir:test",
    "match:fr-nir:test",
]


class Watched(jeton.Client):
    """A client that remembers how many bytes it sent in each call."""

    sent: list[int]

    def _send_by(self, call: Call[Any], deadline: float) -> Any:
        self.sent.append(len(call.body or b""))
        return super()._send_by(call, deadline)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serve({"columns": GRANTS}, MUCH) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Watched]:
    credential = service.credentials["columns"]
    with Watched(service.url, credential, purpose="test", timeout=60) as client:
        client.sent = []
        yield client


columns = st.lists(st.none() | ordinary_nirs, max_size=12)


@given(columns, st.sampled_from([*TEXTS, *DICTIONARIES]), st.integers(0, 12), st.data())
@settings(max_examples=40)
def test_rows_come_back_in_place_in_the_type_given(
    client: Watched, texts: list[str | None], kind: pa.DataType, cut: int, data: st.DataObject
) -> None:
    column: Any = laid_out(texts, kind, ["x", "184057512345625"])
    if data.draw(st.booleans()):
        first, second = column.slice(0, cut), column.slice(min(cut, len(column)))
        column = pa.chunked_array([first, second], kind)
    tokens = arrow.tokenise(client, "fr-nir", column).all()
    assert type(tokens) is type(column)
    tokens.validate(full=True)
    if pa.types.is_dictionary(kind):
        assert tokens.type == pa.dictionary(pa.int32(), kind.value_type)
    else:
        assert tokens.type == kind
    known = [text for text in texts if text is not None]
    one_by_one = iter(client.tokenise("fr-nir", known).all())
    assert tokens.to_pylist() == [None if t is None else next(one_by_one) for t in texts]
    values = arrow.detokenise(client, "fr-nir", tokens).all()
    assert values.reveal().to_pylist() == texts


def test_what_fails_is_said_row_by_row(client: Watched) -> None:
    column = pa.chunked_array([["284057512345672", None], ["no number", "284057512345672"]])
    got = arrow.tokenise(client, "fr-nir", column)
    assert got.errors.to_pylist() == [None, None, "invalid_value", None]
    assert got.column.is_null().to_pylist() == [False, True, True, False]
    with pytest.raises(jeton.InvalidValue) as caught:
        got.all()
    assert caught.value.index == 2
    coded = column.dictionary_encode()
    again = arrow.tokenise(client, "fr-nir", coded)
    assert again.column.to_pylist() == got.column.to_pylist()
    assert again.errors.to_pylist() == got.errors.to_pylist()


def test_contexts_are_one_text_or_a_column(client: Watched) -> None:
    dates = pa.array(["1984-05-12", None, "1984-05-12", "1984-05-12"])
    contexts = pa.array(["a", "a", "b", None])
    got = arrow.tokenise(client, "birth-date", dates, context=contexts)
    assert got.errors.to_pylist() == [None, None, None, "context_required"]
    expected = client.tokenise("birth-date", ["1984-05-12"] * 2, context=["a", "b"]).all()
    assert got.column.to_pylist() == [expected[0], None, expected[1], None]
    for column in (dates, dates.dictionary_encode()):
        under_one = arrow.tokenise(client, "birth-date", column, context="a").all()
        assert under_one.to_pylist() == [expected[0], None, expected[0], expected[0]]
        back = arrow.detokenise(client, "birth-date", under_one, context="a").all().reveal()
        assert back.to_pylist() == dates.to_pylist()


def test_a_dictionarys_entries_are_sent_once_and_unused_ones_never(
    service: Service, client: Watched
) -> None:
    entries = pa.array(["284057512345672", "never used", "184057512345625"])
    rows = pa.array([0, 2, None] * 50_000, pa.int32())
    column = pa.DictionaryArray.from_arrays(rows, entries)
    client.sent.clear()
    tokens = arrow.tokenise(client, "fr-nir", column).all()
    assert len(client.sent) == 1
    assert client.sent[0] < 1_000
    assert tokens.null_count == 50_000
    assert len(tokens.dictionary) == 2


def test_screens_get_masks_and_answers(client: Watched) -> None:
    tokens = arrow.tokenise(client, "fr-nir", pa.array(["284057512345672", None])).all()
    assert arrow.mask(client, "fr-nir", tokens).all().to_pylist() == ["284************", None]
    candidates = pa.array(["284057512345672", "284057512345672"])
    matched = arrow.match(client, "fr-nir", tokens, candidates)
    assert matched.all().to_pylist() == [True, None]
    assert len(matched.receipts) == 1
    same = arrow.match(client, "fr-nir", tokens.dictionary_encode(), candidates).all()
    assert same.to_pylist() == [True, None]


def test_values_stay_covered(client: Watched) -> None:
    tokens = arrow.tokenise(client, "fr-nir", pa.array(["284057512345672"])).all()
    got = arrow.detokenise(client, "fr-nir", tokens)
    for shown in (repr(got), repr(got.all()), f"{got.all()}", f"{got.all():>20}"):
        assert "284057512345672" not in shown
    assert isinstance(got.all(), SensitiveColumn)
    assert len(got.all()) == 1
    with pytest.raises(TypeError):
        pa.array(got.all())
    with pytest.raises(TypeError):
        got.all().__reduce__()


def test_a_table_is_done_column_by_column(client: Watched) -> None:
    table = pa.table({"nir": ["284057512345672"], "born": ["1984-05-12"], "paid": [3]})
    done = arrow.tokenise_table(
        client, table, {"nir": "fr-nir", "born": "birth-date"}, contexts={"born": "nir"}
    )
    assert done.column_names == table.column_names
    nir = client.tokenise("fr-nir", "284057512345672")
    born = client.tokenise("birth-date", "1984-05-12", context=nir)
    assert done.to_pylist() == [{"nir": nir, "born": born, "paid": 3}]
    with pytest.raises(jeton.UsageError):
        arrow.tokenise_table(client, table, {"name": "fr-nir"})


def test_more_rows_than_a_request_takes_are_several(
    client: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_stream, "MOST_ROWS", 100)
    column = pa.array(list(nirs(450)))
    client.sent.clear()
    tokens = arrow.tokenise(client, "fr-nir", column).all()
    assert len(client.sent) == 5
    monkeypatch.setattr(arrow_stream, "MOST_BYTES", 1_000)
    assert arrow.tokenise(client, "fr-nir", column).all().equals(tokens)
    assert max(client.sent[5:]) < 2_500
    back = arrow.detokenise(client, "fr-nir", tokens)
    assert back.all().reveal().equals(column)
    assert len(back.receipts) == len(client.sent) - 5 - (len(client.sent) - 5) // 2


@pytest.mark.parametrize("empty", [pa.array([], pa.utf8()), pa.chunked_array([], pa.utf8())])
def test_nothing_is_sent_for_nothing(client: Watched, empty: arrow.Column) -> None:
    client.sent.clear()
    for column in (empty, empty.dictionary_encode()):
        assert len(arrow.tokenise(client, "fr-nir", column).all()) == 0
    assert client.sent == []
    assert arrow.tokenise(client, "fr-nir", pa.nulls(3)).all().to_pylist() == [None] * 3


def test_what_is_no_column_of_text_is_refused(client: Watched) -> None:
    for wrong in (pa.array([284057512345672]), ["284057512345672"]):
        with pytest.raises(jeton.UsageError) as caught:
            arrow.tokenise(client, "fr-nir", wrong)  # type: ignore[type-var]
        assert "284057512345672" not in str(caught.value)
    with pytest.raises(jeton.UsageError, match="rows"):
        arrow.tokenise(client, "fr-nir", pa.array(["a"]), context=pa.array(["a", "b"]))
    with pytest.raises(jeton.NotAllowed):
        arrow.detokenise(client, "fr-nir", pa.array(["a"]), purpose="another")


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b"{}"),
        (arrow_stream.MEDIA_TYPE, b""),
        (arrow_stream.MEDIA_TYPE, b"garbage" * 100),
        (arrow_stream.MEDIA_TYPE, "other columns"),
        (arrow_stream.MEDIA_TYPE, "fewer rows"),
        (arrow_stream.MEDIA_TYPE, "cut"),
    ],
)
def test_an_answer_that_is_none_is_no_answer(media_type: str, body: bytes | str) -> None:
    sent = pa.chunked_array([["a", "b"]])
    (call,) = arrow_stream.calls(Question(TOKENISE, "fr-nir"), [sent], None)
    errors = pa.array([None, None], pa.dictionary(pa.int8(), pa.utf8()))
    if isinstance(body, str):
        names = ["value" if body == "other columns" else "token", "error"]
        table = pa.table([pa.array(["1", "2"]), errors], names=names)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.slice(1 if body == "fewer rows" else 0))
        whole = sink.getvalue().to_pybytes()
        body = whole[: len(whole) // 2] if body == "cut" else whole
    with pytest.raises(jeton.NoAnswer):
        call.read(Answer(200, {"content-type": media_type}, body))
