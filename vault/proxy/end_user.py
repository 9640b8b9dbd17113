"""For whom a request is: what a route's `end_user` names in its head.

A header or a cookie says it, as the system behind us believes it too: it is claimed, not proved.
A client certificate proves it. Where a grant wants a proof, header or cookie hold a token of the
end user's, which the vault judges.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from vault.errors import Refusal
from vault.web.headers import END_USER_TEXT, END_USER_TOKEN, Header

_BEARER = re.compile(r"bearer +", re.IGNORECASE)


class EndUser:
    """Reads one kind of it."""

    def __init__(self, configured: str | None, *, proved: bool = False) -> None:
        """`proved`: it may be a token, as it stands or, in a header, behind ``Bearer``."""
        self._proved = proved
        kind, _, rest = (configured or "").partition(":")
        self._kind = kind
        self._name, _, self._claim = rest.partition(":")

    @property
    def header(self) -> bytes | None:
        """The header that says it, where one does."""
        return self._name.lower().encode() if self._kind == "header" else None

    def of(self, headers: Sequence[Header], certificate: Mapping[str, Any] | None) -> str | None:
        """None where the request names nobody. Raises Refusal ``malformed_request`` for one that
        cannot be an id, and never says what it was."""
        if self._kind == "header":
            found = next((value for name, value in headers if name == self.header), None)
            text = None if found is None else found.decode("latin-1")
        elif self._kind == "cookie":
            text = self._cookie(headers)
        elif self._kind == "certificate":
            text = _subject(certificate)
        else:
            return None
        if text is None:
            return None
        if self._proved and self._kind == "header":
            begins = _BEARER.match(text)
            text = text[begins.end() :] if begins else text
        sent = text.encode("utf-8", "replace")
        is_token = self._proved and END_USER_TOKEN.fullmatch(sent)
        if not is_token and not END_USER_TEXT.fullmatch(sent):
            raise Refusal(
                "malformed_request", "the end user's id has 1 to 128 visible ASCII characters"
            )
        return text

    def _cookie(self, headers: Sequence[Header]) -> str | None:
        sent = b"; ".join(value for name, value in headers if name == b"cookie").decode("latin-1")
        found = _cookie(sent, self._name)
        if found is None or not self._claim:
            return found
        try:
            payload = found.split(".")[1]
            said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            claim = said[self._claim]
        except (IndexError, KeyError, TypeError, ValueError):
            claim = None
        if not isinstance(claim, str | int):
            raise Refusal("malformed_request", "the cookie does not hold the end user")
        return str(claim)


def _cookie(sent: str, name: str) -> str | None:
    """Its value (RFC 6265). Some readers part cookies at commas and blanks too, keep what is
    quoted together, or take a name in any case: where it matters nothing passes. Raises Refusal."""
    places = list(re.finditer(rf'(^|[;,\s"])({re.escape(name)})\s*=', sent, re.IGNORECASE))
    if not places:
        return None
    value = sent[places[0].end() :].partition(";")[0].strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    begins = sent[: places[0].start(2)].rstrip(" \t")
    alone = len(places) == 1 and places[0][2] == name and begins[-1:] in {"", ";"}
    if not alone or '"' in value or "," in value or begins.count('"') % 2:
        raise Refusal("malformed_request", "the cookie of the end user can be read in two ways")
    return value


def _subject(certificate: Mapping[str, Any] | None) -> str | None:
    """A SPIFFE id or another URI, else the subject's common name."""
    if not certificate:
        return None
    for kind, name in certificate.get("subjectAltName", ()):
        if kind == "URI":
            return str(name)
    for names in certificate.get("subject", ()):
        for kind, name in names:
            if kind == "commonName":
                return str(name)
    return None
