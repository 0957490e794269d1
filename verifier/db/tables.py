"""The tables of a terminal's own database: records of inspections, and the head of their chain."""

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["Base", "JournalHeadRow", "JournalRecordRow"]


class Base(DeclarativeBase):
    """Every table of the terminal; constraints are named, so that migrations can name them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class JournalRecordRow(Base):
    """One record; the database refuses to change it, and deletes only what policy let go of."""

    __tablename__ = "journal_records"
    __table_args__ = (sa.CheckConstraint("sequence > 0", name="sequence"),)

    sequence: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    at: Mapped[int] = mapped_column(sa.BigInteger, index=True)
    """Seconds since 1970; what retention goes by."""
    body: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


class JournalHeadRow(Base):
    """The one row that says where the journal begins and ends; it only ever moves forward."""

    __tablename__ = "journal_head"
    __table_args__ = (sa.CheckConstraint("id = 1", name="id"),)

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    terminal: Mapped[str] = mapped_column(sa.String(80))
    sequence: Mapped[int] = mapped_column(sa.Integer)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    dropped: Mapped[int] = mapped_column(sa.Integer)
    """The last record that was let go of; 0 where none was."""
    dropped_digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
