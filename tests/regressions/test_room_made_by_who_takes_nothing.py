"""Who had to make room and had not taken all of an answer kept the connection, which the server
no longer counted, where too little of it was left for writing to be paused."""

import asyncio

from tests.support.half_taken import CALL, half_taken


async def test_the_connection_is_closed_at_once() -> None:
    async with half_taken(CALL) as (connection, _):
        connection.leave()
        while connection.parser is not None:  # noqa: ASYNC110 - nobody is told; it is lost then
            await asyncio.sleep(0)
