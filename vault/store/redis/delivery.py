"""One call on its way: to the right nodes, again where that is safe, until the deadline.

A write is sent once. It is sent again only where a server said that it did not carry it out,
or where nothing was sent; what was lost on the way is refused, for nobody knows. It counts
once `WAIT` says that enough replicas hold it, and everything that it saw: a server that has
not handed on what an earlier caller wrote would let the next one build on sand.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import AskError, MovedError, NoScriptError, ResponseError

from vault.errors import Refusal
from vault.store.redis.address import Host
from vault.store.redis.checks import Unsound
from vault.store.redis.node import Node
from vault.store.redis.replies import FEW, LATE, LOST, TRANSIENT, code_of, words_of
from vault.store.redis.topology import Key, Topology
from vault.store.redis.wire import Broken, Command, Unreachable

FIRST_PAUSE = 0.01
"""Seconds, doubled each time: what a failover or a slot on its way is given."""


@dataclass(slots=True, eq=False, repr=False)  # keys and sealed values stand in it
class Pending:
    """One command until it is answered."""

    place: int
    key: Key
    command: Command
    source: str | None
    """Of the script that it runs."""
    load: bool = False
    asked: Node | None = None
    """Whom a slot that is on its way sent it to, once."""
    waits: bool = False
    """It goes out again, but not at once."""
    broken: bool = False
    """A read that was lost on the way: it is sent a second time, not a third."""


class Delivery:
    """`replicas` must hold what is written; with `writes` False nothing is."""

    def __init__(
        self, topology: Topology, pending: list[Pending], writes: bool, replicas: int
    ) -> None:
        self._topology = topology
        self._pending = pending
        self._writes = writes
        self._replicas = replicas if writes else 0
        self._answers: list[Any] = [None] * len(pending)
        self._deadline = 0.0

    async def answers(self, within: float) -> list[Any]:
        """In the order of what was pending, `within` seconds. Raises Refusal."""
        parts = self._parts(self._pending)
        for node in parts:
            node.breaker.admit()  # while it is open not even a timer is set
        self._deadline = asyncio.get_running_loop().time() + within
        try:
            async with asyncio.timeout_at(self._deadline):
                await self._rounds(parts)
        except TimeoutError:
            raise Refusal("store_unavailable", LATE, 1) from None
        return self._answers

    def _parts(self, pending: list[Pending]) -> dict[Node, list[Pending]]:
        parts: dict[Node, list[Pending]] = {}
        for one in pending:
            parts.setdefault(one.asked or self._topology.node_of(one.key), []).append(one)
        return parts

    async def _rounds(self, parts: dict[Node, list[Pending]]) -> None:
        pause = 0.0
        while parts:
            pending = await self._round(parts)
            if any(one.waits for one in pending):
                pause = pause * 2 or FIRST_PAUSE
                await asyncio.sleep(pause)
            parts = self._parts(pending)

    async def _round(self, parts: dict[Node, list[Pending]]) -> list[Pending]:
        """Everything out once, at the same time; returns what has to go out again."""
        if len(parts) == 1:
            [(node, part)] = parts.items()
            return await self._send(node, part)
        sent = [self._send(node, part) for node, part in parts.items()]
        # All come to their end, so that no failure of one leaves another half read.
        done = await asyncio.gather(*sent, return_exceptions=True)
        again: list[Pending] = []
        for result in done:
            if isinstance(result, BaseException):
                raise result
            again += result
        return again

    async def _send(self, node: Node, part: list[Pending]) -> list[Pending]:
        node.breaker.admit()
        commands, places = _pipeline(part)
        try:
            replies, waited = await node.exchange(commands, self._replicas, self._deadline)
        except (Unreachable, Unsound) as error:
            node.failed(str(error).partition("\n")[0])
            for one in part:
                one.asked, one.waits = None, True
            return part
        except Broken:
            node.failed(LOST)
            return self._once_more(part)
        except asyncio.CancelledError:
            if asyncio.get_running_loop().time() >= self._deadline:
                node.failed(LATE)
            raise
        again, trouble = self._read(node, part, [replies[place] for place in places])
        if self._replicas and len(again) < len(part):
            self._count_replicas(node, waited)
        if trouble:
            node.failed(trouble)
        else:
            node.breaker.succeeded()
        return again

    def _once_more(self, part: list[Pending]) -> list[Pending]:
        """What was lost on the way: reads, and those only once."""
        if self._writes or any(one.broken for one in part):
            raise Refusal("store_unavailable", LOST, 1)
        for one in part:
            one.broken, one.asked, one.waits = True, None, False
        return part

    def _read(
        self, node: Node, part: list[Pending], replies: list[Any]
    ) -> tuple[list[Pending], str]:
        """What has to go out again, and why the node is not well, if it is not."""
        again, trouble = [], ""
        for one, reply in zip(part, replies, strict=True):
            if not isinstance(reply, ResponseError):
                self._answers[one.place] = reply
                continue
            again.append(one)
            one.waits = False
            match reply:
                case NoScriptError():
                    one.load = True
                    continue  # where it was asked
                case MovedError():
                    self._topology.moved(reply.slot_id, _place_of(reply, node))
                    one.asked = None
                case AskError():
                    one.asked = self._topology.node_at(_place_of(reply, node))
                case _ if (code := code_of(reply)) in TRANSIENT:
                    one.asked, one.waits = None, True
                    trouble = trouble if code == "TRYAGAIN" else words_of(reply)
                case _:
                    raise Refusal("store_unavailable", words_of(reply), 1)
        return again, trouble

    def _count_replicas(self, node: Node, waited: Any) -> None:
        """Raises Refusal unless as many as configured hold what the connection wrote and saw."""
        if isinstance(waited, ResponseError):
            raise Refusal("store_unavailable", words_of(waited), 1)
        trouble = waited if isinstance(waited, str) else FEW if waited < self._replicas else ""
        if trouble:
            node.failed(trouble)
            raise Refusal("store_unavailable", trouble, 1)


def _pipeline(part: Sequence[Pending]) -> tuple[list[Command], list[int]]:
    """Commands, and where among them the answers to `part` will stand."""
    sources = {one.source for one in part if one.load}
    commands: list[Command] = [("SCRIPT", "LOAD", source) for source in sources if source]
    places: list[int] = []
    for one in part:
        if one.asked is not None:
            commands.append(("ASKING",))
        places.append(len(commands))
        commands.append(one.command)
    return commands, places


def _place_of(redirection: AskError, node: Node) -> Host:
    """A node that does not know another one's name means its own."""
    return redirection.host or node.host[0], redirection.port
