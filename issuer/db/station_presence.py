"""What the centre keeps of a station's present: that it is there, how it is, and what it made today."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.production_tables import CardRow
from issuer.db.station_tables import StationClaimRow, StationDayRow, StationRow
from issuer.domain.batch import BatchId
from issuer.domain.card import UNFINISHED_STATES
from issuer.domain.production_events import (
    JournalHead,
    ProductionEvent,
    ProductionEventKind,
    StationName,
)
from issuer.domain.station_standing import StationStanding, day_of
from issuer.services.station_ports import StationPresence

__all__ = ["cards_left", "count_events", "keep_presence", "standings_of"]


def keep_presence(row: StationRow, presence: StationPresence, *, at: datetime) -> None:
    """Keep how a station is."""
    row.heard_at = at
    row.readers = json.dumps(list(presence.readers), ensure_ascii=False)
    row.is_suspended = presence.is_suspended


def count_events(row: StationRow, events: Iterable[ProductionEvent], *, at: datetime) -> None:
    """Count what the centre followed of a station's events, day by day; what comes in later counts for its own day."""
    days = Counter(
        (day_of(min(event.at, at)), event.kind)
        for event in events
        if event.kind in (ProductionEventKind.ISSUED, ProductionEventKind.CONDEMNED)
    )
    for day, kind in sorted(days):
        if row.counted_on is None or day > row.counted_on:
            row.counted_on, row.cards_made, row.chips_rejected = day, 0, 0
        if day == row.counted_on:
            made = days[day, kind]
            if kind is ProductionEventKind.ISSUED:
                row.cards_made += made
            else:
                row.chips_rejected += made


def cards_left(session: Session, batch: BatchId) -> int:
    """How many cards of a batch wait to be made, or are being made."""
    return (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(CardRow)
            .where(
                CardRow.batch_id == batch,
                CardRow.state.in_([state.value for state in UNFINISHED_STATES]),
            )
        )
        or 0
    )


def standings_of(session: Session, *, now: datetime) -> tuple[StationStanding, ...]:
    """Every station by name."""
    last_day = (
        sa.select(StationDayRow.closed_at)
        .where(StationDayRow.station == StationRow.name)
        .order_by(StationDayRow.sequence.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(sa.select(StationRow, last_day).order_by(StationRow.name)).all()
    # By the stations' names: a chip that was made leaves its claim behind, and there are millions of those.
    claims = session.execute(
        sa.select(StationClaimRow.station, sa.func.count())
        .where(
            StationClaimRow.station.in_([row.name for row, _ in rows]),
            StationClaimRow.released_at.is_(None),
        )
        .group_by(StationClaimRow.station)
    )
    claimed = {str(station): int(count) for station, count in claims}
    return tuple(
        _standing(row, claimed=claimed.get(row.name, 0), closed_at=closed_at, now=now)
        for row, closed_at in rows
    )


def _standing(
    row: StationRow, *, claimed: int, closed_at: datetime | None, now: datetime
) -> StationStanding:
    is_today = row.counted_on == day_of(now)
    return StationStanding(
        name=StationName(row.name),
        is_elsewhere=row.signing_certificate is not None,
        dismissed_at=row.dismissed_at,
        heard_at=row.heard_at,
        handed_in_at=row.handed_in_at,
        closed_at=closed_at,
        head=JournalHead(sequence=row.sequence, chain=row.chain),
        readers=tuple(json.loads(row.readers or "[]")),
        is_suspended=row.is_suspended,
        claimed=claimed,
        cards_made=row.cards_made if is_today else 0,
        chips_rejected=row.chips_rejected if is_today else 0,
    )
