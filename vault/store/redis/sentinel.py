"""The primary that Sentinel names: the one of the latest failover that any sentinel knows.

A sentinel that was cut off goes on naming the old primary, so the failover's number decides,
not who answers first; and what was once known is not unlearned.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from redis.exceptions import ResponseError

from vault.store.redis.address import Host
from vault.store.redis.checks import Unsound
from vault.store.redis.fence import Fence, Hearing
from vault.store.redis.node import Node
from vault.store.redis.replies import words_of
from vault.store.redis.topology import Asker, Key, Searching

INTERVAL = 1.0
"""Seconds: for so long a primary may be taken for one that is none any more."""
PING = 1.0
"""Seconds between two looks of a sentinel at its primary: what it last heard is so old."""
UNWELL = frozenset((b"s_down", b"o_down", b"disconnected", b"failover_in_progress"))
"""What a sentinel says of a primary that it does not hear."""

_Facts = Mapping[bytes, bytes]


class Sentinel(Searching):
    def __init__(
        self,
        sentinels: Sequence[Host],
        service: str,
        asker: Asker,
        make: Callable[[Host, Fence], Node],
    ) -> None:
        super().__init__(asker, INTERVAL)
        self._sentinels = sentinels
        self._service = service
        self._make = make
        self._node: Node | None = None
        self._failovers = -1
        self._hearing = Hearing()

    async def start(self) -> None:
        await self.search()
        if self._node is None:
            raise Unsound(f"no sentinel names a primary: {self.trouble or self._asker.trouble}")
        self.watch()

    def node_of(self, key: Key) -> Node:  # noqa: ARG002 - one shape for all
        assert self._node is not None
        return self._node

    def node_at(self, host: Host) -> Node:
        return self.node_of(host[0])

    def nodes(self) -> list[Node]:
        return [] if self._node is None else [self._node]

    async def search(self) -> None:
        commands = [
            ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service),
            ("SENTINEL", "MASTER", self._service),
        ]
        began = monotonic()
        told: list[tuple[Host, _Facts]] = []
        for _, (address, facts) in await self._asker.ask_all(self._sentinels, commands):
            if isinstance(address, ResponseError):
                self.trouble = words_of(address)
            elif address is None or isinstance(facts, ResponseError):
                self.trouble = "it does not know the service that store.url names"
            else:
                told.append(((address[0].decode(), int(address[1])), _facts(facts)))
                self._follow(*told[-1], began)
        hear = [facts for host, facts in told if self._is_heard(host, facts)]
        if hear and len(hear) >= max(enough(len(self._sentinels), facts) for facts in hear):
            self._note(hear, began)

    def _is_heard(self, host: Host, facts: _Facts) -> bool:
        """Whether a sentinel hears the primary that is followed."""
        well = UNWELL.isdisjoint(facts[b"flags"].split(b","))
        return well and self._node is not None and host == self._node.host

    def _note(self, hear: Sequence[_Facts], began: float) -> None:
        self._hearing.heard = began
        self._hearing.lasts = min(map(lasts, hear))
        self._hearing.replicas = max(int(facts[b"num-slaves"]) for facts in hear)
        self.interval = min(INTERVAL, self._hearing.lasts / 2)

    def _follow(self, host: Host, facts: _Facts, began: float) -> None:
        failovers = int(facts[b"config-epoch"])
        if failovers < self._failovers:
            return
        self._failovers = failovers
        before = self._node
        if before is None or before.host != host:
            replicas = int(facts[b"num-slaves"])
            # Of the old one nothing is said any more.
            self._hearing = Hearing(lasts=lasts(facts), replicas=replicas)
            if before is not None:
                # One who made a failover was heard; and the old primary is among those missed.
                self._hearing.heard, replicas = began, 0
                self.end(before)
            self._node = self._make(host, Fence(self._hearing, replicas))


def enough(named: int, facts: _Facts) -> int:
    """So many sentinels that the others can neither call the primary down nor elect; `named`:
    how many `store.url` names, who may not have met yet."""
    all_of_them = max(named, int(facts[b"num-other-sentinels"]) + 1)
    return max(all_of_them // 2, all_of_them - int(facts[b"quorum"])) + 1


def lasts(facts: _Facts) -> float:
    """Seconds for which a sentinel that hears the primary does not call it down."""
    down_after = int(facts[b"down-after-milliseconds"]) / 1000
    return max(down_after - PING, down_after / 2)


def _facts(told: list[bytes]) -> _Facts:
    return dict(zip(told[::2], told[1::2], strict=True))
