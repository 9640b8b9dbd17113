"""Columns that hold tokens, for SQLAlchemy 2; needs ``jeton-sdk[sqlalchemy]``.

    class Person(Base):
        nir: Mapped[Token] = mapped_column(TokenisedString("fr-nir"))
        born: Mapped[Token] = mapped_column(TokenisedString("birth-date", context_from="nir"))

    bind(engine, client)

Values that are assigned or compared become tokens on their way to the database: one call a
flush, one a statement. Reads give `Token`; within ``with revealing(session, purpose=...)`` they
give `Sensitive`, revealed in one call a result.
"""

from jeton.sqlalchemy.binding import bind
from jeton.sqlalchemy.reading import revealing
from jeton.sqlalchemy.types import TokenisedString

__all__ = ["TokenisedString", "bind", "revealing"]
