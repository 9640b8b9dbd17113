"""Columns of tokens in a real database, through a real service."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, bindparam, create_engine, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    joinedload,
    load_only,
    mapped_column,
    relationship,
    selectinload,
)

import jeton
from benchmarks.population import nirs
from jeton.protocol import Call
from jeton.results import Sensitive, Token
from jeton.sqlalchemy import TokenisedString, bind, revealing
from jeton.testing import Service, serve

pytestmark = pytest.mark.system

CLIENTS = {
    "rows": [
        "tokenise:fr-nir",
        "tokenise:birth-date",
        "detokenise:fr-nir:audit",
        "detokenise:birth-date:audit",
    ]
}


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    nir: Mapped[Any] = mapped_column(TokenisedString("fr-nir", 15))
    born: Mapped[Any] = mapped_column(
        TokenisedString("birth-date", context_from="nir"), nullable=True
    )
    name: Mapped[str | None]
    claims: Mapped[list["Claim"]] = relationship(back_populates="person")


class Claim(Base):
    __tablename__ = "claim"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    payer: Mapped[Any] = mapped_column(TokenisedString("fr-nir", context="payer"), nullable=True)
    person: Mapped[Person] = relationship(back_populates="claims")


class Watched(jeton.Client):
    """A client that remembers what it was asked."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.calls: list[str] = []

    def _send_by(self, call: Call[Any], deadline: float) -> Any:
        self.calls.append(call.path.removeprefix("/v1/"))
        return super()._send_by(call, deadline)


NIRS = list(nirs(8))


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    with serve(CLIENTS) as service:
        yield service


@pytest.fixture
def client(running: Service) -> Iterator[Watched]:
    with Watched(running.url, running.credentials["rows"]) as client:
        yield client


@pytest.fixture
def engine(client: Watched) -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    bind(engine, client)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def stored(engine: Engine, column: str = "nir", table: str = "person") -> list[str]:
    """What stands in the database itself."""
    with engine.connect() as connection:
        return list(connection.scalars(text(f"SELECT {column} FROM {table} ORDER BY id")))


def fill(engine: Engine) -> None:
    with Session(engine) as session:
        people = [Person(nir=nir, born="1984-05-12", name=f"p{at}") for at, nir in enumerate(NIRS)]
        people[0].claims = [Claim(payer=NIRS[1]), Claim(payer=Sensitive(NIRS[2]))]
        session.add_all(people)
        session.commit()


def test_a_flush_is_one_call_a_transformation_and_stores_tokens(
    engine: Engine, client: Watched
) -> None:
    fill(engine)
    # The payers have a context and the people have none: two calls; then what is bound.
    assert client.calls == ["tokenise/fr-nir"] * 2 + ["tokenise/birth-date"]
    assert not set(NIRS) & set(stored(engine) + stored(engine, "payer", "claim"))
    assert all(int(born[:4]) >= 2200 for born in stored(engine, "born"))
    expected = [client.tokenise("fr-nir", nir) for nir in NIRS]
    assert stored(engine) == expected
    bound = client.tokenise("birth-date", ["1984-05-12"] * len(NIRS), context=expected)
    assert stored(engine, "born") == bound.all()


def test_objects_hold_tokens_after_a_flush_and_a_token_goes_in_as_it_is(
    engine: Engine, client: Watched
) -> None:
    token = client.tokenise("fr-nir", NIRS[0])
    client.calls.clear()
    with Session(engine) as session:
        person = Person(nir=token)
        session.add(person)
        session.flush()
        assert client.calls == []
        assert person.nir is token
        person.nir = NIRS[1]
        session.flush()
        assert isinstance(person.nir, Token)
        person.name = "only the name"
        session.flush()
        assert client.calls == ["tokenise/fr-nir"]
        session.commit()
        assert type(person.nir) is Token


def test_equality_filters_are_tokenised_in_one_call_a_statement(
    engine: Engine, client: Watched
) -> None:
    fill(engine)
    client.calls.clear()
    with Session(engine) as session:
        one = session.scalars(select(Person).where(Person.nir == NIRS[3])).one()
        assert one.name == "p3"
        some = session.scalars(select(Person.name).where(Person.nir.in_(NIRS[2:5]))).all()
        assert set(some) == {"p2", "p3", "p4"}
        others = select(Person.name).where(Person.nir != Sensitive(NIRS[0]), Person.nir != NIRS[1])
        assert len(session.scalars(others).all()) == len(NIRS) - 2
        named = select(Person.name).where(Person.nir == bindparam("nir"))
        assert session.scalars(named, {"nir": NIRS[6]}).all() == ["p6"]
        assert len(client.calls) == 4
        assert session.scalars(select(Person.id).where(Person.nir == one.nir)).all() == [one.id]
        assert session.scalars(select(Claim).where(Claim.payer == NIRS[1])).one().person is not None
        assert len(client.calls) == 5


@pytest.mark.parametrize("way", ["orm", "core", "save", "values"])
def test_bulk_inserts_are_one_call(engine: Engine, client: Watched, way: str) -> None:
    rows = [{"nir": nir, "born": "1984-05-12"} for nir in NIRS]
    with Session(engine) as session:
        match way:
            case "orm":
                session.execute(insert(Person), rows)
            case "core":
                session.connection().execute(insert(Person.__table__), rows)
            case "save":
                session.bulk_save_objects([Person(**row) for row in rows])
            case _:
                session.execute(insert(Person).values([{"nir": nir} for nir in NIRS]))
        session.commit()
    bound = ["tokenise/birth-date"] if way != "values" else []
    assert client.calls == ["tokenise/fr-nir", *bound]
    assert stored(engine) == client.tokenise("fr-nir", NIRS).all()


def test_rows_of_many_pages_are_one_call(engine: Engine, client: Watched) -> None:
    many = list(nirs(2_500, seed=2))
    with Session(engine) as session:
        session.scalars(insert(Person).returning(Person.nir), [{"nir": nir} for nir in many]).all()
        session.commit()
    assert client.calls == ["tokenise/fr-nir"]
    assert not set(many) & set(stored(engine))


def test_updates_are_tokenised(engine: Engine, client: Watched) -> None:
    fill(engine)
    client.calls.clear()
    with Session(engine) as session:
        changed = update(Person).where(Person.nir == NIRS[0]).values(nir=NIRS[7], born=None)
        session.execute(changed)
        session.execute(update(Person), [{"id": 2, "nir": NIRS[6], "born": None}])
        session.commit()
    assert len(client.calls) == 2
    expected = client.tokenise("fr-nir", [NIRS[7], NIRS[6]]).all()
    assert stored(engine)[:2] == expected


def test_reads_give_tokens_and_values_within_a_stated_purpose(
    engine: Engine, client: Watched
) -> None:
    fill(engine)
    client.calls.clear()
    with Session(engine) as session:
        people = session.scalars(select(Person).order_by(Person.id)).all()
        assert all(type(one.nir) is Token for one in people)
        with revealing(session, purpose="audit"):
            people = session.scalars(select(Person).order_by(Person.id)).all()
            assert [one.nir for one in people] == [Sensitive(nir) for nir in NIRS]
            assert {one.born.reveal() for one in people} == {"1984-05-12"}
            assert client.calls == ["detokenise/fr-nir", "detokenise/birth-date"]
            rows = session.execute(select(Person.id, Person.nir).limit(2)).all()
            assert rows[1] == (2, Sensitive(NIRS[1]))
            assert NIRS[1] not in repr(rows)
            people[0].name = "seen"
        assert type(people[0].nir) is Token
        session.commit()
    assert client.calls.count("tokenise/fr-nir") == 0
    assert not set(NIRS) & set(stored(engine))


def test_eager_and_lazy_relationships_are_revealed_too(engine: Engine, client: Watched) -> None:
    fill(engine)
    for eager in (selectinload(Person.claims), joinedload(Person.claims)):
        with Session(engine) as session, revealing(session, purpose="audit"):
            people = session.scalars(select(Person).options(eager)).unique().all()
            payers = {claim.payer.reveal() for claim in people[0].claims}
            assert payers == {NIRS[1], NIRS[2]}
            assert people[0].nir == Sensitive(NIRS[0])
    with Session(engine) as session, revealing(session, purpose="audit"):
        claim = session.get(Claim, 1)
        assert claim is not None
        assert claim.person.born == Sensitive("1984-05-12")


def test_a_bound_column_is_revealed_with_its_object_only(engine: Engine) -> None:
    fill(engine)
    with Session(engine) as session, revealing(session, purpose="audit"):
        for part in (select(Person.born), select(Person).options(load_only(Person.born))):
            with pytest.raises(jeton.UsageError, match="whole object"):
                session.scalars(part).all()


def test_what_may_not_be_revealed_is_not_loaded(engine: Engine, running: Service) -> None:
    fill(engine)
    with (
        running.client("intake") as intake,
        Session(engine) as session,
        revealing(session, purpose="audit", client=intake),
        pytest.raises(jeton.NotAllowed),
    ):
        session.scalars(select(Person)).all()


def test_what_could_not_be_revealed_is_asked_for_again(engine: Engine, client: Watched) -> None:
    fill(engine)
    with Session(engine) as session:
        with revealing(session, purpose="audit"):
            person = session.get_one(Person, 1)
            session.expire(person)
            with Session(engine) as other:  # somebody spoils the row meanwhile
                other.execute(
                    update(Person).where(Person.id == 1).values(nir=Token("1"), born=None)
                )
                other.commit()
            for _ in range(2):
                with pytest.raises(jeton.NotAToken):
                    session.scalars(select(Person).where(Person.id == 1)).one()
                with pytest.raises(jeton.NotAToken):
                    assert person.nir
        assert person.nir == Token("1")


def test_what_is_bound_changes_with_what_it_is_bound_to(engine: Engine, client: Watched) -> None:
    fill(engine)
    changes: list[Any] = [NIRS[1], client.tokenise("fr-nir", NIRS[1])]
    for nir in changes:
        with Session(engine) as session:
            person = session.get_one(Person, 1)
            person.nir = nir
            with pytest.raises(jeton.UsageError, match="born is bound to nir"):
                session.flush()
            for wrong in (
                lambda nir=nir: session.execute(update(Person), [{"id": 1, "nir": nir}]),
                lambda nir=nir: session.execute(update(Person).values(nir=nir)),
            ):
                session.rollback()
                with pytest.raises(jeton.UsageError, match="born is bound to nir"):
                    wrong()
    with Session(engine) as session:
        person = session.get_one(Person, 1)
        person.nir, person.born = NIRS[1], "1985-06-13"
        session.commit()
        token = client.tokenise("fr-nir", NIRS[1])
        assert person.born == client.tokenise("birth-date", "1985-06-13", context=token)


def test_nothing_of_it_is_logged(client: Watched, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "sqlalchemy"):
        engine = create_engine("sqlite://")
        bind(engine, client)
        Base.metadata.create_all(engine)
        fill(engine)
        with Session(engine) as session, revealing(session, purpose="audit"):
            found = select(Person).where(Person.nir == NIRS[0], Person.nir.in_(NIRS))
            assert session.scalars(found).one().nir == Sensitive(NIRS[0])
    assert "INSERT INTO person" in caplog.text
    assert not [nir for nir in NIRS if nir in caplog.text]
    assert "1984-05-12" not in caplog.text


def test_an_unbound_engine_stores_nothing(client: Watched) -> None:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Person(nir=NIRS[0]))
        with pytest.raises(SQLAlchemyError) as caught:
            session.flush()
    assert "ValueForUnboundEngine" in str(caught.value)
    assert NIRS[0] not in str(caught.value)


def test_an_engine_with_options_of_its_own_is_bound_too(engine: Engine) -> None:
    derived = engine.execution_options(a=1).execution_options(b=2)
    with Session(derived) as session:
        session.add(Person(nir=NIRS[0]))
        session.commit()
        found = session.scalars(select(Person).where(Person.nir == NIRS[0])).one()
        assert type(found.nir) is Token


def test_what_cannot_be_tokenised_is_refused(engine: Engine, client: Watched) -> None:
    fill(engine)
    with Session(engine) as session:
        for wrong in (
            lambda: session.scalars(select(Person).where(Person.nir.like("28%"))).all(),
            lambda: session.scalars(select(Person).where(Person.nir < NIRS[0])).all(),
            lambda: session.scalars(select(Person).where(Person.born == "1984-05-12")).all(),
            lambda: session.execute(update(Person), [{"id": 1, "born": "1984-05-12"}]),
        ):
            with pytest.raises(jeton.UsageError):
                wrong()
        literal = select(Person).where(Person.nir == NIRS[0])
        written = str(literal.compile(engine, compile_kwargs={"literal_binds": True}))
        assert written.endswith("WHERE person.nir = <sensitive>")
        with pytest.raises(jeton.InvalidValue):
            session.scalars(select(Person).where(Person.nir == str(stored(engine)[0]))).all()
        session.add(Person(nir="no number"))
        with pytest.raises(jeton.InvalidValue):
            session.flush()
        session.rollback()
        assert session.scalars(select(Person)).first() is not None
