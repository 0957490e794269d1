"""Rows of production and domain values; and the one way in which a row's state moves: checked and journaled."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from card_layout.curves import EcPublicKey, NamedCurve
from issuer.db.batch_progress import begin_production, settle_batch
from issuer.db.chip_holds import condemn_hold
from issuer.db.production_tables import CardContentsRow, CardEventRow, CardRow, ChipRow
from issuer.db.station_rejections import is_said_to_work
from issuer.db.station_tables import StationClaimRow
from issuer.db.validity_rows import take_step
from issuer.domain.batch import BatchId
from issuer.domain.card import (
    Card,
    CardEvent,
    CardReference,
    CardState,
    may_be_operational,
    next_card_state,
)
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.chip import Chip, ChipEvent, ChipState, Serial, next_chip_state
from issuer.domain.member import MemberId
from issuer.domain.requests import RequestId
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import StatusIndex
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.production_ports import ChipRecord

__all__ = [
    "BY_ITSELF",
    "EVENT_REJECTED",
    "NOBODY",
    "SECRETS_DESTROYED",
    "Producer",
    "card_of",
    "chip_key_of",
    "chip_of",
    "condemn_rows",
    "destroy_secrets",
    "empty_secrets",
    "journal",
    "locked_card",
    "locked_chip",
    "move_card",
    "move_chip",
    "record_of",
    "require_not_passed",
]

BY_ITSELF: Final = AccountName("system")
"""By whose word a program acts that nobody told to."""

EVENT_REJECTED: Final = "event-rejected"
"""The journal's word for what a station said and nobody could follow."""

SECRETS_DESTROYED: Final = "secrets-destroyed"
"""The journal's word for it."""

_MAX_DETAIL_CHARACTERS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Producer:
    """At which station, and by whom, something was done to a chip."""

    station: str | None = None
    account: str | None = None


_SYSTEM: Final = "system"
"""What the audit trail says where a program acted and nobody told it for whom."""

NOBODY: Final = Producer()
"""Where no station did it."""

_CURVES_BY_OID = {curve.oid: curve for curve in NamedCurve}


def chip_of(row: ChipRow) -> Chip:
    """The stock ledger's line as a value."""
    return Chip(
        serial=Serial(row.serial),
        state=ChipState(row.state),
        public_key=chip_key_of(row.key_curve, row.key_point),
        held=row.held,
        condemned_for=row.condemned_for,
    )


def chip_key_of(curve: str | None, point: bytes | None) -> EcPublicKey | None:
    """The key that a chip made; ``None`` where it made none."""
    if curve is None or point is None:
        return None
    return EcPublicKey(curve=_CURVES_BY_OID[curve], point=point)


def card_of(row: CardRow) -> Card:
    """The register's line as a value."""
    return Card(
        reference=CardReference(row.reference),
        member_id=MemberId(row.member_id),
        request_id=RequestId(row.request_id),
        serial=Serial(row.serial),
        state=CardState(row.state),
        ordinal=row.ordinal,
        status=StatusIndex(list_id=row.status_list, index=row.status_index),
        profile=row.profile,
        bound_at=row.bound_at,
        issued_at=row.issued_at,
        handed_over_at=row.handed_over_at,
        handed_over_to=row.handed_over_to,
        condemned_for=row.condemned_for,
        batch_id=None if row.batch_id is None else BatchId(row.batch_id),
        produced_by=row.produced_by,
        passed_by=row.passed_by,
    )


def record_of(chip: ChipRow, card: CardRow | None) -> ChipRecord:
    """Both lines together."""
    return ChipRecord(chip=chip_of(chip), card=None if card is None else card_of(card))


def locked_chip(session: Session, serial: Serial) -> ChipRow:
    """The chip's row, which nobody else can change before the transaction ends.

    Raises:
        IssuerRefusedError: there is none (``chip.not-in-stock``).
    """
    row = session.get(ChipRow, serial, with_for_update=True)
    if row is None:
        raise IssuerRefusedError(
            f"chip {serial.hex().upper()} is not in the stock ledger", code="chip.not-in-stock"
        )
    return row


def locked_card(session: Session, reference: CardReference) -> CardRow:
    """The card's row, which nobody else can change before the transaction ends.

    Raises:
        IssuerRefusedError: there is none (``card.unknown``).
    """
    row = session.get(CardRow, reference, with_for_update=True)
    if row is None:
        raise IssuerRefusedError(
            f"card {reference.hex()} is not in the register", code="card.unknown"
        )
    return row


def move_chip(
    session: Session,
    row: ChipRow,
    event: ChipEvent,
    at: datetime,
    *,
    code: str | None = None,
    by: Producer = NOBODY,
) -> None:
    """Move a chip's state, with its line in the journal.

    Raises:
        TransitionError: the event cannot happen now.
    """
    row.state = next_chip_state(ChipState(row.state), event).value
    journal(session, event.value, at=at, serial=row.serial, code=code, by=by)


def move_card(
    session: Session, row: CardRow, event: CardEvent, at: datetime, *, by: Producer = NOBODY
) -> None:
    """Move a card's state, with its line in the journal; the first card of a batch begins its production.

    Raises:
        TransitionError: the event cannot happen now.
    """
    row.state = next_card_state(CardState(row.state), event).value
    journal(session, event.value, at=at, serial=row.serial, reference=row.reference, by=by)
    if event is CardEvent.ISSUED:
        row.produced_by = by.account
    if event is CardEvent.PERSONALISATION_BEGUN and row.batch_id is not None:
        begin_production(session, row.batch_id, account=by.account or _SYSTEM, at=at)


def require_not_passed(session: Session, serial: Serial) -> None:
    """A station gives up what it made; what quality control has passed lies at the station no more.

    Raises:
        ConflictError: ``card.passed``.
    """
    card = session.scalar(sa.select(CardRow).where(CardRow.serial == serial).with_for_update())
    if card is None or card.state != CardState.ISSUED.value or card.passed_by is None:
        return
    place = "" if card.box is None else f" and lies in box {card.box}"
    raise ConflictError(
        f"quality control has passed the card on chip {serial.hex().upper()}{place}",
        code="card.passed",
        hint=f"membercard-issuer cards report {serial.hex().upper()} --reason damaged; another person confirms",
    )


def condemn_rows(
    session: Session,
    serial: Serial,
    *,
    code: str,
    detail: str,
    at: datetime,
    is_chip_safe: bool,
    by: Producer = NOBODY,
) -> None:
    """Condemn a chip and the card on it, if any; a card that may have worked is revoked.

    ``is_chip_safe``: the chip is destroyed, or lies in front of the station that will terminate it.

    Raises:
        IssuerRefusedError: the chip is unknown, or may work out in the world (``card.may-be-operational``).
        TransitionError: condemned already, or handed over.
    """
    chip = locked_chip(session, serial)
    card = session.scalar(sa.select(CardRow).where(CardRow.serial == serial).with_for_update())
    claim = session.get(StationClaimRow, serial)
    if claim is not None and claim.released_at is None and not is_chip_safe:
        # What the station did with it is not here yet: the card may be finished.
        raise IssuerRefusedError(
            f"chip {serial.hex().upper()} is in the hands of station {claim.station}",
            code="chip.claimed",
            hint="reject it at the station; where that cannot be, destroy it and say so",
        )
    if card is not None:
        was_working = may_be_operational(CardState(card.state)) or is_said_to_work(session, serial)
        if was_working and not is_chip_safe:
            raise IssuerRefusedError(
                f"the card is {card.state}, or its station says it was locked: it may work already",
                code="card.may-be-operational",
                hint="put the chip into a station; where that cannot be, destroy it and say so",
            )
        card.state = next_card_state(CardState(card.state), CardEvent.CONDEMNED).value
        card.condemned_for = code
        destroy_secrets(session, card, at=at, by=by)
        if was_working and card.ended_for is None:
            # One that has ended otherwise never counts again anyway.
            end = ValidityStep(
                event=ValidityEvent.ENDED,
                account=BY_ITSELF if by.account is None else AccountName(by.account),
                reason=EndReason.CONDEMNED,
            )
            take_step(session, card, end, at=at)
    chip.state = next_chip_state(ChipState(chip.state), ChipEvent.CONDEMNED).value
    chip.condemned_for = code
    condemn_hold(chip)
    journal(
        session,
        ChipEvent.CONDEMNED.value,
        at=at,
        serial=serial,
        reference=None if card is None else card.reference,
        code=code,
        detail=detail,
        by=by,
    )
    if card is not None and card.batch_id is not None:
        settle_batch(session, card.batch_id, account=by.account or _SYSTEM, at=at)


def destroy_secrets(
    session: Session, card: CardRow, *, at: datetime, by: Producer = NOBODY
) -> None:
    """Destroy the secrets and contents of a card that nobody will get, with a line in the journal.

    The keyed digest of the document number stays, against its repetition, and what the signer signed.
    """
    empty_secrets(session, card)
    journal(session, SECRETS_DESTROYED, at=at, serial=card.serial, reference=card.reference, by=by)


def empty_secrets(session: Session, card: CardRow) -> None:
    """Leave nothing of a card's secrets and contents; whoever calls says so in a record of their own."""
    card.sealed_secrets = b""
    session.execute(
        sa.update(CardContentsRow)
        .where(CardContentsRow.reference == card.reference)
        .values(sealed=b"", portrait=None)
        .execution_options(synchronize_session="fetch")
    )


def journal(
    session: Session,
    kind: str,
    *,
    at: datetime,
    serial: bytes | None = None,
    reference: bytes | None = None,
    code: str | None = None,
    detail: str | None = None,
    by: Producer = NOBODY,
) -> None:
    """Append one event; it is committed with what it tells of."""
    session.add(
        CardEventRow(
            at=at,
            kind=kind,
            serial=serial,
            reference=reference,
            code=code,
            detail=detail[:_MAX_DETAIL_CHARACTERS] if detail else None,
            station=by.station,
            account=by.account,
        )
    )
