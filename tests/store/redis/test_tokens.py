"""Vaulted tokens in real Redis servers keep the contract: one, under sentinels, in a cluster."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.store.tokens_contract import OpenTokens, TokensContract
from tests.store.tokens_model import Prepared, machine
from tests.support.redis import Redis
from tests.support.redis_deployments import Cluster, Replicated, running
from vault.store import open_tokens
from vault.store.tokens import TokenStore

pytestmark = pytest.mark.slow


def opener(deployment: Any) -> OpenTokens:
    async def open_it() -> TokenStore:
        return await open_tokens(deployment.settings(timeout=10.0), Path())

    return open_it


class TestStandalone(TokensContract):
    large = 4_500

    @pytest.fixture
    def open_another(self, redis_server: Redis) -> OpenTokens:
        return opener(redis_server)


class TestUnderSentinels(TokensContract):
    large = 4_500

    @pytest.fixture
    def open_another(self, redis_replicated: Replicated) -> OpenTokens:
        return opener(redis_replicated)


class TestCluster(TokensContract):
    large = 4_500

    @pytest.fixture
    def open_another(self, redis_cluster: Cluster) -> OpenTokens:
        return opener(redis_cluster)


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with running(Redis(tmp_path_factory.mktemp("redis"))) as server:
        _MODEL.append(server)
        yield server
        _MODEL.clear()


_MODEL: list[Redis] = []


def prepare() -> Prepared:
    opened = opener(_MODEL[0])
    return [opened, opened], uuid.uuid4().hex, lambda: None


@pytest.mark.usefixtures("module_server")
class TestModel(machine(prepare).TestCase):  # type: ignore[misc]
    settings = settings(
        max_examples=max(6, settings.default.max_examples // 10), stateful_step_count=25
    )
