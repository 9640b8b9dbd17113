"""Options that several verbs share, and the kinds of values they take."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from vault.cli.failure import Wrong

DEFAULT_CONFIG = Path("jeton-data/jeton.toml")

F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    """``--config FILE``."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        default=DEFAULT_CONFIG,
        envvar="JETON_CONFIG",
        show_default=True,
        show_envvar=True,
        help="The configuration.",
    )(function)


def json_option(function: F) -> F:
    """``--json``, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")(
        function
    )


def record_options(folders: str) -> Callable[[F], F]:
    """``--public-key FILE`` and ``--folder DIR``, as `public_key` and `folders`; what the latter
    are is told in the help."""

    def with_them(function: F) -> F:
        by_key = click.option(
            "--public-key",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="The checkpoints' public key, kept elsewhere; else the keyset says it.",
        )
        of_folders = click.option(
            "--folder",
            "folders",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            multiple=True,
            metavar="DIR",
            help=folders,
        )
        return by_key(of_folders(function))

    return with_them


def day(text: str) -> date:
    """``2027-11-24``."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Wrong("expected a date such as 2027-11-24") from None


def moment(text: str) -> float:
    """A date, or a date and time; UTC where it says nothing else. Seconds since 1970."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        words = "expected a time such as 2026-11-24 or 2026-11-24T09:30:00+01:00"
        raise Wrong(words) from None
