"""The client of a Jeton service: tokens in place of national identifiers and birth dates.

    with jeton.Client("http://127.0.0.1:8200", credential) as client:
        token = client.tokenise("fr-nir", nir)
        value = client.detokenise("fr-nir", token, purpose="reimbursement").reveal()

Tokens are `str` and go into a database as they are. Values come back as `Sensitive`, which
shows itself nowhere until `reveal()` is called. A list asks for a batch, whose `Items` hold a
result or an `ItemError` for each place: never all or nothing.
"""

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
from jeton.results import Items, Sensitive, Token, Transformation

__all__ = [
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
