"""How a chip comes into a station's hands: one station at a time, and only one at whose site the chip lies."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.card_ledger import read_job
from issuer.db.card_vault import CardVault
from issuer.db.chip_holds import stop_chip
from issuer.db.production_rows import Producer, journal, record_of
from issuer.db.production_tables import CardRow, ChipRow
from issuer.db.station_tables import StationClaimRow
from issuer.db.stopped_cards import is_stopped
from issuer.domain.batch import BatchId
from issuer.domain.card import UNFINISHED_STATES, CardReference, CardState
from issuer.domain.chip import ChipState, Serial
from issuer.domain.production_events import StationName
from issuer.domain.stock_account import HELD_AS_STOLEN
from issuer.errors import IssuerRefusedError
from issuer.services.station_ports import ClaimedChip, JobSeal

__all__ = ["claim_chip"]

_BEFORE_INITIALISED: Final = (ChipState.RECEIVED.value, ChipState.INITIALISING.value)


def claim_chip(
    session: Session,
    serial: Serial,
    *,
    station: StationName,
    batch: BatchId | None,
    vault: Callable[[], CardVault],
    seal: JobSeal,
    at: datetime,
) -> ClaimedChip | None:
    """See ``ProductionLink.claim``; ``vault`` is asked for where a job is to be given."""
    chip = session.get(ChipRow, serial, with_for_update=True)
    if chip is None:
        return None
    if chip.state != ChipState.CONDEMNED.value and is_stopped(session, serial):
        # Whatever its row says: a chip of the stop list is given to nobody, and its row says so from now on.
        stop_chip(chip)
    card = session.scalar(sa.select(CardRow).where(CardRow.serial == serial))
    claim = session.get(StationClaimRow, serial)
    if claim is not None and claim.released_at is None and claim.station != station:
        raise IssuerRefusedError(
            f"chip {serial.hex().upper()} is in the hands of station {claim.station}",
            code="station.claimed-elsewhere",
        )
    record = record_of(chip, card)
    own_batch = None if record.card is None else record.card.batch_id
    if not _has_work(chip, card):
        return ClaimedChip(record=record, is_claimed=False, batch=own_batch)
    if chip.site != station:
        # A chip that came here past the stock is in nobody's count.
        raise IssuerRefusedError(
            f"the books have chip {serial.hex().upper()} at {chip.site}, not at station {station}",
            code="chip.elsewhere",
            hint=f"stock issue or stock return; a station is the site of its name: "
            f"stock site add {station} --kind station",
        )
    if batch is not None and card is not None and own_batch != batch:
        raise IssuerRefusedError(
            f"the card of chip {serial.hex().upper()} is of another batch",
            code="station.other-batch",
        )
    _claim(session, claim, serial, station, at)
    sealed = None
    if card is not None and CardState(card.state) in UNFINISHED_STATES:
        sealed = seal.seal(read_job(session, vault(), CardReference(card.reference)))
    return ClaimedChip(record=record, is_claimed=True, batch=own_batch, sealed_job=sealed)


def _claim(
    session: Session,
    claim: StationClaimRow | None,
    serial: Serial,
    station: StationName,
    at: datetime,
) -> None:
    if claim is None:
        claim = StationClaimRow(serial=serial, station=station, claimed_at=at)
        session.add(claim)
    elif claim.released_at is None:
        return
    claim.station, claim.claimed_at, claim.released_at = station, at, None
    journal(session, "claimed", at=at, serial=serial, by=Producer(station=station))


def _has_work(chip: ChipRow, card: CardRow | None) -> bool:
    """Whether a station may do something with the chip that it has to be alone for."""
    if chip.held is not None or chip.condemned_for == HELD_AS_STOLEN:
        return False
    if chip.state == ChipState.CONDEMNED.value or (
        card is not None and card.state == CardState.CONDEMNED.value
    ):
        # It is terminated, which the record has to learn of.
        return True
    if chip.state in _BEFORE_INITIALISED:
        return True
    return card is not None and CardState(card.state) in UNFINISHED_STATES
