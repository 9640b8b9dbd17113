"""Round trips, both paths, slots and rotations, through whole transformations."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.fr import nir as stdnum_nir

from tests.support.values import (
    calendar_dates,
    contexts,
    date_forms,
    digit_strings,
    lunar_dates,
    lunar_forms,
    nir_forms,
    ordinary_nirs,
    six_digits,
    special_nirs,
    unknown_month_nirs,
)
from vault.config import Settings
from vault.config import Transformation as Configured
from vault.crypto.keyset import Keyset, new_keyset
from vault.engine.fpe import VECTOR_FROM
from vault.engine.transformation import Transformation, compile_transformations
from vault.errors import Refusal, SetUpError

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KEYSET = new_keyset(NOW)

Maker = Callable[[], Configured]

nirs_in_any_form = ordinary_nirs.flatmap(lambda nir: st.sampled_from(nir_forms(nir)))
special_in_any_form = (special_nirs | unknown_month_nirs).flatmap(
    lambda nir: st.sampled_from([nir, *nir_forms(nir)[2:3], nir_forms(nir)[4]])
)
dates_in_any_form = calendar_dates.flatmap(lambda day: st.sampled_from(date_forms(day)))
lunar_in_any_form = lunar_dates.flatmap(lambda parts: st.sampled_from(lunar_forms(parts)))

CASES = {
    "fr-nir safe": (Configured("fr-nir"), nirs_in_any_form | special_in_any_form),
    "fr-nir official": (Configured("fr-nir", band="official"), nirs_in_any_form),
    "fr-nir none": (Configured("fr-nir", band="none"), nirs_in_any_form),
    "fr-nir keep": (
        Configured("fr-nir", wrong_key="keep"),
        nirs_in_any_form | special_in_any_form,
    ),
    "birth-date": (Configured("birth-date"), dates_in_any_form | lunar_in_any_form),
    "birth-date-6": (Configured("birth-date-6"), six_digits),
    "digits": (Configured("digits"), digit_strings),
    "alphanumeric": (
        Configured("alphanumeric"),
        st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=4, max_size=32),
    ),
    "custom": (
        Configured("alphabet", alphabet="abcdefghijkmnpqrstuvwxyz23456789#"),
        st.text("abcdefghijkmnpqrstuvwxyz23456789#", min_size=4, max_size=20),
    ),
}


def made(configured: Configured, keyset: Keyset = KEYSET) -> Transformation:
    return Transformation("t", configured, keyset)


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[Transformation, st.SearchStrategy[str]]:
    configured, values = CASES[request.param]
    return made(configured), values


@given(data=st.data(), context=contexts)
def test_a_token_comes_back_as_its_value(
    case: tuple[Transformation, st.SearchStrategy[str]], data: st.DataObject, context: str | None
) -> None:
    transformation, values = case
    if transformation.context == "required":
        context = context or "record"
    value = data.draw(values)
    tokens = transformation.tokenise([value], context)
    assert tokens.errors == {}
    again = transformation.detokenise([str(tokens.texts[0])], context)
    assert again.texts == [value]


@given(data=st.data(), context=contexts, junk=st.lists(st.text(max_size=16), max_size=4))
def test_columns_and_items_agree(
    case: tuple[Transformation, st.SearchStrategy[str]],
    data: st.DataObject,
    context: str | None,
    junk: list[str],
) -> None:
    transformation, values = case
    context = context or "record"
    few = data.draw(st.lists(values, min_size=1, max_size=8))
    batch = (few * VECTOR_FROM)[: VECTOR_FROM * 2] + junk
    together = transformation.tokenise(batch, context)
    alone = [transformation.tokenise([item], context) for item in batch]
    assert together.texts == [one.texts[0] for one in alone]
    assert {i: str(e) for i, e in together.errors.items()} == {
        i: str(one.errors[0]) for i, one in enumerate(alone) if one.errors
    }
    tokens = [text or "x" for text in together.texts]
    back = transformation.detokenise(tokens, context)
    back_alone = [transformation.detokenise([token], context).texts[0] for token in tokens]
    assert back.texts == back_alone
    assert back.texts[: len(batch) - len(junk)] == batch[: len(batch) - len(junk)]


@given(st.lists(st.tuples(ordinary_nirs, contexts), min_size=VECTOR_FROM, max_size=24))
def test_a_context_for_each_item(pairs: list[tuple[str, str | None]]) -> None:
    transformation = made(Configured("fr-nir"))
    values = [value for value, _ in pairs]
    each = [context or "none" for _, context in pairs]
    together = transformation.tokenise(values, each).texts
    assert together == [
        transformation.tokenise([value], context).texts[0]
        for value, context in zip(values, each, strict=True)
    ]
    assert transformation.detokenise([str(t) for t in together], each).texts == values


@given(ordinary_nirs)
def test_ordinary_tokens_pass_stdnum_and_are_nobodys(nir: str) -> None:
    transformation = made(Configured("fr-nir"))
    token = str(transformation.tokenise([nir], None).texts[0])
    assert stdnum_nir.is_valid(token)
    assert 43 <= int(token[3:5]) <= 49
    short = str(transformation.tokenise([nir[:13]], None).texts[0])
    assert short == token[:13]


@pytest.mark.parametrize("name", ["fr-nir safe", "fr-nir official", "fr-nir keep", "birth-date"])
@given(data=st.data())
def test_tokens_are_not_tokenised_nor_values_detokenised(name: str, data: st.DataObject) -> None:
    configured, values = CASES[name]
    transformation = made(configured)
    assert transformation.format.recognisable
    value = data.draw(values)
    token = str(transformation.tokenise([value], "c").texts[0])
    assert transformation.tokenise([token], "c").errors[0].code == "invalid_value"
    assert transformation.detokenise([value], "c").errors[0].code == "not_a_token"


@given(st.integers(0, 99), st.integers(1, 12), st.integers(0, 999), st.integers(1, 999))
def test_corsica_and_its_digits_stay_apart(year: int, month: int, commune: int, order: int) -> None:
    transformation = made(Configured("fr-nir"))
    for letters, digits in (("2A", "19"), ("2B", "18")):
        bodies = [f"1{year:02d}{month:02d}{d}{commune:03d}{order:03d}" for d in (letters, digits)]
        tokens = transformation.tokenise(bodies, None).texts
        assert tokens[0] != tokens[1]
        assert transformation.detokenise([str(t) for t in tokens], None).texts == bodies


@given(ordinary_nirs)
def test_two_contexts_give_two_tokens(nir: str) -> None:
    transformation = made(Configured("fr-nir"))
    assert len({transformation.tokenise([nir], c).texts[0] for c in (None, "a", "b")}) == 3


def test_required_context() -> None:
    transformation = made(Configured("birth-date"))
    outcome = transformation.tokenise(["1984-05-12", "1984-05-13"], None)
    assert outcome.texts == [None, None]
    assert [f.code for f in outcome.failures()] == ["context_required"] * 2


@pytest.mark.parametrize("name", ["fr-nir safe", "birth-date"])
@given(data=st.data())
def test_rotations(name: str, data: st.DataObject) -> None:
    configured, values = CASES[name]
    batch = [data.draw(values)] * VECTOR_FROM  # both paths: as items and as a batch
    first = KEYSET
    second = first.rotate(NOW)
    old = made(configured, first).tokenise(batch, "c").texts
    new = made(configured, second).tokenise(batch, "c").texts
    assert old[0] != new[0]
    after = made(configured, second)
    for tokens in (old, new, [*old[:30], *new[:30]]):
        back = after.detokenise([str(token) for token in tokens], "c")
        assert set(back.texts) == {batch[0]}
    with_third = second.destroy(1).rotate(NOW)
    assert with_third.primary.version == 3
    third = made(configured, with_third)
    assert third.tokenise(batch, "c").texts[0] not in {new[0]}
    assert third.detokenise([str(new[0])], "c").texts == [batch[0]]


def test_pinned_versions_survive_a_rotation() -> None:
    for configured in (Configured("digits"), Configured("fr-nir", band="official")):
        before = made(configured)
        after = made(configured, KEYSET.rotate(NOW))
        value = "1850178646001"
        assert before.pinned == after.pinned == 1
        assert before.tokenise([value], None).texts == after.tokenise([value], None).texts


def test_unusable_keys_stop_the_transformation() -> None:
    rotated = KEYSET.rotate(NOW)
    gone = rotated.disable(1)
    old = made(Configured("fr-nir")).tokenise(["185012A00401008"], None).texts
    outcome = made(Configured("fr-nir"), gone).detokenise([str(old[0])], None)
    assert outcome.errors[0].code == "not_a_token"
    with pytest.raises(Refusal) as caught:
        made(Configured("digits"), gone).tokenise(["123456"], None)
    assert caught.value.code == "keys_unavailable"


@pytest.mark.parametrize(("version", "words"), [(1, "is destroyed"), (3, "versions 1 to 2, not 3")])
def test_a_pinned_version_that_makes_no_token_starts_nothing(version: int, words: str) -> None:
    keyset = KEYSET.rotate(NOW).destroy(1)
    slots = Configured("fr-nir", key_version=version)
    pinned = Configured("digits", key_version=version)
    compile_transformations(Settings(transformations={"fr-nir": slots}), keyset)
    with pytest.raises(SetUpError, match=f"transformations.digits.key_version: .*{words}"):
        compile_transformations(Settings(transformations={"digits": pinned}), keyset)


@given(nirs_in_any_form)
def test_masks_show_sex_and_year_only(nir: str) -> None:
    shown = made(Configured("fr-nir")).mask(nir)
    assert len(shown) == len(nir)
    assert shown.replace(" ", "")[:3] == nir.replace(" ", "")[:3]
    assert set(shown.replace(" ", "")[3:]) == {"*"}


@given(ordinary_nirs)
def test_match_takes_any_form(nir: str) -> None:
    transformation = made(Configured("fr-nir"))
    assert all(transformation.matches(nir, form) for form in nir_forms(nir))
    other = "185012A00401008"
    assert transformation.matches(nir, other) == (nir == other)


def test_repeated_values_are_answered_in_their_places() -> None:
    transformation = made(Configured("fr-nir"))
    batch = ["185012A00401008", "185011900401008", "nonsense"] * 100
    once = transformation.tokenise(batch[:3], None)
    outcome = transformation.tokenise(batch, None)
    assert outcome.texts == once.texts * 100
    assert list(outcome.errors) == list(range(2, 300, 3))
