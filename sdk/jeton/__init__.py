"""The client of a Jeton service: tokens in place of national identifiers and birth dates.

    with jeton.Client("http://127.0.0.1:8200", credential) as client:
        token = client.tokenise("fr-nir", nir)
        value = client.detokenise("fr-nir", token, purpose="reimbursement").reveal()

Tokens are `str` and go into a database as they are. Values come back as `Sensitive`, which
shows itself nowhere until `reveal()` is called. A list gives `Items`, which hold a result or an
`ItemError` for each place: never all or nothing. Any other iterable gives an iterator of them.
`AsyncClient` is the same for asyncio, with aiohttp (``jeton-sdk[async]``).
"""

from typing import TYPE_CHECKING, Any

from jeton.client import Client
from jeton.errors import (
    BudgetExhausted,
    ContextRequired,
    DomainExhausted,
    InvalidValue,
    ItemError,
    JetonError,
    Locked,
    MalformedRequest,
    NoAnswer,
    NotAllowed,
    NotAToken,
    NotFound,
    RequestIdReused,
    ServiceError,
    Unauthenticated,
    Unavailable,
    Unreachable,
    UsageError,
)
from jeton.results import Items, RawResponse, Sensitive, Token, Transformation

if TYPE_CHECKING:
    from jeton.async_client import AsyncClient

__all__ = [
    "AsyncClient",
    "BudgetExhausted",
    "Client",
    "ContextRequired",
    "DomainExhausted",
    "InvalidValue",
    "ItemError",
    "Items",
    "JetonError",
    "Locked",
    "MalformedRequest",
    "NoAnswer",
    "NotAToken",
    "NotAllowed",
    "NotFound",
    "RawResponse",
    "RequestIdReused",
    "Sensitive",
    "ServiceError",
    "Token",
    "Transformation",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "UsageError",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`AsyncClient` is imported when it is asked for: without it nobody pays for aiohttp."""
    if name != "AsyncClient":
        raise AttributeError(f"module 'jeton' has no attribute {name!r}")
    try:
        from jeton.async_client import AsyncClient  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in ("aiohttp", "yarl"):
            raise
        raise ImportError("AsyncClient needs aiohttp: pip install 'jeton-sdk[async]'") from None
    return AsyncClient
