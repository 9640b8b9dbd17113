"""`jeton demo`: the breach, replayed on synthetic people."""

import dataclasses
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from types import FrameType, TracebackType
from typing import Final, Self

import click
from rich.console import Console

from vault.cli.failure import Wrong
from vault.cli.group import examples
from vault.cli.options import json_option
from vault.cli.screen import print_json
from vault.demo.page import page
from vault.demo.screen import show
from vault.demo.story import play

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _writable(text: str) -> Path:
    """Judged before the work, which takes a while."""
    path = Path(text).absolute()
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise Wrong("there is no file to write there: name one in a folder that is yours")
    return path


@click.command(
    epilog=examples("jeton demo", "jeton demo --html breach.html", "jeton demo --json | jq .stolen")
)
@click.option(
    "--people",
    type=click.IntRange(100, 100_000),
    default=2_500,
    metavar="N",
    show_default=True,
    help="How many synthetic people to make, from 100.",
)
@click.option(
    "--html",
    type=_writable,
    metavar="FILE",
    help="Write the story as one self-contained page too.",
)
@json_option
def demo(people: int, html: Path | None, as_json: bool) -> None:
    """Fill a claims database through a running service, then rob it.

    Makes synthetic people, tokenises them through the real service, shows ten rows as three
    viewers see them, and replays the breach. Ends by itself and leaves nothing behind.
    """
    with _ended_once(), _Progress(Console(stderr=True, quiet=as_json, highlight=False)) as progress:
        story = play(people, progress.begin)
    if as_json:
        print_json(dataclasses.asdict(story))
    else:
        show(story, Console())
    if html is not None:
        html.write_text(page(story), encoding="utf-8")
        click.echo(f"wrote {html}", err=True)


@contextmanager
def _ended_once() -> Iterator[None]:
    """The first signal to end unwinds everything; whoever is impatient waits for that."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    before = {each: signal.getsignal(each) for each in ENDING}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:  # as under nohup
            signal.signal(each, end)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class _Progress:
    """A line on stderr for every step that is done, and a spinner at the one that is not."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._step, self._began = "", 0.0

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._status.stop()
        if kind is None:
            self._done()

    def begin(self, step: str) -> None:
        self._done()
        self._step, self._began = step, perf_counter()
        self._status.update(f"{step} ...")

    def _done(self) -> None:
        if self._step:
            seconds = perf_counter() - self._began
            self._console.print(f"[dim]{seconds:5.1f} s  {self._step}[/]", soft_wrap=True)
