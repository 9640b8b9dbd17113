"""Every format: a text is read as what is written back as that text, or is refused, by the
scalar side, by the columns and by the engine alike."""

from tests.fuzz.keys import KEYSET
from tests.fuzz.quiet import assert_tells_nothing
from tests.support.columns import assert_reads_agree, assert_writes_agree
from tests.support.declared import CONFIGURED as DECLARED
from vault.config import Transformation, format_of
from vault.engine.fpe import VECTOR_FROM, Fpe
from vault.engine.outcome import Outcome
from vault.errors import InvalidValue, NotAToken
from vault.formats.base import Format, Place

CONFIGURED = {
    "fr-nir": Transformation("fr-nir"),
    "fr-nir official": Transformation("fr-nir", band="official"),
    "fr-nir none": Transformation("fr-nir", band="none"),
    "fr-nir keep": Transformation("fr-nir", wrong_key="keep"),
    "birth-date": Transformation("birth-date"),
    "birth-date-6": Transformation("birth-date-6"),
    "digits": Transformation("digits"),
    "digits of 8 to 12": Transformation("digits", min_length=8, max_length=12),
    "alphanumeric": Transformation("alphanumeric"),
    "alphabet": Transformation("alphabet", alphabet="0123456789ABCDEFGHJKMNPQRSTVWXYZ"),
    "bits": Transformation("alphabet", alphabet="10"),
    **DECLARED,
}
FORMATS = [format_of(one) for one in CONFIGURED.values()]
ENGINES = [Fpe(form, KEYSET, "fuzz", 1) for form in FORMATS]


def run(data: bytes) -> None:
    """The first byte names the format, the others are a text."""
    if len(data) < 2:
        return
    number = data[0] % len(FORMATS)
    text = data[1:].decode("utf-8", "ignore")
    if not text:
        return
    form = FORMATS[number]
    place = _value(form, text)
    token = _token(form, text)
    assert not (form.recognisable and place and token), "a value and a token at once"
    kind = None if form.columns is None else form.columns.kind(len(text))
    if kind is not None:
        assert_reads_agree(form, [text])
        if place is not None and place.kind == kind:
            room = form.domain(place.kind).room
            assert_writes_agree(form, [text] * 3, [place.rank, 0, room - 1])
    _engine(ENGINES[number], text, place is not None, token is not None)


def _value(form: Format, text: str) -> Place | None:
    try:
        place = form.read_value(text)
    except InvalidValue as error:
        assert_tells_nothing(error, text)
        return None
    domain = form.domain(place.kind)
    assert 0 <= place.rank < domain.size
    assert form.write_value(place) == text
    assert form.canonical(text)
    assert form.read_whole(text) == (form.read_value(text), form.canonical(text))
    assert len(form.mask(text, None, None)) == len(text)
    assert len(form.mask(text, 2, 2)) == len(text)
    for rank in {place.rank, domain.size - 1, domain.room - 1}:
        there = place._replace(rank=rank)
        written = form.write_token(there)
        assert len(written) == len(text) or form.name == "birth-date", "another length"
        assert form.read_token(written) == there
        if form.recognisable:
            assert _value(form, written) is None, "a token that is read as a value"
    return place


def _token(form: Format, text: str) -> Place | None:
    try:
        place = form.read_token(text)
    except NotAToken as error:
        assert_tells_nothing(error, text)
        return None
    domain = form.domain(place.kind)
    assert 0 <= place.rank < domain.room
    assert form.write_token(place) == text
    there = place._replace(rank=place.rank % domain.size)
    try:
        value = form.write_value(there)
    except NotAToken as error:
        assert_tells_nothing(error, text)
    else:
        assert form.read_value(value) == there
    return place


def _engine(engine: Fpe, text: str, is_value: bool, is_token: bool) -> None:
    """One by one and in columns; and what was a value comes back from its token."""
    token = _alike(engine.tokenise([text], None), engine.tokenise([text] * VECTOR_FROM, None))
    assert (token is not None) is is_value
    if token is not None:
        assert _opened(engine, token) == text
    opened = _opened(engine, text)
    assert is_token or opened is None


def _opened(engine: Fpe, text: str) -> str | None:
    return _alike(engine.detokenise([text], None), engine.detokenise([text] * VECTOR_FROM, None))


def _alike(one: Outcome, many: Outcome) -> str | None:
    said = [error.detail for error in one.errors.values()]
    assert set(many.texts) == set(one.texts), "the columns answer otherwise"
    assert {error.detail for error in many.errors.values()} == set(said)
    return one.texts[0]


def seeds() -> list[bytes]:
    """The first and the last value and token of every kind, in its plainest form."""
    found = []
    for number, form in enumerate(FORMATS):
        for first in form.kinds:
            domain = form.domain(first.kind)
            last = first._replace(rank=domain.size - 1)
            texts = [form.write_value(first), form.write_token(last._replace(rank=domain.room - 1))]
            found += [bytes([number]) + text.encode() for text in texts]
    return found
