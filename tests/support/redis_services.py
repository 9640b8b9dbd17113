"""Real services over a real Redis: several machines' worth of them, each with a record folder of
its own, under one configuration."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.population import nirs
from tests.support.service import Reply, Service
from tests.support.thief import add_client
from vault.config import StoreSettings


def on_redis(service: Service, settings: StoreSettings, **extra: Any) -> None:
    """Edit the configuration of a service that is not started."""
    lines = [f'url = "{settings.url}"', f"timeout = {settings.timeout}"]
    lines += [f"replicas = {settings.replicas}"]
    if settings.password is not None:
        lines.append(f'password = "{settings.password}"')
    lines += [f"{key} = {value}" for key, value in extra.items()]
    store = "\n".join(lines)

    def change(text: str) -> str:
        before, _, after = text.partition("[store]\n")
        _, _, rest = after.partition("\n")
        assert after.startswith("url"), "the shipped configuration has changed"
        return f"{before}[store]\n{store}\n{rest}"

    service.edit(change)


@dataclass
class Machines:
    """Services that share a configuration, keys and a Redis."""

    services: list[Service]
    tokens: list[str] = field(default_factory=list)
    nirs: list[str] = field(default_factory=list)

    @classmethod
    def create(
        cls,
        folder: Path,
        settings: StoreSettings,
        clients: dict[str, dict[str, int]],
        count: int = 2,
    ) -> "Machines":
        """`clients`: name to limits; each may detokenise for ``drill``."""
        first = Service.create(folder)
        on_redis(first, settings)
        for name, limits in clients.items():
            grant = ["detokenise:fr-nir:drill"]
            first.credentials[name] = add_client(first.config, name, grant, limits)
        services = [first, *(Service(first.config, first.credentials) for _ in range(count - 1))]
        for number, service in enumerate(services):
            service.environment = {
                "JETON__AUDIT__HOST": f"machine-{number}",
                "JETON__AUDIT__FOLDER": str(folder / f"audit-{number}"),
            }
        return cls(services)

    def start(self, workers: int = 1, people: int = 50) -> "Machines":
        for service in self.services:
            service.start(workers)
        self.nirs = list(nirs(people, seed=5))
        first = self.services[0]
        reply = first.post("tokenise/fr-nir", {"values": self.nirs}, first.credentials["intake"])
        assert reply.status == 200, reply.body
        self.tokens = reply.body["tokens"]
        return self

    def stop(self) -> None:
        for service in self.services:
            service.stop()

    def kill(self) -> None:
        for service in self.services:
            service.kill()

    def reveal(self, client: str, number: int) -> Reply:
        service = self.services[number % len(self.services)]
        body = {"token": self.tokens[number % len(self.tokens)]}
        return service.post("detokenise/fr-nir", body, service.credentials[client], "drill")


def crowd(
    callers: int, clients: Sequence[str], ask: Callable[[str, int], object | None]
) -> dict[str, Counter[object]]:
    """So many threads, shared out among `clients`; each asks until None is said."""
    outcomes: dict[str, Counter[object]] = {client: Counter() for client in clients}
    lock = threading.Lock()

    def call(number: int) -> None:
        client, turn = clients[number % len(clients)], number // len(clients)
        while (said := ask(client, turn)) is not None:
            with lock:
                outcomes[client][said] += 1
            turn += callers // len(clients) + 1

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
