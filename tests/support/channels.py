"""Every way we know in which a careless line gets a value into a log.

A channel is called with a logger (ours, or a leaky one with the same methods) and a value;
most do not use the logger but what the standard library offers beside it.
"""

import asyncio
import base64
import contextlib
import gc
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

Channel = Callable[[Any, str], None]


def _raised(value: str) -> Exception:
    local = {"of": [value]}
    try:
        raise ValueError(value) from KeyError(local["of"][0])
    except ValueError as error:
        error.add_note(f"while reading {value}")
        return error


def _class_named(value: str) -> Exception:
    try:
        raise type(value, (ValueError,), {})
    except ValueError as error:
        return error


def _function_named(value: str) -> Exception:
    name = "f" + "".join(character if character.isalnum() else "_" for character in value)
    code = compile(f"def {name}(): 1 / 0\n{name}()", f"/srv/{value}.py", "exec")
    try:
        exec(code, {"__name__": f"module.{value}"})
    except ZeroDivisionError as error:
        return error
    raise AssertionError


def _caught(act: Callable[[], object]) -> None:
    """Whatever a channel's own code raises is not what it tests."""
    with contextlib.suppress(Exception):
        act()


def _finaliser(value: str) -> None:
    class Careless:
        def __del__(self) -> None:
            raise ValueError(value)

    Careless()


def _thread(value: str) -> None:
    def fail() -> None:
        raise ValueError(value)

    thread = threading.Thread(target=fail, name=value)
    thread.start()
    thread.join()


def _forgotten_task(value: str) -> None:
    async def fail() -> None:
        raise ValueError(value)

    async def forget() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])
        del task
        gc.collect(0)

    asyncio.run(forget())


def _loop(value: str) -> None:
    async def call() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": value, "exception": ValueError(value), "context": value}
        )

    asyncio.run(call())


def _excepthook(value: str) -> None:
    error = _raised(value)
    sys.excepthook(type(error), error, error.__traceback__)


def _record(value: str) -> None:
    logging.getLogger("uvicorn.error").handle(
        logging.LogRecord("made." + value, 50, f"/{value}.py", 7, value, (), None, func=value)
    )


UVICORN = logging.getLogger("uvicorn.error")

LOGGED: dict[str, Channel] = {
    "event": lambda log, value: log.info(value),
    "client": lambda log, value: log.info("starting", client=value),
    "path": lambda log, value: log.error("starting", path=f"/var/{value}"),
    "code": lambda log, value: log.info("starting", code=value),
    "request id": lambda log, value: log.info("starting", request_id=value),
    "message": lambda log, value: log.info("starting", message=value),
    "nested": lambda log, value: log.info("starting", items=[{"deep": (value,)}]),
    "bytes": lambda log, value: log.info("starting", client=value.encode()),
    "key of a mapping": lambda log, value: log.info("starting", count={value: 1}),
    "unlisted field": lambda log, value: log.info("starting", nir=value),
    "field name": lambda log, value: log.info("starting", **{value: 1}),
    "event as field": lambda log, value: log.info("starting", event=value, level=value),
    "exception": lambda log, value: log.error("request-failed", exception=_raised(value)),
    "exception as text": lambda log, value: log.error("request-failed", exception=value),
    "group of exceptions": lambda log, value: log.error(
        "request-failed", exception=ExceptionGroup(value, [_raised(value)])
    ),
    "class name": lambda log, value: log.error("request-failed", exception=_class_named(value)),
    "function name": lambda log, value: log.error(
        "request-failed", exception=_function_named(value)
    ),
    "exc_info": lambda log, value: log.error("request-failed", exc_info=_raised(value)),
    "stack": lambda log, value: log.error("request-failed", stack=value),
    "base64": lambda log, value: log.info(
        "starting", client=base64.b64encode(f"x{value}".encode()).decode()
    ),
    "hex": lambda log, value: log.info("starting", client=value.encode().hex()),
    "reversed": lambda log, value: log.info("starting", client=value[::-1]),
    "url": lambda log, value: log.info("starting", path=quote(f"/v1/{value}", safe="")),
}

ELSEWHERE: dict[str, Channel] = {
    "argument": lambda _, value: UVICORN.error("refused %s", value),
    "message": lambda _, value: UVICORN.error(f"refused {value}"),
    "message object": lambda _, value: UVICORN.error(ValueError(value)),
    "wrong arguments": lambda _, value: UVICORN.error("refused %d %d", value),
    "exception": lambda _, value: UVICORN.error("failed", exc_info=_raised(value)),
    "logger name": lambda _, value: logging.getLogger(f"at.{value}").error("failed"),
    "made record": lambda _, value: _record(value),
    "warning": lambda _, value: warnings.warn(f"odd: {value}", stacklevel=2),
    "warning elsewhere": lambda _, value: warnings.warn_explicit(
        value, UserWarning, f"/srv/{value}.py", 7
    ),
    "excepthook": lambda _, value: _excepthook(value),
    "thread": lambda _, value: _thread(value),
    "finaliser": lambda _, value: _finaliser(value),
    "forgotten task": lambda _, value: _forgotten_task(value),
    "loop": lambda _, value: _loop(value),
}

NUMBERS: dict[str, Channel] = {
    "count": lambda log, value: log.info("starting", count=int(value)),
    "bytes": lambda log, value: log.info("starting", free_bytes=int(value)),
    "seconds": lambda log, value: log.info("starting", seconds=float(value)),
    "fraction": lambda log, value: log.info("starting", seconds=float("0." + value)),
    "port": lambda log, value: log.info("starting", port=int(value)),
}


def send(channel: Channel, log: Any, values: list[str]) -> None:
    for value in values:
        _caught(lambda value=value: channel(log, value))
