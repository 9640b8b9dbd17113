"""Random tokens through a real store: round trips, bands, bindings, and how they run out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.test_transformation import CASES
from tests.support.values import nir_forms, nir_key, ordinary_nirs, special_nirs
from vault.config import Transformation as Configured
from vault.crypto.keyset import Keyset, new_keyset
from vault.engine.seals import NO_TOKEN
from vault.engine.transformation import Transformation
from vault.engine.vaulted import Request, Vaulted
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import Entry

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KEYSET = new_keyset(NOW)
NIR = "284057512345672"
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def made(keyset: Keyset = KEYSET, name: str = "t", **options: object) -> Vaulted:
    configured = Configured(format="fr-nir", method="vaulted", **options)  # type: ignore[arg-type]
    vaulted = Transformation(name, configured, keyset).vaulted
    assert vaulted is not None
    return vaulted


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteTokens]:
    opened = SqliteTokens.open(tmp_path / "tokens.db")
    yield opened
    await opened.close()


async def token_of(vaulted: Vaulted, store: SqliteTokens, value: str, *context: str) -> str:
    outcome = await vaulted.tokenise(store, [value], *(context or (None,)))
    assert not outcome.errors
    return str(outcome.texts[0])


async def failure_of(vaulted: Vaulted, store: SqliteTokens, token: str, *context: str) -> str:
    outcome = await vaulted.detokenise(store, [token], *(context or (None,)))
    assert outcome.texts == [None]
    return outcome.errors[0].detail


@pytest.mark.parametrize("case", CASES)
@SHARED
@given(data=st.data())
def test_a_token_comes_back_as_its_value(case: str, data: st.DataObject, tmp_path: Path) -> None:
    configured, values = CASES[case]
    options = {name: getattr(configured, name) for name in ("band", "wrong_key", "alphabet")}
    vaulted = Transformation(
        case.replace(" ", "-"),
        Configured(format=configured.format, method="vaulted", context="optional", **options),
        KEYSET,
    ).vaulted
    assert vaulted is not None
    some = data.draw(st.lists(values, min_size=1, max_size=8))

    async def there_and_back() -> None:
        store = SqliteTokens.open(tmp_path / "tokens.db")
        try:
            once = await vaulted.tokenise(store, some, "a")
            assert once.errors == {}
            again = await vaulted.tokenise(store, some, "a")
            assert again.texts == once.texts
            back = await vaulted.detokenise(store, [str(text) for text in once.texts], "a")
            assert back.texts == some
        finally:
            await store.close()

    asyncio.run(there_and_back())


async def test_every_form_of_a_value_has_one_token(store: SqliteTokens) -> None:
    vaulted = made()
    tokens = (await vaulted.tokenise(store, nir_forms(NIR), None)).texts
    bodies = {str(token).replace(" ", "")[:13] for token in tokens}
    assert len(bodies) == 1
    back = await vaulted.detokenise(store, [str(token) for token in tokens], None)
    assert back.texts == nir_forms(NIR)


@SHARED
@given(st.lists(ordinary_nirs | special_nirs, min_size=1, max_size=8, unique=True))
def test_nothing_marks_special_values(tmp_path: Path, values: list[str]) -> None:
    vaulted = made()
    plain = Transformation("t", Configured(format="fr-nir"), KEYSET).format

    async def tokenise() -> list[str]:
        store = SqliteTokens.open(tmp_path / "tokens.db")
        try:
            return [str(text) for text in (await vaulted.tokenise(store, values, None)).texts]
        finally:
            await store.close()

    for token in asyncio.run(tokenise()):
        assert plain.read_token(token).kind == 0
        assert token[13:] == nir_key(token[:13])


async def test_special_values_come_without_their_key_too(store: SqliteTokens) -> None:
    vaulted, special = made(), "784990012345"  # month 99
    special = f"{special}6"
    value = special + nir_key(special)
    short, long = (await vaulted.tokenise(store, [special, value], None)).texts
    assert str(long)[:13] == short
    back = await vaulted.detokenise(store, [str(short), str(long)], None)
    assert back.texts == [special, value]


async def test_contexts_are_bound(store: SqliteTokens) -> None:
    vaulted = made()
    with_a = await token_of(vaulted, store, NIR, "a")
    assert with_a != await token_of(vaulted, store, NIR, "b")
    assert with_a != await token_of(vaulted, store, NIR)
    assert await failure_of(vaulted, store, with_a, "b") == NO_TOKEN
    assert await failure_of(vaulted, store, with_a) == NO_TOKEN


async def test_unknown_foreign_and_erased_fail_alike(store: SqliteTokens) -> None:
    vaulted, other = made(), made(name="other")
    foreign = await token_of(other, store, NIR)
    erased = await token_of(vaulted, store, NIR)
    place = vaulted.place(erased)
    assert place is not None
    assert await store.erase(vaulted.space(place[0]), [place[1]]) == [True]
    unknown = vaulted.format.write_token(vaulted.format.read_token(erased)._replace(rank=7))
    for token in (foreign, erased, unknown):
        assert await failure_of(vaulted, store, token) == NO_TOKEN
    assert await token_of(vaulted, store, NIR) != erased


async def test_an_entry_that_was_moved_does_not_open(store: SqliteTokens) -> None:
    vaulted = made()
    mine, theirs = await token_of(vaulted, store, NIR), await token_of(vaulted, store, NIR, "a")
    (kind, mine_at), (_, theirs_at) = (
        vaulted.place(mine) or (0, b""),
        vaulted.place(theirs)
        or (
            0,
            b"",
        ),
    )
    space = vaulted.space(kind)
    stolen, own = await store.find(space, [mine_at, theirs_at])
    assert stolen is not None
    assert own is not None
    assert vaulted.canonical(kind, stolen) == NIR
    assert vaulted.canonical(kind, Entry(theirs_at, own.index, stolen.sealed)) is None
    changed = bytearray(stolen.sealed)
    changed[2] ^= 1  # the day of creation
    assert vaulted.canonical(kind, Entry(mine_at, stolen.index, bytes(changed))) is None
    for size in range(len(stolen.sealed)):
        assert vaulted.canonical(kind, Entry(mine_at, b"", stolen.sealed[:size])) is None


async def test_fresh_tokens_each_time_but_for_the_same_request(store: SqliteTokens) -> None:
    vaulted = made(convergent=False)
    values = [NIR, NIR]
    first = (await vaulted.tokenise(store, values, None)).texts
    assert len({*first, *(await vaulted.tokenise(store, values, None)).texts}) == 4
    request = Request("intake", "id", b"fingerprint")
    once = (await vaulted.tokenise(store, values, None, request)).texts
    assert len(set(once)) == 2
    assert (await vaulted.tokenise(store, values, None, request)).texts == once
    for other in (
        Request("other", "id", b"fingerprint"),
        Request("intake", "id2", b"fingerprint"),
        Request("intake", "id", b"other"),
    ):
        assert not set(once) & set((await vaulted.tokenise(store, values, None, other)).texts)
    back = await vaulted.detokenise(store, [str(text) for text in (*first, *once)], None)
    assert back.texts == [NIR] * 4


async def test_many_at_once_get_one_token(store: SqliteTokens) -> None:
    vaulted = made()
    tokens = await asyncio.gather(*(token_of(vaulted, store, NIR) for _ in range(100)))
    assert len(set(tokens)) == 1


async def test_errors_stand_where_their_items_stood(store: SqliteTokens) -> None:
    vaulted = made(context="required")
    outcome = await vaulted.tokenise(store, ["1", NIR, NIR, NIR], ["a", None, "a", "b"])
    codes = {at: error.code for at, error in outcome.errors.items()}
    assert codes == {0: "invalid_value", 1: "context_required"}
    token = str(outcome.texts[2])
    back = await vaulted.detokenise(store, [token, NIR, token, token], ["a", "a", None, "b"])
    assert back.texts == [NIR, None, None, None]
    codes = {at: error.code for at, error in back.errors.items()}
    assert codes == {1: "not_a_token", 2: "context_required", 3: "not_a_token"}


async def test_a_format_that_fills_up_says_so(store: SqliteTokens) -> None:
    configured = Configured(
        format="alphabet", alphabet="0123456789", min_length=6, max_length=6, method="vaulted",
        max_fill=0.0002,
    )  # fmt: skip
    vaulted = Transformation("few", configured, KEYSET).vaulted
    assert vaulted is not None
    ((_, room),) = vaulted.rooms()
    assert room == 192  # three a partition
    values = [f"{n:06d}" for n in range(1_000)]
    outcome = await vaulted.tokenise(store, values, None)
    assert {error.code for error in outcome.errors.values()} == {"domain_exhausted"}
    there = [
        (value, str(token)) for value, token in zip(values, outcome.texts, strict=True) if token
    ]
    assert 150 < len(there) <= 192
    assert len({token for _, token in there}) == len(there)
    back = await vaulted.detokenise(store, [token for _, token in there], None)
    assert back.texts == [value for value, _ in there]
    again = await vaulted.tokenise(store, [value for value, _ in there], None)
    assert again.errors == {}


async def test_a_rotation_leaves_old_tokens_open(store: SqliteTokens) -> None:
    old = await token_of(made(), store, NIR)
    rotated = KEYSET.rotate(NOW)
    vaulted = made(rotated)
    assert await token_of(vaulted, store, NIR) == old
    assert (await vaulted.detokenise(store, [old], None)).texts == [NIR]
    kind, place = vaulted.place(old) or (0, b"")
    (entry,) = await store.find(vaulted.space(kind), [place])
    assert entry is not None
    fresh = vaulted.reseal(kind, entry)
    assert fresh is not None
    resealed = Entry(entry.token, entry.index, fresh)
    assert vaulted.canonical(kind, resealed) == NIR
    assert vaulted.reseal(kind, resealed) is None
    without = made(rotated.disable(1))
    assert without.canonical(kind, entry) is None
    assert without.canonical(kind, resealed) == NIR
