"""What is stored: no NIR and no birth date, only tokens."""

from datetime import datetime

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from jeton import Sensitive, Token
from jeton.sqlalchemy import TokenisedString


class Base(DeclarativeBase):
    pass


class Claim(Base):
    """A care provider asks to be paid for a person's treatment."""

    __tablename__ = "claims"

    id: Mapped[int] = mapped_column(primary_key=True)
    nir: Mapped[Token | Sensitive] = mapped_column(TokenisedString("fr-nir", 15), index=True)
    born: Mapped[Token | Sensitive] = mapped_column(
        TokenisedString("birth-date", 10, context_from="nir")
    )
    provider: Mapped[str]
    cents: Mapped[int]
    paid_at: Mapped[datetime | None]

    @property
    def paid(self) -> bool:
        return self.paid_at is not None
