"""What the stop list means for the card on a chip, and which chips are on it."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.production_tables import CardRow
from issuer.db.stock_tables import StockStopRow
from issuer.db.validity_rows import take_step, validity_of
from issuer.domain.card import CardState, may_be_operational
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.chip import Serial
from issuer.domain.rights import AccountName
from issuer.domain.stock_acts import StopReason, StopState

__all__ = ["is_stopped", "judge_card", "report_card", "stops_of"]

_END_REASONS: Final = {StopReason.STOLEN: EndReason.STOLEN, StopReason.MISSING: EndReason.LOST}


def stops_of(session: Session, serials: Collection[Serial]) -> dict[Serial, StockStopRow]:
    """The lines of the stop list that count for these chips; as many as one statement takes."""
    rows = session.scalars(
        sa.select(StockStopRow).where(
            StockStopRow.serial.in_(serials), StockStopRow.state != StopState.LIFTED.value
        )
    )
    return {Serial(row.serial): row for row in rows}


def is_stopped(session: Session, serial: Serial) -> bool:
    """Whether the chip is on the stop list, whatever its own row says."""
    return bool(stops_of(session, [serial]))


def report_card(session: Session, stop: StockStopRow, *, at: datetime) -> None:
    """Report the card on a stopped chip, where it may work: whoever has it must find it worthless at once."""
    card = _locked(session, stop)
    if card is None or not may_be_operational(CardState(card.state)):
        return
    validity = validity_of(card)
    if validity.report is None and validity.end is None:
        step = ValidityStep(
            event=ValidityEvent.REPORTED,
            account=AccountName(stop.reported_by),
            reason=_END_REASONS[StopReason(stop.reason)],
        )
        take_step(session, card, step, at=at)


def judge_card(session: Session, stop: StockStopRow, *, at: datetime) -> None:
    """Judge the report of the card with that of its chip; somebody may have judged it alone before."""
    card = _locked(session, stop)
    if card is None or card.reported_by is None or stop.concluded_by is None:
        return
    is_confirmed = stop.state == StopState.CONFIRMED.value
    judge = stop.concluded_by
    if is_confirmed and card.reported_by == judge:
        # Who confirms the stop had reported the card: then who reported the stop is the other person.
        judge = stop.reported_by
    if card.reported_by == judge:
        return
    event = ValidityEvent.CONFIRMED if is_confirmed else ValidityEvent.REJECTED
    take_step(session, card, ValidityStep(event=event, account=AccountName(judge)), at=at)


def _locked(session: Session, stop: StockStopRow) -> CardRow | None:
    return session.scalar(
        sa.select(CardRow)
        .where(CardRow.serial == stop.serial)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
