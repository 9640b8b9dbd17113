"""Ready rules for messages that many exchange: configuration, and no code.

A route names one for a direction, ``request_profile = { name = "fhir", operation = "tokenise" }``,
and has its rules after those of its own.
"""

import tomllib
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from vault.config.proxy import Choice, FieldRule, ProfileUse, Proxy, Route

_FOLDER = Path(__file__).parent
NAMES = tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))


class ProfileField(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    select: str
    transformation: str
    context_select: str | None = None
    on_error: Choice = "block"
    leading: int | None = None


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fields: tuple[ProfileField, ...]
    namespaces: dict[str, str] = {}


@lru_cache
def profile(name: str) -> Profile:
    """One of `NAMES`."""
    text = (_FOLDER / f"{name}.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Profile)


def with_profiles(proxy: Proxy) -> Proxy:
    """The same with the rules of all profiles that its routes name; unknown ones are left for
    the checks to tell."""
    return replace(proxy, routes={name: _expanded(one) for name, one in proxy.routes.items()})


def _expanded(route: Route) -> Route:
    named = [one for one in (route.request_profile, route.response_profile) if one and _is(one)]
    namespaces = {
        prefix: uri for use in named for prefix, uri in profile(use.name).namespaces.items()
    }
    return replace(
        route,
        request=route.request + _rules(route.request_profile),
        response=route.response + _rules(route.response_profile),
        namespaces=namespaces | route.namespaces,
    )


def _rules(use: ProfileUse | None) -> tuple[FieldRule, ...]:
    if use is None or not _is(use):
        return ()
    return tuple(
        FieldRule(
            one.select,
            use.operation,
            one.transformation,
            None,
            one.context_select,
            one.on_error,
            one.leading,
        )
        for one in profile(use.name).fields
    )


def _is(use: ProfileUse) -> bool:
    return use.name in NAMES
