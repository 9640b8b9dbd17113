"""Nothing that is typed, piped in or pasted into a configuration comes back in what a verb says."""

from collections.abc import Callable
from unittest.mock import patch

import click
import pytest
from click.testing import Result

from tests.cli.conftest import Jeton
from tests.support.leaks import Search, distinctive_values
from vault.access.identity import mint
from vault.crypto.kek import new_kek_text

DIGITS = [value for value in distinctive_values(400) if value.isdigit()]


def _run(jeton: Jeton, arguments: str, value: str, client: str | None, stdin: str) -> Result:
    """A verb whose arguments and input have the value at every `@`."""
    words = [word.replace("@", value) for word in arguments.split()]
    sent = stdin.replace("@", value).encode("utf-8", "surrogateescape")
    if client == "@":
        return jeton(*words, stdin=sent, environment={"JETON_CREDENTIAL": value})
    return jeton(*words, stdin=sent, client=client)


TYPED: dict[str, tuple[str, str | None, str]] = {
    "as verb": ("@", None, ""),
    "as option": ("tokenise digits --@", "intake", ""),
    "as transformation": ("tokenise @ -", "intake", "1"),
    "as value on the line": ("tokenise fr-nir x@", "intake", ""),
    "as value": ("tokenise fr-nir -", "intake", "x@\n@@\n\udcff@\n\0@\n"),
    "as token": ("detokenise fr-nir - --purpose reimbursement", "reimbursement", "@\nx@\n"),
    "as token with its context": (
        "mask fr-nir - --purpose display --on-behalf-of @ --context @",
        "portal",
        "x@\n",
    ),
    "as pair": ("match fr-nir - --purpose display --on-behalf-of me", "portal", "@\n@\t@\n\t@\n"),
    "as half a pair": ("match fr-nir @ --purpose display", "portal", ""),
    "as purpose": ("detokenise fr-nir - --purpose @", "reimbursement", "1\n"),
    "as long context": ("tokenise fr-nir - --context " + "@" * 40, "intake", "1\n"),
    "as end user": ("mask fr-nir - --purpose display --on-behalf-of \xe9@", "portal", "1\n"),
    "as credential": ("tokenise fr-nir -", "@", "1\n"),
    "without leave": ("detokenise fr-nir - --purpose reimbursement", "intake", "@\n"),
    "as a number": ("check-config --max-people-per-day @x", None, ""),
    "as a grant": ("clients add new --grant detokenise:@:@", None, ""),
    "as a limit": ("clients add new --grant tokenise:fr-nir --limit @=@", None, ""),
    "as a key's version": ("keys disable @", None, ""),
    "as receipt": ("audit verify --receipt @.1.@", None, ""),
}


def _leaks(way: str, value: str, said: Result) -> list[str]:
    return [f"{way}, as {disguise}" for _, disguise in Search([value]).found(said.output_bytes)]


def test_no_verb_repeats_what_it_was_given(jeton: Jeton) -> None:
    assert len(DIGITS) >= len(TYPED)
    for (way, (arguments, client, stdin)), value in zip(TYPED.items(), DIGITS, strict=False):
        said = _run(jeton, arguments, value, client, stdin)
        assert said.exit_code in {1, 2}, f"{way}: it cannot be done"
        assert said.output_bytes, f"{way}: and something is said"
        assert _leaks(way, value, said) == []
    left = b"".join(path.read_bytes() for path in jeton.folder.rglob("*") if path.is_file())
    # An end user's id stands in the record and the store, by the contract.
    ids = {DIGITS[list(TYPED).index("as token with its context")]}
    assert Search(set(DIGITS) - ids).found(left) == set()


BROKEN: dict[str, Callable[[str, str], str]] = {
    "as TOML": lambda text, secret: f"{text}\n{secret}\n",
    "as a text without its end": lambda text, secret: f'{text}\nx = "{secret}\n',
    "as a table twice": lambda text, secret: f"{text}\n[clients.{secret}]\n[clients.{secret}]\n",
    "as a key twice": lambda text, secret: f"{text}\n[x]\n{secret} = 1\n{secret} = 2\n",
    "as an inline key twice": lambda text, secret: (
        f"{text}\nx = {{ {secret} = 1, {secret} = 2 }}\n"
    ),
    "as a key under a value": lambda text, secret: f"{text}\n[x]\n{secret} = 1\n{secret}.a = 2\n",
    "as a client's name": lambda text, secret: f"{text}\n[clients.{secret}]\n",
    "as a hash": lambda text, secret: (
        f'{text}\n[clients.x]\ncredentials = [{{ sha256 = "{secret}" }}]\n'
    ),
    "as a purpose": lambda text, secret: (
        f'{text}\n[clients.x]\ngrants = [{{ operation = "mask", transformation = "fr-nir", '
        f'purposes = ["{secret}"] }}]\n'
    ),
    "as a format": lambda text, secret: f'{text}\n[transformations.x]\nformat = "{secret}"\n',
    "as a port": lambda text, secret: text.replace(
        "[server]\n", f'[server]\nport = "{secret}"\n', 1
    ),
    "as a network": lambda text, secret: (
        f'{text}\n[clients.x]\ncredentials = [{{ sha256 = "", networks = ["{secret}"] }}]\n'
    ),
    "as a KEK": lambda text, secret: text.replace('"file:kek.key"', f'"{secret}"'),
    "as a KEK's variable": lambda text, secret: text.replace('"file:kek.key"', f'"env:{secret}"'),
    "as a KEK's command": lambda text, secret: text.replace(
        '"file:kek.key"', f'"command:cat {secret}"'
    ),
    "as a store": lambda text, secret: text.replace('"sqlite:jeton.db"', f'"redis://:{secret}@h"'),
}
"""A credential, or another secret, in the wrong place of a configuration."""


@pytest.mark.parametrize("way", BROKEN)
def test_no_broken_configuration_shows_a_secret(jeton: Jeton, way: str) -> None:
    text = jeton.config.read_text("utf-8")
    for secret in (mint("somebody")[0], new_kek_text(), "_".join(DIGITS[:4])):
        jeton.config.write_text(BROKEN[way](text, secret), "utf-8")
        for verb in ("check-config", "keys list"):
            said = jeton(*verb.split())
            assert said.exit_code == 2 or (verb, way[:8]) == ("check-config", "as a KEK")
            assert _leaks(way, secret, said) == []


@pytest.mark.parametrize("place", ["stdout", "stderr"])
def test_a_verb_that_repeats_it_is_caught(jeton: Jeton, place: str) -> None:
    def careless(*_: object) -> int:
        click.echo(f"cannot read {DIGITS[0]}", err=place == "stderr")
        return 1

    with patch("vault.cli.values.ask", careless):
        said = _run(jeton, "tokenise fr-nir -", DIGITS[0], "intake", "@")
    assert _leaks("typed", DIGITS[0], said) == ["typed, as raw"]


def test_an_exception_of_a_verb_is_told_without_its_words(jeton: Jeton) -> None:
    with patch("vault.cli.values.ask", side_effect=ValueError(DIGITS[0])):
        said = _run(jeton, "tokenise fr-nir -", DIGITS[0], "intake", "@")
    assert b"ValueError" in said.output_bytes
    assert _leaks("raised", DIGITS[0], said) == []
