"""Everything that can go wrong is done to real services, and a real Prometheus raises the alarm.

Only time is shortened: no alert waits (`for`), ten minutes without a checkpoint are one second,
and four hundred days of a key are one.
"""

import fcntl
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from benchmarks.population import nirs
from tests.monitoring.prometheus import Prometheus
from tests.monitoring.rules import PLAIN, alerts, queries
from tests.support.components import need_program
from tests.support.ports import free_port
from tests.support.proxied import Edge
from tests.support.redis import Redis
from tests.support.redis_services import on_redis
from tests.support.service import JETON, Service, jeton
from tests.support.upstream import upstream
from tests.support.witnesses import WitnessProcess

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]

CALLERS = 150
SPENDS = 10
ISSUER = """
[identity.issuers.gone]
iss = "https://issuer.example"
audiences = ["jeton"]
keys = "https://127.0.0.1:1/jwks"
algorithms = ["ES256"]
"""
GRANTS = ["tokenise:fr-nir", "detokenise:fr-nir:care"]
FEW = """
[transformations.few]
format = "alphabet"
alphabet = "0123456789"
min_length = 6
max_length = 6
method = "vaulted"
max_fill = 0.0001
"""
ROUTE = """
[proxy.upstreams.gone]
urls = ["http://127.0.0.1:1"]
[proxy.routes.gone]
listener = "main"
upstream = "gone"
path = "/gone/**"
[proxy.routes.all]
listener = "main"
upstream = "main"
path = "/**"
guard_requests = "report"
"""
NIR = next(iter(nirs(1)))


def shortened(folder: Path) -> Path:
    text = PLAIN.read_text("utf-8")
    text = re.sub(r"for: \w+", "for: 0s", text)
    text = text.replace("> 600", "> 1").replace("> 300", "> 1").replace("400 * 86400", "1")
    rules = folder / "rules.yaml"
    rules.write_text(text, "utf-8")
    return rules


def reveal(service: Service, client: str, token: str) -> int:
    body = {"token": token}
    return service.post("detokenise/fr-nir", body, service.credentials[client], "care").status


def token_of(service: Service, client: str) -> str:
    credential = service.credentials[client]
    token: str = service.post("tokenise/fr-nir", {"value": NIR}, credential).body["token"]
    return token


@dataclass
class Troubled:
    """One on SQLite whose disk, clients and operators do everything wrong."""

    service: Service
    disk: Path
    token: str = ""
    honey: str = ""

    @classmethod
    def create(cls, folder: Path) -> "Troubled":
        folder.mkdir()
        service, disk = Service.create(folder), folder / "disk"
        service.add_client("spender", GRANTS, {"reveal.hour": SPENDS})
        service.add_client("desk", GRANTS, {"reveal.hour": 100_000, "reveal.day": 100_000})
        service.add_client("thief", GRANTS)
        nobody = f"http://127.0.0.1:{free_port()}/"
        more = f'{FEW}\n[honeytokens]\nwebhook = "{nobody}"\n'
        service.edit(lambda text: text + more)
        service.add_client("writer", ["tokenise:few"])
        service.edit(lambda text: text.replace("[audit]", f"[audit]\nalarm_bytes = {2**50}"))
        config = str(service.config)
        planted = jeton(
            "honeytokens", "plant", "--json", "--count", "1", "--config", config, "fr-nir"
        )
        service.program = (sys.executable, "-m", "tests.monitoring.bad_disk", str(disk))
        return cls(service, disk, honey=json.loads(planted)[0]["fr-nir"])

    def start(self) -> None:
        self.service.start()
        self.token = token_of(self.service, "desk")

    def once(self) -> None:
        """What stays wrong."""
        writer = self.service.credentials["writer"]
        values = [f"{number:06}" for number in range(300)]
        assert self.service.post("tokenise/few", {"values": values}, writer).status == 200
        assert reveal(self.service, "thief", self.honey) == 403
        self.service.edit(lambda text: text + "\nnonsense = ]\n")
        assert self.service.process is not None
        self.service.process.send_signal(signal.SIGHUP)

    def spend(self) -> None:
        reveal(self.service, "spender", self.token)

    def guess(self) -> None:
        for _ in range(100):
            self.service.post("tokenise/fr-nir", {"value": NIR}, "nobody's")

    def crowd(self) -> None:
        """A disk that takes its time, and many who wait for it; then a store that does."""
        self.disk.write_text("2", "utf-8")
        callers = [
            threading.Thread(target=reveal, args=(self.service, "desk", self.token))
            for _ in range(CALLERS)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        self.disk.unlink()

    def hold(self) -> None:
        """Another process that has the store's turn, and takes its time."""
        caller = threading.Thread(target=reveal, args=(self.service, "desk", self.token))
        with (self.service.folder / "jeton.db.lock").open("rb") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            caller.start()
            time.sleep(0.6)
        caller.join()

    def fill(self) -> None:
        self.disk.write_text("full", "utf-8")
        assert reveal(self.service, "desk", self.token) == 503
        self.disk.unlink()


def put_back(folder: Path) -> Service:
    """Started over a store that is older than its record, with throw-away keys."""
    folder.mkdir()
    service = Service.create(folder)
    service.add_client("desk", GRANTS)
    service.start()
    token = token_of(service, "desk")
    service.stop()
    kept = folder / "kept"
    kept.mkdir()
    for path in service.folder.glob("jeton.db*"):
        shutil.copy(path, kept)
    service.start()
    for _ in range(3):
        assert reveal(service, "desk", token) == 200
    service.stop()
    for path in service.folder.glob("jeton.db*"):
        path.unlink()
    for path in kept.iterdir():
        shutil.copy(path, service.folder)
    service.edit(lambda text: f"development = true\n{text}")
    service.edit(lambda text: text.replace("[keys]", "[keys]\nkek_required_within = 8"))
    service.launch()
    return service


def ship(service: Service, port: int) -> "subprocess.Popen[bytes]":
    """To a receiver that is not there."""
    cursor, metrics = str(service.folder / "siem"), str(port)
    return subprocess.Popen(
        [
            *(*JETON, "audit", "ship", "--config", str(service.config), "--cursor", cursor),
            *("--to", f"http://127.0.0.1:{free_port()}/", "--metrics-port", metrics),
        ],
        stderr=subprocess.DEVNULL,
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def without_redis(folder: Path, redis: Redis, witness: WitnessProcess) -> Service:
    folder.mkdir()
    service = Service.create(folder)
    service.add_client("desk", GRANTS)
    on_redis(service, redis.settings())
    service.edit(witness.watching())
    service.edit(lambda text: text + ISSUER)
    return service


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def until(done: Callable[[], bool], acts: Sequence[Callable[[], object]], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        for act in acts:
            act()
        time.sleep(0.1)
    return True


def test_every_alert_fires_and_every_query_of_the_dashboard_has_data(
    tmp_path: Path, stack: ExitStack
) -> None:
    need_program("prometheus")
    prometheus = stack.enter_context(Prometheus(tmp_path, shortened(tmp_path)).running())
    fired: set[str] = set()

    def expect(
        names: Collection[str], acts: Sequence[Callable[[], object]], seconds: float
    ) -> None:
        def look() -> bool:
            fired.update(prometheus.fired())
            return set(names) <= fired

        until(look, acts, seconds)
        assert set(names) - fired == set()

    expect(["JetonAbsent"], (), 30)
    redis = Redis(tmp_path / "redis").start()
    stack.callback(redis.kill)
    witness = WitnessProcess.create(tmp_path).start()
    stack.callback(witness.end)
    far = without_redis(tmp_path / "far", redis, witness)
    troubled = Troubled.create(tmp_path / "troubled")
    behind = stack.enter_context(upstream())
    (tmp_path / "edge").mkdir()
    edge = Edge.create(tmp_path / "edge", behind.port, ROUTE)
    stack.enter_context(edge.running())
    halted = put_back(tmp_path / "halted")
    for service in (far, troubled.service, halted):
        stack.callback(service.kill)
    far.start()
    witness.trust(far.folder / "audit" / "public.pem")
    troubled.start()
    shipped = free_port()
    stack.callback(end, ship(troubled.service, shipped))
    ports = [far.port, troubled.service.port, halted.port]
    prometheus.watch(
        {"jeton": [*ports, free_port()], "jeton-proxy": [edge.pages], "jeton-siem": [shipped]}
    )
    assert until(lambda: len(prometheus.query("jeton_build_info")) == 4, (), 30)
    signed = partial(prometheus.query, "jeton_witnessed_at_seconds > 0")
    assert until(lambda: bool(signed()), (), 20)
    witness.end()
    (halted.folder / "kek.key").unlink()
    troubled.once()
    token = token_of(far, "desk")
    assert reveal(far, "desk", token) == 200
    kind = {"Content-Type": "application/octet-stream"}
    edge.ask("POST", "/letters", f"somebody wrote {NIR} here".encode(), kind)
    calm = (
        *(troubled.spend, troubled.guess),
        *(lambda: reveal(far, "desk", token), lambda: edge.ask("GET", "/gone/letters")),
    )
    expect(("JetonBudgetExhausted", "JetonBudgetNearlySpent", "JetonUnauthenticated"), calm, 30)
    empty = [
        (title, query)
        for title, query in queries()
        if not until(lambda query=query: bool(prometheus.query(query)), (troubled.spend,), 20)  # type: ignore[misc]
    ]
    assert empty == []
    redis.kill()
    away = partial(reveal, far, "desk", token)
    expect(("JetonRecordLag", "JetonSlow", "JetonRecordSlow"), (troubled.crowd, away), 40)
    expect(["JetonStoreSlow"], (troubled.hold,), 20)
    troubled.fill()
    expect(alerts(), (away,), 60)
