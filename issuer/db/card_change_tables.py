"""The table of what happened to the validity of cards."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime

__all__ = ["CardChangeRow"]

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only where the primary key is called INTEGER."""


class CardChangeRow(Base):
    """One step; the database refuses to change or delete it, but for the remark, which is a person's words."""

    __tablename__ = "card_changes"
    __table_args__ = (
        sa.CheckConstraint("before BETWEEN 0 AND 6 AND after BETWEEN 0 AND 6", name="states"),
        sa.Index("ix_card_changes_reference_sequence", "reference", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: Mapped[int] = mapped_column(_SEQUENCE, primary_key=True, autoincrement=True)
    reference: Mapped[bytes] = mapped_column(sa.ForeignKey("cards.reference"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(sa.String(200))
    event: Mapped[str] = mapped_column(sa.String(24))
    reason: Mapped[str | None] = mapped_column(sa.String(24))
    before: Mapped[int] = mapped_column(sa.SmallInteger)
    after: Mapped[int] = mapped_column(sa.SmallInteger)
    remark: Mapped[str] = mapped_column(sa.String(400))
