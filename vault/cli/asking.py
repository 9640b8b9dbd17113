"""Lines in, answers out: through the same service, limits and record as over HTTP.

Lines go through in batches, in order, so that a file of any size fits. Who asks is said by
JETON_CREDENTIAL, never by an argument: those stand in the shell's history.
"""

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from vault.access.identity import Principal, checksum_fits
from vault.app import Vault, open_vault
from vault.cli.screen import note
from vault.config import Operation, load
from vault.errors import Refusal, SetUpError
from vault.service import Call
from vault.telemetry import Names, install
from vault.web.headers import new_request_id

CREDENTIAL: Final = "JETON_CREDENTIAL"
SOURCE: Final = "command-line"
"""What the record says of where a call came from; no credential's network holds it."""
BATCH: Final = 10_000


class Item(NamedTuple):
    """A line: what it asks about, or what is wrong with it."""

    text: str
    candidate: str = ""
    problem: str | None = None

    def __repr__(self) -> str:  # values stand in it
        return "<Item>"


@dataclass(frozen=True, slots=True, repr=False)  # a context stands in it
class Wish:
    """What is asked of every line."""

    operation: Operation
    transformation: str
    context: str | None = None
    purpose: str | None = None
    end_user: str | None = None


def ask(config: Path, wish: Wish, items: Iterator[Item]) -> int:
    """Print an answer a line; returns 1 where some failed, else 0.

    Raises SetUpError; Refusal, where the rest of the lines is not answered.
    """
    install(Names(), "console", "warning")
    return asyncio.run(_ask(config, wish, items))


async def _ask(config: Path, wish: Wish, items: Iterator[Item]) -> int:
    settings = load(config, os.environ)
    authorization = f"Bearer {_credential()}"
    most = min(BATCH, settings.server.max_items)
    number, failed = 0, 0
    async with open_vault(settings) as vault:
        principal = vault.authenticate(authorization, SOURCE)
        # An empty batch is judged too. Reading may wait for a pipe: the ledger's duties go on.
        while (batch := await asyncio.to_thread(lambda: list(islice(items, most)))) or not number:
            try:
                results = await _perform(vault, principal, wish, batch)
            except Refusal:
                if number:
                    note(f"jeton: lines 1 to {number} are answered, no line after them")
                raise
            failed += _print(results, number)
            number += len(batch)
            if not batch:
                break
    return 1 if failed else 0


def _credential() -> str:
    credential = os.environ.get(CREDENTIAL, "").strip()
    if not credential:
        raise SetUpError(f"say who asks: set {CREDENTIAL} to a client's credential")
    if not checksum_fits(credential):
        raise SetUpError(f"{CREDENTIAL} is cut or mistyped: its checksum does not fit")
    return credential


class _Failed(NamedTuple):
    words: str


async def _perform(
    vault: Vault, principal: Principal, wish: Wish, batch: Sequence[Item]
) -> list[str | _Failed]:
    """A text to print for every item, or why there is none."""
    sound = [item for item in batch if item.problem is None]
    answer = await vault.perform(
        Call(
            operation=wish.operation,
            transformation=wish.transformation,
            principal=principal.name,
            items=[item.text for item in sound],
            contexts=wish.context,
            candidates=[item.candidate for item in sound] if wish.operation == "match" else None,
            purpose=wish.purpose,
            end_user=wish.end_user,
            request_id=new_request_id(),
            source=SOURCE,
            credential=principal.credential,
        )
    )
    failures = {one.index: _Failed(f"{one.code}: {one.detail}") for one in answer.errors}
    answered = iter(
        [failures.get(index) or _shown(result) for index, result in enumerate(answer.results)]
    )
    return [_Failed(item.problem) if item.problem else next(answered) for item in batch]


def _shown(result: str | bool | None) -> str:
    return result if isinstance(result, str) else str(bool(result)).lower()


def _print(results: Sequence[str | _Failed], before: int) -> int:
    """Returns how many failed."""
    failures = [(n, r) for n, r in enumerate(results, before + 1) if isinstance(r, _Failed)]
    sys.stdout.writelines(f"{'' if isinstance(one, _Failed) else one}\n" for one in results)
    sys.stdout.flush()
    for number, failure in failures:
        note(f"line {number}: {failure.words}")
    return len(failures)
