"""A batch's cards behind the stations, in the database: passed, in boxes, received, signed for."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import DATABASE_FAILURES, database_error, insert_rows
from issuer.db.batch_rows import SELECT_LINES, line_of
from issuer.db.batch_tables import AcknowledgementRow, BatchRequestRow
from issuer.db.bulk import bulk_insert
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.domain.batch import Acknowledgement, AcknowledgementKind, BatchId
from issuer.domain.card import CardReference, CardState
from issuer.domain.card_validity import EndReason
from issuer.domain.chip import Serial
from issuer.domain.organisation import OrganisationCode
from issuer.services.batch_ports import BatchLine, CardUnderControl

__all__ = [
    "acknowledged",
    "boxed_cards",
    "boxed_counts",
    "good_cards",
    "keep_acknowledgement",
    "keep_passed",
    "keep_received",
    "put_in_boxes",
    "under_control",
]

_LOOKUP_SIZE = 500
"""How many identifiers stand in one IN (...): far below the parameter limits of both databases."""

_MISSING = [EndReason.LOST.value, EndReason.STOLEN.value]


def under_control(
    session: Session, batch_id: BatchId, serials: Collection[Serial]
) -> dict[Serial, CardUnderControl]:
    """The batch's cards on these chips, locked, each with everybody who had a hand in it."""
    found: dict[Serial, CardUnderControl] = {}
    for part in _parts(sorted(set(serials))):
        hands: dict[bytes, set[str]] = {each: set() for each in part}
        for serial, account in session.execute(
            sa.select(CardEventRow.serial, CardEventRow.account)
            .where(CardEventRow.serial.in_(part), CardEventRow.account.is_not(None))
            # Whoever froze or signed the batch decided on paper, and made nothing.
            .where(CardEventRow.station.is_not(None))
            .distinct()
        ):
            if serial is not None and account is not None:
                hands[serial].add(account)
        held = dict(
            session.execute(
                sa.select(ChipRow.serial, ChipRow.held).where(ChipRow.serial.in_(part))
            ).all()
        )
        for card in session.scalars(
            sa.select(CardRow)
            .where(CardRow.batch_id == batch_id, CardRow.serial.in_(part))
            .order_by(CardRow.reference)
            .with_for_update()
            .execution_options(populate_existing=True)
        ):
            found[Serial(card.serial)] = CardUnderControl(
                reference=CardReference(card.reference),
                serial=Serial(card.serial),
                state=CardState(card.state),
                produced_by=card.produced_by,
                passed_by=card.passed_by,
                hands=frozenset(hands[card.serial]),
                held=held[card.serial],
            )
    return found


def keep_passed(
    session: Session, references: Collection[CardReference], *, account: str, at: datetime
) -> None:
    """Say of these cards that quality control passed them."""
    _update(
        session,
        references,
        {"passed_by": account, "passed_at": at},
    )
    _journal(session, "passed", references, account=account, at=at)


def good_cards(session: Session, batch_id: BatchId, *, lock: bool) -> tuple[BatchLine, ...]:
    """The lines whose card may still be handed over, by organisation and position."""
    query = (
        SELECT_LINES.join(ChipRow, ChipRow.serial == CardRow.serial)
        .where(
            BatchRequestRow.batch_id == batch_id,
            CardRow.state == CardState.ISSUED.value,
            CardRow.passed_by.is_not(None),
            ChipRow.held.is_(None),
            CardRow.ended_for.is_(None),
            sa.or_(CardRow.report.is_(None), CardRow.report.not_in(_MISSING)),
        )
        .order_by(OrganisationRow.code, BatchRequestRow.position)
        .execution_options(populate_existing=True)
    )
    if lock:
        _lock_cards(session, batch_id)
    return tuple(line_of(found) for found in session.execute(query))


def boxed_cards(session: Session, batch_id: BatchId, *, lock: bool) -> tuple[BatchLine, ...]:
    """The lines whose card was put into a box, whatever became of it, by box and position."""
    query = (
        SELECT_LINES.where(BatchRequestRow.batch_id == batch_id, CardRow.box.is_not(None))
        .order_by(CardRow.box, BatchRequestRow.position)
        .execution_options(populate_existing=True)
    )
    if lock:
        _lock_cards(session, batch_id)
    return tuple(line_of(found) for found in session.execute(query))


def boxed_counts(session: Session, batch_id: BatchId) -> dict[OrganisationCode, int]:
    """How many cards that were put into a box are for members of each organisation."""
    rows = session.connection().execute(
        sa.select(OrganisationRow.code, sa.func.count())
        .select_from(CardRow)
        .join(MemberRow, MemberRow.id == CardRow.member_id)
        .join(OrganisationRow, OrganisationRow.id == MemberRow.organisation_id)
        .where(CardRow.batch_id == batch_id, CardRow.box.is_not(None))
        .group_by(OrganisationRow.code)
    )
    return {OrganisationCode(code): count for code, count in rows}


def put_in_boxes(
    session: Session, cards: Sequence[tuple[BatchLine, int]], *, account: str, at: datetime
) -> None:
    """Say in which box each card lies."""
    boxes: dict[int, list[CardReference]] = {}
    for line, box in cards:
        if line.reference is not None:
            boxes.setdefault(box, []).append(line.reference)
    for box, references in boxes.items():
        _update(session, references, {"box": box})
        _journal(session, "packed", references, account=account, at=at, detail=f"box {box}")


def keep_received(
    session: Session, lines: Iterable[BatchLine], *, account: str, at: datetime
) -> None:
    """Say of these cards that their receiver has them."""
    references = [line.reference for line in lines if line.reference is not None]
    _update(session, references, {"received_at": at})
    _journal(session, "received-by-committee", references, account=account, at=at)


def keep_acknowledgement(
    session: Session,
    reference: CardReference,
    acknowledgement: Acknowledgement,
    *,
    account: str,
    at: datetime,
) -> None:
    """Keep who signed for a card."""
    insert_rows(
        session,
        AcknowledgementRow,
        [
            {
                "reference": reference,
                "kind": acknowledgement.kind.value,
                "minutes": acknowledgement.minutes,
                "account": account,
                "at": at,
            }
        ],
    )


def acknowledged(
    session: Session, references: Collection[CardReference]
) -> dict[CardReference, Acknowledgement]:
    """Who signed for these cards."""
    return {
        CardReference(row.reference): Acknowledgement(
            kind=AcknowledgementKind(row.kind), minutes=row.minutes
        )
        for part in _parts(sorted(set(references)))
        for row in session.scalars(
            sa.select(AcknowledgementRow).where(AcknowledgementRow.reference.in_(part))
        )
    }


def _lock_cards(session: Session, batch_id: BatchId) -> None:
    session.execute(
        sa.select(CardRow.reference)
        .where(CardRow.batch_id == batch_id)
        .order_by(CardRow.reference)
        .with_for_update()
    ).all()


def _update(
    session: Session, references: Collection[CardReference], values: Mapping[str, object]
) -> None:
    try:
        for part in _parts(sorted(references)):
            session.connection().execute(
                sa.update(CardRow).where(CardRow.reference.in_(part)).values(**values)
            )
    except DATABASE_FAILURES as error:
        raise database_error(error) from error


def _journal(
    session: Session,
    kind: str,
    references: Collection[CardReference],
    *,
    account: str,
    at: datetime,
    detail: str | None = None,
) -> None:
    for part in _parts(sorted(references)):
        serials = session.execute(
            sa.select(CardRow.reference, CardRow.serial).where(CardRow.reference.in_(part))
        ).all()
        bulk_insert(
            session,
            CardEventRow,
            [
                {
                    "at": at,
                    "kind": kind,
                    "serial": serial,
                    "reference": reference,
                    "account": account,
                    "detail": detail,
                }
                for reference, serial in serials
            ],
        )


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _LOOKUP_SIZE):
        yield values[start : start + _LOOKUP_SIZE]
