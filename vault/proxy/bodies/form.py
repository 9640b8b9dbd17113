"""``application/x-www-form-urlencoded`` bodies, and the queries of URLs: fields by their names."""

import re
from collections.abc import Sequence
from functools import partial
from urllib.parse import quote_plus, unquote_to_bytes

from vault.proxy.bodies.pieces import Field, Limits, Rule, Unparsable
from vault.proxy.bodies.whole import WholeParser

_PAIR = re.compile(rb"([^&=]*+)(?:=([^&]*+))?(?:&|\Z)")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SAFE = "!$'()*,/:;?@"


class FormParser(WholeParser):
    """A selector is a name as it reads decoded; the whole form is one record.

    Empty values pass; what is dropped becomes empty. A percent sign that begins no escape does
    not pass anywhere.
    """

    def __init__(self, rules: Sequence[Rule], limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._rules = {rule.selector: rule for rule in reversed(rules)}

    def read(self, body: bytes) -> Sequence[tuple[int, Field]]:
        if bad := _BAD_ESCAPE.search(body):
            raise Unparsable("a percent sign begins no escape", bad.start())
        fields: list[tuple[int, Field]] = []
        firsts: dict[str, Field | str] = {}
        for pair in _PAIR.finditer(body):
            name, raw = _text(pair[1], pair.start(1)), pair[2]
            if not raw:
                continue
            rule = self._rules.get(name)
            if rule is not None:
                field = Field(_text(raw, pair.start(2)), rule, raw, partial(_write, raw))
                fields.append((pair.start(2), field))
                firsts.setdefault(name, field)
            elif name not in firsts and self._is_context(name):
                firsts[name] = _text(raw, pair.start(2))
        for _, field in fields:
            if field.rule.context_selector is not None:
                field.context = firsts.get(field.rule.context_selector)
        return fields

    def _is_context(self, name: str) -> bool:
        return any(rule.context_selector == name for rule in self._rules.values())


def _text(raw: bytes, offset: int) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeError:
        raise Unparsable("a name or value is not valid UTF-8", offset) from None


def _write(raw: bytes, text: str) -> bytes:
    """Escaped as far as what stood there was."""
    bare = "".join(character for character in _SAFE if character.encode() in raw)
    return quote_plus(text, safe=bare).encode()
