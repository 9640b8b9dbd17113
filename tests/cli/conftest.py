"""A made installation, and `jeton` as a function."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from vault.cli import main
from vault.cli.init import create

VALUE = "284057512345672"
"""A number with a right key: it may stand in a token's or a value's place, never in an error."""


@dataclass(frozen=True)
class Jeton:
    """Runs verbs in this process against one installation."""

    folder: Path
    credentials: Mapping[str, str]

    @property
    def config(self) -> Path:
        return self.folder / "jeton.toml"

    def __call__(
        self,
        *arguments: object,
        client: str | None = None,
        stdin: str | bytes = "",
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """With ``JETON_CONFIG`` set, and ``JETON_CREDENTIAL`` for a `client`."""
        variables: dict[str, str | None] = {"JETON_CONFIG": str(self.config)}
        variables["JETON_CREDENTIAL"] = self.credentials[client] if client else None
        variables |= dict(environment or {})
        return CliRunner().invoke(main, [*map(str, arguments)], input=stdin, env=variables)

    def done(self, *arguments: object, **options: object) -> str:
        """What stdout says; AssertionError with stderr where the exit code is not 0."""
        result = self(*arguments, **options)  # type: ignore[arg-type]
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def edit(self, before: str, after: str) -> None:
        text = self.config.read_text("utf-8")
        assert before in text
        self.config.write_text(text.replace(before, after), "utf-8")


@pytest.fixture
def jeton(tmp_path: Path) -> Jeton:
    made = create(tmp_path / "jeton-data")
    return Jeton(made.config.parent, made.credentials)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`jeton` in an empty folder, with no installation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JETON_CONFIG", raising=False)
    return lambda *arguments: CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture(autouse=True)
def _clean_environment() -> Iterator[None]:
    """No setting of the machine's own, and the process's hooks stay the test runner's."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("JETON")}
    with (
        patch.dict(os.environ, kept, clear=True),
        patch("vault.cli.asking.install"),
        patch("vault.cli.audit.install"),
        patch("vault.cli.clients.install"),
        patch("vault.cli.honeytokens.install"),
        patch("vault.cli.vault.install"),
    ):
        yield
