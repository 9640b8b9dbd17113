"""Declared formats through whole transformations: round trips, both paths, whole domains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from tests.engine.test_transformation import KEYSET, NOW
from tests.support.declared import CONFIGURED, FORMATS, JUDGED, valid, values
from tests.support.values import contexts
from vault.config import Transformation as Configured
from vault.engine.fpe import VECTOR_FROM
from vault.engine.transformation import Transformation

MADE = {name: Transformation("t", configured, KEYSET) for name, configured in CONFIGURED.items()}


@pytest.mark.parametrize("name", CONFIGURED)
@given(data=st.data(), context=contexts)
def test_tokens_come_back_as_their_values_by_both_paths(
    name: str, data: st.DataObject, context: str | None
) -> None:
    made, form = MADE[name], FORMATS[name]
    few = data.draw(st.lists(values(form), min_size=2, max_size=3, unique=True))
    tokens = [made.tokenise([value], context).texts[0] or "" for value in few]
    assert [made.detokenise([token], context).texts[0] for token in tokens] == few
    times = 1 if form.columns is None else VECTOR_FROM
    many, repeated = [*few, "?"] * times, [*tokens, None] * times
    assert made.tokenise(many, context).texts == repeated
    back = made.detokenise([token or "?" for token in repeated], context)
    assert back.texts == [None if text == "?" else text for text in many]
    for value, token in zip(few, tokens, strict=True):
        place = form.read_token(token)
        assert [len(value), place.form] == [len(token), form.read_value(value).form]
        if name in JUDGED:
            assert valid(form, place, "".join(filter(str.isalnum, token)))
        if form.recognisable:
            assert made.tokenise([token], context).errors[0].code == "invalid_value"
            assert made.detokenise([value], context).errors[0].code == "not_a_token"


@pytest.mark.parametrize("name", CONFIGURED)
@given(data=st.data())
def test_a_rotation_leaves_old_tokens_readable(name: str, data: st.DataObject) -> None:
    value = data.draw(values(FORMATS[name]))
    before, after = MADE[name], Transformation("t", CONFIGURED[name], KEYSET.rotate(NOW))
    old, new = (str(one.tokenise([value], None).texts[0]) for one in (before, after))
    assert (old == new) == (after.pinned is not None)
    assert after.detokenise([old, new], None).texts == [value, value]


@pytest.mark.parametrize(
    ("configured", "first"),
    [
        (Configured("template", template="999-999"), "000-000"),
        (Configured("template", template="**-999"), "00-000"),
        (Configured("luhn", min_length=7, max_length=7), "0000000"),
    ],
)
@pytest.mark.slow
def test_whole_domains_are_permuted(configured: Configured, first: str) -> None:
    made = Transformation("t", configured, KEYSET)
    form = made.format
    place = form.read_value(first)
    assert place.rank == 0
    size = form.domain(place.kind).size
    every = [form.write_value(place._replace(rank=rank)) for rank in range(size)]
    assert len(set(every)) == size
    tokens = [str(token) for token in made.tokenise(every, None).texts]
    assert set(tokens) == set(every)
    assert made.detokenise(tokens, None).texts == every
    moved = np.array([token != value for token, value in zip(tokens, every, strict=True)])
    assert moved.mean() > 0.999
    if configured.format == "luhn":
        assert all(map(luhn.is_valid, tokens[::7]))
