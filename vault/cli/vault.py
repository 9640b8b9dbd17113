"""`jeton vault`: random tokens, erased, expired, counted, rewrapped, moved and verified."""

import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from vault.cli.failure import Wrong
from vault.cli.files import new_file
from vault.cli.group import Group, examples
from vault.cli.opened import Opened, run
from vault.cli.options import config_option, json_option, moment
from vault.cli.pace import Pace
from vault.cli.screen import note, print_json, table
from vault.cli.values import SEEN, context
from vault.lifecycle import archive
from vault.lifecycle.tokens import Findings
from vault.telemetry import Names, install
from vault.telemetry.store import FILLING

F = TypeVar("F", bound=Callable[..., Any])

DAY = 86_400


@click.group(
    cls=Group,
    epilog=examples(
        "jeton vault stats nir-vaulted",
        "jeton vault erase nir-vaulted - --by token --reason 'request 2026-117' < tokens.txt",
        "jeton vault rewrap nir-vaulted --rate 2000",
    ),
)
def vault() -> None:
    """Look after random tokens: erase, expire, rewrap, move, verify.

    Only transformations of method vaulted have any. Every verb works beside the running
    service, can be stopped at any time, and does the rest when it is run again.
    """
    install(Names(), "console", "error")


def reason_option(function: F) -> F:
    return click.option(
        "--reason", required=True, type=_reason, metavar="TEXT", help="Why; it is on the record."
    )(function)


def _reason(text: str) -> str:
    if not text.strip():
        raise Wrong("say why")
    return text.strip()


def compact_option(function: F) -> F:
    return click.option(
        "--compact/--no-compact",
        default=True,
        help="Whether to write the store's files anew at the end, without what was erased.",
    )(function)


def rate_option(function: F) -> F:
    return click.option(
        "--rate",
        type=click.IntRange(min=1),
        metavar="N",
        help="Change at most so many tokens a second; else as fast as it goes.",
    )(function)


@vault.command(
    epilog=examples(
        "jeton vault erase nir-vaulted - --by token --reason 'request 2026-117' < tokens.txt",
        "jeton vault erase nir-vaulted - --by value --everywhere --reason 'request 2026-117'",
    )
)
@click.argument("transformation")
@click.argument("items", metavar="[ITEM...|-]", nargs=-1)
@config_option
@click.option(
    "--by",
    type=click.Choice(["token", "value"]),
    required=True,
    help="What the items are.",
)
@click.option("--context", type=context, metavar="TEXT", help="What the values were bound to.")
@click.option(
    "--everywhere", is_flag=True, help="Values under every context: opens every token there is."
)
@reason_option
@compact_option
def erase(
    transformation: str,
    items: Sequence[str],
    config: Path,
    by: str,
    context: str | None,
    everywhere: bool,
    reason: str,
    compact: bool,
) -> int:
    """Erase values for good, and record it.

    The value goes from both directions; its token opens to nothing from then on, and is never
    given to anybody else. With - items come from stdin, one a line. Exit code 1 where one was
    not there, with its line on stderr.
    """
    if everywhere and (by == "token" or context is not None):
        raise Wrong("goes with --by value alone", param_hint="--everywhere")
    if items in ((), ("-",)):
        items = [line.rstrip("\r\n") for line in sys.stdin]
    elif by == "value":
        note(SEEN)

    async def work(opened: Opened) -> list[bool] | int:
        await opened.on_record("vault_erase", by=by, asked=len(items), reason=reason)
        life = opened.lifecycle
        done: list[bool] | int
        if by == "token":
            done = await life.erase_tokens(items)
        elif everywhere or not opened.vaulted.convergent:
            async with Pace("erasing", await life.count()) as pace:
                done = await life.erase_everywhere(items, pace.went)
        else:
            done = await life.erase_values(items, context)
        count = done if isinstance(done, int) else sum(done)
        await opened.on_record("vault_erased", count=count, reason=reason)
        if compact:
            await opened.compact()
        return done

    done = run(config, transformation, work)
    if isinstance(done, int):
        note(f"{done:,} tokens erased.")
        return 0
    for number, gone in enumerate(done, 1):
        if not gone:
            note(f"line {number}: there is no such {by} here")
    note(f"{sum(done):,} tokens erased.")
    return 0 if all(done) else 1


@vault.command(epilog=examples("jeton vault expire nir-vaulted --before 2021-01-01 --reason ..."))
@click.argument("transformation")
@config_option
@click.option(
    "--before", type=moment, metavar="TIME", help="What was tokenised on a day before; UTC."
)
@click.option(
    "--older-than-days", type=click.IntRange(min=1), metavar="N", help="The same, by age."
)
@reason_option
@compact_option
@rate_option
def expire(
    transformation: str,
    config: Path,
    before: float | None,
    older_than_days: int | None,
    reason: str,
    compact: bool,
    rate: int | None,
) -> None:
    """Erase what is older than a date, and record it."""
    if (before is None) == (older_than_days is None):
        raise Wrong("give either --before or --older-than-days", param_hint="--before")
    limit = time.time() - (older_than_days or 0) * DAY if before is None else before

    async def work(opened: Opened) -> int:
        await opened.on_record("vault_expire", before=int(limit), reason=reason)
        async with Pace("expiring", await opened.lifecycle.count(), rate) as pace:
            count = await opened.lifecycle.expire(limit, pace.went)
        await opened.on_record("vault_expired", count=count, reason=reason)
        if compact:
            await opened.compact()
        return count

    note(f"{run(config, transformation, work):,} tokens erased.")


@vault.command(epilog=examples("jeton vault stats nir-vaulted --versions"))
@click.argument("transformation")
@config_option
@click.option("--versions", is_flag=True, help="Count key versions too: reads every token.")
@json_option
def stats(transformation: str, config: Path, versions: bool, as_json: bool) -> None:
    """Count tokens, and say how full each kind is."""

    async def work(opened: Opened) -> list[dict[str, Any]]:
        total = await opened.lifecycle.count() if versions else 0
        async with Pace("counting", total) as pace:
            spaces = await opened.lifecycle.stats(versions=versions, progress=pace.went)
        return [
            {"kind": one.kind, "tokens": one.tokens, "taken": one.taken, "room": one.room}
            | ({"versions": dict(sorted(one.versions.items()))} if versions else {})
            for one in spaces
        ]

    found = run(config, transformation, work)
    if as_json:
        print_json({"transformation": transformation, "kinds": found})
        return
    head = ("kind", "tokens", "taken", "room", "full", *(("key versions",) if versions else ()))
    rows = []
    for one in found:
        full = one["taken"] / one["room"]
        row = [str(one["kind"])] + [f"{one[key]:,}" for key in ("tokens", "taken", "room")]
        row.append(f"{full:.2%}")
        if versions:
            row.append("\n".join(f"{key}: {count:,}" for key, count in one["versions"].items()))
        rows.append(row)
    table(head, rows)
    _warn_of_filling(found)


def _warn_of_filling(kinds: Sequence[Mapping[str, Any]]) -> None:
    for one in kinds:
        if one["taken"] >= FILLING * one["room"]:
            note(
                f"warning: kind {one['kind']} fills up. At 100 % new values get none"
                " (domain_exhausted), and erasing gives no room back: raise max_fill, up to 0.9, or"
                " use a longer format"
            )


@vault.command(epilog=examples("jeton vault rewrap nir-vaulted --rate 2000"))
@click.argument("transformation")
@config_option
@rate_option
def rewrap(transformation: str, config: Path, rate: int | None) -> int:
    """Seal all values under the newest key version, while the service goes on.

    Tokens stay as they are. After it, the older versions can be disabled and destroyed as far
    as this transformation goes. Exit code 1 where a value did not open.
    """

    async def work(opened: Opened) -> dict[str, int]:
        version = opened.vault.rules.keyset.primary.version
        await opened.on_record("vault_rewrap", version=version)
        async with Pace("rewrapping", await opened.lifecycle.count(), rate) as pace:
            done = await opened.lifecycle.rewrap(pace.went)
        await opened.on_record("vault_rewrapped", version=version, **done)
        return dict(done)

    done = run(config, transformation, work)
    note(f"{done.get('rewrapped', 0):,} values rewrapped.")
    if failed := done.get("failed", 0):
        note(f"{failed:,} do not open: see `jeton vault verify`.")
    return 1 if failed else 0


@vault.command(epilog=examples("jeton vault export nir-vaulted backup.jvx"))
@click.argument("transformation")
@click.argument("file", type=click.Path(path_type=Path))
@config_option
def export(transformation: str, file: Path, config: Path) -> None:
    """Write all tokens and values to a file, encrypted and checked.

    It opens with the same keyset only. Erased tokens are in it as erased.
    """

    async def work(opened: Opened) -> int:
        with new_file(file) as out:
            async with Pace("exporting", await opened.lifecycle.count()) as pace:
                entries = pace.along(opened.lifecycle.entries())
                key_id = opened.vaulted.key_id
                count = await archive.write(out, opened.export_key, key_id, entries)
        await opened.on_record("vault_export", count=count)
        return count

    note(f"{run(config, transformation, work):,} tokens exported.")


@vault.command(name="import", epilog=examples("jeton vault import nir-vaulted backup.jvx"))
@click.argument("transformation")
@click.argument("file", type=click.Path(path_type=Path))
@config_option
def import_(transformation: str, file: Path, config: Path) -> int:
    """Read an export into the store; the whole file is checked first.

    What was erased here since stays erased. Exit code 1 where a value has another
    token here, or a token another value.
    """

    async def work(opened: Opened) -> dict[str, int]:
        with file.open("rb") as source:
            total = archive.check(source, opened.export_key, opened.vaulted.key_id)
            source.seek(0)
            async with Pace("importing", total) as pace:
                done = await archive.read(
                    source,
                    opened.export_key,
                    opened.vaulted,
                    opened.store,
                    pace.went,
                )
        await opened.on_record("vault_import", **done)
        return dict(done)

    done = run(config, transformation, work)
    note(f"{done.get('kept', 0):,} tokens are here, {done.get('erased', 0):,} are erased.")
    if gone := done.get("gone", 0):
        note(f"{gone:,} stay erased: they were erased here since the export.")
    if taken := done.get("taken", 0):
        note(f"{taken:,} were left out: their values have another token here already.")
    if other := done.get("other", 0):
        note(
            f"{other:,} were left out: their tokens stand for other values here. Data from before"
            " this store was begun anew opens to other people: find it by its age"
        )
    return 1 if taken or other else 0


@vault.command(epilog=examples("jeton vault verify nir-vaulted"))
@click.argument("transformation")
@config_option
@json_option
def verify(transformation: str, config: Path, as_json: bool) -> int:
    """Check that tokens and indexes lead to each other, and that every value opens.

    Exit code 1 where one does not.
    """

    async def work(opened: Opened) -> Findings:
        async with Pace("verifying", 2 * await opened.lifecycle.count()) as pace:
            return await opened.lifecycle.verify(pace.went)

    found = run(config, transformation, work)
    counts = dataclasses.asdict(found)
    if as_json:
        print_json(counts)
    else:
        table(("what", "count"), [(key.replace("_", " "), f"{n:,}") for key, n in counts.items()])
    return 0 if found.clean else 1
