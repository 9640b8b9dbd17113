"""A crash at every step from the charge to the answer: nothing answered that is not on record,
nothing spent that is forgotten, and the repetition costs nothing more.

The service dies by itself (`tests.support.failpoints`). Each start is armed for the next step,
so the steps share it.
"""

import sys
import uuid
from collections.abc import Iterator
from http.client import HTTPException

import pytest

from tests.support.failpoints import CRASHED, STEPS
from tests.support.service import Reply, jeton
from tests.support.thief import House
from vault.audit.entry import Disclosure
from vault.audit.reading import entries

pytestmark = pytest.mark.system

RECORDED = {
    "asked": [False],
    "charging": [False],
    "charged": [True],
    "recording": [True],
    "half written": [True],
    "written": [False, True],
    "durable": [False, True],
    "settled": [False, True],
    "answered": [False, True],
}
"""What stands on record of a request that was sent again after the crash: entry by entry,
whether it was charged before. A charge without an entry was for nothing, but once."""


def _client(step: str) -> str:
    return step.replace(" ", "-")


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    clients = {_client(step): (["detokenise:fr-nir:drill"], {"reveal.hour": 2}) for step in STEPS}
    opened = House.open(tmp_path_factory.mktemp("house"), clients, people=1)
    yield opened
    opened.service.kill()


def _ask(house: House, step: str, request_id: str) -> Reply | None:
    """None where no answer came."""
    thief = house.thief(_client(step), "drill")
    headers = [("Jeton-Request-Id", request_id)]
    try:
        return thief.ask("detokenise", {"token": house.tokens[0]}, headers=headers)
    except (OSError, HTTPException):
        return None


def _code(reply: Reply | None) -> object:
    return None if reply is None else reply.body.get("code", reply.status)


def test_a_crash_at_every_step(house: House) -> None:
    assert set(RECORDED) == set(STEPS)
    service, trigger = house.service, house.service.folder / "die"
    ids = {step: str(uuid.uuid4()) for step in STEPS}
    receipts: list[str] = []

    def answered(reply: Reply | None) -> None:
        if _code(reply) == 200:
            assert reply is not None
            receipts.append(reply.headers["Jeton-Receipt"])

    def after_the_crash(step: str) -> None:
        again = _ask(house, step, ids[step])
        assert _code(again) == 200, step
        answered(again)
        assert _code(_ask(house, step, str(uuid.uuid4()))) == "budget_exhausted", step

    service.stop()
    for before, step in zip([None, *STEPS], STEPS, strict=False):
        service.program = (sys.executable, "-m", "tests.support.failpoints", step, str(trigger))
        service.start()
        if before is not None:
            after_the_crash(before)
        answered(_ask(house, step, str(uuid.uuid4())))
        service.get("livez")  # the loop has turned: nothing of the request before is left to die in
        trigger.touch()
        reply = _ask(house, step, ids[step])
        assert reply is None or step == "answered", "no answer before its time"
        answered(reply)
        assert service.process is not None
        assert service.process.wait(10) == CRASHED
        trigger.unlink()
    service.start()
    after_the_crash(STEPS[-1])
    service.stop()
    recorded = [
        (f"{writer}.{entry.seq}", entry.request_id, entry.duplicate)
        for writer, entry in entries(service.folder / "audit")
        if isinstance(entry, Disclosure)
    ]
    for step, expected in RECORDED.items():
        assert [twice for _, each, twice in recorded if each == ids[step]] == expected, step
    assert len(receipts) >= 2 * len(STEPS)
    assert {receipt.rpartition(".")[0] for receipt in receipts} <= {at for at, *_ in recorded}
    proofs = [word for receipt in receipts for word in ("--receipt", receipt)]
    jeton("audit", "verify", "--config", str(service.config), *proofs)
