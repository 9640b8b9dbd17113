"""Vaulted tokens in SQLite keep the contract."""

from pathlib import Path

import pytest

from tests.store.tokens_contract import OpenTokens, TokensContract
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import TokenStore


class TestSqlite(TokensContract):
    @pytest.fixture
    def open_another(self, tmp_path: Path) -> OpenTokens:
        async def open_it() -> TokenStore:
            return SqliteTokens.open(tmp_path / "jeton.tokens.db")

        return open_it
