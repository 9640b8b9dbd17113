"""Groups of verbs: imported late, helpful when mistyped, and silent about what was typed."""

import gc
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click

from vault.cli.failure import Usage, close, explain


class Verb(NamedTuple):
    """A verb that ``vault.cli.<module>`` holds under its name, and the line that sums it up."""

    name: str
    module: str
    summary: str

    def load(self) -> click.Command:
        gc.disable()  # what is imported stays: looking through it for garbage takes a tenth of it
        try:
            module = importlib.import_module(f"vault.cli.{self.module}")
        finally:
            gc.enable()
        command: click.Command = getattr(module, self.name.replace("-", "_"))
        return command


def examples(*lines: str) -> str:
    """An epilogue that click leaves as it is."""
    return "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in lines)])


class Group(click.Group):
    """A group whose complaints never repeat what was typed: it may be a value."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = str(args[0])
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise Usage(f"no such verb{close(name, self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """The root: knows its verbs by name and summary, and imports the one that is asked for."""

    def __init__(
        self, *args: Any, verbs: Mapping[str, Sequence[Verb]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs or {}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [verb.name for verbs in self.verbs.values() for verb in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        for verbs in self.verbs.values():
            for verb in verbs:
                if verb.name == cmd_name:
                    return verb.load()
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        width = max(len(verb.name) for verbs in self.verbs.values() for verb in verbs)
        for title, verbs in self.verbs.items():
            with formatter.section(title):
                formatter.write_dl([(verb.name.ljust(width), verb.summary) for verb in verbs])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command line and exit: 0 done, 1 items failed, 2 for whatever went wrong.

        A verb returns its exit code where it is not 0.
        """
        kwargs["standalone_mode"] = False
        try:
            status = super().main(*args, **kwargs)
        except click.Abort:
            sys.exit(130)
        except Exception as error:  # noqa: BLE001 - told without its message, see `explain`
            click.echo(explain(error), err=True)
            sys.exit(2)
        sys.exit(status if isinstance(status, int) else 0)
