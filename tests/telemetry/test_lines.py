"""A line is one line, and says all there is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.telemetry.lines import COLOURS, RESET, line

WORDS = {"timestamp": "2026-11-27T17:33:07.123711Z", "level": "info", "event": "serving"}


def test_for_programs() -> None:
    told = {**WORDS, "port": 8200, "encrypted": True}
    assert line("json", told, coloured=True) == json.dumps(told)


def test_for_people() -> None:
    told = {**WORDS, "host": "127.0.0.1", "port": 8200, "reason": "no room", "path": None}
    assert line("console", told, coloured=False) == (
        "2026-11-27T17:33:07.123711Z [info    ] serving                       "
        " host=127.0.0.1 port=8200 reason='no room' path=None"
    )


@pytest.mark.parametrize("level", COLOURS)
def test_colours_end_where_they_should(level: str) -> None:
    coloured = line("console", {**WORDS, "level": level}, coloured=True)
    assert coloured.count("\x1b[") == 4
    assert coloured.count(RESET) == 2
    plain = line("console", {**WORDS, "level": level}, coloured=False)
    assert "\x1b" not in plain
    assert level in plain


@given(st.dictionaries(st.sampled_from(["host", "path"]), st.text() | st.integers()))
def test_one_line_whatever_it_holds(fields: dict[str, object]) -> None:
    for form in ("json", "console"):
        told = line(form, WORDS | fields, coloured=False)  # type: ignore[arg-type]
        assert len(told.splitlines()) == 1
