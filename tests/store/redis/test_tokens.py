"""Vaulted tokens in one real Redis keep the contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.tokens_contract import OpenTokens, TokensContract
from tests.support.redis import Redis
from tests.support.redis_deployments import running
from vault.store import open_tokens
from vault.store.tokens import TokenStore


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with running(Redis(tmp_path_factory.mktemp("redis"))) as one:
        yield one


class TestStandalone(TokensContract):
    @pytest.fixture
    def open_another(self, server: Redis) -> OpenTokens:
        async def open_it() -> TokenStore:
            return await open_tokens(server.settings(), Path())

        return open_it
