"""Tables of the documentation that are made from the code: formats, settings, commands."""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import click
import msgspec

from vault import config
from vault.cli import main
from vault.config import reading, settings


def write_tables(folder: Path) -> None:
    """Write every table as Markdown into `folder`, touching only those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "formats": formats_table(),
        "settings": "\n".join(settings_tables()),
        "environment": environment_table(),
        "limits": limits_table(),
        "commands": "\n".join(commands(main, "jeton")),
    }
    for name, text in tables.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def limits_table() -> str:
    rows = ((f"`{name}`", f"{most:,}") for name, most in config.DEFAULT_LIMITS.items())
    return _table(("limit", "as shipped"), rows)


def environment_table() -> str:
    known = reading.FROM_ENVIRONMENT.items()
    return _table(
        ("variable", "key"), ((f"`{reading.PREFIX}{name}`", f"`{key}`") for name, key in known)
    )


SECTIONS: list[tuple[str, type[msgspec.Struct]]] = [
    ("server", settings.Server),
    ("keys", settings.Keys),
    ("store", settings.StoreSettings),
    ("audit", settings.Audit),
    ("transformations.NAME", settings.Transformation),
    ("clients.NAME", settings.Client),
    ("clients.NAME.credentials[]", settings.Credential),
    ("clients.NAME.grants[]", settings.Grant),
    ("clients.NAME.limits", settings.Limits),
    ("clients.NAME.limits.end_user", settings.EndUserLimits),
]


def settings_tables() -> Iterator[str]:
    """A table for each section: key, default, and the comment under the field."""
    notes = _field_notes(settings)
    for title, section in SECTIONS:
        fields = msgspec.structs.fields(section)
        rows = [
            (
                f"`{field.encode_name}`",
                _default(field),
                notes.get((section.__name__, field.name), ""),
            )
            for field in fields
        ]
        yield f"### `[{title}]`\n\n" + _table(("key", "as shipped", "what it is"), rows)


def _default(field: "msgspec.structs.FieldInfo") -> str:
    if field.required:
        return "(required)"
    value = field.default
    if field.default_factory is not msgspec.NODEFAULT or value in (None, ()):
        return ""
    return (
        f"`{value:_}`" if isinstance(value, int) and not isinstance(value, bool) else f"`{value}`"
    )


def _field_notes(module: ModuleType) -> dict[tuple[str, str], str]:
    """(class, field) -> the text that stands under the field, on one line."""
    notes: dict[tuple[str, str], str] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, after in zip(node.body, node.body[1:], strict=False):
            match field, after:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    notes[node.name, name] = re.sub(r"\s+", " ", text).replace("|", "\\|")
    return notes


def commands(command: click.Command, path: str) -> Iterator[str]:
    """The help of a command and of all below it."""
    context = click.Context(command, info_name=path, max_content_width=96)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from commands(found, f"{path} {name}")
        return
    yield f"## `{path}`\n\n```text\n{command.get_help(context)}\n```\n"


def formats_table() -> str:
    """A row for every format of the catalogue."""
    return _table((), ())
