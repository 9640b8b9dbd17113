"""Which key of which token a PKCS #11 URI (RFC 7512) names, and which module reaches it."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote, unquote_to_bytes

from vault.errors import SetUpError

MAX_PIN = 256

_PATH = {"token", "serial", "object", "id", "type"}
_QUERY = {"module-path", "pin-source"}
_SOURCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]{0,63}|file:/.*")


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """``pkcs11:token=LABEL;object=LABEL?module-path=/SO&pin-source=file:/PATH``."""

    module: str
    """The path of the module, a shared object."""
    pin_source: str
    token: str | None
    serial: str | None
    label: str | None
    id: bytes | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """`text`: the URI without its scheme. Raises SetUpError, which repeats no value of it."""
        path, _, query = text.partition("?")
        parts = _attributes(path, ";", _PATH)
        asked = _attributes(query, "&", _QUERY)
        for name in sorted(_QUERY - asked.keys()):
            raise _unusable(f"{name} is missing")
        if not {"token", "serial"} & parts.keys() or not {"object", "id"} & parts.keys():
            raise _unusable("it has to name a token (token= or serial=) and a key (object= or id=)")
        if unquote(parts.get("type", "secret-key")) != "secret-key":
            raise _unusable("type can only be secret-key")
        module, source = unquote(asked["module-path"]), unquote(asked["pin-source"])
        if not module.startswith("/") or "\0" in module:
            raise _unusable("module-path is no absolute path")
        if not _SOURCE.fullmatch(source) or "\0" in source:
            raise _unusable("pin-source is none of file:/PATH and env:NAME: never write a PIN here")
        words = {name: unquote(value) for name, value in parts.items()}
        return cls(
            module,
            source,
            words.get("token"),
            words.get("serial"),
            words.get("object"),
            unquote_to_bytes(parts["id"]) if "id" in parts else None,
        )

    def pin(self) -> str:
        """Read anew each time: it may be changed under a running service. Raises SetUpError."""
        kind, _, where = self.pin_source.partition(":")
        text = os.environ.get(where) if kind == "env" else _read(where)
        if not text:
            raise SetUpError("the PIN's pin-source in keys.kek is empty or not set")
        return text


def _attributes(text: str, separator: str, known: set[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise _unusable("it holds the PIN itself (pin-value): say where it is, with pin-source")
        if name not in known or not equals or not value or name in found:
            raise _unusable(
                f"beside {', '.join(sorted(known))}, each once, nothing may stand there"
            )
        found[name] = value
    return found


def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MAX_PIN + 1).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise SetUpError("the file with the PIN that keys.kek names cannot be read") from None
    if stat.S_ISREG(mode) and mode & stat.S_IRWXO:
        raise SetUpError("the file with the PIN is open to everybody: run `chmod 600` on it")
    if len(text) > MAX_PIN:
        raise SetUpError("the file with the PIN that keys.kek names holds too much to be one")
    return text


def _unusable(why: str) -> SetUpError:
    return SetUpError(f"keys.kek is no usable pkcs11: address: {why}")
