"""The way to Redis: scripts and reads, within a deadline, on enough servers, or refused.

    link = await Link.open(settings.store)
    answer = await link.run(script, ["{jeton}:state"], [now], writes=True)

A write is sent once. It is sent again only where a server said that it did not carry it out,
or where nothing was sent; what was lost on the way is refused, for nobody knows. It counts
once `WAIT` says that enough replicas hold it, and everything that it saw: a server that has
not handed on what an earlier caller wrote would let the next one build on sand.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from redis.exceptions import AskError, MovedError, NoScriptError, ResponseError

from vault.errors import JetonError, Refusal, SetUpError
from vault.store.redis.address import Host, parse
from vault.store.redis.checks import Checks, Unsound
from vault.store.redis.node import Node
from vault.store.redis.options import StoreSettings, credentials_of, tls_of
from vault.store.redis.replies import FEW, LATE, LOST, TRANSIENT, code_of, words_of
from vault.store.redis.topology import Key, Standalone, Topology
from vault.store.redis.weaknesses import Weakness
from vault.store.redis.wire import Broken, Command, Dialler, Unreachable

Arg = bytes | str | int
Call = tuple[Sequence[Key], Sequence[Arg]]
Tell = Callable[[str, Mapping[str, str | int | float]], None]
"""Telemetry's ear: the name of what happened and its facts, which never hold a key."""

PATIENCE = 5.0
"""Seconds that a start waits for replicas that are not yet connected."""
FIRST_PAUSE = 0.01


class Script:
    """A Lua script: loaded where it is first needed, and again after a failover."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True, eq=False)
class _Pending:
    """One command until it is answered."""

    place: int
    key: Key
    command: Command
    script: Script | None
    load: bool = False
    asked: Node | None = None
    """Whom a slot that is on the move sent it to, once."""
    waits: bool = False
    """It goes out again, but not at once."""
    broken: bool = False
    """A read that was lost on the way: it is sent a second time, not a third."""


def _tell_nobody(name: str, facts: Mapping[str, str | int | float]) -> None: ...


class Link:
    """One Redis deployment behind one URL, for one event loop. All methods raise Refusal
    ``store_unavailable``, in words that hold neither keys nor arguments."""

    def __init__(self, settings: StoreSettings, tell: Tell = _tell_nobody) -> None:
        """Raises SetUpError. Use `open`."""
        self._timeout, self._replicas, self._tell = settings.timeout, settings.replicas, tell
        address = parse(settings.url)
        self._checks = Checks(address.kind, settings.replicas, settings.accept, self._weak)
        self._dialler = Dialler(
            credentials_of(settings, address),
            tls_of(settings) if address.tls else None,
            address.database,
            settings.timeout,
        )
        self._told = set[str]()
        self._topology: Topology = Standalone(address.hosts[0], self._node)

    @classmethod
    async def open(cls, settings: StoreSettings, tell: Tell = _tell_nobody) -> "Link":
        """Raises SetUpError: a server cannot be reached, or does not hold what is promised."""
        link = cls(settings, tell)
        try:
            await link._begin()
        except JetonError as error:
            await link.close()
            words = error.detail if isinstance(error, Refusal) else str(error)
            raise SetUpError(f"store.url: {words}") from None
        return link

    async def run(
        self, script: Script, keys: Sequence[Key], args: Sequence[Arg], *, writes: bool
    ) -> Any:
        """What the script returns; all `keys` share a hash tag, and there is at least one."""
        [answer] = await self.run_many(script, [(keys, args)], writes=writes)
        return answer

    async def run_many(self, script: Script, calls: Sequence[Call], *, writes: bool) -> list[Any]:
        """The answers in the order of `calls`, which go out as one pipeline a node.

        Each call is atomic, the whole is not: where it is refused, some may have been carried
        out.
        """
        pending = [
            _Pending(place, keys[0], ("EVALSHA", script.sha, len(keys), *keys, *args), script)
            for place, (keys, args) in enumerate(calls)
        ]
        return await self._deliver(pending, writes)

    async def ask(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The answers to commands that only read; each has its key in the second place."""
        pending = [
            _Pending(place, command[1], command, None) for place, command in enumerate(commands)
        ]
        return await self._deliver(pending, writes=False)

    async def close(self) -> None:
        await self._topology.close()

    # Start -------------------------------------------------------------------------------

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        patience = loop.time() + PATIENCE
        while True:
            try:
                await self._topology.start()
                for node in self._topology.nodes():
                    await node.probe()
            except Unsound as error:
                if not error.passing or loop.time() > patience:
                    raise
                await asyncio.sleep(0.1)
            else:
                return

    def _node(self, host: Host) -> Node:
        def missed() -> None:
            self._topology.suspect()

        return Node(host, self._dialler, self._checks, self._timeout, self._changed, missed)

    def _changed(self, away: bool) -> None:
        self._tell("store_away" if away else "store_back", {})

    def _weak(self, weakness: Weakness) -> None:
        if weakness.name not in self._told:
            self._told.add(weakness.name)
            self._tell("store_weak", {"weakness": weakness.name, "loses": weakness.loses})

    # Delivery ----------------------------------------------------------------------------

    async def _deliver(self, pending: list[_Pending], writes: bool) -> list[Any]:
        answers: list[Any] = [None] * len(pending)
        began, ok = perf_counter(), False
        try:
            async with asyncio.timeout(self._timeout) as deadline:
                await self._rounds(pending, answers, writes, deadline)
            ok = True
        except TimeoutError:
            raise Refusal("store_unavailable", LATE, 1) from None
        finally:
            self._tell("store_call", {"seconds": perf_counter() - began, "ok": int(ok)})
        return answers

    async def _rounds(
        self,
        pending: list[_Pending],
        answers: list[Any],
        writes: bool,
        deadline: asyncio.Timeout,
    ) -> None:
        pause = 0.0
        while pending:
            parts: dict[Node, list[_Pending]] = {}
            for one in pending:
                parts.setdefault(one.asked or self._topology.node_of(one.key), []).append(one)
            sent = [
                self._send(node, part, answers, writes, deadline) for node, part in parts.items()
            ]
            if len(sent) == 1:
                done: list[Any] = [await sent[0]]
            else:
                # All are let come to an end: one that fails must not leave others half read.
                done = await asyncio.gather(*sent, return_exceptions=True)
            pending, wait = [], False
            for result in done:
                if isinstance(result, BaseException):
                    raise result
                pending += result[0]
                wait |= result[1]
            if pending and wait:
                pause = pause * 2 or FIRST_PAUSE
                await asyncio.sleep(pause)

    async def _send(
        self,
        node: Node,
        part: list[_Pending],
        answers: list[Any],
        writes: bool,
        deadline: asyncio.Timeout,
    ) -> tuple[list[_Pending], bool]:
        """One round trip to one node: what has to be sent again, and whether to pause first."""
        node.breaker.admit()
        commands, places = self._commands(part, writes, deadline)
        try:
            replies = await node.exchange(commands)
        except (Unreachable, Unsound) as error:
            node.failed(str(error).partition("\n")[0])
            return part, True
        except Broken:
            node.failed(LOST)
            if writes or any(one.broken for one in part):
                raise Refusal("store_unavailable", LOST, 1) from None
            for one in part:
                one.broken = True
            return part, False
        except asyncio.CancelledError:
            if deadline.expired() or asyncio.get_running_loop().time() >= (deadline.when() or 0):
                node.failed(LATE)
            raise
        again, transient = self._read(part, [replies[place] for place in places], answers)
        if transient:
            node.failed(transient)
        elif writes and len(again) < len(part) and self._replicas:
            self._count_replicas(node, replies[-1])
        else:
            node.breaker.succeeded()
        return again, any(one.waits for one in again)

    def _commands(
        self, part: list[_Pending], writes: bool, deadline: asyncio.Timeout
    ) -> tuple[list[Command], list[int]]:
        """A pipeline, and where in it the answers to `part` will stand."""
        sources = {one.script.source for one in part if one.script and one.load}
        commands: list[Command] = [("SCRIPT", "LOAD", source) for source in sources]
        places: list[int] = []
        for one in part:
            if one.asked is not None:
                commands.append(("ASKING",))
            places.append(len(commands))
            commands.append(one.command)
        if writes and self._replicas:
            left = (deadline.when() or 0) - asyncio.get_running_loop().time()
            # Less than is left, so that its answer still comes in time; 0 would be for ever.
            commands.append(("WAIT", self._replicas, max(1, int(left * 900))))
        return commands, places

    def _read(
        self, part: list[_Pending], replies: list[Any], answers: list[Any]
    ) -> tuple[list[_Pending], str]:
        """What has to be sent again, and why the node is not well, if it is not."""
        again, trouble = [], ""
        for one, reply in zip(part, replies, strict=True):
            if not isinstance(reply, ResponseError):
                answers[one.place] = reply
                continue
            again.append(one)
            one.waits = False
            match reply:
                case NoScriptError():
                    one.load = True
                    continue  # where it was asked
                case MovedError():
                    self._topology.moved(reply.slot_id, (reply.host, reply.port))
                    one.asked = None
                case AskError():
                    one.asked = self._topology.node_at((reply.host, reply.port))
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
        if waited < self._replicas:
            node.failed(FEW)
            raise Refusal("store_unavailable", FEW, 1)
        node.breaker.succeeded()
