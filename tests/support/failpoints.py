"""The steps from a disclosure's charge to its answer, and a service that dies at one of them.

    python -m tests.support.failpoints STEP TRIGGER serve --config FILE ...

is `jeton serve`, and ends as if killed the first time it reaches STEP while the file TRIGGER is
there. The steps are wrapped from here: nothing in `vault/` can be told to die.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from vault.audit.entry import DISCLOSURE, Disclosure, Receipt
from vault.audit.segment import OpenSegment
from vault.cli import main
from vault.ledger.ledger import Ledger
from vault.store.base import Charge, Mark, Verdict
from vault.store.sqlite import SqliteStore
from vault.store.tables import Tables
from vault.web.answers import Answers
from vault.web.calls import Reply
from vault.web.exchange import Exchange

CRASHED = 70

STEPS = (
    "asked",  # nothing is done yet
    "charging",  # the charge stands in a transaction that is not committed
    "charged",
    "recording",  # the group is made, nothing of it is written
    "half written",
    "written",  # not synced
    "durable",
    "settled",  # the answer may leave
    "answered",
)


@contextmanager
def steps(reached: Callable[[str], None]) -> Iterator[None]:
    """Call `reached` at each step of each disclosure that has a request id."""
    commit, write, append = SqliteStore.commit, Tables.write, OpenSegment.append
    settle, reply = Ledger.settle, Answers._reply

    async def committing(
        store: SqliteStore, group: Sequence[Charge], mark: Mark, now: float
    ) -> list[Verdict]:
        reached("asked")
        verdicts = await commit(store, group, mark, now)
        reached("charged")
        return verdicts

    def charging(tables: Tables) -> None:
        write(tables)
        if tables._books.noted:  # leases and replays are written by it too
            reached("charging")

    def appending(segment: OpenSegment, data: bytes) -> None:
        if DISCLOSURE not in data:
            append(segment, data)
            return
        reached("recording")
        os.pwrite(segment._descriptor, data[: len(data) // 2], segment.size)
        reached("half written")
        os.pwrite(segment._descriptor, data, segment.size)
        reached("written")
        append(segment, data)  # the same bytes once more, and the sync
        reached("durable")

    async def settling(ledger: Ledger, charge: Charge, disclosure: Disclosure) -> Receipt:
        receipt = await settle(ledger, charge, disclosure)
        reached("settled")
        return receipt

    def replying(answers: Answers, exchange: Exchange, answer: Reply) -> None:
        reply(answers, exchange, answer)
        if exchange.path.startswith(b"/v1/detokenise/"):
            reached("answered")

    with ExitStack() as stack:
        for owner, name, wrapped in (
            (SqliteStore, "commit", committing),
            (Tables, "write", charging),
            (OpenSegment, "append", appending),
            (Ledger, "settle", settling),
            (Answers, "_reply", replying),
        ):
            stack.enter_context(patch.object(owner, name, wrapped))
        yield


def serve(step: str, trigger: str, *arguments: str) -> None:
    assert step in STEPS

    def reached(name: str) -> None:
        if name == step and Path(trigger).exists():
            os._exit(CRASHED)

    with steps(reached):
        main(arguments, prog_name="jeton")


if __name__ == "__main__":
    serve(*sys.argv[1:])
