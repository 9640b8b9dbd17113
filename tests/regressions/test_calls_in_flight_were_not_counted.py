"""`jeton_in_flight` stood at 0 whatever was going on: nobody told the metrics."""

import asyncio
from pathlib import Path

from tests.support.small_calls import JSON
from vault.app import open_vault
from vault.cli.init import create
from vault.config import load
from vault.service import Call
from vault.web import Holder
from vault.web.calls import Calls, Request


async def test_calls_in_flight_are_counted(tmp_path: Path) -> None:
    created = create(tmp_path / "data")
    settings = load(created.config, {})
    who = f"Bearer {created.credentials['reimbursement']}"
    async with open_vault(settings) as vault:
        token = await vault.perform(Call("tokenise", "fr-nir", "intake", ["284057512345672"]))
        calls = Calls(Holder(vault), settings.server)
        sent = [("authorization", who), JSON, ("jeton-purpose", "reimbursement")]
        headers = [(name.lower().encode(), value.encode()) for name, value in sent]
        request = Request(
            "POST", b"/v1/detokenise/fr-nir", b"", headers, dict(headers), "127.0.0.1"
        )
        later = calls.answer(request, b'{"token":"%b"}' % str(token.results[0]).encode())
        assert not isinstance(later, tuple)
        answering = asyncio.create_task(later)
        await asyncio.sleep(0)
        assert b"jeton_in_flight 1.0" in vault.render_metrics()[0]
        assert (await answering)[0] == 200
        assert b"jeton_in_flight 0.0" in vault.render_metrics()[0]
