"""Who asked for a last answer and did not take all of it kept the connection for ever, where too
little of it was left for writing to be paused."""

import asyncio

from tests.support.half_taken import CALL, half_taken

LATER = 1_000.0
LAST = CALL.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


async def test_the_connection_ends_in_time() -> None:
    loop = asyncio.get_running_loop()
    async with half_taken(LAST) as (connection, state):
        connection.expire(loop.time())
        assert connection.transport.get_write_buffer_size()  # it still has time
        connection.expire(loop.time() + LATER)
        while state.connections:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
