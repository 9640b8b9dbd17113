"""`jeton serve` with careless lines in it: they have a value in hand, and do what people do.

    python -m tests.support.careless LEVEL FORM serve --config FILE ...
    python -m tests.support.careless leaky - serve --config FILE ...

A call whose purpose is ``bug-NAME`` runs that bug on its items, inside the service, before it is
judged. With ``leak-PLACE-NUMBER`` that disguise of its context is put into that place on purpose,
and ``level-LEVEL-FORM`` sets the log. `leaky` is a service without its own log, to see that the
bugs are caught there.
"""

import asyncio
import faulthandler
import gc
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any
from unittest.mock import patch

import vault.app
import vault.process
import vault.service
from tests.support.channels import ELSEWHERE, LOGGED, NUMBERS, Channel, send
from tests.support.leaks import disguises
from tests.support.leaky_log import install_leaky
from vault.app import Vault, names_of
from vault.audit.entry import Disclosure
from vault.audit.segment import OpenSegment
from vault.cli import main
from vault.errors import Refusal
from vault.service import Answer, Call
from vault.store.tables import Tables
from vault.telemetry import install, log
from vault.web.problem import HTTPRefusal

Bug = Callable[[Vault, str], Awaitable[None]]

CHANNELS: dict[str, Channel] = {
    f"{kind}-{name.replace(' ', '-').replace('_', '-')}": channel
    for kind, channels in (("log", LOGGED), ("number", NUMBERS), ("elsewhere", ELSEWHERE))
    for name, channel in channels.items()
}
CARE = "care"
_planted: ContextVar[str] = ContextVar("planted", default="")
_log: Any = log


async def _raise(_: Vault, value: str) -> None:
    try:
        {}[value]
    except KeyError as error:
        failure = type("Careless", (ValueError,), {})(f"cannot read {value}", {value: [value]})
        failure.add_note(value)
        raise failure from error


async def _group(_: Vault, value: str) -> None:
    raise ExceptionGroup(value, [ValueError(value), OSError(5, value, f"/srv/{value}")])


async def _task(_: Vault, value: str) -> None:
    async def fail() -> None:
        raise ValueError(value)

    await asyncio.wait([asyncio.create_task(fail(), name=value)])
    gc.collect(0)


async def _callback(_: Vault, value: str) -> None:
    def fail(text: str) -> None:
        raise ValueError(text)

    asyncio.get_running_loop().call_soon(fail, value)
    await asyncio.sleep(0)


async def _slow(_: Vault, value: str) -> None:
    """asyncio's debug mode tells of tasks that hold up the loop, by their repr."""
    task = asyncio.current_task()
    assert task is not None
    task.set_name(value)
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 0.001
    loop.call_soon(lambda text: sum(range(2_000_000)), value)
    await asyncio.sleep(0)
    sum(range(2_000_000))


async def _cancel(_: Vault, value: str) -> None:
    raise asyncio.CancelledError(value)


async def _store(_: Vault, value: str) -> None:
    def write(tables: Tables) -> None:
        if tables._books.noted:
            broken.stop()
            raise sqlite3.OperationalError(f'near "{value}": syntax error')
        original(tables)

    original, broken = Tables.write, patch.object(Tables, "write", write)
    broken.start()


async def _record(_: Vault, value: str) -> None:
    def append(segment: OpenSegment, data: bytes) -> None:
        broken.stop()
        raise OSError(f"cannot write {value}")

    broken = patch.object(OpenSegment, "append", append)
    broken.start()


async def _page(vault: Vault, value: str) -> None:
    async def readiness(_: Vault) -> None:
        broken.stop()
        raise ValueError(value)

    broken = patch.object(Vault, "readiness", readiness)
    broken.start()


async def _dump(_: Vault, value: str) -> None:
    faulthandler.dump_traceback(sys.stderr)


async def _reprs(_: Vault, value: str) -> None:
    """Everything of the house that is alive, as a debugger shows it."""
    for one in gc.get_objects():
        if str(getattr(type(one), "__module__", "")).startswith("vault."):
            with suppress(Exception):
                sys.stderr.write(f"{one!r}\n")


BUGS: dict[str, Bug] = {
    "raise": _raise,
    "group": _group,
    "task": _task,
    "callback": _callback,
    "slow": _slow,
    "cancel": _cancel,
    "store": _store,
    "record": _record,
    "page": _page,
    "dump": _dump,
    "reprs": _reprs,
}


def plantable(value: str) -> list[tuple[str, str]]:
    """(disguise, text) of all that can be written as text, and where JSON escapes it once more is
    still looked for."""
    return [
        (disguise, needle.decode())
        for disguise, needle in disguises(value)
        if needle.isascii() and needle.decode().isprintable() and b"\\\\" not in needle
    ]


def _leak(vault: Vault, place: str, text: str) -> None:
    """Put a text where none may be."""
    match place:
        case "log":
            sys.stderr.write(f"found {text}\n")
        case "stdout":
            print(f"found {text}", flush=True)
        case "metrics":
            vault.metrics._budget.labels(text, "reveal.hour").inc()
        case "record":
            _planted.set(text)
        case "store":
            address = vault.rules.settings.store.url.removeprefix("sqlite:")
            with sqlite3.connect(address, timeout=10) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS leaks (what TEXT)")
                connection.execute("INSERT INTO leaks VALUES (?)", (text,))
            connection.close()
        case "body":
            raise Refusal("not_allowed", f"not {text}")
        case "header":
            raise HTTPRefusal("not_allowed", "no", headers=[(b"x-leak", text.encode())])


PLACES = ("log", "stdout", "metrics", "record", "store", "body", "header")


async def _careless(vault: Vault, call: Call, perform: Any) -> Answer:
    what, _, name = (call.purpose or "").partition("-")
    value = str(call.items[0]) if len(call.items) else ""
    if what == "bug":
        call.purpose = CARE
        if name in CHANNELS:
            channel = partial(send, CHANNELS[name], _log, list(map(str, call.items)))
            await asyncio.get_running_loop().run_in_executor(None, channel)
        else:
            await BUGS[name](vault, value)
    elif what == "level":
        call.purpose = CARE
        level, _, form = name.partition("-")
        install(names_of(vault.rules.settings), form, level)  # type: ignore[arg-type]
    elif what == "leak":
        call.purpose = CARE
        place, _, number = name.partition("-")
        # What is leaked stands in the context, so that the item may be a token that opens.
        _leak(vault, place, plantable(str(call.contexts))[int(number)][1])
    return await perform(vault, call)  # type: ignore[no-any-return]


def serve(level: str, form: str, *arguments: str) -> None:
    global _log  # noqa: PLW0603
    perform, entry, at_once = Vault.perform, vault.service._entry, Vault.at_once

    def at_once_unless_careless(self: Vault, call: Call) -> Answer | None:
        return None if call.purpose and call.purpose != CARE else at_once(self, call)

    async def performing(self: Vault, call: Call) -> Answer:
        asyncio.get_running_loop().set_debug(sys.flags.dev_mode)  # the server turns it off
        return await _careless(self, call, perform)

    def entering(call: Call, disclosed: Any) -> Disclosure:
        made = entry(call, disclosed)
        if text := _planted.get():
            made = Disclosure(
                **{name: getattr(made, name) for name in made.__struct_fields__}
                | {"end_user": text}
            )
        return made

    def installing(names: Any) -> None:
        if level == "leaky":
            install_leaky(sys.stderr)
        else:
            install(names, form, level)  # type: ignore[arg-type]

    with ExitStack() as stack:
        stack.enter_context(patch.object(Vault, "perform", performing))
        stack.enter_context(patch.object(Vault, "at_once", at_once_unless_careless))
        stack.enter_context(patch.object(vault.service, "_entry", entering))
        stack.enter_context(patch.object(vault.process, "install", installing))
        if level == "leaky":
            _log = install_leaky(sys.stderr)
            stack.enter_context(patch.object(vault.app, "log", _log))
            stack.enter_context(patch.object(vault.process, "watch", lambda _: None))
        main(arguments, prog_name="jeton")


if __name__ == "__main__":
    serve(*sys.argv[1:])
