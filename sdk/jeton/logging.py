"""A filter that takes NIRs, and whatever else has a shape you name, out of log records.

    handler.addFilter(jeton.logging.Scrub())
    handler.addFilter(jeton.logging.Scrub(shapes={"phone": r"\\b0[1-9](?: ?[0-9]{2}){4}\\b"}))

Put it on handlers: a logger's filter does not see what is logged further down. It is the last
net, not the first: whoever keeps `Sensitive` covered has nothing to scrub.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from jeton.shapes import GAP, NIR_GROUPS, Band, is_nir

_NIR = re.compile(rf"(?<![0-9]){GAP.join(NIR_GROUPS)}(?![0-9])")
"""15 characters, as one word or in the groups that people print."""
_NUMBERS = "created levelno lineno msecs process relativeCreated thread".split()
"""Of every record: a thread's identity may have fifteen digits."""
_PLACES = "name levelname pathname filename module funcName processName".split()
"""Of the program, not of its data."""
_LEFT_ALONE: Final = frozenset((*_NUMBERS, *_PLACES, "msg", "args", "exc_info", "exc_text"))
DEEPEST = 8


class Scrub(logging.Filter):
    """Puts ``<nir>`` in the place of every NIR of a record, and ``<name>`` for each shape.

    A NIR is 15 characters with their right key, in the usual groups or in one word; Jeton's
    tokens stay, since they live where no NIR is issued. `band` is that of the transformation.
    Thirteen characters have no key to know them by: name a shape where they occur. `shapes` are
    regular expressions by name.

    Looked at are the message and its arguments, the text of the exception and of the stack,
    and all that `extra` adds, containers too. Where something is found the message is formatted
    and its arguments are dropped; an exception is kept as scrubbed text alone. Scrubbing twice
    changes nothing more. Every record passes.
    """

    def __init__(
        self,
        shapes: Mapping[str, str | re.Pattern[str]] | None = None,
        *,
        band: Band = "safe",
    ) -> None:
        super().__init__()
        self._shapes = [(f"<{name}>", re.compile(shape)) for name, shape in (shapes or {}).items()]
        self._band: Band = band

    def filter(self, record: logging.LogRecord) -> bool:
        self._message(record)
        self._exception(record)
        for name, value in list(vars(record).items()):
            if name not in _LEFT_ALONE:
                vars(record)[name] = self._clean(value)
        return True

    def scrub(self, text: str) -> str:
        """The text without what this filter looks for."""
        text = self._without_nirs(text)
        for instead, shape in self._shapes:
            text = shape.sub(instead, text)
        return text

    def _message(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - logging itself would print all arguments
            message = f"{record.msg} (its arguments do not fit, and are left out)"
            record.msg, record.args = message, None
        found = self.scrub(message) != message or self._clean(record.msg) is not record.msg
        if found or (record.args and self._clean(repr(record.args)) != repr(record.args)):
            record.msg, record.args = self.scrub(message), None

    def _exception(self, record: logging.LogRecord) -> None:
        if record.exc_info and not record.exc_text:
            text = logging.Formatter().formatException(
                record.exc_info if isinstance(record.exc_info, tuple) else (None, None, None)
            )
        else:
            text = record.exc_text or ""
        clean = self.scrub(text)
        if clean != text:
            record.exc_info, record.exc_text = None, clean

    def _clean(self, value: Any, depth: int = 0) -> Any:
        """`value` itself where nothing is found in it."""
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, str):
            clean = self.scrub(value)
            return value if clean == value else clean
        if depth < DEEPEST and type(value) in {list, tuple, set, frozenset, dict}:
            return self._clean_container(value, depth + 1)
        try:
            texts = (str(value), repr(value))
        except Exception:  # noqa: BLE001 - what cannot be printed cannot be looked at
            return f"<{type(value).__name__}>"
        return value if all(self.scrub(text) == text for text in texts) else self.scrub(texts[0])

    def _clean_container(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            clean: Any = {
                self._clean(key, depth): self._clean(item, depth) for key, item in value.items()
            }
            same = all(
                a is c and b is d
                for (a, b), (c, d) in zip(value.items(), clean.items(), strict=False)
            )
            return value if same and len(clean) == len(value) else clean
        items = list(value)
        cleaned = [self._clean(item, depth) for item in items]
        same = all(old is new for old, new in zip(items, cleaned, strict=True))
        return value if same else type(value)(cleaned)

    def _without_nirs(self, text: str) -> str:
        parts, done, at = [], 0, 0
        while found := _NIR.search(text, at):
            if is_nir(found.groups(), self._band):
                parts += [text[done : found.start()], "<nir>"]
                done = at = found.end()
            else:
                at = found.start() + 1
        return "".join([*parts, text[done:]]) if parts else text
