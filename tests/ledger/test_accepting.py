"""An operator accepts what is there: every chain where it ends, whoever wrote it."""

import contextlib
import shutil

from tests.support.ledgers import House
from vault.audit.entry import Event
from vault.audit.reading import read_chain
from vault.audit.segment import segments


async def test_accepting_a_state_takes_every_chain_as_it_is(house: House) -> None:
    """But those that are damaged, which it cannot, and those of live workers, who know better."""
    house.reveals = 100
    async with contextlib.AsyncExitStack() as workers, contextlib.AsyncExitStack() as live:
        ledgers = [(await workers.enter_async_context(house.ledger()))[0] for _ in range(2)]
        living, _ = await live.enter_async_context(house.ledger())
        ledgers += [(await workers.enter_async_context(house.ledger()))[0] for _ in range(2)]
        for ledger in ledgers:
            for _ in range(3):
                await house.reveal(ledger, items=7)
        await house.reveal(living)
        await living.maintenance.tick()
        await workers.aclose()
        first, _, third, last = (segments(house.settings.folder / f"w{n}")[0] for n in (0, 1, 3, 4))
        first.write_bytes(first.read_bytes().replace(b'"items":7', b'"items":1', 1))
        for cut in (third, last):
            lines = cut.read_bytes().splitlines(keepends=True)
            cut.write_bytes(b"".join(lines[: len(lines) // 2]))
        shutil.rmtree(house.settings.folder / "w4")
        async with house.ledger() as (ledger, store):
            assert ledger.writer == "w1"
            before = (await store.state()).marks
            await ledger.accept_state("for a test")
            after = (await store.state()).marks
            assert after["w0"] == before["w0"]
            assert after["w2"] == before["w2"]
            kept = list(read_chain(house.settings.folder / "w3"))
            assert 0 < after["w3"].durable == kept[-1].seq < before["w3"].durable
            assert after["w4"].durable == 0
            await house.reveal(ledger)
    accepted = [event for event in house.recorded(Event) if event.name == "state_accepted"]
    assert [set(event.detail) for event in accepted] == [{"reason", "epoch", "halted"}]
