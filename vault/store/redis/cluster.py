"""Redis Cluster: which primary has a key's slot, as the nodes themselves say.

All nodes that are known are asked, and the one that has seen the latest change of the cluster
is believed: one that was cut off would go on telling how things were. Between two searches a
redirection moves its slot at once.
"""

from collections.abc import Sequence
from typing import Any

from redis.crc import key_slot
from redis.exceptions import ResponseError

from vault.store.redis.address import Host
from vault.store.redis.checks import Unsound, facts_of
from vault.store.redis.node import Node
from vault.store.redis.replies import code_of, words_of
from vault.store.redis.topology import Asker, Key, MakeNode, Searching

INTERVAL = 5.0
SLOTS = 16_384


class Cluster(Searching):
    def __init__(self, seeds: Sequence[Host], asker: Asker, make: MakeNode) -> None:
        super().__init__(asker, INTERVAL)
        self._seeds = frozenset(seeds)
        self._known = set(seeds)
        self._make = make
        self._nodes: dict[Host, Node] = {}
        self._slots: list[Node | None] = [None] * SLOTS

    async def start(self) -> None:
        await self.search()
        if not self._nodes:
            why = self.trouble or self._asker.trouble
            raise Unsound(f"no node of the cluster tells who has which keys: {why}")
        self.watch()

    def node_of(self, key: Key) -> Node:
        slot = key_slot(key if isinstance(key, bytes) else key.encode())
        # Any node says who has it, or that nobody has.
        return self._slots[slot] or next(iter(self._nodes.values()))

    def node_at(self, host: Host) -> Node:
        node = self._nodes.get(host)
        if node is None:
            node = self._nodes[host] = self._make(host)
        return node

    def moved(self, slot: int, host: Host) -> None:
        self._slots[slot] = self.node_at(host)
        self.suspect()

    def nodes(self) -> list[Node]:
        return list(self._nodes.values())

    async def search(self) -> None:
        commands = [("CLUSTER", "INFO"), ("CLUSTER", "SLOTS")]
        latest, ranges = (False, -1), None
        for host, (facts, slots) in await self._asker.ask_all(sorted(self._known), commands):
            if isinstance(facts, ResponseError) or isinstance(slots, ResponseError):
                error = facts if isinstance(facts, ResponseError) else slots
                plain = code_of(error) == "ERR"
                self.trouble = "it is not a node of a cluster" if plain else words_of(error)
                continue
            told = facts_of(facts)
            seen = told.get("cluster_state") == "ok", int(told["cluster_current_epoch"])
            if seen > latest:
                latest, ranges = seen, [_range(one, host) for one in slots]
        if ranges:
            self._follow(ranges)

    def _follow(self, ranges: list[tuple[int, int, list[Host]]]) -> None:
        owners, known = set[Host](), set(self._seeds)
        self._slots = [None] * SLOTS
        for first, last, hosts in ranges:
            owners.add(hosts[0])
            known.update(hosts)
            self._slots[first : last + 1] = [self.node_at(hosts[0])] * (last + 1 - first)
        self._known = known
        for host in self._nodes.keys() - owners:
            self.end(self._nodes.pop(host))


def _range(told: list[Any], asked: Host) -> tuple[int, int, list[Host]]:
    """A range of slots, its primary and then its replicas; a node that does not know its own
    name is meant where it was asked."""
    first, last, *servers = told
    hosts = [((server[0] or b"").decode() or asked[0], int(server[1])) for server in servers]
    return int(first), int(last), hosts
