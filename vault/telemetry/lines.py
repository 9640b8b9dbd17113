"""What was said, as a line: for programs or for people."""

import json
from collections.abc import Mapping
from typing import Final, Literal

Form = Literal["json", "console"]

FIRST: Final = ("timestamp", "level", "event")
BRIGHT, RESET = "\x1b[1m", "\x1b[0m"
COLOURS: Final[Mapping[str, str]] = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}


def line(form: Form, words: Mapping[str, object], *, coloured: bool) -> str:
    """One line without its end. `words` begin with `FIRST`; all of them are plain."""
    if form == "json":
        return json.dumps(words, default=str)
    moment, level, event = (str(words[name]) for name in FIRST)
    told = " ".join(f"{name}={_shown(value)}" for name, value in words.items() if name not in FIRST)
    tag, said = f"{level:<8}", f"{event:<30}"
    if coloured:
        tag, said = f"{COLOURS[level]}{tag}{RESET}", f"{BRIGHT}{said}{RESET}"
    return f"{moment} [{tag}] {said} {told}".rstrip()


def _shown(value: object) -> str:
    """A text as it stands, unless it could be taken for several."""
    return (
        value
        if isinstance(value, str)
        and value
        and value.isprintable()
        and (not set(" =\"'") & set(value))
        else repr(value)
    )
