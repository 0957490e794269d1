"""What stations said and the records contradict: each such event stands in the chip's journal, and is told the station again."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.production_rows import EVENT_REJECTED
from issuer.db.production_tables import CardEventRow
from issuer.domain.production_events import ProductionEvent, StationName
from issuer.services.station_ports import RejectedEvent

__all__ = ["rejected_before", "rejection_of"]


def rejection_of(station: StationName, event: ProductionEvent) -> str:
    """What the chip's journal says of an event that was not followed; its kind is the last word."""
    return f"event {event.sequence} of station {station}: {event.kind}"


def rejected_before(
    session: Session, station: StationName, events: Sequence[ProductionEvent]
) -> list[RejectedEvent]:
    """What was rejected of events that the centre has already."""
    named = {rejection_of(station, event): event for event in events}
    if not named:
        return []
    rows = session.execute(
        sa.select(CardEventRow.detail, CardEventRow.code).where(
            CardEventRow.kind == EVENT_REJECTED,
            CardEventRow.station == station,
            # Of a chip that nobody knows the journal names no serial.
            sa.or_(
                CardEventRow.serial.in_({each.serial for each in events if each.serial}),
                CardEventRow.serial.is_(None),
            ),
            CardEventRow.detail.in_(named),
        )
    )
    return [
        RejectedEvent(sequence=event.sequence, serial=event.serial, code=code or "")
        for detail, code in rows
        if (event := named.get(detail or "")) is not None
    ]
