"""How far a batch has come through what happened to its cards, in the transaction in which it happened.

Whoever changes cards locks them before their batch, and the batch before the audit trail: nobody waits in a circle.
"""

import uuid
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.audit import SqlAuditTrail
from issuer.db.base import insert_rows
from issuer.db.batch_tables import BatchEventRow, BatchRequestRow, BatchRow
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_tables import CardRow
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.batch import (
    BATCH_TRANSITIONS,
    BatchEventKind,
    BatchId,
    BatchState,
    BatchTally,
)
from issuer.domain.card import CardState
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName

__all__ = ["begin_production", "settle_batch", "settle_ended", "tallies_of"]


def tallies_of(session: Session, batch_ids: Collection[BatchId]) -> dict[BatchId, BatchTally]:
    """How many requests and cards of each batch are where."""
    held = dict(
        session.execute(
            sa.select(BatchRequestRow.batch_id, sa.func.count())
            .where(BatchRequestRow.batch_id.in_(batch_ids), BatchRequestRow.is_live)
            .group_by(BatchRequestRow.batch_id)
        ).all()
    )
    found: dict[uuid.UUID | None, dict[str, int]] = {each: {} for each in batch_ids}
    is_passed = CardRow.passed_by.is_not(None)
    has_ended = CardRow.ended_for.is_not(None)
    rows = session.execute(
        sa.select(
            CardRow.batch_id,
            CardRow.state,
            is_passed,
            CardRow.box.is_not(None),
            CardRow.received_at.is_not(None),
            has_ended,
            sa.func.count(),
        )
        .where(CardRow.batch_id.in_(batch_ids))
        .group_by(
            CardRow.batch_id,
            CardRow.state,
            is_passed,
            CardRow.box.is_not(None),
            CardRow.received_at.is_not(None),
            has_ended,
        )
    )
    for batch_id, state, passed, boxed, received, ended, count in rows:
        names = [_place_of(CardState(state), is_passed=bool(passed), has_ended=bool(ended))]
        if names != ["condemned"]:
            names += [name for name, holds in (("boxed", boxed), ("received", received)) if holds]
        if names == ["passed"]:
            names.append("left_out")
        for name in names:
            found[batch_id][name] = found[batch_id].get(name, 0) + count
    return {
        BatchId(each): BatchTally(requests=held.get(each, 0), **found[each]) for each in batch_ids
    }


def settle_batch(session: Session, batch_id: uuid.UUID, *, account: str, at: datetime) -> None:
    """Let the batch go on where its cards have come so far; its cards are locked already."""
    session.flush()
    while True:
        row = session.get(BatchRow, batch_id, with_for_update=True, populate_existing=True)
        if row is None:
            return
        tally = tallies_of(session, [BatchId(batch_id)])[BatchId(batch_id)]
        kind = tally.next_event(BatchState(row.state))
        if kind is None:
            return
        _move(session, row, kind, account=account, at=at, count=tally.good or tally.signed)


def settle_ended(session: Session, batch_id: uuid.UUID, *, account: str, at: datetime) -> None:
    """As ``settle_batch``, where a card of the batch has ended; it may be one of many, so others are looked for first."""
    session.flush()
    state = session.scalar(sa.select(BatchRow.state).where(BatchRow.id == batch_id))
    is_issued = CardRow.state == CardState.ISSUED.value
    if state == BatchState.RECEIVED.value:
        still_to_go = is_issued & CardRow.passed_by.is_not(None)
    else:
        finished = [CardState.CONDEMNED.value, CardState.HANDED_OVER.value]
        still_to_go = CardRow.state.not_in(finished) & ~(is_issued & CardRow.passed_by.is_not(None))
    waits = sa.exists().where(
        CardRow.batch_id == batch_id, CardRow.ended_for.is_(None), still_to_go
    )
    if not session.scalar(sa.select(waits)):
        settle_batch(session, batch_id, account=account, at=at)


def begin_production(session: Session, batch_id: uuid.UUID, *, account: str, at: datetime) -> None:
    """The first card of a signed batch is under a station's hands."""
    state = session.scalar(sa.select(BatchRow.state).where(BatchRow.id == batch_id))
    if state != BatchState.SIGNED.value:
        return
    row = session.get(BatchRow, batch_id, with_for_update=True, populate_existing=True)
    if row is not None and row.state == BatchState.SIGNED.value:
        _move(session, row, BatchEventKind.PRODUCTION_BEGUN, account=account, at=at, count=None)


def _move(
    session: Session,
    row: BatchRow,
    kind: BatchEventKind,
    *,
    account: str,
    at: datetime,
    count: int | None,
) -> None:
    row.state = BATCH_TRANSITIONS[BatchState(row.state), kind].value
    row.version += 1
    session.flush()
    insert_rows(
        session,
        BatchEventRow,
        [{"batch_id": row.id, "at": at, "account": account, "kind": kind.value, "count": count}],
    )
    receiver = session.scalar(
        sa.select(OrganisationRow.code).where(OrganisationRow.id == row.receiver_id)
    )
    SqlAuditTrail(session).append(
        AuditRecord(
            at=at,
            account=AccountName(account),
            action=f"batch.{kind.value}",
            subject=AuditSubject.BATCH,
            subject_id=row.id.hex,
            organisation=None if receiver is None else OrganisationCode(receiver),
            details={} if count is None else {"cards": count},
        )
    )


def _place_of(state: CardState, *, is_passed: bool, has_ended: bool) -> str:
    if state is CardState.BOUND:
        return "bound"
    if state is CardState.CONDEMNED:
        return "condemned"
    if state is CardState.HANDED_OVER:
        return "handed_over"
    if state is CardState.ISSUED:
        if has_ended:
            return "ended"
        return "passed" if is_passed else "issued"
    return "signed"
