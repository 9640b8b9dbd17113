"""Tables for people, tab-separated lines for programs."""

import io
import sys

import pytest

from vault.cli.screen import table

ROWS = [("intake", "tokenise [fr-nir]\ntokenise digits")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_piped(capsys: pytest.CaptureFixture[str]) -> None:
    table(("client", "may"), ROWS)
    assert capsys.readouterr().out == "client\tmay\nintake\ttokenise [fr-nir]; tokenise digits\n"


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    table(("client", "may"), ROWS, title="Clients")
    lines = screen.getvalue().splitlines()
    assert "Clients" in lines[0]
    assert any("intake" in line and "tokenise [fr-nir]" in line for line in lines)
    assert any("tokenise digits" in line and "intake" not in line for line in lines)
