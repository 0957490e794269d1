"""What the stop list means for the card on a chip, and which chips are on it."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.chip_locks import lock_chips_with_cards
from issuer.db.production_rows import Producer, condemn_rows, locked_chip, move_chip
from issuer.db.production_tables import CardRow
from issuer.db.stock_rows import parts_of
from issuer.db.stock_tables import StockStopRow
from issuer.db.validity_rows import take_step, validity_of
from issuer.domain.card import CardState, may_be_operational
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.chip import ChipEvent, Serial
from issuer.domain.rights import AccountName
from issuer.domain.stock_account import HELD_AS_STOLEN
from issuer.domain.stock_acts import StopReason, StopState

__all__ = [
    "condemn_stopped",
    "is_stopped",
    "judge_card",
    "lock_stops",
    "report_card",
    "stops_of",
]

_END_REASONS: Final = {StopReason.STOLEN: EndReason.STOLEN, StopReason.MISSING: EndReason.LOST}


def stops_of(session: Session, serials: Collection[Serial]) -> dict[Serial, StockStopRow]:
    """The lines of the stop list that count for these chips; as many as one statement takes."""
    rows = session.scalars(
        sa.select(StockStopRow).where(
            StockStopRow.serial.in_(serials), StockStopRow.state != StopState.LIFTED.value
        )
    )
    return {Serial(row.serial): row for row in rows}


def lock_stops(session: Session, serials: Collection[Serial]) -> dict[Serial, StockStopRow]:
    """As ``stops_of`` for any number of chips, which nobody puts on the list before the transaction ends."""
    found: dict[Serial, StockStopRow] = {}
    lock_chips_with_cards(session, serials)
    for part in parts_of(sorted(serials)):
        found |= stops_of(session, part)
    return found


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


def condemn_stopped(session: Session, stop: StockStopRow, *, at: datetime, by: Producer) -> None:
    """Condemn a stopped chip, which is not here: a card that may work ends, in a member's hand, too."""
    serial = Serial(stop.serial)
    card = _locked(session, stop)
    if card is None or card.state != CardState.HANDED_OVER.value:
        condemn_rows(
            session,
            serial,
            code=HELD_AS_STOLEN,
            detail=stop.reason,
            at=at,
            is_chip_safe=True,
            by=by,
        )
        return
    # What was handed over is condemned no more: it ends by its report, which is judged with that of its chip.
    report_card(session, stop, at=at)
    chip = locked_chip(session, serial)
    move_chip(session, chip, ChipEvent.CONDEMNED, at, code=HELD_AS_STOLEN, by=by)


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
