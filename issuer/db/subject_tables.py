"""Tables of the rights of data subjects: to whom data was given, what was deleted, which numbers are nobody's for good."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime
from issuer.domain.data_subjects import DeletionGround, DisclosureGround

__all__ = [
    "DeletionProposalRow",
    "DisclosureRow",
    "ErasureRow",
    "FileToDestroyRow",
    "RetiredNumberRow",
]

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DISCLOSURE_GROUNDS = ", ".join(f"'{each.value}'" for each in DisclosureGround)
_DELETION_GROUNDS = ", ".join(f"'{each.value}'" for each in DeletionGround)


class DisclosureRow(Base):
    """Somebody was given a member's data; the database refuses to change or delete it."""

    __tablename__ = "disclosures"
    __table_args__ = (
        sa.CheckConstraint(f"ground IN ({_DISCLOSURE_GROUNDS})", name="ground"),
        sa.Index("ix_disclosures_member_id_id", "member_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_SEQUENCE, primary_key=True, autoincrement=True)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("members.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(sa.String(200))
    recipient: Mapped[str] = mapped_column(sa.String(200))
    ground: Mapped[str] = mapped_column(sa.String(32))
    reference: Mapped[str] = mapped_column(sa.String(200))
    what: Mapped[str] = mapped_column(sa.String(200))


class ErasureRow(Base):
    """A member's record was deleted."""

    __tablename__ = "erasures"
    __table_args__ = (
        sa.CheckConstraint(f"ground IN ({_DELETION_GROUNDS})", name="ground"),
        sa.CheckConstraint("proposed_by IS NULL OR proposed_by <> account", name="two_people"),
    )

    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("members.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(sa.String(200))
    ground: Mapped[str] = mapped_column(sa.String(32))
    reference: Mapped[str] = mapped_column(sa.String(200))
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    proposed_by: Mapped[str | None] = mapped_column(sa.String(200))
    evidence: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))


class DeletionProposalRow(Base):
    """Somebody wants a record to be deleted; the row goes when another person confirms it or it is withdrawn."""

    __tablename__ = "deletion_proposals"
    __table_args__ = (
        sa.CheckConstraint(f"ground IN ({_DELETION_GROUNDS})", name="ground"),
        sa.CheckConstraint(
            f"ground <> '{DeletionGround.ORDERED_BY_AUTHORITY}' OR evidence IS NOT NULL",
            name="order",
        ),
    )

    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("members.id"), primary_key=True)
    ground: Mapped[str] = mapped_column(sa.String(32))
    reference: Mapped[str] = mapped_column(sa.String(200))
    evidence: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    proposed_by: Mapped[str] = mapped_column(sa.String(200))
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FileToDestroyRow(Base):
    """A picture or document of somebody whose record was deleted; the row goes when the file is gone."""

    __tablename__ = "files_to_destroy"
    __table_args__ = (sa.CheckConstraint("store IN ('portraits', 'evidence')", name="store"),)

    store: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)


class RetiredNumberRow(Base):
    """A number that was a deleted member's, as a digest under the register's key."""

    __tablename__ = "retired_numbers"

    kind: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
