"""What asyncio adds: callers that are cancelled, loops that change, and nothing left at the end."""

import asyncio
import contextvars
import gc
import threading
from http.server import BaseHTTPRequestHandler

import pytest

import jeton
from tests.support.stub import echo_batches, hang_up, serving

CREDENTIAL = "jeton_intake_s3cret_abc"


async def test_a_cancelled_caller_harms_nobody() -> None:
    release, here = threading.Event(), threading.Semaphore(0)
    arrived: list[object] = []

    def slow(handler: object) -> None:
        arrived.append(handler)
        here.release()
        release.wait(20)
        echo_batches(handler)  # type: ignore[arg-type]

    with serving(slow) as stub:
        async with jeton.AsyncClient(stub.url, CREDENTIAL) as client:
            calls = [asyncio.create_task(client.tokenise("fr-nir", str(at))) for at in range(11)]
            await asyncio.sleep(0)
            calls[10].cancel()  # before the batch left
            while len(arrived) < 2:
                await asyncio.to_thread(here.acquire, timeout=20)
            calls[0].cancel()  # the one that went at once
            calls[1].cancel()  # the first of the batch, on the way
            calls[5].cancel()
            release.set()
            got = await asyncio.gather(*calls, return_exceptions=True)
        gone = {0, 1, 5, 10}
        for at, one in enumerate(got):
            if at in gone:
                assert isinstance(one, asyncio.CancelledError)
            else:
                assert one == f"{at}/"
    assert sorted(len(sent.get("values", "1")) for _, _, sent in stub.requests) == [1, 9]


async def test_where_all_are_cancelled_nothing_goes_on() -> None:
    release, here = threading.Event(), threading.Event()

    def silent(_: object) -> None:
        here.set()
        release.wait(20)

    try:
        with serving(silent) as stub:
            async with jeton.AsyncClient(stub.url, CREDENTIAL) as client:
                calls = [asyncio.create_task(client.tokenise("fr-nir", "1")) for _ in range(3)]
                await asyncio.to_thread(here.wait, 20)
                for call in calls:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
                await asyncio.sleep(0.01)
                assert asyncio.all_tasks() == {asyncio.current_task()}
                assert client._running.coalescing._flying == {}
                release.set()
    finally:
        release.set()


async def test_a_lone_caller_that_is_cancelled_leaves_nothing_in_flight() -> None:
    for turns in range(4):
        with serving(echo_batches) as stub:
            async with jeton.AsyncClient(stub.url, CREDENTIAL) as client:
                call = asyncio.create_task(client.tokenise("fr-nir", "1"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
                assert client._running.coalescing._flying == {}
                assert await client.tokenise("fr-nir", "2") == "2/"


async def test_close_ends_what_is_on_its_way() -> None:
    release, here = threading.Event(), threading.Event()

    def silent(_: object) -> None:
        here.set()
        release.wait(20)

    try:
        with serving(silent) as stub:
            client = jeton.AsyncClient(stub.url, CREDENTIAL)
            calls = [asyncio.create_task(client.tokenise("fr-nir", "1")) for _ in range(3)]
            await asyncio.to_thread(here.wait, 20)
            late = [asyncio.create_task(client.tokenise("fr-nir", "2")) for _ in range(3)]
            await asyncio.sleep(0)
            await client.close()
            await client.close()
            got = await asyncio.gather(*calls, *late, return_exceptions=True)
            release.set()
            assert [type(one) for one in got] == [jeton.NoAnswer] * 6
            assert asyncio.all_tasks() == {asyncio.current_task()}
            with pytest.raises(jeton.UsageError, match="closed"):
                await client.tokenise("fr-nir", "1")
    finally:
        release.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_client_outlives_the_loop_it_was_used_in(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio warns of the sockets whose loop was ended under them; aiohttp has nothing to say."""
    with serving(echo_batches) as stub:
        client = jeton.AsyncClient(stub.url, CREDENTIAL)

        async def ask() -> list[str]:
            return await asyncio.gather(*(client.tokenise("fr-nir", str(at)) for at in range(5)))

        assert asyncio.run(ask()) == asyncio.run(ask()) == [f"{at}/" for at in range(5)]
        asyncio.run(client.close())
        gc.collect()
    assert caplog.records == []


async def test_the_header_hook_is_asked_in_the_context_of_the_first_caller() -> None:
    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace")

    async def ask(client: jeton.AsyncClient, at: int) -> None:
        trace.set(f"trace-{at}")
        await client.tokenise("fr-nir", str(at))

    with serving(echo_batches) as stub:
        hook = lambda: {"traceparent": trace.get()}  # noqa: E731
        async with jeton.AsyncClient(stub.url, CREDENTIAL, headers=hook) as client:
            await asyncio.gather(*(ask(client, at) for at in range(5)))
            await ask(client, 7)
    sent = [headers["traceparent"] for _, headers, _ in stub.requests]
    assert sorted(sent) == ["trace-0", "trace-1", "trace-7"]


async def test_no_connection_is_left_open_by_what_went_wrong() -> None:
    with serving(hang_up) as stub:
        async with jeton.AsyncClient(stub.url, CREDENTIAL, tries=2) as client:
            with pytest.raises(jeton.NoAnswer):
                await client.tokenise("fr-nir", "1")
            assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_call_on_its_way_is_not_tried_again_after_close() -> None:
    here, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        loop.call_soon_threadsafe(here.set)
        release.wait(20)
        hang_up(handler)

    with serving(slow) as stub:
        client = jeton.AsyncClient(stub.url, CREDENTIAL, tries=5)
        call = asyncio.create_task(client.tokenise("fr-nir", "1"))
        await here.wait()
        await client.close()
        release.set()
        with pytest.raises(jeton.NoAnswer, match="closed"):
            await call
        assert len(stub.requests) == 1
        assert client._running.transport._sessions == {}


async def test_a_stream_has_no_one_response() -> None:
    with serving(echo_batches) as stub, jeton.Client(stub.url, CREDENTIAL) as client:
        with pytest.raises(jeton.UsageError, match="pass a list"):
            client.with_raw_response.tokenise("fr-nir", iter(["1"]))
        whole = client.with_raw_response.tokenise("fr-nir", ["1"] * 10_001)
        assert (whole.status, len(whole.result), len(stub.requests)) == (200, 10_001, 2)
