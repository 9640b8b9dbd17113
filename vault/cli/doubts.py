"""What a configuration that can be served still lets go wrong, a line a doubt.

What concerns many transformations or clients alike is one line that names them, so that a
line more is news.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from vault.access.guessing import DATES, smallest_domain
from vault.access.limits import BUDGET, OF_PEOPLE, ceilings, stated
from vault.access.radius import Radius
from vault.config import Client, Settings, Transformation, format_of
from vault.formats.base import FLOOR

SOON: Final = timedelta(days=30)
SMALL: Final = 10**8


def doubts(settings: Settings, radii: Mapping[str, Radius], today: date) -> Iterator[str]:
    """`radii` are those of the clients. Raises SetUpError where there is no such format."""
    yield from _of_transformations(settings.transformations)
    for name, client in settings.clients.items():
        yield from _of_client(name, client, radii[name], today)
    yield from _of_clients(settings.clients, today)
    if not settings.clients:
        yield "there are no clients: `jeton clients add` writes one"
    yield from _of_the_rest(settings)


def _of_transformations(known: Mapping[str, Transformation]) -> Iterator[str]:
    for name, one in known.items():
        yield from _of_contexts(name, one)
    alike = [name for name, one in known.items() if not format_of(one).recognisable]
    if alike:
        yield (
            f"transformations {', '.join(alike)}: tokens cannot be told from values: nothing "
            "stops a second tokenisation, and a scanner cannot tell harm from harmless"
        )
    sizes = {name: smallest_domain(one) for name, one in known.items()}
    small = [f"{name} ({n:,})" for name, n in sizes.items() if FLOOR <= n <= SMALL]
    if small:
        yield (
            f"transformations {', '.join(small)}: a small domain, of 100,000,000 values or less. "
            "Attacks that recover messages from tokens under very many contexts get cheaper as "
            "it shrinks (SP 800-38G revision 1 stops at 1,000,000 for them), and who may "
            "tokenise can list all of it under one context: allow longer values only, or "
            "require contexts that differ between people, and keep `tokenise` limits low"
        )


def _of_contexts(name: str, one: Transformation) -> Iterator[str]:
    form = format_of(one)
    if form.context == "required" and one.context in ("optional", "none"):
        yield (
            f"transformations.{name}: values of {one.format} are so few that without a context "
            'all of them can be tried; set context = "required", with one that differs from '
            "record to record"
        )
    elif one.format in DATES and not one.person.startswith("context:"):
        yield (
            f"transformations.{name}: nothing makes sure that contexts differ between people, "
            "and one that is the same for everybody is as good as none: use the token of each "
            'person\'s number as context, and say person = "context:NAME" of its transformation'
        )


def _of_client(name: str, client: Client, radius: Radius, today: date) -> Iterator[str]:
    yield from _of_credentials(name, client, today)
    if not client.grants:
        yield f"clients.{name}: it may do nothing"
    for index, grant in enumerate(client.grants):
        if grant.operation == "match" and not grant.purposes:
            yield f"clients.{name}.grants[{index}]: a match without purpose; the record has none"
    limits = ceilings(client.limits)
    for budget in ("tokenise", "reveal", "match"):
        if limits[f"{budget}.hour"] > limits[f"{budget}.day"]:
            yield f"clients.{name}.limits.{budget}: the hour's is above the day's, which stops it"
    for transformation, why in radius.uncounted.items():
        yield (
            f"clients.{name}: `people` limits do not hold down how many people it reaches "
            f"through {transformation}: {why}. Its blast radius counts values there"
        )
    yield from _of_both_ways(name, client)


def _of_credentials(name: str, client: Client, today: date) -> Iterator[str]:
    if client.tokens or client.certificates:
        if client.credentials:
            yield (
                f"clients.{name}: it has credentials beside tokens or certificates, and these can "
                "be stolen from a file; `jeton clients revoke` takes them away"
            )
        return
    lasting = [one for one in client.credentials if one.expires is None or one.expires >= today]
    if not lasting:
        state = "has expired" if client.credentials else "is there"
        negation = "every credential" if client.credentials else "no credential"
        yield f"clients.{name}: {negation} {state}; `jeton clients rotate {name}` gives one"
    elif all(one.expires is not None and one.expires <= today + SOON for one in lasting):
        last = max(one.expires for one in lasting if one.expires is not None)
        yield f"clients.{name}: its last credential expires on {last}"


def _of_both_ways(name: str, client: Client) -> Iterator[str]:
    """Who may tokenise guesses has an oracle against what it may see a part of."""
    there = {one.transformation for one in client.grants if one.operation == "tokenise"}
    back = {one.transformation for one in client.grants if one.operation in OF_PEOPLE}
    whole = any(one.operation == "detokenise" for one in client.grants)
    both = sorted(there & back)
    if both:
        yield (
            f"clients.{name}: it may tokenise and reveal {', '.join(both)}: by tokenising "
            "guesses it opens tokens, or the rest of a mask, without spending what a reveal "
            "costs; split it into two clients"
        )
    elif there and whole:
        yield (
            f"clients.{name}: it may both tokenise and detokenise: one stolen credential goes "
            "both ways; split it into two clients"
        )


def _of_clients(clients: Mapping[str, Client], today: date) -> Iterator[str]:
    endless = [
        name
        for name, client in clients.items()
        if any(one.expires is None for one in client.credentials)
    ]
    if endless:
        yield (
            f"clients {', '.join(endless)}: a credential without a last day is good until "
            f"somebody misses it; `jeton clients rotate NAME --expires {today.year + 1}-01-31`"
        )
    unsaid = [f"{n} ({', '.join(some)})" for n, c in clients.items() if (some := _unstated(c))]
    if unsaid:
        yield (
            f"clients {', '.join(unsaid)}: limits that nobody chose, so those shipped hold; "
            "state what the work takes"
        )


def _unstated(client: Client) -> list[str]:
    """The budgets that a client spends of which nothing at all was said."""
    spent = {BUDGET[grant.operation] for grant in client.grants}
    if any(grant.operation in OF_PEOPLE for grant in client.grants):
        spent.add("people")
    said = {name.partition(".")[0] for name in stated(client.limits)}
    return [
        budget for budget in ("tokenise", "reveal", "match", "people") if budget in spent - said
    ]


def _of_the_rest(settings: Settings) -> Iterator[str]:
    yield from _of_identity(settings)
    server = settings.server
    if server.host and not is_loopback(server.host) and server.tls_certificate is None:
        yield (
            "server.host is not loopback, and the service speaks plain HTTP: values and "
            "credentials would cross the network in the clear; set server.tls_certificate and "
            "server.tls_key, or end TLS in front of it"
        )
    if settings.honeytokens.meant and not settings.honeytokens.file.exists():
        yield (
            "honeytokens.file is not there: nobody who touches one is noticed; `jeton honeytokens"
            " plant` writes it, and each machine needs the same"
        )
    scheme, _, path = settings.keys.kek.partition(":")
    if scheme == "file" and Path(path).parent == settings.keys.keyset.parent:
        yield (
            "keys.kek stands beside keys.keyset: whoever copies the folder has both, and with "
            "them every value; keep the KEK elsewhere, and back it up apart"
        )


def _of_identity(settings: Settings) -> Iterator[str]:
    certificates = settings.identity.certificates
    if certificates is not None and certificates.crl is None:
        yield (
            "identity.certificates.crl is not said: no client certificate can be revoked before "
            "it ends"
        )
    hidden = certificates is not None and certificates.forwarded_header is None
    if hidden and settings.server.tls_certificate is None:
        yield (
            "identity.certificates: nobody can show one, since TLS does not end here and no "
            "forwarded_header is said"
        )
    for name, client in settings.clients.items():
        wanted = {bool(one.end_user_issuers) for one in client.grants if one.operation in OF_PEOPLE}
        if wanted == {True, False}:
            yield (
                f"clients.{name}: some of its grants want end users proved and others do not: who "
                "steals what it calls with goes through the others"
            )


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
