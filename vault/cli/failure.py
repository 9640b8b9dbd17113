"""What went wrong, in a line that says how to mend it and never repeats what was typed.

Whatever stands on a command line may be a value in the wrong place, so click's own messages,
which quote it, are said anew.
"""

from collections.abc import Iterable
from difflib import get_close_matches

import click
from click.exceptions import NoArgsIsHelpError

from vault.errors import JetonError, Refusal

MENDS = {
    "unauthenticated": "JETON_CREDENTIAL holds no credential that is valid here and now",
    "purpose_required": "say what for, with --purpose",
    "end_user_required": "say for whom, with --on-behalf-of",
}
"""Where the service's own words name a header."""
PROOF = "the grant wants a token of the end user's, which only HTTP takes"


class Usage(click.UsageError):
    """Wrong usage, in words that hold nothing of what was typed."""


class Wrong(click.BadParameter):
    """A wrong value of an option or argument, likewise."""


def close(name: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` where one of `known` is near."""
    found = get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def explain(error: Exception) -> str:
    """The whole text for stderr."""
    match error:
        case NoArgsIsHelpError():
            return error.format_message()
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else "jeton"
            return f"jeton: {_usage(error)} (see `{path} --help`)"
        case Refusal():
            return f"jeton: refused: {_refusal(error)}"
        case JetonError():
            return f"jeton: {error}"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"jeton: {where}{error.strerror or 'input or output failed'}"
    return _internal(error)


def _usage(error: click.UsageError) -> str:
    match error:
        case Usage() | Wrong():
            said = error.message
        case click.MissingParameter():
            said = "missing"
        case click.BadParameter():
            said = _wanted(error.param)
        case click.NoSuchOption():
            options = error.ctx.command.params if error.ctx else []
            names = [name for option in options for name in option.opts if name.startswith("--")]
            said = f"no such option{close(error.option_name, names)}"
        case click.BadOptionUsage():  # it names an option that exists
            said = error.message.rstrip(".")
        case _:
            said = "there are too many arguments"
    return f"{_named(error.param)}: {said}" if isinstance(error, click.BadParameter) else said


def _named(param: click.Parameter | None) -> str:
    if param is None:
        return "an argument"
    if param.opts[-1].startswith("-"):
        return param.opts[-1]
    return (param.metavar or param.name or "").upper()


def _wanted(param: click.Parameter | None) -> str:
    kind = param.type if param is not None else None
    if isinstance(kind, click.Choice):
        return f"expected one of {', '.join(map(str, kind.choices))}"
    if isinstance(kind, click.IntRange):
        return f"expected a whole number from {kind.min} to {kind.max}"
    return "this cannot be used"


def _refusal(refusal: Refusal) -> str:
    later = f"; again in {refusal.retry_after} s" if refusal.retry_after else ""
    mend = PROOF if refusal.cause else MENDS.get(refusal.code, refusal.detail)
    return f"{refusal.code}: {mend}{later}"


def _internal(error: Exception) -> str:
    # Its message may quote a value: the log tells of class and place only.
    from vault.telemetry import log  # noqa: PLC0415 - not for a mistyped option

    log.critical("uncaught-exception", exception=error)
    return "jeton: this is a fault of Jeton's own; please report the line above"
