"""`jeton clients`: who may do what, in the reviewed file and nowhere else."""

import asyncio
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import click

from vault.access.identity import mint
from vault.access.limits import BUDGET, PEOPLE, ceilings, end_user_ceilings
from vault.app import open_vault
from vault.cli import entries
from vault.cli.failure import Wrong, close
from vault.cli.group import Group, examples
from vault.cli.options import config_option, day, json_option
from vault.cli.screen import note, print_json, table
from vault.config import NAME, PURPOSE, Client, Credential, Grant, Operation, Settings, load
from vault.errors import SetUpError
from vault.telemetry import Names, install

IN_FORCE: Final = "In force once the service is told: send it a SIGHUP, or restart it."
SHOWN: Final = 8
"""How much of a credential's hash names it; the record shows as much."""

LIMIT_KEYS: Final = [
    f"{scope}{budget}.{window}"
    for scope in ("", "end_user.")
    for budget in ("tokenise", "reveal", "match", "people")
    for window in ("hour", "day")
]
MOST: Final = 10**12


class Granted(NamedTuple):
    """One ``--grant``."""

    operation: str
    transformation: str
    purpose: str | None


def grant(text: str) -> Granted:
    """``OPERATION:TRANSFORMATION[:PURPOSE]``."""
    operation, _, rest = text.partition(":")
    transformation, colon, purpose = rest.partition(":")
    operations = get_args(Operation)
    if operation not in operations:
        known = ", ".join(operations)
        raise Wrong(f"OPERATION is one of {known}{close(operation, operations)}")
    if not NAME.fullmatch(transformation):
        raise Wrong("expected OPERATION:TRANSFORMATION[:PURPOSE], such as mask:fr-nir:display")
    if colon and not PURPOSE.fullmatch(purpose):
        raise Wrong("PURPOSE has 1 to 64 lower-case letters, digits and hyphens")
    if not colon and operation in ("detokenise", "mask"):
        raise Wrong(f"say what for: {operation}:TRANSFORMATION:PURPOSE")
    return Granted(operation, transformation, purpose or None)


def limit(text: str) -> tuple[str, int]:
    """``KEY=N``."""
    key, _, number = text.partition("=")
    if key not in LIMIT_KEYS:
        raise Wrong(
            "KEY is tokenise, reveal, match or people with .hour or .day, and end_user. before "
            f"it for each end user{close(key, LIMIT_KEYS)}"
        )
    digits = number.replace("_", "")
    if not re.fullmatch("[0-9]{1,13}", digits) or not 1 <= int(digits) <= MOST:
        raise Wrong(f"N is a whole number from 1 to {MOST}; no limit is infinite")
    return key, int(digits)


def network(text: str) -> str:
    """A network in CIDR notation."""
    try:
        return str(ip_network(text))
    except ValueError:
        raise Wrong("expected a network such as 10.1.0.0/16 or 2001:db8::/32") from None


def hash_prefix(text: str) -> str:
    """How the hash of a credential begins."""
    if not re.fullmatch("[0-9a-fA-F]{4,64}", text):
        raise Wrong("expected at least 4 hex digits of the hash, as `jeton clients list` shows it")
    return text.lower()


@click.group(
    cls=Group,
    epilog=examples(
        "jeton clients add billing --grant detokenise:fr-nir:billing --limit people.day=200",
        "jeton clients rotate billing --overlap-days 14",
        "jeton clients revoke billing",
    ),
)
def clients() -> None:
    """Say who may do what: add, rotate, revoke, list, unlock.

    Clients stand in the configuration, with hashes of their credentials. These verbs edit that
    file, keep its comments, and judge the result before it replaces the old one.
    """


@clients.command(
    epilog=examples(
        "jeton clients add import --grant tokenise:fr-nir --grant tokenise:birth-date",
        "jeton clients add billing --grant detokenise:fr-nir:billing \\",
        "    --limit reveal.hour=1000 --limit people.day=200 --network 10.1.0.0/16",
        "jeton clients add desk --grant mask:fr-nir:display --limit end_user.people.day=20",
    )
)
@click.argument("name")
@config_option
@click.option(
    "--grant",
    "grants",
    type=grant,
    multiple=True,
    required=True,
    metavar="OPERATION:TRANSFORMATION[:PURPOSE]",
    help="What it may do; several times for more, also for more purposes.",
)
@click.option(
    "--limit",
    "limits",
    type=limit,
    multiple=True,
    metavar="KEY=N",
    help="reveal.hour=1000, end_user.people.day=20, ...; what is left out is as shipped.",
)
@click.option("--expires", type=day, metavar="DATE", help="The credential's last day, UTC.")
@click.option(
    "--network",
    "networks",
    type=network,
    multiple=True,
    metavar="CIDR",
    help="Where the credential may come from; several times for more.",
)
@json_option
def add(
    name: str,
    config: Path,
    grants: Sequence[Granted],
    limits: Sequence[tuple[str, int]],
    expires: date | None,
    networks: Sequence[str],
    as_json: bool,
) -> None:
    """Add a client and print its credential, once."""
    credential, sha256 = mint(name)
    fresh = Credential(sha256, expires, tuple(networks))
    merged: dict[tuple[str, str], list[str]] = {}
    for operation, transformation, purpose in grants:
        purposes = merged.setdefault((operation, transformation), [])
        if purpose is not None and purpose not in purposes:
            purposes.append(purpose)
    entries.add(config, entries.NewClient(name, fresh, merged, dict(limits)))
    _show_credential(name, credential, as_json=as_json)


@clients.command()
@click.argument("name")
@config_option
@click.option(
    "--overlap-days",
    type=click.IntRange(0, 365),
    default=7,
    show_default=True,
    help="How long the old credential stays good; 0: to the end of today, UTC.",
)
@click.option("--expires", type=day, metavar="DATE", help="The new one's last day, UTC.")
@json_option
def rotate(name: str, config: Path, overlap_days: int, expires: date | None, as_json: bool) -> None:
    """Give a second credential; the old one gets a last day."""
    credential, sha256 = mint(name)
    today = datetime.now(UTC).date()
    until = today + timedelta(days=overlap_days)
    entries.rotate(config, name, Credential(sha256, expires), until, today)
    if not as_json:
        note(f"The old credential is good until the end of {until}, UTC.")
    _show_credential(name, credential, as_json=as_json)


@clients.command()
@click.argument("name")
@config_option
@click.option(
    "--credential",
    "prefix",
    type=hash_prefix,
    metavar="PREFIX",
    help="Only the credential whose hash begins so (see list); else all of them.",
)
def revoke(name: str, config: Path, prefix: str | None) -> None:
    """Take credentials away; grants and limits stay.

    `rotate` gives the client a new credential later.
    """
    count = entries.revoke(config, name, prefix)
    note(f"{count} credential{'s' if count != 1 else ''} of {name} revoked. {IN_FORCE}")


@clients.command(epilog=examples('jeton clients unlock billing --reason "a test of ours"'))
@click.argument("name")
@config_option
@click.option("--end-user", metavar="ID", help="One end user of it that is locked alone.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the record.")
def unlock(name: str, config: Path, end_user: str | None, reason: str) -> int:
    """Let a locked client go on, on the record.

    A client is locked when it asked for somebody who does not exist (`jeton honeytokens`). Find
    out why, and rotate its credentials, first. Exit code 1 where it was not locked.
    """
    if not reason.strip():
        raise Wrong("say why", param_hint="--reason")
    install(Names(), "console", "error")
    settings = load(config, os.environ)
    if name not in settings.clients:
        raise SetUpError(f"there is no client of this name{close(name, settings.clients)}")
    unlocked = asyncio.run(_unlock(settings, name, end_user, reason.strip()))
    note(f"{name} may go on." if unlocked else f"{name} was not locked.")
    return 0 if unlocked else 1


async def _unlock(settings: Settings, name: str, end_user: str | None, reason: str) -> bool:
    async with open_vault(settings) as vault:
        return await vault.ledger.unlock(name, end_user, reason)


@clients.command(name="list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """Show clients, hashes of credentials, grants and limits."""
    settings = load(config, {})
    if as_json:
        print_json({"clients": {name: described(one) for name, one in settings.clients.items()}})
    else:
        show(settings.clients)


def show(known: Mapping[str, Client]) -> None:
    """A table of clients."""
    table(
        ("client", "credentials", "may", "limits"),
        (
            (
                name,
                "\n".join((*map(_credential, client.credentials), *_proofs(client))) or "none",
                "\n".join(map(_grant, client.grants)) or "nothing",
                "\n".join(_limits(client)),
            )
            for name, client in known.items()
        ),
    )


def described(client: Client) -> dict[str, Any]:
    """A client as JSON: all limits that hold, said or shipped."""
    return {
        "credentials": [
            {
                "sha256": one.sha256[:SHOWN],
                "expires": one.expires.isoformat() if one.expires else None,
                "networks": list(one.networks),
            }
            for one in client.credentials
        ],
        "tokens": [
            {"issuer": one.issuer, "sub": one.sub, "claims": dict(one.claims)}
            for one in client.tokens
        ],
        "certificates": [{"uri": one.uri, "subject": one.subject} for one in client.certificates],
        "issued_to": list(client.issued_to),
        "grants": [
            {
                "operation": one.operation,
                "transformation": one.transformation,
                "purposes": list(one.purposes),
                "end_user_issuers": list(one.end_user_issuers),
            }
            for one in client.grants
        ],
        "limits": ceilings(client.limits),
        "end_user_limits": end_user_ceilings(client.limits),
    }


def _credential(credential: Credential) -> str:
    parts = [f"{credential.sha256[:SHOWN]}..."]
    if credential.expires is not None:
        over = credential.expires < datetime.now(UTC).date()
        parts.append(f"{'expired' if over else 'until'} {credential.expires}")
    if credential.networks:
        parts.append(f"from {', '.join(credential.networks)}")
    return " ".join(parts)


def _proofs(client: Client) -> Iterable[str]:
    """What else it may call with."""
    for one in client.tokens:
        yield f"token of {one.issuer}: {one.sub}"
    for shown in client.certificates:
        yield f"certificate {shown.uri or shown.subject}"


def _grant(one: Grant) -> str:
    purposes = f" for {', '.join(one.purposes)}" if one.purposes else ""
    whose = f", end users by {', '.join(one.end_user_issuers)}" if one.end_user_issuers else ""
    return f"{one.operation} {one.transformation}{purposes}{whose}"


def _limits(client: Client) -> Iterable[str]:
    """Those that its grants can spend."""
    budgets = {BUDGET[one.operation] for one in client.grants}
    if budgets - {"tokenise"}:
        budgets.add(PEOPLE)
    per_end_user = end_user_ceilings(client.limits)
    for name, ceiling in ceilings(client.limits).items():
        if name.partition(".")[0] in budgets:
            yield f"{name} {ceiling:,}"
    for name, ceiling in per_end_user.items():
        yield f"{name} {ceiling:,} an end user"


def _show_credential(name: str, credential: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, "credential": credential})
        return
    note(f"The credential of {name}, shown this once:")
    click.echo(credential)
    note(IN_FORCE)
