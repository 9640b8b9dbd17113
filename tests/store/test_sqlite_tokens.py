"""Vaulted tokens in SQLite keep the contract."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from tests.store.tokens_contract import OpenTokens, TokensContract
from tests.store.tokens_model import Prepared, machine
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import TokenStore


class TestSqlite(TokensContract):
    @pytest.fixture
    def open_another(self, tmp_path: Path) -> OpenTokens:
        async def open_it() -> TokenStore:
            return SqliteTokens.open(tmp_path / "jeton.tokens.db")

        return open_it


def prepare() -> Prepared:
    folder = TemporaryDirectory()

    async def opened() -> TokenStore:
        return SqliteTokens.open(Path(folder.name) / "jeton.tokens.db")

    return [opened, opened], "space", folder.cleanup


TestModel = machine(prepare).TestCase
TestModel.settings = settings(
    max_examples=max(10, settings.default.max_examples // 5), stateful_step_count=25
)
