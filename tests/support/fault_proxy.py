"""A TCP proxy whose network can go wrong, switched while it runs.

    with FaultProxy(server.port) as proxy:
        proxy.delay = 0.5           # seconds, each way
        proxy.black_hole = True     # connections are accepted, and nothing arrives
        proxy.mute()                # what is asked arrives, and no answer does
        proxy.swallow("127.0.0.2")  # the same for those from one address
        proxy.cut()                 # every connection is reset; new ones are refused
        proxy.heal()

It runs in a thread of its own, so that a busy or blocked test does not slow it.
"""

import asyncio
import threading
from contextlib import suppress
from types import TracebackType

CHUNK = 65_536
END_SECONDS = 10.0


class FaultProxy:
    """From `port`, which is free, to a port of this machine."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.delay = 0.0
        self._target = target
        self._flowing = asyncio.Event()
        self._answering = asyncio.Event()
        self._of_sources: dict[str, asyncio.Event] = {}
        self._accepting = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fault-proxy")
        self._listening = threading.Event()
        self._ended = asyncio.Event()
        self._open = set[asyncio.StreamWriter]()
        self._tasks = set[asyncio.Task[None]]()

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        assert self._listening.wait(END_SECONDS), "the proxy does not listen"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(END_SECONDS)

    @property
    def black_hole(self) -> bool:
        return not self._flowing.is_set()

    @black_hole.setter
    def black_hole(self, swallows: bool) -> None:
        change = self._flowing.clear if swallows else self._flowing.set
        self._loop.call_soon_threadsafe(change)

    def mute(self) -> None:
        """What is asked arrives, and no answer does."""
        self._loop.call_soon_threadsafe(self._answering.clear)

    def swallow(self, source: str) -> None:
        """Nothing from or to that address arrives any more."""
        self._loop.call_soon_threadsafe(self._flows(source).clear)

    def _flows(self, source: str) -> asyncio.Event:
        if source not in self._of_sources:
            self._of_sources[source] = asyncio.Event()
            self._of_sources[source].set()
        return self._of_sources[source]

    def cut(self) -> None:
        self._accepting = False
        self._loop.call_soon_threadsafe(self._abort)

    def heal(self) -> None:
        self.delay = 0.0
        self._accepting = True
        self.black_hole = False
        self._loop.call_soon_threadsafe(self._answering.set)
        for flowing in self._of_sources.values():
            self._loop.call_soon_threadsafe(flowing.set)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._flowing.set()
        self._answering.set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._ended.wait()
        server.close()
        for flowing in (self._flowing, self._answering, *self._of_sources.values()):
            flowing.set()
        self._abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _abort(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._accepting:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._open.add(writer)
        try:
            there, onward = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open.add(onward)
        try:
            both = self._flowing, self._flows(writer.get_extra_info("peername")[0])
            await asyncio.gather(
                self._pump(reader, onward, both),
                self._pump(there, writer, (*both, self._answering)),
            )
        finally:
            for end in (writer, onward):
                end.transport.abort()
                self._open.discard(end)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        flowing: tuple[asyncio.Event, ...],
    ) -> None:
        """Chunks in order, each as late as the delay says, however many are on their way."""
        loop = asyncio.get_running_loop()
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, chunk = await late.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                for one in flowing:
                    await one.wait()
                if writer.is_closing():
                    return
                writer.write(chunk)
                if not chunk:
                    writer.close()
                    return

        delivery = asyncio.create_task(deliver())
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                late.put_nowait((loop.time() + self.delay, chunk))
        late.put_nowait((loop.time() + self.delay, b""))
        with suppress(OSError):
            await delivery
