"""How blast radii are shown: tables for people, numbers for pipelines."""

import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import click

from vault.access.radius import Left, Listed, Most, Radius
from vault.cli.screen import table
from vault.config import DAY, HOUR, Credential, Grant

YEAR = 365 * DAY
MANY = 1_000


def show(radii: Mapping[str, Radius]) -> None:
    """Three tables, as far as there is something in them."""
    table(
        ("client", "in", "people", "values", "guesses", "tokenised", "through", "people held by"),
        (_row(name, radius) for name, radius in radii.items()),
        title="Blast radius: the most that one stolen credential gets",
    )
    left = [(name, one) for name, radius in radii.items() for one in radius.left]
    if left:
        click.echo()
        table(
            ("client", "may", "what that leaves"),
            (
                (name, f"{one.operation} {one.transformation}", "\n".join(_leaves(one)))
                for name, one in left
            ),
            title="What masks and matches leave",
        )
    listed = [(name, one) for name, radius in radii.items() for one in radius.listed]
    if listed:
        click.echo()
        table(
            ("client", "transformation", "a table of", "guesses", "at least", "blindly"),
            ((name, *_listed(one)) for name, one in listed),
            title="How long tokenising guesses would take to list all tokens",
        )


def described(radius: Radius) -> dict[str, Any]:
    """The same as JSON. Every figure is an upper bound but `seconds`, lower ones."""
    return {
        **_both("people", radius.people),
        **_both("reveals", radius.reveals),
        **_both("matches", radius.matches),
        **_both("tokenised", radius.tokenised),
        "people_held_by": list(radius.held_by),
        "through": [
            {
                "operation": one.operation,
                "transformation": one.transformation,
                "end_user_proved": bool(one.end_user_issuers),
            }
            for one in radius.through
        ],
        "uncounted": dict(radius.uncounted),
        "left": [_left(one) for one in radius.left],
        "tables": [
            {
                "transformation": one.transformation,
                "of": one.table.of,
                "guesses": one.table.guesses,
                "seconds": one.seconds,
                "blind_guesses": one.table.alike,
                "blind_seconds": one.seconds_alike,
            }
            for one in radius.listed
        ],
    }


def of_credential(credential: Credential, radius: Radius, today: date) -> dict[str, int]:
    """An expired one gives nothing; any other all that its client may."""
    over = credential.expires is not None and credential.expires < today
    return {name: 0 if over else figure for name, figure in of_proof(radius).items()}


def of_proof(radius: Radius) -> dict[str, int]:
    """A stolen token or certificate gives all that its client may, as long as it lasts."""
    return _both("people", radius.people) | _both("reveals", radius.reveals)


def _both(name: str, most: Most) -> dict[str, int]:
    return {f"{name}_per_hour": most.hour, f"{name}_per_day": most.day}


def _row(name: str, radius: Radius) -> tuple[str, ...]:
    figures = (radius.people, radius.reveals, radius.matches, radius.tokenised)
    return (
        name,
        "an hour\na day",
        *(f"{most.hour:,}\n{most.day:,}" for most in figures),
        "\n".join(map(_through, radius.through)) or "nothing",
        "\n".join(radius.held_by),
    )


def _through(one: Grant) -> str:
    """A grant that wants end users proved gives nothing without a token of theirs."""
    proved = " (with an end user's token)" if one.end_user_issuers else ""
    return f"{one.operation} {one.transformation}{proved}"


def _left(one: Left) -> dict[str, Any]:
    said: dict[str, Any] = {"operation": one.operation, "transformation": one.transformation}
    if one.behind is not None:
        return said | {
            "bits": round(one.behind.bits, 1),
            "candidates": _rounded(one.behind.candidates),
            "bits_if_all_alike": round(one.behind.alike, 1),
        }
    return said | {
        "guesses_to_open_one": _rounded(one.guesses),
        "opened_per_day": float(f"{one.opened:.2g}"),
    }


def _leaves(one: Left) -> Iterator[str]:
    if one.behind is not None:
        yield f"{one.behind.bits:.1f} bits: one of some {_about(one.behind.candidates)} values"
        if one.behind.alike - one.behind.bits > 0.05:
            yield f"({one.behind.alike:.1f} bits if all that can be written were as likely)"
        return
    yield "yes or no to one guess"
    a_day = f"some {_about(one.opened)}" if one.opened >= 1 else "less than one"
    yield f"some {_about(one.guesses)} guesses open a value: {a_day} a day"


def _listed(one: Listed) -> tuple[str, ...]:
    differs = one.table.alike != one.table.guesses
    return (
        one.transformation,
        one.table.of,
        _about(one.table.guesses),
        _time(one.seconds),
        f"{_about(one.table.alike)}: {_time(one.seconds_alike)}" if differs else "the same",
    )


def _rounded(number: float) -> int:
    """To three digits: a model knows no more."""
    return int(float(f"{number:.3g}"))


def _about(number: float) -> str:
    if number < 10**9:
        return f"{_rounded(number):,}"
    power = math.floor(math.log10(number))
    return f"{number / 10**power:.1f} x 10^{power}"


def _time(seconds: int) -> str:
    for size, name in ((YEAR, "year"), (DAY, "day"), (HOUR, "hour")):
        count = seconds // size
        if count:
            shown = f"{count:,}" if count < MANY * MANY else "over a million"
            return f"{shown} {name}{'s' if count > 1 else ''}"
    return "at once"
