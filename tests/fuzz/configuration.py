"""Configuration files and the environment over them: settings that can be served and judged, or a
SetUpError that shows nothing but keys, and no long one whole."""

import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any

from tests.fuzz import scratch
from tests.fuzz.keys import KEYSET
from vault.access.grants import Access
from vault.access.identity import Identities
from vault.access.radius import radii
from vault.cli.check_config import _described
from vault.cli.doubts import doubts
from vault.cli.shipped import CLIENTS, configuration
from vault.config import Settings, load
from vault.config.shape import SHOWN
from vault.engine.transformation import compile_transformations
from vault.errors import SetUpError

TODAY = date(2026, 11, 24)


def run(data: bytes) -> None:
    """A file; behind each NUL an environment variable, ``NAME=text``."""
    text, *variables = data.split(b"\0")
    pairs = [each.decode("utf-8", "surrogateescape").partition("=") for each in variables]
    environ = {f"JETON__{name}": value for name, _, value in pairs}
    path = scratch.folder() / "jeton.toml"
    path.write_bytes(text)
    try:
        settings = load(path, environ)
    except SetUpError as error:
        _assert_shows_keys_only(str(error), text)
        return
    assert settings.audit.folder.is_absolute()
    _serve(settings)


def _serve(settings: Settings) -> None:
    """Whatever is accepted can be put together; but a key version may be missing."""
    Identities(settings)
    access = Access(settings)
    for name in settings.clients:
        access.grants_of(name)
    found = radii(settings)
    _described(settings, found, list(doubts(settings, found, TODAY)), TODAY)
    try:
        compile_transformations(settings, KEYSET)
    except SetUpError as error:
        assert "key_version" in str(error)


def _assert_shows_keys_only(message: str, text: bytes) -> None:
    """Of what stands in the file; what the message itself has is not asked after."""
    try:
        raw = tomllib.loads(text.decode())
    except (ValueError, RecursionError):
        words = text.decode("utf-8", "ignore").replace('"', " ").replace("'", " ").split()
        long = [word for word in words if len(word) > SHOWN and word.isalnum()]
        assert not any(word in message for word in long), "a long key is shown"
        return
    keys = set(_keys(raw))
    texts = [one for one in _texts(raw) if len(one) > 8 and one.isalnum() and not one.islower()]
    assert not any(one in message for one in texts if one not in keys), "a text is shown"
    assert not any(key in message for key in keys if len(key) > SHOWN), "a long key is shown"


def _keys(raw: Any) -> Iterator[str]:
    if isinstance(raw, dict):
        yield from raw
    for inner in raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ():
        yield from _keys(inner)


def _texts(raw: Any) -> Iterator[str]:
    if isinstance(raw, str):
        yield raw
    for inner in raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ():
        yield from _texts(inner)


def seeds() -> list[bytes]:
    """As shipped; every kind of format; and what is refused for reasons of its own."""
    hashes = {name: f"{number:064x}" for number, name in enumerate(CLIENTS)}
    shipped = configuration(hashes).encode()
    lines = [line for line in shipped.splitlines() if line and not line.startswith(b"#")]
    plain = b"\n".join(line.partition(b" #")[0].rstrip() for line in lines)
    transformation = b'[transformations.a]\nformat = "%b"\n%b\n'
    options = {
        b"digits": b"min_length = 8\nmax_length = 12\nkeep_last = 2",
        b"alphabet": b'alphabet = "0123456789abcdef"\ncontext = "none"',
        b"template": b'template = "AA-9999-*"\nperson = "context"',
        b"fr-nir": b'band = "official"\nwrong_key = "keep"\nkey_version = 2',
        b"de-idnr": b'band = "safe"\nkey_id = "b"',
        b"birth-date": b'person = "context:b"\n[transformations.b]\nformat = "us-ssn"',
    }
    client = (
        b"""[clients.c]
credentials = [{ sha256 = "%064x", expires = 2027-11-24, networks = ["10.1.0.0/16"] }]
grants = [{ operation = "match", transformation = "a", purposes = ["p"] }]
limits = { match = { hour = 10 }, people = { day = 5 }, end_user = { match = { day = 2 } } }
"""
        % 7
    )
    formats = [transformation % (name, said) + client for name, said in options.items()]
    server = b'development = true\n[server]\nsocket = "s"\nhost = ""\n[audit]\nretention_days = 3\n'
    others = [b"", b"a = 1", b"[server]\nport = nan", b"a = [[[[", b"[clients.jeton_x]\n" * 2]
    variables = b"\0SERVER__PORT=1\0KEYS__KEK=env:X\0STORE__URL=sqlite:x\0SERVER__PROT=1"
    return [plain, plain + variables, *formats, server, *others]
