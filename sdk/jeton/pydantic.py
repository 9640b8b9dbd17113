"""Types for pydantic 2: fields that hold tokens alone, and fields whose values show nowhere.

    class NewClaim(BaseModel):
        nir: SensitiveValue

    class Claim(BaseModel):
        nir: NirToken

Needs ``jeton-sdk[pydantic]``. Nothing here asks the service: a text that reads like a token may
be nobody's. Where a field refuses what it is given, the error shows ``<sensitive>`` in its place;
but pydantic quotes the *whole* input where a field is missing: set ``hide_input_in_errors`` on
models that take values in.
"""

from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from jeton.errors import UsageError
from jeton.results import HIDDEN, Sensitive, Token
from jeton.shapes import TOKENS


class _Cover:
    """What a field was given, which its errors may show."""

    __slots__ = ("given",)

    def __init__(self, given: object) -> None:
        self.given = given

    def __repr__(self) -> str:
        return HIDDEN


class Tokenised:
    """Marks a `Token` field: ``Annotated[Token, Tokenised("fr-nir:official")]``.

    It takes whatever reads like a token of the format, ``fr-nir``, ``fr-nir:official`` or
    ``birth-date``, and no value. Raises `UsageError` for formats whose tokens cannot be told
    from values."""

    def __init__(self, format_name: str) -> None:
        if format_name not in TOKENS:
            raise UsageError(f"tokens of {', '.join(TOKENS)} can be told by their text; no others")
        self._format = format_name
        self._is_token = TOKENS[format_name]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return _covered(self._check, core_schema.to_string_ser_schema())

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "format": f"jeton-token-{self._format.replace(':', '-')}"}

    def _check(self, cover: _Cover) -> Token:
        given = cover.given
        if isinstance(given, str) and self._is_token(given):
            return given if isinstance(given, Token) else Token(given)
        raise PydanticCustomError("jeton_token", f"expected a token of {self._format}")


class _ValueField:
    """`Sensitive` for any text. It is written as ``<sensitive>``, and not read back from it."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        shown = core_schema.plain_serializer_function_ser_schema(
            lambda _: HIDDEN, return_schema=core_schema.str_schema(), when_used="json"
        )
        return _covered(self._check, shown)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "format": "password", "writeOnly": True}

    def _check(self, cover: _Cover) -> Sensitive:
        given = cover.given
        if isinstance(given, Sensitive):
            return given
        if isinstance(given, str) and given != HIDDEN:
            return Sensitive(given)
        raise PydanticCustomError("jeton_value", "expected a text that is a value")


def _covered(check: Any, serialization: Any) -> CoreSchema:
    """`check` sees what was given under a cover, so that its errors do not quote it."""
    steps: list[CoreSchema] = [
        core_schema.no_info_plain_validator_function(_Cover),
        core_schema.no_info_plain_validator_function(check),
    ]
    return core_schema.chain_schema(steps, serialization=serialization)


SensitiveValue = Annotated[Sensitive, _ValueField()]
"""A field that takes a text in and holds it as `Sensitive`; it is dumped as ``<sensitive>``."""
NirToken = Annotated[Token, Tokenised("fr-nir")]
BirthDateToken = Annotated[Token, Tokenised("birth-date")]
