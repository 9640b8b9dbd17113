"""Proofs that are none."""

from typing import Final

WHOEVER: Final = "-"
"""Whom the record counts them under where it cannot say a client: no client's name begins so."""


NO_PROOF: Final = "credential"
"""The cause of what is neither token nor certificate: guesses of credentials are counted only."""
CLAIMED: Final = 128
"""Characters of an end user's id that nothing proves."""


class Rejected(Exception):
    """A token or certificate that proves nothing. `cause` is for the record, of a closed list of
    words; who sent it is told nothing of it."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class KeyUnknown(Rejected):
    """A token of `issuer`, by a key that it is not known to have: a fetch may bring it."""

    def __init__(self, issuer: str) -> None:
        super().__init__("token_key")
        self.issuer = issuer


def cause_of(rejected: Rejected) -> str:
    """Of an end user's token, so that the record tells it from the caller's own."""
    cause = rejected.cause
    return cause if cause.startswith("end_user") else f"end_user_{cause}"
