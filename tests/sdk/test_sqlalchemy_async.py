"""The same columns under asyncio: an AsyncEngine, an AsyncSession and an AsyncClient."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

import jeton
from jeton.results import Sensitive, Token
from jeton.sqlalchemy import bind, revealing
from jeton.testing import serve
from tests.sdk.test_sqlalchemy import CLIENTS, NIRS, Base, Person

pytestmark = pytest.mark.system


async def test_an_async_session_writes_filters_and_reveals(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/people.db")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    with serve(CLIENTS) as service:
        async with jeton.AsyncClient(service.url, service.credentials["rows"]) as client:
            bind(engine, client)
            async with AsyncSession(engine) as session:
                session.add_all([Person(nir=nir, born="1984-05-12") for nir in NIRS])
                await session.commit()
                found = await session.scalars(select(Person).where(Person.nir == NIRS[2]))
                token = found.one().nir
                assert type(token) is Token
            async with AsyncSession(engine) as session:
                with revealing(session, purpose="audit"):
                    people = (await session.scalars(select(Person).order_by(Person.id))).all()
                    assert [one.nir for one in people] == [Sensitive(nir) for nir in NIRS]
                    assert people[0].born == Sensitive("1984-05-12")
                assert await kinds(engine, 20) == {0: Token, 1: Sensitive}
    await engine.dispose()


async def kinds(engine: AsyncEngine, count: int) -> dict[int, type]:
    """What sessions at the same time read, of which every other one reveals."""
    seen: dict[int, type] = {}

    async def read(number: int) -> None:
        async with AsyncSession(engine) as session:
            with revealing(session, purpose="audit") if number % 2 else nullcontext():
                people = await session.scalars(select(Person))
                for person in people:
                    assert seen.setdefault(number % 2, type(person.nir)) is type(person.nir)

    await asyncio.gather(*map(read, range(count)))
    return seen
