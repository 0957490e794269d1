"""The tables of batches: which requests each holds, and what happened to it."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime

__all__ = ["IS_LIVE", "AcknowledgementRow", "BatchEventRow", "BatchRequestRow", "BatchRow"]

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only where the primary key is called INTEGER."""


class BatchRow(Base):
    """One batch; whoever proposed its freeze cannot confirm it."""

    __tablename__ = "batches"
    __table_args__ = (
        sa.CheckConstraint(
            "state IN ('open', 'freezing', 'frozen', 'signed', 'producing', 'controlled', 'packed',"
            " 'dispatched', 'received', 'handed-over', 'cancelled')",
            name="state",
        ),
        sa.CheckConstraint("version > 0", name="version"),
        sa.CheckConstraint(
            "(proof IS NULL) = (proposed_by IS NULL) AND (proof IS NULL) = (proposed_at IS NULL)"
            " AND (proof IS NULL) = (cards IS NULL)"
            " AND (proof IS NOT NULL OR state IN ('open', 'cancelled'))",
            name="proposed",
        ),
        sa.CheckConstraint(
            "(confirmed_by IS NULL) = (confirmed_at IS NULL)"
            " AND (confirmed_by IS NOT NULL) = (state NOT IN ('open', 'freezing', 'cancelled'))"
            " AND (confirmed_by IS NULL OR confirmed_by <> proposed_by)",
            name="confirmed",
        ),
        sa.Index("ix_batches_created_at_id", "created_at", "id"),
        sa.Index("ix_batches_decision_id", "decision_id"),
        sa.Index("ix_batches_receiver_id_state", "receiver_id", "state"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    receiver_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("organisations.id"))
    decision_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("decisions.id"))
    follow_up_of: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("batches.id"))
    state: Mapped[str] = mapped_column(sa.String(16))
    version: Mapped[int] = mapped_column(sa.Integer)
    created_by: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    proof: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    cards: Mapped[int | None] = mapped_column(sa.Integer)
    proposed_by: Mapped[str | None] = mapped_column(sa.String(200))
    proposed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_by: Mapped[str | None] = mapped_column(sa.String(200))
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    carrier: Mapped[str | None] = mapped_column(sa.String(200))


IS_LIVE = sa.text("batch_requests.is_live")
"""That a batch holds the request now, in the very words of the index: written otherwise, SQLite walks the table."""


class BatchRequestRow(Base):
    """A request that a batch holds, or held: one batch at a time holds it."""

    __tablename__ = "batch_requests"
    __table_args__ = (
        sa.Index(
            "uq_batch_requests_request_id_live",
            "request_id",
            unique=True,
            sqlite_where=sa.text("is_live"),
            postgresql_where=sa.text("is_live"),
        ),
        sa.Index("ix_batch_requests_batch_id_position", "batch_id", "position"),
    )

    batch_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("batches.id"), primary_key=True)
    request_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("requests.id"), primary_key=True)
    position: Mapped[int] = mapped_column(sa.Integer)
    is_live: Mapped[bool]
    line_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    record_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    """Of all that the line was made of, as it was stored then; ``None`` where that was not kept."""


class BatchEventRow(Base):
    """One step of a time line; the database refuses to change or delete it."""

    __tablename__ = "batch_events"
    __table_args__ = (
        sa.Index("ix_batch_events_batch_id_sequence", "batch_id", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: Mapped[int] = mapped_column(_SEQUENCE, primary_key=True, autoincrement=True)
    batch_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("batches.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(sa.String(200))
    kind: Mapped[str] = mapped_column(sa.String(24))
    count: Mapped[int | None] = mapped_column(sa.Integer)


class AcknowledgementRow(Base):
    """Who signed for a card, and the digest of the signed minutes; the database refuses to change or delete it."""

    __tablename__ = "card_acknowledgements"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('member', 'representative')", name="kind"),
        sa.CheckConstraint("minutes IS NULL OR length(minutes) = 32", name="minutes"),
    )

    reference: Mapped[bytes] = mapped_column(sa.ForeignKey("cards.reference"), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    minutes: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    account: Mapped[str] = mapped_column(sa.String(200))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
