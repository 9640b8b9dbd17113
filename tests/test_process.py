"""A serving process: what becomes of a reload."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tests.support.asgi import Message
from vault.cli.init import create
from vault.config import load
from vault.errors import SetUpError
from vault.process import Process


async def test_a_file_that_cannot_be_read_is_a_reload_that_failed(tmp_path: Path) -> None:
    config = create(tmp_path / "data").config
    process, read = Process(load(config, {})), partial(load, config, {})
    with pytest.raises(SetUpError, match="still starting"):
        await process.reload(read)
    told: asyncio.Queue[Message] = asyncio.Queue()
    ending = asyncio.Event()
    asked = iter((asyncio.sleep(0), ending.wait()))

    async def receive() -> Message:
        await next(asked)
        return {}

    living = asyncio.create_task(process.application({"type": "lifespan"}, receive, told.put))
    assert (await told.get())["type"] == "lifespan.startup.complete"
    right = config.read_text()
    config.write_text("[nonsense")
    with pytest.raises(SetUpError):
        await process.reload(read)
    config.write_text(right)
    await process.reload(read)
    vault = process._vault
    assert vault is not None
    page = vault.render_metrics()[0].decode()
    assert 'config_reloads_total{outcome="failed"} 1.0' in page
    assert 'config_reloads_total{outcome="ok"} 1.0' in page
    ending.set()
    await living
    assert (await told.get())["type"] == "lifespan.shutdown.complete"
