"""The tables of stations: which there are, how far each has handed in its journal, and what it has in hand."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime

__all__ = [
    "StationChainRow",
    "StationClaimRow",
    "StationDayRow",
    "StationProposalRow",
    "StationRejectionRow",
    "StationRow",
]


class StationRow(Base):
    """One station; one in the same process as the database has no certificates."""

    __tablename__ = "stations"
    __table_args__ = (
        sa.CheckConstraint(
            "(signing_certificate IS NULL) = (sealing_certificate IS NULL)", name="certificates"
        ),
        sa.CheckConstraint(
            "(proposed_by IS NULL) = (confirmed_by IS NULL)"
            " AND (proposed_by IS NULL OR proposed_by <> confirmed_by)",
            name="enrolled",
        ),
    )

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    signing_certificate: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    sealing_certificate: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dismissed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sequence: Mapped[int] = mapped_column(sa.BigInteger)
    chain: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    last_order: Mapped[int] = mapped_column(sa.BigInteger)
    proposed_by: Mapped[str | None] = mapped_column(sa.String(200))
    confirmed_by: Mapped[str | None] = mapped_column(sa.String(200))
    readers: Mapped[str | None] = mapped_column(sa.Text)
    is_suspended: Mapped[bool] = mapped_column(server_default=sa.false())
    handed_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    counted_on: Mapped[date | None] = mapped_column(sa.Date)
    cards_made: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    chips_rejected: Mapped[int] = mapped_column(sa.Integer, server_default="0")


class StationProposalRow(Base):
    """Certificates by which one person wants a station to be known; they count once another one confirms them."""

    __tablename__ = "station_proposals"

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    signing_certificate: Mapped[bytes] = mapped_column(sa.LargeBinary)
    sealing_certificate: Mapped[bytes] = mapped_column(sa.LargeBinary)
    proposed_by: Mapped[str] = mapped_column(sa.String(200))
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StationClaimRow(Base):
    """Which station a chip is, or was last, in the hands of; a chip is in one station's at a time."""

    __tablename__ = "station_claims"
    __table_args__ = (sa.Index("ix_station_claims_station_released_at", "station", "released_at"),)

    serial: Mapped[bytes] = mapped_column(sa.ForeignKey("chips.serial"), primary_key=True)
    station: Mapped[str] = mapped_column(sa.ForeignKey("stations.name"))
    claimed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StationDayRow(Base):
    """One closed day of a station, with what was destroyed there."""

    __tablename__ = "station_days"

    station: Mapped[str] = mapped_column(sa.ForeignKey("stations.name"), primary_key=True)
    sequence: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    closed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_by: Mapped[str] = mapped_column(sa.String(64))
    issued: Mapped[int] = mapped_column(sa.Integer)
    condemned: Mapped[int] = mapped_column(sa.Integer)
    destroyed: Mapped[str] = mapped_column(sa.Text)


class StationRejectionRow(Base):
    """An event of a station that contradicted the records; ``serial`` may be of a chip that nobody knows."""

    __tablename__ = "station_rejections"
    __table_args__ = (sa.Index("ix_station_rejections_serial", "serial"),)

    station: Mapped[str] = mapped_column(sa.ForeignKey("stations.name"), primary_key=True)
    sequence: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    serial: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    kind: Mapped[str] = mapped_column(sa.String(40))
    code: Mapped[str] = mapped_column(sa.String(80))


class StationChainRow(Base):
    """The values of a journal's chain at the events that were handed in together, of 32 bytes each; ``last`` is the last."""

    __tablename__ = "station_chains"

    station: Mapped[str] = mapped_column(sa.ForeignKey("stations.name"), primary_key=True)
    last: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    chains: Mapped[bytes] = mapped_column(sa.LargeBinary)
