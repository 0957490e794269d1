"""Tables of other instances' reports: whose they are and as of when, and the figures of each organisation."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, UtcDateTime

__all__ = ["InstanceReportLineRow", "InstanceReportRow"]

_NAME = sa.String(40)
_CODE = sa.String(32)


class InstanceReportRow(Base):
    """The report of one instance, as one bundle told it; ``place`` is one code a line, from the root down."""

    __tablename__ = "instance_reports"

    via: Mapped[str] = mapped_column(sa.ForeignKey("instances.name"), primary_key=True)
    instance: Mapped[str] = mapped_column(_NAME, primary_key=True)
    organisation: Mapped[str] = mapped_column(_CODE, primary_key=True)
    place: Mapped[str] = mapped_column(sa.Text)
    counted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    left_out: Mapped[int] = mapped_column(sa.BigInteger)
    sequence: Mapped[int] = mapped_column(sa.BigInteger)
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime)
    states_production: Mapped[bool] = mapped_column(server_default=sa.false())


class InstanceReportLineRow(Base):
    """One organisation with all below it, as an instance counted it; ``position`` is its place in the report.

    ``production`` is what ``issuer.db.told_production`` writes; absent where the instance told nothing of it.
    """

    __tablename__ = "instance_report_lines"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["via", "instance", "organisation"],
            ["instance_reports.via", "instance_reports.instance", "instance_reports.organisation"],
        ),
        sa.Index(
            "ix_instance_report_lines_above", "via", "instance", "organisation", "above", "code"
        ),
        sa.Index("ix_instance_report_lines_code", "code"),
    )

    via: Mapped[str] = mapped_column(_NAME, primary_key=True)
    instance: Mapped[str] = mapped_column(_NAME, primary_key=True)
    organisation: Mapped[str] = mapped_column(_CODE, primary_key=True)
    code: Mapped[str] = mapped_column(_CODE, primary_key=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(sa.String(320))
    above: Mapped[str | None] = mapped_column(_CODE)
    members: Mapped[int]
    waiting_rows: Mapped[int]
    incomplete: Mapped[int]
    duplicates: Mapped[int]
    look_alikes: Mapped[int]
    stale: Mapped[int]
    open_requests: Mapped[int]
    ageing_requests: Mapped[int]
    production: Mapped[str | None] = mapped_column(sa.Text)
