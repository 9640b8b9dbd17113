"""Columns are answered as lists are, whatever form, format, direction or context."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.columns import as_cells
from tests.support.values import calendar_dates, date_forms, digit_strings, nir_forms, ordinary_nirs
from vault.config import Transformation as Configured
from vault.crypto.keyset import new_keyset
from vault.engine import fpe
from vault.engine.column import Coded, Rows, each
from vault.engine.context import lacking, pairs, tweak, tweaks
from vault.engine.outcome import Outcome
from vault.engine.transformation import Transformation
from vault.errors import NotAToken

KEYSET = new_keyset(datetime(2026, 11, 24, tzinfo=UTC))
NIR = Transformation("fr-nir", Configured("fr-nir"), KEYSET)
DATE = Transformation("birth-date", Configured("birth-date"), KEYSET)
DIGITS = Transformation("digits", Configured("digits"), KEYSET)

JUNK = st.text("0129AB/-^ \n\x00", min_size=15, max_size=15)
NIRS = ordinary_nirs | JUNK
SHORT = ordinary_nirs.map(lambda nir: nir[:13])
SPACED = ordinary_nirs.map(lambda nir: nir_forms(nir)[-1])
DATES = calendar_dates.flatmap(lambda day: st.sampled_from(date_forms(day)))


def rows_of(texts: list[str]) -> Rows[str]:
    return Rows(as_cells(texts))


def coded_of(texts: list[str]) -> Coded[str]:
    distinct = list(dict.fromkeys(texts))
    return Coded(distinct, np.array([distinct.index(text) for text in texts], np.int64))


def same(one: Outcome, other: Outcome) -> None:
    assert list(one.texts) == list(other.texts)
    assert {i: str(e) for i, e in one.errors.items()} == {
        i: str(e) for i, e in other.errors.items()
    }


@pytest.mark.parametrize(
    ("transformation", "texts"),
    [(NIR, NIRS), (NIR, SHORT), (NIR, SPACED), (DATE, DATES), (DIGITS, digit_strings | JUNK)],
)
@given(data=st.data(), vector=st.sampled_from([1, 5, 12]), chunk=st.sampled_from([3, 16_384]))
def test_columns_are_answered_as_lists_are(
    transformation: Transformation,
    texts: st.SearchStrategy[str],
    data: st.DataObject,
    vector: int,
    chunk: int,
) -> None:
    batch = data.draw(st.lists(texts, min_size=1, max_size=20))
    width = len(batch[0])
    batch = [text for text in batch if len(text) == width]
    contexts = data.draw(
        st.sampled_from(["c", None]) | st.lists(st.sampled_from(["a", "b", None]), min_size=20)
    )
    if isinstance(contexts, list):
        contexts = contexts[: len(batch)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fpe, "VECTOR_FROM", vector)
        patch.setattr(fpe, "ROWS_CHUNK", chunk)
        for way in (transformation.tokenise, transformation.detokenise):
            expected = way(batch, contexts)
            same(way(rows_of(batch), contexts), expected)
            same(way(coded_of(batch), contexts), expected)
            if isinstance(contexts, list):
                coded = Coded(
                    ["b", None, "a"], np.array([["b", None, "a"].index(c) for c in contexts])
                )
                same(way(rows_of(batch), coded), expected)
                same(way(coded_of(batch), coded), expected)
            if all(expected.texts):
                batch = [str(text) for text in expected.texts]
                if len({len(text) for text in batch}) > 1:
                    break


@given(st.lists(ordinary_nirs, min_size=1, max_size=30))
def test_rows_are_answered_by_rows_and_codes_by_codes(batch: list[str]) -> None:
    assert isinstance(NIR.tokenise(rows_of(batch), None).texts, Rows)
    assert isinstance(NIR.tokenise(coded_of(batch), None).texts, Coded)
    assert isinstance(NIR.tokenise(batch, None).texts, list)


def test_a_text_that_does_not_fit_its_rows_turns_them_into_a_list() -> None:
    outcome = Outcome.to(rows_of(["ab", "cd", "ef"]))
    outcome.put(0, "xy")
    assert isinstance(outcome.texts, Rows)
    outcome.put(1, "longer")
    outcome.fail(2, NotAToken("no"))
    assert outcome.texts == ["xy", "longer", None]


def test_no_text_that_failed_is_left_in_the_matrix() -> None:
    junk = "18501AA00401008"
    outcome = NIR.tokenise(rows_of(["185012A00401008", junk] * 20), None)
    assert isinstance(outcome.texts, Rows)
    assert outcome.texts[1] is None
    assert not outcome.texts.cells[1::2].any()


def test_the_errors_of_a_batch_keep_no_frames() -> None:
    for batch in (["x"] * 20, rows_of(["185012A00401009"] * 20)):
        outcome = NIR.tokenise(batch, None)
        assert all(error.__traceback__ is None for error in outcome.errors.values())
        assert len(outcome.errors) == len(batch)


@given(st.lists(st.text("ab\n", min_size=2, max_size=2), min_size=1))
def test_rows_are_a_sequence_of_texts(texts: list[str]) -> None:
    rows = rows_of(texts)
    assert len(rows) == len(texts)
    assert list(rows) == [rows[i] for i in range(len(rows))] == texts
    assert list(rows[1:]) == texts[1:]
    assert list(rows[::2]) == texts[::2]
    coded = Coded(rows, np.arange(len(texts))[::-1].copy())
    assert list(coded) == [coded[i] for i in range(len(coded))] == texts[::-1]
    assert list(coded[1:3]) == texts[::-1][1:3]
    assert list(each(coded, str.upper)) == [text.upper() for text in texts[::-1]]


@given(st.lists(st.sampled_from(["a", "b", None]), min_size=1))
def test_coded_contexts_are_contexts(contexts: list[str | None]) -> None:
    distinct = [None, "b", "a"]
    coded = Coded(distinct, np.array([distinct.index(context) for context in contexts], np.int64))
    assert tweaks(coded, len(coded)).tobytes() == b"".join(map(tweak, contexts))
    assert tweaks(contexts, len(contexts)).tobytes() == b"".join(map(tweak, contexts))
    assert list(lacking(coded)) == list(lacking(contexts))
    assert list(pairs(["t"] * len(contexts), coded)) == [("t", context) for context in contexts]


def test_a_required_context_may_be_missing_for_some() -> None:
    outcome = DATE.tokenise(["1984-05-12"] * 3, ["a", None, "b"])
    assert [failure.index for failure in outcome.failures()] == [1]
    assert outcome.errors[1].code == "context_required"
    assert outcome.texts[1] is None
