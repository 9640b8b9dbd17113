"""Declared formats: what is read, written, refused and hidden, whatever the declaration."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.declared import FORMATS, JUDGED, places, valid, values
from vault.errors import InvalidValue, ItemError, NotAToken, SetUpError
from vault.formats import build
from vault.formats.base import FLOOR
from vault.formats.declared import IS_A_VALUE, NOT_AGAIN, WRONG_CHECK, Layout

SENTENCES = (IS_A_VALUE, NOT_AGAIN, WRONG_CHECK)
APART = [name for name, form in FORMATS.items() if form.recognisable]
ALIKE = [name for name in FORMATS if name not in APART]


def compact(text: str) -> str:
    return "".join(filter(str.isalnum, text))


@pytest.mark.parametrize("name", FORMATS)
class TestRanks:
    def test_domains_are_above_the_floor_and_within_their_rooms(self, name: str) -> None:
        form = FORMATS[name]
        for kind in range(len(form.sets)):
            domain = form.domain(kind)
            assert FLOOR <= domain.size <= domain.room
            assert domain.radix**domain.length >= domain.size
            for rank in (0, domain.room - 1):
                token = form.sets[kind].tokens.text(rank)
                assert form.sets[kind].tokens.rank(token) == rank
            assert form.slots <= domain.slots

    @given(data=st.data())
    def test_what_is_written_is_read(self, name: str, data: st.DataObject) -> None:
        form = FORMATS[name]
        place = data.draw(places(form))
        assert form.read_value(form.write_value(place)) == place
        place = data.draw(places(form, tokens=True))
        assert form.read_token(form.write_token(place)) == place

    @given(data=st.data())
    def test_forms_change_neither_rank_nor_canonical_text(
        self, name: str, data: st.DataObject
    ) -> None:
        form = FORMATS[name]
        place = data.draw(places(form))
        text = form.write_value(place)
        canonical = form.canonical(text)
        assert canonical == place.form.read(text)  # type: ignore[attr-defined]
        if form.name != "template":
            assert canonical == compact(text)
            again = form.read_value(canonical)
            assert (again.kind, again.rank) == (place.kind, place.rank)

    @given(data=st.data())
    def test_masks_show_the_last_four_at_most_and_every_separator(
        self, name: str, data: st.DataObject
    ) -> None:
        form = FORMATS[name]
        place = data.draw(places(form))
        text = form.write_value(place)
        layout = place.form
        assert isinstance(layout, Layout)
        shown = layout.read(form.mask(text, None, None))
        hidden = len(layout.slots) - 4
        assert shown == "*" * hidden + str(layout.read(text))[hidden:]
        first = layout.read(form.mask(text, 1, 0))
        assert first == str(layout.read(text))[0] + "*" * (len(layout.slots) - 1)

    @given(text=st.text(max_size=24) | st.text("0123456789ABXZ -.", max_size=24))
    def test_messages_know_nothing_of_what_was_sent(self, name: str, text: str) -> None:
        form = FORMATS[name]
        for read in (form.read_value, form.read_token, form.canonical):
            said = None
            try:
                read(text)
            except ItemError as error:
                said = error.detail
            assert said in {None, *SENTENCES, f"expected {form.shape}", form.rule}

    @given(data=st.data())
    def test_a_character_changed_is_another_value_or_none(
        self, name: str, data: st.DataObject
    ) -> None:
        form = FORMATS[name]
        text = data.draw(values(form))
        at = data.draw(st.integers(0, len(text) - 1))
        other = data.draw(st.characters(min_codepoint=32, max_codepoint=126) | st.just("٣"))
        assume(other != text[at])
        changed = text[:at] + other + text[at + 1 :]
        try:
            place = form.read_value(changed)
        except InvalidValue:
            return
        assert form.write_value(place) == changed
        assert place != form.read_value(text)


@pytest.mark.parametrize("name", APART)
@given(data=st.data())
def test_tokens_are_no_values_and_values_no_tokens(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    with pytest.raises(InvalidValue, match="token already"):
        form.read_value(form.write_token(data.draw(places(form, tokens=True))))
    with pytest.raises(NotAToken, match="may be a value"):
        form.read_token(data.draw(values(form)))


@pytest.mark.parametrize("name", ALIKE)
def test_formats_without_room_pin_their_key(name: str) -> None:
    form = FORMATS[name]
    assert form.slots == 1
    assert all(kind.tokens is kind.values for kind in form.sets)


@pytest.mark.parametrize("name", JUDGED)
@given(data=st.data())
def test_python_stdnum_takes_every_token(name: str, data: st.DataObject) -> None:
    form = FORMATS[name]
    place = data.draw(places(form, tokens=True))
    assert valid(form, place, compact(form.write_token(place)))


@pytest.mark.parametrize("name", [name for name in JUDGED if name != "be-nn"])
@given(data=st.data(), text=st.from_regex(r"[0-9]{7,16}|[XYZ0-9][0-9]{7}[A-Z]", fullmatch=True))
def test_values_are_what_python_stdnum_takes(name: str, data: st.DataObject, text: str) -> None:
    form = FORMATS[name]
    place = data.draw(places(form))
    assert valid(form, place, compact(form.write_value(place)))
    try:
        form.read_value(text)
    except InvalidValue as error:
        refused = error.detail
    else:
        refused = ""
    if form.recognisable or name.startswith(("pl-", "it-")):
        # Those have numbers of their own that are never issued, births to come among them.
        assert refused or valid(form, place, text)
    elif len(text) == form.sets[0].values.width:
        assert valid(form, place, text) == (not refused)


def test_options_of_other_formats_are_refused() -> None:
    with pytest.raises(SetUpError, match="no option band"):
        build("be-nn", band="safe")
    with pytest.raises(SetUpError, match="bands safe, none"):
        build("pl-pesel", band="official")
    with pytest.raises(SetUpError, match="no option template"):
        build("es-dni", template="99999999A")
    assert build("pl-pesel", band="safe") is build("pl-pesel")


def test_texts_that_no_form_fits_are_hidden_whole() -> None:
    assert FORMATS["pl-pesel"].mask("8507-3003328", None, None) == "*" * 12
