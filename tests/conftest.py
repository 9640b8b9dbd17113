"""Fixtures and settings that all tests share."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.proxied import Edge
from tests.support.redis import Redis
from tests.support.redis_deployments import Cluster, Replicated, running
from tests.support.service import Service

# Machines that run the tests are small and busy: time says nothing about a property.
settings.register_profile(
    "default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("quick", settings.get_profile("default"), max_examples=15)
settings.register_profile("long", settings.get_profile("default"), max_examples=10_000)
settings.load_profile("default")


LOG_TAIL = 6_000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the services of the test have logged: they may tell why."""
    report = yield
    if report.failed:
        given = getattr(item, "funcargs", {})
        logs = {one.log for one in given.values() if isinstance(one, Service)}
        logs |= {one.service.log for one in given.values() if isinstance(one, Edge)}
        if isinstance(folder := given.get("tmp_path"), Path):
            logs |= set(folder.rglob("service.log"))
        for log in sorted(filter(Path.exists, logs)):
            text = log.read_text("utf-8", "replace")[-LOG_TAIL:]
            report.sections.append((f"end of {log.parent.name}/{log.name}", text))
    return report


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service as shipped, shared by the tests of a process: leave it as it is."""
    shared = Service.create(tmp_path_factory.mktemp("service"))
    shared.start()
    yield shared
    shared.stop()


@pytest.fixture
def new_service(tmp_path: Path) -> Iterator[Callable[[], Service]]:
    """Makes services of the test's own, not yet started; what still runs at its end is killed."""
    made: list[Service] = []

    def create() -> Service:
        folder = tmp_path / f"service-{len(made)}"
        folder.mkdir()
        made.append(Service.create(folder))
        return made[-1]

    yield create
    for one in made:
        one.kill()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """One Redis server, flushed to disk at every write; shared: leave its settings as they were."""
    with running(Redis(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture(scope="session")
def shared_replicated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicated]:
    with running(Replicated(tmp_path_factory.mktemp("replicated"))) as deployment:
        yield deployment


@pytest.fixture
def redis_replicated(shared_replicated: Replicated) -> Iterator[Replicated]:
    """A primary, two replicas, three sentinels: whole again after whatever a test does to it."""
    yield shared_replicated
    shared_replicated.restore()


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(Cluster(tmp_path_factory.mktemp("cluster"))) as deployment:
        yield deployment


@pytest.fixture
def redis_cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """Six nodes, three of them primaries: whole again after whatever a test does to it."""
    yield shared_cluster
    shared_cluster.restore()
