"""What a log looks like that was written without a thought: to see that leaks are caught."""

import json
import logging
import sys
import threading
import traceback
import warnings
from typing import Any, TextIO


class LeakyLog:
    """What a log looks like that was written without a thought."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def info(self, said: str, /, **fields: Any) -> None:
        failure = fields.get("exception") or fields.get("exc_info")
        if isinstance(failure, BaseException):
            told = traceback.TracebackException.from_exception(failure, capture_locals=True)
            fields["told"] = "".join(told.format())
        line = json.dumps({**fields, "said": said}, default=repr)
        self._stream.write(line + "\n")

    warning = error = info


def install_leaky(stream: TextIO) -> LeakyLog:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(pathname)s %(message)s"))
    logging.root.handlers[:] = [handler]
    logging.getLogger("uvicorn.error").propagate = True
    logging.raiseExceptions = True
    sys.excepthook, sys.unraisablehook = sys.__excepthook__, sys.__unraisablehook__
    threading.excepthook = threading.__excepthook__
    warnings.showwarning = lambda message, category, filename, *_: print(
        warnings.formatwarning(message, category, filename, 7), file=stream
    )
    return LeakyLog(stream)
