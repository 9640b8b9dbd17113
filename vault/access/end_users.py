"""End users who are proved: by a token of an issuer that a grant names, brought by whom it was
issued to."""

import re
from collections.abc import Mapping
from typing import Final

from vault.access.rejected import Rejected
from vault.access.tokens import Tokens, is_token, issued_to
from vault.config import Settings

_SUBJECT: Final = re.compile(r"[\x21-\x7e]{1,128}")


class EndUsers:
    """Which grants ask for a proof, and the proofs."""

    def __init__(self, settings: Settings, tokens: Tokens) -> None:
        self._tokens = tokens
        self._asked: Mapping[tuple[str, str, str], frozenset[str]] = {
            (name, grant.operation, grant.transformation): frozenset(grant.end_user_issuers)
            for name, client in settings.clients.items()
            for grant in client.grants
            if grant.end_user_issuers
        }
        self._issued_to = {
            name: frozenset(client.issued_to) for name, client in settings.clients.items()
        }

    def asks(self, principal: str, operation: str, transformation: str) -> bool:
        """Whether this is granted for proved end users only."""
        return (principal, operation, transformation) in self._asked

    def prove(
        self, principal: str, operation: str, transformation: str, text: str | None, now: float
    ) -> tuple[str, str]:
        """The issuer's name and the end user's id, of a grant that asks. The id has a space, which
        no claimed one can have: so nobody is counted or locked as somebody who is proved.

        Raises Rejected (its causes begin with ``end_user``), KeyUnknown as `Tokens.verify`.
        """
        wanted = self._asked[principal, operation, transformation]
        if text is None:
            raise Rejected("end_user_required")
        if not is_token(text):
            raise Rejected("token_malformed")
        token = self._tokens.verify(text, now)
        if token.issuer not in wanted:
            raise Rejected("token_issuer")
        party = issued_to(token)
        if party is None or party not in self._issued_to[principal]:
            raise Rejected("token_replayed")
        if not _SUBJECT.fullmatch(token.subject):
            raise Rejected("token_subject")
        return token.issuer, f"{token.issuer} {token.subject}"
