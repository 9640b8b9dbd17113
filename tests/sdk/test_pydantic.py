"""Fields that hold tokens alone, and fields whose values show nowhere."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from jeton import Sensitive, Token, UsageError
from jeton.pydantic import BirthDateToken, NirToken, SensitiveValue, Tokenised
from jeton.shapes import is_birth_date_token, is_nir_token
from tests.support.nirs import OFFICIAL, SAFE, any_numbers
from tests.support.values import nir_key, ordinary_nirs, spaced, special_nirs
from vault.errors import NotAToken
from vault.formats import build
from vault.formats.base import Format

NIR = "284057512345672"
TOKEN = "2844775123456" + nir_key("2844775123456")


class Claim(BaseModel):
    nir: NirToken
    born: BirthDateToken | None = None


class NewClaim(BaseModel):
    nir: SensitiveValue


def opens(form: Format, text: str) -> bool:
    try:
        form.read_token(text)
    except NotAToken:
        return False
    return True


@given(any_numbers.flatmap(lambda text: st.sampled_from([text, text[:13], spaced(text)])))
def test_a_text_is_a_token_where_the_service_takes_it_for_one(text: str) -> None:
    assert is_nir_token(text) == opens(SAFE, text)
    assert is_nir_token(text, "official") == opens(OFFICIAL, text)


@given(
    st.integers(1700, 9999),
    st.integers(1, 12),
    st.integers(1, 28),
    st.sampled_from(["{0}-{1:02}-{2:02}", "{0}{1:02}{2:02}", "{2:02}/{1:02}/{0}", "{2}^{1}^{0}"]),
)
def test_a_date_is_a_token_from_2200_on(year: int, month: int, day: int, form: str) -> None:
    text = form.format(year, month, day)
    if is_birth_date_token(text) != opens(build("birth-date"), text):
        # Only where day and month are written unevenly does the service know better.
        assert "^" in text


@given(ordinary_nirs | special_nirs | st.text(max_size=20))
def test_a_token_field_takes_no_value(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Claim(nir=value)
    shown = f"{caught.value} {caught.value.errors()} {caught.value.json()}"
    assert len(value) < 13 or value not in shown
    assert "<sensitive>" in str(caught.value)


def test_a_token_field_holds_a_token() -> None:
    claim = Claim.model_validate_json(json.dumps({"nir": TOKEN, "born": "4711-05-12"}))
    assert type(claim.nir) is Token
    assert claim.model_dump_json() == json.dumps(
        {"nir": TOKEN, "born": "4711-05-12"}, separators=(",", ":")
    )
    assert Claim(nir=Token(TOKEN)).nir == TOKEN
    for wrong in (Sensitive(NIR), int(TOKEN), None, b"x", ["x"]):
        with pytest.raises(ValidationError):
            Claim.model_validate({"nir": wrong})


def test_a_value_field_shows_itself_nowhere() -> None:
    claim = NewClaim.model_validate({"nir": NIR})
    assert claim.nir == Sensitive(NIR)
    assert NewClaim(nir=claim.nir).nir is claim.nir
    assert claim.model_dump_json() == '{"nir":"<sensitive>"}'
    assert claim.model_dump()["nir"] is claim.nir
    assert NIR not in f"{claim} {claim!r} {claim.model_dump()} {claim.model_dump(mode='json')}"
    for wrong in (284057512345672, [NIR], {"a": NIR}, None, "<sensitive>"):
        with pytest.raises(ValidationError) as caught:
            NewClaim.model_validate({"nir": wrong})
        assert NIR not in f"{caught.value} {caught.value.errors()}"


def test_schemas_say_what_a_field_is() -> None:
    assert Claim.model_json_schema()["properties"]["nir"] == {
        "type": "string",
        "format": "jeton-token-fr-nir",
        "title": "Nir",
    }
    described = TypeAdapter(SensitiveValue).json_schema()
    assert described == {"type": "string", "format": "password", "writeOnly": True}
    assert NewClaim.model_json_schema(mode="serialization")["properties"]["nir"]["type"] == "string"


def test_formats_whose_tokens_look_like_values_are_refused() -> None:
    with pytest.raises(UsageError, match="fr-nir"):
        Tokenised("digits")
