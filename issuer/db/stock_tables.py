"""The tables of the stock: sites, movements, counts that close a day, destructions, and the stop list."""

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime

__all__ = [
    "DayCloseRow",
    "DestructionChipRow",
    "DestructionRow",
    "StockMovementRow",
    "StockSiteRow",
    "StockStopRow",
]

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself only where the primary key is called INTEGER."""


class StockSiteRow(Base):
    """One site that answers for its chips."""

    __tablename__ = "stock_sites"
    __table_args__ = (sa.CheckConstraint("kind IN ('store', 'station')", name="kind"),)

    code: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    name: Mapped[str] = mapped_column(sa.String(100))
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StockMovementRow(Base):
    """One movement of some chips; the database refuses to change or delete it."""

    __tablename__ = "stock_movements"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('delivered', 'issued', 'returned', 'stolen')", name="kind"),
        sa.CheckConstraint(
            "(source IS NULL) = (kind = 'delivered') AND (target IS NULL) = (kind = 'stolen')"
            " AND (source IS NULL OR target IS NULL OR source <> target)",
            name="way",
        ),
        sa.CheckConstraint("chips > 0", name="chips"),
        sa.Index("ix_stock_movements_source_sequence", "source", "sequence"),
        sa.Index("ix_stock_movements_target_sequence", "target", "sequence"),
        {"sqlite_autoincrement": True},
    )

    sequence: Mapped[int] = mapped_column(_SEQUENCE, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(sa.String(200))
    kind: Mapped[str] = mapped_column(sa.String(16))
    source: Mapped[str | None] = mapped_column(sa.ForeignKey("stock_sites.code"))
    target: Mapped[str | None] = mapped_column(sa.ForeignKey("stock_sites.code"))
    chips: Mapped[int] = mapped_column(sa.Integer)


class DayCloseRow(Base):
    """One count of a site and its confirmation by another person."""

    __tablename__ = "stock_day_closes"
    __table_args__ = (
        sa.CheckConstraint("state IN ('differs', 'counted', 'closed')", name="state"),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_by IS NOT NULL)"
            " AND (closed_by IS NULL) = (closed_at IS NULL)"
            " AND (closed_by IS NULL OR closed_by <> counted_by)",
            name="closed",
        ),
        sa.CheckConstraint(
            "state = 'differs' OR (counted_finished = expected_finished"
            " AND counted_spoiled = expected_spoiled AND counted_samples = expected_samples"
            " AND counted_left = expected_left AND received = good + spoiled + samples + left_over)",
            name="balance",
        ),
        sa.Index("ix_stock_day_closes_site_counted_at", "site", "counted_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(sa.ForeignKey("stock_sites.code"))
    day: Mapped[date] = mapped_column(sa.Date)
    state: Mapped[str] = mapped_column(sa.String(16))
    counted_finished: Mapped[int] = mapped_column(sa.Integer)
    counted_spoiled: Mapped[int] = mapped_column(sa.Integer)
    counted_samples: Mapped[int] = mapped_column(sa.Integer)
    counted_left: Mapped[int] = mapped_column(sa.Integer)
    expected_finished: Mapped[int] = mapped_column(sa.Integer)
    expected_spoiled: Mapped[int] = mapped_column(sa.Integer)
    expected_samples: Mapped[int] = mapped_column(sa.Integer)
    expected_left: Mapped[int] = mapped_column(sa.Integer)
    received: Mapped[int] = mapped_column(sa.Integer)
    good: Mapped[int] = mapped_column(sa.Integer)
    spoiled: Mapped[int] = mapped_column(sa.Integer)
    samples: Mapped[int] = mapped_column(sa.Integer)
    left_over: Mapped[int] = mapped_column(sa.Integer)
    last_movement: Mapped[int] = mapped_column(sa.BigInteger)
    counted_by: Mapped[str] = mapped_column(sa.String(200))
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_by: Mapped[str | None] = mapped_column(sa.String(200))
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DestructionRow(Base):
    """Some chips that were destroyed before two witnesses."""

    __tablename__ = "stock_destructions"
    __table_args__ = (
        sa.CheckConstraint("state IN ('witnessed', 'destroyed', 'withdrawn')", name="state"),
        sa.CheckConstraint(
            "(state = 'destroyed') = (second_witness IS NOT NULL)"
            " AND (second_witness IS NULL) = (second_at IS NULL)"
            " AND (second_witness IS NULL OR second_witness <> first_witness)",
            name="witnesses",
        ),
        sa.Index("ix_stock_destructions_first_at_id", "first_at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(sa.ForeignKey("stock_sites.code"))
    state: Mapped[str] = mapped_column(sa.String(16))
    manner: Mapped[str] = mapped_column(sa.String(200))
    chips: Mapped[int] = mapped_column(sa.Integer)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    first_witness: Mapped[str] = mapped_column(sa.String(200))
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    second_witness: Mapped[str | None] = mapped_column(sa.String(200))
    second_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DestructionChipRow(Base):
    """One chip of a destruction."""

    __tablename__ = "stock_destruction_chips"
    __table_args__ = (sa.Index("ix_stock_destruction_chips_serial", "serial"),)

    destruction_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("stock_destructions.id"), primary_key=True
    )
    serial: Mapped[bytes] = mapped_column(sa.ForeignKey("chips.serial"), primary_key=True)


class StockStopRow(Base):
    """One line of the stop list; a serial need not be of the stock: a box may be stolen on its way to us."""

    __tablename__ = "stock_stops"
    __table_args__ = (
        sa.CheckConstraint("reason IN ('stolen', 'missing')", name="reason"),
        sa.CheckConstraint("state IN ('reported', 'confirmed', 'lifted')", name="state"),
        sa.CheckConstraint(
            "(state = 'reported') = (concluded_by IS NULL)"
            " AND (concluded_by IS NULL) = (concluded_at IS NULL)"
            " AND (concluded_by IS NULL OR concluded_by <> reported_by)",
            name="concluded",
        ),
        sa.Index(
            "uq_stock_stops_serial_live",
            "serial",
            unique=True,
            sqlite_where=sa.text("state <> 'lifted'"),
            postgresql_where=sa.text("state <> 'lifted'"),
        ),
        {"sqlite_autoincrement": True},
    )

    sequence: Mapped[int] = mapped_column(_SEQUENCE, primary_key=True, autoincrement=True)
    serial: Mapped[bytes] = mapped_column(sa.LargeBinary(10))
    reason: Mapped[str] = mapped_column(sa.String(16))
    state: Mapped[str] = mapped_column(sa.String(16))
    site: Mapped[str | None] = mapped_column(sa.ForeignKey("stock_sites.code"))
    reported_by: Mapped[str] = mapped_column(sa.String(200))
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)
    concluded_by: Mapped[str | None] = mapped_column(sa.String(200))
    concluded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
