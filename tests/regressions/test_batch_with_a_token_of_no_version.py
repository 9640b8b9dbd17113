"""A batch of twelve NIR tokens or more failed whole (500) where one of them stood in a key slot,
other than the first, that had no usable version: anybody could make such a token up, and after a
version was disabled or destroyed every honest batch with one of its tokens failed."""

from datetime import UTC, datetime

import pytest

from vault.config import Transformation, format_of
from vault.crypto.keyset import new_keyset
from vault.engine.fpe import VECTOR_FROM, Fpe
from vault.errors import NotAToken

NOW = datetime(2026, 11, 24, tzinfo=UTC)
FIRST = new_keyset(NOW)
FORMATS = ("fr-nir", "birth-date", "us-ssn", "luhn", "es-dni", "gb-nhs")


@pytest.mark.parametrize("name", FORMATS)
def test_only_its_own_item_fails(name: str) -> None:
    form = format_of(Transformation(name))
    engine = Fpe(form, FIRST, name, 1)
    place = form.kinds[0]
    value = form.write_value(place)
    made_up = form.write_token(place._replace(rank=form.domain(place.kind).room - 1))
    (token,) = engine.tokenise([value], None).texts
    tokens = [str(token)] * VECTOR_FROM
    outcome = engine.detokenise([*tokens, made_up], None)
    alone = engine.detokenise([made_up], None)
    assert list(outcome.texts)[:-1] == [value] * VECTOR_FROM
    assert outcome.texts[VECTOR_FROM] == alone.texts[0]
    assert [type(error) for error in outcome.errors.values()] == [NotAToken] * len(alone.errors)


def test_after_its_version_was_disabled() -> None:
    form = format_of(Transformation("fr-nir"))
    value = form.write_value(form.kinds[0])
    second = FIRST.rotate(NOW)
    (old,) = Fpe(form, second, "a", 1).tokenise([value], None).texts
    engine = Fpe(form, second.destroy(1).rotate(NOW).disable(2), "a", 1)
    (new,) = engine.tokenise([value], None).texts
    outcome = engine.detokenise([str(old), *[str(new)] * VECTOR_FROM], None)
    assert list(outcome.texts) == [None, *[value] * VECTOR_FROM]
    assert [type(error) for error in outcome.errors.values()] == [NotAToken]
