"""What comes in and goes out. Values come in, and only tokens go out."""

from pydantic import BaseModel, ConfigDict, PositiveInt

from jeton.pydantic import BirthDateToken, NirToken, SensitiveValue


class NewClaim(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    nir: SensitiveValue
    born: SensitiveValue
    provider: str
    cents: PositiveInt


class Search(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    nir: SensitiveValue


class ClaimView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    nir: NirToken
    born: BirthDateToken
    provider: str
    cents: int
    paid: bool
