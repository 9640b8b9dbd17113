"""A date that came with and without padding in one batch got a token that opened to nothing.

Both forms have one canonical text, but tokens of two kinds. The second of them was given the
first one's token, printed in its own form: a token that was never drawn.
"""

import asyncio
from pathlib import Path

from tests.support.tokens import keyset
from vault.config import Transformation as Configured
from vault.engine.transformation import Transformation
from vault.store.sqlite_tokens import SqliteTokens

DATES = ["2000-01-01", "1^1^2000", "01/01/2000", "1^1^2000"]


def test_each_kind_has_a_token_of_its_own(tmp_path: Path) -> None:
    configured = Configured("birth-date", "vaulted", context="optional")
    vaulted = Transformation("born", configured, keyset()).vaulted
    assert vaulted is not None

    async def there_and_back() -> None:
        store = SqliteTokens.open(tmp_path / "tokens.db")
        try:
            once = await vaulted.tokenise(store, DATES, None)
            tokens = [str(text) for text in once.texts]
            assert tokens[1] == tokens[3]
            assert (await vaulted.detokenise(store, tokens, None)).texts == DATES
            again = await vaulted.tokenise(store, DATES[1:2], None)
            assert again.texts == tokens[1:2]
        finally:
            await store.close()

    asyncio.run(there_and_back())
