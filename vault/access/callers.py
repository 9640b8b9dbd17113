"""Who calls: by a credential, by a token of an issuer, by a certificate.

Whoever shows several things has to be the same by each of them.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_network
from typing import Final

from vault.access.certificates import Authorities
from vault.access.forwarded import certificates as read_forwarded
from vault.access.identity import Caller, Identities, Principal, address_of
from vault.access.rejected import NO_PROOF, Rejected
from vault.access.tokens import Token, Tokens, is_token
from vault.config import Client, Settings, TokenOf

AUTHORIZATION: Final = b"authorization"


class Callers:
    """Everybody a configuration knows, by whatever proves it."""

    def __init__(
        self,
        settings: Settings,
        identities: Identities,
        tokens: Tokens,
        authorities: Authorities | None,
    ) -> None:
        self._identities = identities
        self._tokens = tokens
        self._authorities = authorities
        self._by_subject = {
            (one.issuer, one.sub): (name, one)
            for name, client in settings.clients.items()
            for one in client.tokens
        }
        self._by_name = dict(_named(settings.clients))
        said = settings.identity.certificates
        header = None if said is None else said.forwarded_header
        self._header = None if header is None else header.lower().encode("ascii")
        self._form = "envoy" if said is None else said.forwarded_as
        listed = () if said is None else said.forwarded_from
        self._over_unix = "unix" in listed
        self._listed = tuple(ip_network(one) for one in listed if one != "unix")
        self._is_listed = lru_cache(maxsize=4_096)(self._look_for)

    def authenticate(
        self, authorization: str | None, source: str, caller: Caller | None, now: datetime
    ) -> Principal:
        """The principal of a request from `source` at `now`, which is aware.

        Raises Rejected, and KeyUnknown where its token may be good by a key still to be fetched.
        """
        by_certificate = None if caller is None else self._certified(source, caller, now)
        if authorization is None:
            doubled = caller is not None and AUTHORIZATION in caller.fields
            if by_certificate is None or doubled:
                raise Rejected(NO_PROOF)
            return by_certificate
        principal = self._identities.find(authorization, source, now)
        if principal is None:
            principal = self._bearer(authorization, now)
        if by_certificate is not None and by_certificate.name != principal.name:
            raise Rejected("identities_differ")
        return principal

    def _bearer(self, authorization: str, now: datetime) -> Principal:
        scheme, _, text = authorization.partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not is_token(text):
            raise Rejected(NO_PROOF)
        token = self._tokens.verify(text, now.timestamp())
        name, wanted = self._by_subject.get((token.issuer, token.subject), (None, None))
        if name is None or wanted is None or not _has(token, wanted):
            raise Rejected("token_subject")
        return Principal(name, token.digest)

    def _certified(self, source: str, caller: Caller, now: datetime) -> Principal | None:
        """None where no certificate was shown."""
        leaf, chain = caller.certificate, tuple[bytes, ...]()
        if self._header is not None and self._header in caller.fields:
            if not self._is_listed(source):
                raise Rejected("certificate_forged")
            if [name for name, _ in caller.headers].count(self._header) > 1:
                raise Rejected("certificate_header")
            text = caller.fields[self._header].decode("latin-1")
            leaf, *rest = read_forwarded(text, self._form)
            chain = tuple(rest)
        if leaf is None or self._authorities is None:
            return None
        shown = self._authorities.judge(leaf, chain, now)
        found = {self._by_name[name] for name in shown.names if name in self._by_name}
        if len(found) != 1:
            raise Rejected("certificate_subject")
        return Principal(found.pop(), shown.digest)

    def _look_for(self, source: str) -> bool:
        if source == "unix":
            return self._over_unix
        address = address_of(source)
        return address is not None and any(address in one for one in self._listed)


def _has(token: Token, wanted: TokenOf) -> bool:
    return all(token.claims.get(name) == text for name, text in wanted.claims.items())


def _named(clients: Mapping[str, Client]) -> list[tuple[tuple[str, str], str]]:
    return [
        (("uri", one.uri) if one.uri is not None else ("subject", one.subject or ""), name)
        for name, client in clients.items()
        for one in client.certificates
    ]
