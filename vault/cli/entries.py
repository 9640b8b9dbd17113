"""Clients in the configuration's text: new entries, other credentials; comments stay.

A new client is appended as text, so that nothing else moves. Credentials are changed in place
by tomlkit. Either way the result is read back and judged whole before it replaces the file.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import tomlkit
from msgspec.structs import replace
from tomlkit.items import AoT

from vault.cli.files import edit
from vault.config import Client, Credential, Settings, load, read
from vault.errors import SetUpError

AT_ONCE = 2
"""Credentials of one client that are good at the same time: the old and the new one."""


@dataclass(frozen=True, slots=True)
class NewClient:
    """What `jeton clients add` was told."""

    name: str
    credential: Credential
    grants: Mapping[tuple[str, str], Sequence[str]]
    """(operation, transformation) -> purposes."""
    limits: Mapping[str, int]
    """``reveal.hour`` or ``end_user.people.day`` -> how much."""


def add(path: Path, client: NewClient) -> None:
    """Raises SetUpError, with nothing written: a client of this name, unknown names, ..."""

    def appended(text: str, settings: Settings) -> str:
        if client.name in settings.clients:
            raise SetUpError(
                f"there is a client {client.name} already: `jeton clients rotate {client.name}` "
                "gives it another credential"
            )
        return f"{text.rstrip()}\n\n{_entry(client)}"

    _edit(path, appended)


def rotate(path: Path, name: str, fresh: Credential, old_until: date, today: date) -> None:
    """Add a credential; the old one ends on `old_until`, expired ones are taken out.

    The new one takes over the old one's networks. Raises SetUpError.
    """

    def rotated(client: Client, credentials: Any) -> None:
        _remove(client, credentials, lambda one: _expired(one, today))
        live = [one for one in client.credentials if not _expired(one, today)]
        if len(live) >= AT_ONCE:
            raise SetUpError(
                f"{name} has {len(live)} credentials that are good: revoke the one that is no "
                f"longer used, `jeton clients revoke {name} --credential PREFIX`"
            )
        for index, one in enumerate(live):
            last = min(one.expires or old_until, old_until)
            _put(credentials, index, replace(one, expires=last))
        networks = live[-1].networks if live else ()
        _put(credentials, len(live), replace(fresh, networks=networks))

    _edit_credentials(path, name, rotated)


def revoke(path: Path, name: str, prefix: str | None) -> int:
    """Take out one credential, or all of them; the client and its grants stay.

    Returns how many. Raises SetUpError where the prefix is not that of exactly one.
    """
    count = 0

    def revoked(client: Client, credentials: Any) -> None:
        nonlocal count
        chosen = [one for one in client.credentials if one.sha256.lower().startswith(prefix or "")]
        if prefix is not None and len(chosen) != 1:
            raise SetUpError(
                f"{len(chosen) or 'none'} of the credentials of {name} begin so: "
                "`jeton clients list` shows how they begin"
            )
        count = len(chosen)
        _remove(client, credentials, lambda one: one in chosen)

    _edit_credentials(path, name, revoked)
    return count


def _edit(path: Path, change: Callable[[str, Settings], str]) -> None:
    """Change the text under the file's lock; what would not be served is not written."""
    load(path, {})  # a missing file or a broken one, in the configuration's own words

    def judged(text: str) -> str:
        after = change(text, read(text, path.absolute().parent, {}, str(path)))
        try:
            read(after, path.absolute().parent, {}, str(path))
        except SetUpError as error:
            raise SetUpError(f"nothing was written, for then {error}") from None
        return after

    edit(path, judged)


def _edit_credentials(path: Path, name: str, change: Callable[[Client, Any], None]) -> None:
    def changed(text: str, settings: Settings) -> str:
        if name not in settings.clients:
            raise SetUpError("no client has this name: `jeton clients list` shows them all")
        document = tomlkit.parse(text)
        entry: Any = document["clients"][name]
        if "credentials" not in entry:
            entry["credentials"] = tomlkit.array()
        change(settings.clients[name], entry["credentials"])
        after = tomlkit.dumps(document)
        _check_rest(text, after, name)
        return after

    _edit(path, changed)


def _check_rest(before: str, after: str, name: str) -> None:
    """Nothing but this client's credentials may be another than before."""
    old, new = tomllib.loads(before), tomllib.loads(after)
    for document in (old, new):
        document["clients"][name].pop("credentials", None)
    if old != new:
        raise SetUpError(
            f"nothing was written: the file is laid out in a way that cannot be edited here; "
            f"edit clients.{name}.credentials by hand"
        )


def _expired(credential: Credential, today: date) -> bool:
    return credential.expires is not None and credential.expires < today


def _remove(client: Client, credentials: Any, unwanted: Callable[[Credential], bool]) -> None:
    for index in reversed(range(len(client.credentials))):
        if unwanted(client.credentials[index]):
            del credentials[index]


def _put(credentials: Any, index: int, credential: Credential) -> None:
    """Set the credential of that place, or append it, in the layout that is there."""
    item: Any = tomlkit.value(_credential(credential))
    if isinstance(credentials, AoT):  # [[clients.NAME.credentials]]
        table = tomlkit.table() if index == len(credentials) else credentials[index]
        table.update(item.unwrap())
        if index == len(credentials):
            credentials.append(table)
    elif index == len(credentials):
        credentials.append(item)
    else:
        credentials[index] = item


def _credential(credential: Credential) -> str:
    # Neither a hash nor a network that was checked can hold a quotation mark.
    parts = [f'sha256 = "{credential.sha256}"']
    if credential.expires is not None:
        parts.append(f"expires = {credential.expires}")
    if credential.networks:
        parts.append(f"networks = [{', '.join(map(_quoted, credential.networks))}]")
    return f"{{ {', '.join(parts)} }}"


def _entry(client: NewClient) -> str:
    grants = [
        f'    {{ operation = "{operation}", transformation = "{transformation}"'
        + (f", purposes = [{', '.join(map(_quoted, purposes))}]" if purposes else "")
        + " },"
        for (operation, transformation), purposes in client.grants.items()
    ]
    lines = [
        f"[clients.{client.name}]",
        f"credentials = [{_credential(client.credential)}]",
        "grants = [",
        *grants,
        "]",
    ]
    if client.limits:
        lines.append(f"limits = {_limits(client.limits)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _limits(limits: Mapping[str, int]) -> str:
    tree: dict[str, Any] = {}
    for key, limit in limits.items():
        *path, window = key.split(".")
        at = tree
        for part in path:
            at = at.setdefault(part, {})
        at[window] = limit
    return _inline(tree)


def _inline(tree: Mapping[str, Any]) -> str:
    parts = (
        f"{key} = {_inline(inner) if isinstance(inner, Mapping) else f'{inner:_}'}"
        for key, inner in tree.items()
    )
    return f"{{ {', '.join(parts)} }}"
