"""The days that stations close, in the database."""

import json
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.station_tables import StationClaimRow, StationDayRow, StationRow
from issuer.errors import IssuerRefusedError
from issuer.services.station_ports import DayRecord

__all__ = ["keep_day"]

_Audited = tuple[str, dict[str, str | int | None]]


def keep_day(
    session: Session, station: StationRow, record: DayRecord, *, at: datetime
) -> _Audited | None:
    """Keep what a station says at the end of its day; what the audit trail says of it, where it says something new.

    Raises:
        IssuerRefusedError: the centre has not all events (``station.events-missing``).
    """
    known = session.get(StationDayRow, (station.name, record.head.sequence))
    if known is not None:
        return _add_destroyed(known, record)
    if station.sequence < record.head.sequence:
        raise IssuerRefusedError(
            f"the centre has {station.sequence} events of station {station.name}, "
            f"expected {record.head.sequence}",
            code="station.events-missing",
        )
    session.add(
        StationDayRow(
            station=station.name,
            sequence=record.head.sequence,
            closed_at=at,
            closed_by=record.closed_by,
            issued=record.issued,
            condemned=record.condemned,
            destroyed=json.dumps([each.hex() for each in record.destroyed]),
        )
    )
    # A day with an unfinished chip does not close, so what the station still has it never began.
    for claim in session.scalars(
        sa.select(StationClaimRow)
        .where(StationClaimRow.station == station.name, StationClaimRow.released_at.is_(None))
        .order_by(StationClaimRow.serial)
        # Somebody may take a chip from the station at this moment: then there is nothing to let go of.
        .with_for_update()
    ):
        claim.released_at = at
    return "station.day-closed", {
        "sequence": record.head.sequence,
        "issued": record.issued,
        "condemned": record.condemned,
        "destroyed": len(record.destroyed),
    }


def _add_destroyed(row: StationDayRow, record: DayRecord) -> _Audited | None:
    """Another part of what a day destroyed; what is known already changes nothing."""
    known = dict.fromkeys(json.loads(row.destroyed))
    new = dict.fromkeys(each.hex() for each in record.destroyed if each.hex() not in known)
    if not new:
        return None
    row.destroyed = json.dumps([*known, *new])
    return "station.data-destroyed", {"sequence": record.head.sequence, "destroyed": len(new)}
