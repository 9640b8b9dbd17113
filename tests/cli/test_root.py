"""Help that renders, verbs that load late, errors that repeat nothing."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import click
import pytest
from click.testing import CliRunner, Result

from tests.cli.conftest import VALUE, Jeton
from vault.cli import main
from vault.cli.root import VERBS

ALL = [verb for verbs in VERBS.values() for verb in verbs]


def paths(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from paths(inner, (*path, name))


@pytest.mark.parametrize("path", list(paths(main)), ids=" ".join)
def test_every_verb_has_help(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: {' '.join(['jeton', *path])}")
    assert "Show this message and exit." in result.stdout


@pytest.mark.parametrize("verb", ALL, ids=lambda verb: verb.name)
def test_the_summary_is_the_verbs_own(verb: object) -> None:
    command = verb.load()  # type: ignore[attr-defined]
    assert command.name == verb.name  # type: ignore[attr-defined]
    assert command.get_short_help_str(200) == verb.summary  # type: ignore[attr-defined]


def test_help_imports_no_verb() -> None:
    program = (
        "import sys; from vault.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m in ('rich', 'msgspec', 'numpy', 'cryptography')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_m_vault() -> None:
    command = [sys.executable, "-m", "vault", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("jeton ")


@pytest.mark.parametrize(
    "arguments",
    [
        [VALUE],
        [f"--{VALUE}"],
        [f"-{VALUE}"],
        ["init", "folder", VALUE],
        ["tokenise", VALUE],
        ["tokenise", VALUE, VALUE],
        ["tokenise", "fr-nir", f"--{VALUE}"],
        ["tokenise", "fr-nir", f"-{VALUE}"],
        ["tokenise", "fr-nir", "-", VALUE],
        ["tokenise", "fr-nir", VALUE, "--purpose", f"{VALUE} x"],
        ["tokenise", "fr-nir", VALUE, "--context", VALUE * 20],
        ["detokenise", "fr-nir", VALUE, "--on-behalf-of", f"{VALUE} é"],
        ["match", "fr-nir", VALUE],
        ["match", VALUE, VALUE, VALUE],
        ["serve", "--port", VALUE],
        ["serve", "--workers", f"x{VALUE}"],
        ["dev", "--host", VALUE],
        ["keys", VALUE],
        ["keys", "disable", VALUE],
        ["keys", "disable", f"x{VALUE}"],
        ["keys", "rewrap", "--to", VALUE],
        ["clients", "add", VALUE, "--grant", VALUE],
        ["clients", "add", f"{VALUE}_", "--grant", "tokenise:fr-nir"],
        ["clients", "add", "x", "--grant", f"tokenise:{VALUE}"],
        ["clients", "add", "x", "--grant", f"mask:fr-nir:_{VALUE}"],
        ["clients", "add", "x", "--grant", "tokenise:fr-nir", "--limit", VALUE],
        ["clients", "add", "x", "--grant", "tokenise:fr-nir", "--limit", f"reveal.hour={VALUE}"],
        ["clients", "add", "x", "--grant", "tokenise:fr-nir", "--expires", VALUE],
        ["clients", "add", "x", "--grant", "tokenise:fr-nir", "--network", VALUE],
        ["clients", "rotate", VALUE],
        ["clients", "revoke", VALUE],
        ["clients", "revoke", "portal", "--credential", VALUE],
        ["clients", "revoke", "portal", "--credential", f"x{VALUE}"],
        ["audit", "verify", "--receipt", VALUE],
        ["audit", "export", "--since", VALUE],
        ["audit", "export", "--format", VALUE],
    ],
    ids=" ".join,
)
def test_errors_repeat_nothing(jeton: Jeton, arguments: list[str]) -> None:
    result = jeton(*arguments, client="intake")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(("jeton: ", "  clients."))
    assert VALUE not in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tokenize"], "did you mean tokenise?"),
        (["clients", "ad"], "did you mean add?"),
        (["keys", "list", "--jsn"], "did you mean --json?"),
        (["keys", "rewrap"], "--to: missing (see `jeton keys rewrap --help`)"),
        (["keys", "disable"], "VERSION: missing"),
        (["keys", "list", "--config"], "'--config' requires an argument"),
        (["keys", "list", "--json=x"], "'--json' does not take a value"),
        (["serve", "--port", "x"], "--port: expected a whole number from 0 to 65535"),
        (["audit", "export", "--format", "x"], "--format: expected one of jsonl, csv"),
        (["clients", "list"], "does not exist; `jeton init` writes a configuration"),
        (["serve"], "does not exist; `jeton init` writes a configuration"),
        (["clients", "list", "--config", "."], "cannot be read: Is a directory"),
    ],
)
def test_errors_say_how_to_mend(
    run: Callable[..., Result], arguments: list[str], words: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr


@pytest.mark.parametrize("arguments", [[], ["clients"], ["keys"], ["audit"]])
def test_a_group_alone_helps(run: Callable[..., Result], arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Show this message and exit." in result.stderr


def test_a_fault_of_our_own_says_where_and_not_what(
    jeton: Jeton, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError(VALUE)

    monkeypatch.setattr("vault.cli.formats.rows", broken)
    result = jeton("formats")
    assert result.exit_code == 2
    assert '"error": "KeyError"' in result.stderr
    assert "fault of Jeton's own" in result.stderr
    assert VALUE not in result.output


def test_an_operating_system_error_is_a_line(jeton: Jeton) -> None:
    result = jeton("audit", "verify", "--checkpoint", "/nowhere/kept.jsonl")
    assert result.exit_code == 2
    assert result.stderr == "jeton: /nowhere/kept.jsonl: No such file or directory\n"


def test_an_interrupt_is_no_error_of_ours(jeton: Jeton, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vault.cli.formats.rows", interrupted)
    assert jeton("formats").exit_code == 130
