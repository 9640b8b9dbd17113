"""aiohttp rounds timeouts above five seconds up to a whole second of the loop's clock: a call of
the asynchronous client could end a second after its deadline."""

import asyncio
import threading

import pytest

import jeton
from tests.support.stub import serving

SECONDS = 5.2


@pytest.mark.slow
async def test_a_call_ends_by_its_deadline() -> None:
    release, loop = threading.Event(), asyncio.get_running_loop()
    with serving(lambda _: bool(release.wait(20))) as stub:
        client = jeton.AsyncClient(stub.url, "jeton_nobody", timeout=SECONDS, tries=1)
        await asyncio.sleep((0.9 - loop.time()) % 1)  # from here it would be rounded by most
        began = loop.time()
        with pytest.raises(jeton.NoAnswer):
            await client.tokenise("fr-nir", "284057512345672")
        assert loop.time() - began < SECONDS + 0.4
        await client.close()
        release.set()
