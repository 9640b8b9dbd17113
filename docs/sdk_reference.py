"""Writes the reference of the Python client from its signatures and docstrings."""

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jeton

METHODS = ("tokenise", "detokenise", "mask", "match", "transformations", "send", "close")
SHOWN = (jeton.Items, jeton.Sensitive, jeton.Token, jeton.Transformation, jeton.RawResponse)
WIDTH = 96


def write_reference(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(reference()) + "\n", "utf-8")


def reference() -> Iterator[str]:
    yield from _documented(jeton.Client, "## ")
    for name in METHODS:
        yield from _documented(getattr(jeton.Client, name), "### ")
    yield "`AsyncClient` has the same methods, to be awaited; for iterables an async iterator."
    yield ""
    for kind in SHOWN:
        yield from _documented(kind, "## ")
        for name, member in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_") and inspect.getdoc(member):
                yield from _documented(member, "### ")


def _documented(thing: Any, heading: str) -> Iterator[str]:
    yield f"{heading}{thing.__name__}"
    yield ""
    signed = typing.get_overloads(thing) or ([] if thing is jeton.Token else [thing])
    if signed:
        yield "```python"
        yield from (line for one in signed for line in _signature(thing.__name__, one))
        yield "```"
        yield ""
    yield inspect.getdoc(thing) or ""
    yield ""


def _signature(name: str, signed: Callable[..., Any]) -> Iterator[str]:
    """As one would write it: without `self`, modules and private names; wrapped."""
    signature = inspect.signature(signed)
    shown = [one for one in signature.parameters.values() if one.name != "self"]
    text = str(signature.replace(parameters=shown))
    text = re.sub(r"\b(?:jeton|collections|typing|os|ssl)(?:\.\w+)*\.(?=\w)", "", text)
    text = re.sub(r"~(\w)", r"\1", text).replace("'", "")
    if len(name + text) <= WIDTH:
        yield name + text
        return
    inside, _, after = text.removeprefix("(").rpartition(")")
    yield f"{name}("
    yield from (f"    {part}," for part in _parts(inside))
    yield f"){after}"


def _parts(inside: str) -> Iterator[str]:
    """The parameters: parted by the commas that stand in no bracket."""
    part = ""
    for piece in inside.split(", "):
        part += piece
        if part.count("[") == part.count("]") and part.count("(") == part.count(")"):
            yield part
            part = ""
        else:
            part += ", "
