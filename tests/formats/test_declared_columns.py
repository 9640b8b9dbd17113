"""Declared formats by columns read and write as their scalar side does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.columns import assert_reads_agree, assert_writes_agree
from tests.support.declared import FORMATS, layouts, places
from vault.formats.declared import Layout

WITH_COLUMNS = [name for name, form in FORMATS.items() if form.columns is not None]


def test_which_formats_have_columns() -> None:
    without = {name.split(" none")[0].split(" safe")[0] for name in FORMATS} - set(WITH_COLUMNS)
    assert without == {
        "it-codice-fiscale",
        "de-idnr",
        "gb-nhs",
        "template beyond a word",
    }


@pytest.mark.parametrize("name", WITH_COLUMNS)
@given(data=st.data())
def test_columns_agree_with_the_scalar_side(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    columns = form.columns
    assert columns is not None
    first = data.draw(places(form))
    layout = first.form
    assert isinstance(layout, Layout)
    kind = columns.kind(layout.width)
    if kind is None:
        return
    ranks = st.lists(st.integers(0, form.domain(first.kind).size - 1), min_size=3, max_size=3)
    texts = [
        *(form.write_value(first._replace(rank=rank)) for rank in data.draw(ranks)),
        *(form.write_token(first._replace(rank=rank)) for rank in data.draw(ranks)),
    ]
    at = data.draw(st.integers(0, layout.width - 1))
    junk = [text[:at] + data.draw(st.sampled_from("0 9A-.?é")) + text[at + 1 :] for text in texts]
    values, tokens = assert_reads_agree(form, [*texts, *junk])
    # Of a width, one printed form of one kind has the columns: the first, compact or not.
    usual = kind == first.kind and layout is layouts(form, kind, layout.width)[0]
    assert all(values[:3]) == usual
    assert all(tokens[3:6]) == usual
    if usual:
        room = st.lists(st.integers(0, form.domain(kind).room - 1), min_size=12, max_size=12)
        assert_writes_agree(form, [texts[0]] * 12, data.draw(room))
