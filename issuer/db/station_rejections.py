"""What stations said and the records contradict: kept for whoever looks at the chip, and told the station until it knows."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.station_tables import StationRejectionRow
from issuer.domain.chip import Serial
from issuer.domain.production_events import ProductionEvent, ProductionEventKind, StationName
from issuer.services.station_ports import RejectedEvent

__all__ = ["is_said_to_work", "keep_rejection", "newest_rejections", "rejected_of"]

_LOCKED_BY: Final = (ProductionEventKind.LOCK_INTENDED.value, ProductionEventKind.ISSUED.value)


def keep_rejection(
    session: Session, station: StationName, event: ProductionEvent, code: str
) -> None:
    """Keep that an event was not followed, and why; the chip may be one that nobody knows."""
    session.add(
        StationRejectionRow(
            station=station,
            sequence=event.sequence,
            serial=event.serial,
            kind=event.kind.value,
            code=code,
        )
    )


def rejected_of(
    session: Session, station: StationName, events: Sequence[ProductionEvent]
) -> list[RejectedEvent]:
    """What was rejected of events that the centre has already, in their order."""
    if not events:
        return []
    rows = session.scalars(
        sa.select(StationRejectionRow)
        .where(
            StationRejectionRow.station == station,
            StationRejectionRow.sequence.between(events[0].sequence, events[-1].sequence),
        )
        .order_by(StationRejectionRow.sequence)
    )
    return [_rejected(row) for row in rows]


def newest_rejections(
    session: Session, station: StationName, *, limit: int
) -> tuple[RejectedEvent, ...]:
    """What was rejected last, in its order."""
    rows = session.scalars(
        sa.select(StationRejectionRow)
        .where(StationRejectionRow.station == station)
        .order_by(StationRejectionRow.sequence.desc())
        .limit(limit)
    ).all()
    return tuple(_rejected(row) for row in reversed(rows))


def is_said_to_work(session: Session, serial: Serial) -> bool:
    """Whether a station said that it locks the chip's card, in an event that was not followed."""
    found = session.scalar(
        sa.select(StationRejectionRow.sequence)
        .where(StationRejectionRow.serial == serial, StationRejectionRow.kind.in_(_LOCKED_BY))
        .limit(1)
    )
    return found is not None


def _rejected(row: StationRejectionRow) -> RejectedEvent:
    return RejectedEvent(
        sequence=row.sequence,
        serial=None if row.serial is None else Serial(row.serial),
        code=row.code,
    )
