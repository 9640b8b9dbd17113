"""The one log, and the hooks that lead every other way of writing to it.

Whatever is said is reduced to the vocabulary *before* it is put into words, so no renderer or
sink ever holds anything that must not be written. Logging never raises.
"""

import asyncio
import contextlib
import faulthandler
import logging
import sys
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Literal, TextIO

from vault.telemetry.failures import class_name, describe, located
from vault.telemetry.lines import Form, line
from vault.telemetry.vocabulary import EVENTS, LOGGERS, WITHHELD, Names, admit, plain

Level = Literal["debug", "info", "warning", "error", "critical"]

LEVELS: Final[dict[Level, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class _Setting:
    names: Names
    threshold: int
    stream: TextIO | None
    """None: whatever standard error is at the time."""
    form: Form
    coloured: bool


class Log:
    """Says that something happened, in listed words: ``log.warning("disk-space-low",
    free_bytes=n)``. An ``exception=`` is told by class and place. See `vocabulary`."""

    def __repr__(self) -> str:
        return "<Log>"

    def debug(self, event: str, /, **fields: object) -> None:
        self._say("debug", event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        self._say("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        self._say("warning", event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        self._say("error", event, fields)

    def critical(self, event: str, /, **fields: object) -> None:
        self._say("critical", event, fields)

    def _say(
        self,
        level: Level,
        event: object,
        fields: dict[str, object],
        told: Mapping[str, object] | None = None,
    ) -> None:
        """`told` comes from this package alone and is taken as it is."""
        if LEVELS[level] < _setting.threshold:
            return
        failure = fields.pop("exception", None)
        with contextlib.suppress(Exception):  # a full disk behind stderr must not stop a reveal
            known = text if (text := plain(event)) in EVENTS else WITHHELD
            words = {**admit(fields, _setting.names), **(told or {})}
            if isinstance(failure, BaseException):
                words |= describe(failure)
            now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
            _write({"timestamp": now, "level": level, "event": known, **words})


def _write(words: Mapping[str, object]) -> None:
    """One write a line."""
    stream = _setting.stream or sys.stderr
    stream.write(line(_setting.form, words, coloured=_setting.coloured) + "\n")
    stream.flush()


_setting = _Setting(Names(), logging.INFO, None, "json", coloured=False)

log: Final = Log()


def install(
    names: Names, form: Form = "json", level: Level = "info", stream: TextIO | None = None
) -> None:
    """Write in `form` from `level` up, and take over every other way to a log: the standard
    library's loggers, warnings, uncaught exceptions of the process, threads and finalisers.

    Servers must not put handlers of their own back (uvicorn: ``log_config=None``). May be
    called again. For what asyncio catches see `watch`.
    """
    global _setting  # noqa: PLW0603 - a process has one log
    coloured = bool(getattr(stream or sys.stderr, "isatty", lambda: False)())
    _setting = _Setting(names, LEVELS[level], stream, form, coloured)
    _take_over_standard_logging(logging.DEBUG if level == "debug" else logging.WARNING)
    warnings.showwarning = _on_warning
    sys.excepthook = _on_uncaught
    sys.unraisablehook = _on_unraisable
    threading.excepthook = _on_thread
    with contextlib.suppress(Exception):  # no stderr; it would show places only, no values
        faulthandler.enable()


def know(names: Names) -> None:
    """The names of a configuration that was reloaded."""
    global _setting  # noqa: PLW0603
    _setting = replace(_setting, names=names)


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Tell of exceptions that `loop` has nobody to give to."""
    loop.set_exception_handler(
        lambda _, context: log.error("task-failed", exception=context.get("exception"))
    )


class _Foreign(logging.Handler):
    """Other libraries' records: who, where, which exception; of the message only constants."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            told: dict[str, object] = {
                "logger": _logger_name(record.name),
                "at": located(record.pathname, record.lineno),
            }
            failure = record.exc_info[1] if record.exc_info else None
            if isinstance(record.msg, BaseException):  # uvicorn logs a failed bind like this
                failure = record.msg
            fields: dict[str, object] = {"exception": failure}
            if admit({"message": record.msg}, Names())["message"] != WITHHELD:
                fields["message"] = record.msg
            log._say(_level(record.levelno), "foreign", fields, told)  # noqa: SLF001

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """The standard one prints the message and its arguments."""


def _take_over_standard_logging(threshold: int) -> None:
    logging.raiseExceptions = False
    logging.lastResort = None
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.root.handlers[:] = [_Foreign()]
    logging.root.setLevel(threshold)


def _logger_name(name: str) -> str:
    """A logger may be called anything; usually it is called as its module."""
    return name if name in LOGGERS or name in sys.modules else WITHHELD


def _level(number: int) -> Level:
    return next((name for name, least in reversed(LEVELS.items()) if number >= least), "debug")


def _on_warning(
    message: Warning | str,  # noqa: ARG001 - warnings quote values as exceptions do
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    told = {"error": class_name(category), "at": located(filename, lineno)}
    log._say("warning", "warning", {}, told)  # noqa: SLF001


def _on_uncaught(
    kind: type[BaseException], failure: BaseException, _: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("uncaught-exception", exception=failure)


def _on_thread(args: threading.ExceptHookArgs) -> None:
    if not issubclass(args.exc_type, SystemExit):
        log.critical("uncaught-exception", exception=args.exc_value)


def _on_unraisable(args: "sys.UnraisableHookArgs") -> None:
    log.error("uncaught-exception", exception=args.exc_value)
