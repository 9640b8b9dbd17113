"""The HTTP side that the services share which a team would write itself: FastAPI, one credential,
checked NIRs, single calls and batches. What they keep values in stands in files of their own.
"""

import hmac
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field, StringConstraints

DIGITS = 15
KEY_MODULUS = 97
MOST = 10_000

Nir = Annotated[str, StringConstraints(pattern=r"^[0-9]{15}$")]


class Tokeniser(Protocol):
    """As many answers as were asked for. Raises LookupError for a token that is not there."""

    async def tokenise(self, values: list[str]) -> list[str]: ...

    async def detokenise(self, tokens: list[str]) -> list[str]: ...


class Value(BaseModel):
    value: Nir


class Values(BaseModel):
    values: list[Nir] = Field(max_length=MOST)


class Token(BaseModel):
    token: Nir


class Tokens(BaseModel):
    tokens: list[Nir] = Field(max_length=MOST)


def with_key(body: str) -> str:
    """13 digits, and the two that check them."""
    return f"{body}{KEY_MODULUS - int(body) % KEY_MODULUS:02d}"


def checked(values: list[str]) -> list[str]:
    """The values themselves. Raises HTTPException where one is no NIR."""
    for value in values:
        if KEY_MODULUS - int(value[:-2]) % KEY_MODULUS != int(value[-2:]):
            raise HTTPException(422, "not a NIR")
    return values


async def _caller(request: Request) -> None:
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), request.app.state.credential):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})


router = APIRouter(dependencies=[Depends(_caller)])


@router.post("/tokenise")
async def tokenise(body: Value, request: Request) -> Token:
    found = await request.app.state.tokeniser.tokenise(checked([body.value]))
    return Token(token=found[0])


@router.post("/tokenise/batch")
async def tokenise_batch(body: Values, request: Request) -> Tokens:
    return Tokens(tokens=await request.app.state.tokeniser.tokenise(checked(body.values)))


@router.post("/detokenise")
async def detokenise(body: Token, request: Request) -> Value:
    return Value(value=(await _found(request, [body.token]))[0])


@router.post("/detokenise/batch")
async def detokenise_batch(body: Tokens, request: Request) -> Values:
    return Values(values=await _found(request, body.tokens))


async def _found(request: Request, tokens: list[str]) -> list[str]:
    try:
        found: list[str] = await request.app.state.tokeniser.detokenise(tokens)
    except LookupError:
        raise HTTPException(404, "no such token") from None
    return found


def service(opened: Callable[[], AbstractAsyncContextManager[Tokeniser]]) -> FastAPI:
    """The application over what `opened` keeps open while it runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.credential = f"Bearer {os.environ['PEER_CREDENTIAL']}".encode()
        async with opened() as app.state.tokeniser:
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.include_router(router)

    @app.get("/readyz")
    async def ready() -> None:
        """Answers once the lifespan has begun."""

    return app


def key() -> bytes:
    """32 bytes, of the environment."""
    return bytes.fromhex(os.environ["PEER_KEY"])
