"""The patterns that JSON is read by: whole members and elements, and runs of those that no rule
asks about."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from vault.proxy.bodies.ways import State

_WS = rb"[ \t\r\n]*+"
_PLAIN = rb'[^"\\\x00-\x1f]*+'
_CHARS = _PLAIN + rb'(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})' + _PLAIN + rb")*+"
_NUMBER = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_SCALAR = rb'(?:"' + _CHARS + rb'"|' + _NUMBER + rb"|true|false|null)"
_VALUE = _WS + rb"(?:([{\[])|(" + _SCALAR + rb")" + _WS
_MEMBER = re.compile(_WS + rb'("' + _CHARS + rb'")' + _WS + rb":" + _VALUE + rb"([,}]))")
_ELEMENT = re.compile(rb"()" + _VALUE + rb"([,\]]))")
# A string that goes on: as far as it is there, but for what may be the beginning of an escape.
LONG_MEMBER = re.compile(_WS + rb'("' + _CHARS + rb'")' + _WS + rb":" + _WS + rb'"' + _CHARS)
LONG_ELEMENT = re.compile(rb"()" + _WS + rb'"' + _CHARS)
LONG = re.compile(_CHARS)
GOES_ON = re.compile(rb"(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z")
_END = {True: re.compile(_WS + rb"\]"), False: re.compile(_WS + rb"\}")}
_NEXT = {True: re.compile(_WS + rb"([,\]])"), False: re.compile(_WS + rb"([,}])")}
ROOT = re.compile(_WS + rb"(?:([{\[])|(" + _SCALAR + rb")(?=[ \t\r\n]))")
SPACE = re.compile(_WS)


def _nested(value: bytes) -> bytes:
    """A scalar, or an array or an object of such values."""
    key = rb'"' + _CHARS + rb'"' + _WS + rb":" + _WS
    listed = rb"(?:%b%b(?:,%b(?!\])|(?=\])))*+" % (value, _WS, _WS)
    mapped = rb"(?:%b%b%b(?:,%b(?!\})|(?=\})))*+" % (key, value, _WS, _WS)
    return rb"(?:%b|\[%b%b\]|\{%b%b\})" % (_SCALAR, _WS, listed, _WS, mapped)


# Containers that do not matter are skipped whole where they are as shallow as most are.
_SKIPPED = {False: _SCALAR, True: _nested(_nested(_nested(_nested(_SCALAR))))}
_SKIP_ELEMENTS = {
    shallow: re.compile(rb"(?:" + _WS + value + _WS + rb"(?:,|(?=\])))*+")
    for shallow, value in _SKIPPED.items()
}
_SKIP_NONE = re.compile(rb"")
IS_NUMBER = re.compile(_NUMBER)
Match = Callable[[bytes, int], re.Match[bytes] | None]


def _skip_members(state: State) -> re.Pattern[bytes]:
    """Members that nobody asks about, with scalars or, in a shallow place, with containers too;
    keys with escapes are looked at."""
    if state.any_scalar:
        return _SKIP_NONE
    asked = b"|".join(re.escape(name.encode()) for name in sorted(state.names))
    key = rb'"' + (rb"(?!(?:" + asked + rb')")' if asked else b"") + rb'[^"\\\x00-\x1f]*+"'
    value = key + _WS + rb":" + _WS + _SKIPPED[state.shallow and not state.wild]
    return re.compile(rb"(?:" + _WS + value + _WS + rb"(?:,|(?=\})))*+")


class Reading(NamedTuple):
    """How a container in some state is read: by the beginnings of patterns."""

    skip: Match
    one: Match
    end: Match
    next: Match


@lru_cache(maxsize=1_024)
def reading(state: State, *, array: bool) -> Reading:
    if not array:
        skip = _skip_members(state)
    else:
        skip = _SKIP_NONE if state.counts else _SKIP_ELEMENTS[state.shallow]
    one = _ELEMENT if array else _MEMBER
    return Reading(skip.match, one.match, _END[array].match, _NEXT[array].match)
