"""An exception, told by its class and by where it was: never by its message or its locals.

Messages of other libraries quote what they choked on (`int()`, `json`, `sqlite3` all do), so
none is ever shown. Only names that stand in loaded source files come out.
"""

import errno
import sys
from collections.abc import Iterator
from traceback import walk_tb
from types import FrameType, TracebackType
from typing import Final

ELSEWHERE: Final = "<elsewhere>"
MOST_FRAMES: Final = 20
MOST_CAUSES: Final = 5
MOST_LINES: Final = 1_000_000


def describe(failure: BaseException) -> dict[str, object]:
    """``error`` (its class), ``frames`` (``module:line:function``, innermost last, of code that
    was read from a loaded module's file) and, where they apply, ``errno`` and ``causes`` (the
    classes of what it came from, or consists of)."""
    told: dict[str, object] = {"error": class_name(type(failure))}
    if isinstance(failure, OSError) and (symbol := errno.errorcode.get(failure.errno or 0)):
        told["errno"] = symbol
    if causes := [class_name(type(cause)) for cause in _causes(failure)][:MOST_CAUSES]:
        told["causes"] = causes
    if frames := list(_frames(failure.__traceback__))[-MOST_FRAMES:]:
        told["frames"] = frames
    return told


def class_name(kind: type) -> str:
    """The name of a class that a loaded module holds under this very name, else its nearest
    such ancestor's: a class made at run time could be called anything. Whose it is where the name
    says nothing: several modules call theirs ``error`` or ``Error``."""
    for ancestor in kind.__mro__:
        module = sys.modules.get(ancestor.__module__)
        if module is not None and vars(module).get(ancestor.__name__) is ancestor:
            name = str(ancestor.__name__)
            return f"{ancestor.__module__}.{name}" if name in {"error", "Error"} else name
    return "object"


def located(path: str, line: int) -> str:
    """``module:line`` for a place in the source file of a loaded module."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__dict__", {}).get("__file__") == path and 0 <= line < MOST_LINES:
            return f"{name}:{line}"
    return ELSEWHERE


def _place(frame: FrameType, line: int) -> str:
    name = frame.f_globals.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or getattr(module, "__file__", None) != frame.f_code.co_filename:
        return ELSEWHERE
    return f"{name}:{line}:{frame.f_code.co_name}"


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    return (_place(frame, line) for frame, line in walk_tb(traceback))


def _causes(failure: BaseException) -> Iterator[BaseException]:
    seen = {id(failure)}
    at: BaseException | None = failure
    while at is not None:
        if isinstance(at, BaseExceptionGroup):
            yield from at.exceptions
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
        if at is None or id(at) in seen:
            return
        seen.add(id(at))
        yield at
