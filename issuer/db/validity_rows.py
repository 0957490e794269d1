"""The columns of a card that its validity rests on, and the one way in which they move."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.audit import SqlAuditTrail
from issuer.db.card_change_tables import CardChangeRow
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_tables import CardRow
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.card import CardState
from issuer.domain.card_validity import (
    CardValidity,
    EndReason,
    ValidityEvent,
    ValidityStep,
    apply,
)
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName

__all__ = ["take_step", "validity_of"]


def take_step(
    session: Session,
    row: CardRow,
    step: ValidityStep,
    *,
    at: datetime,
    remark: str = "",
    organisation: OrganisationCode | None = None,
    trail: SqlAuditTrail | None = None,
) -> None:
    """Take one step with a locked row; see ``CardValidityRepository.take``.

    ``organisation`` is where the card's member is recorded, for whoever knows it already; ``trail`` takes the records
    of many steps together.

    Raises:
        IssuerRefusedError: as ``issuer.domain.card_validity.apply``.
    """
    before = validity_of(row)
    after = apply(before, step)
    if after == before:
        return
    row.counts_as = after.state.value
    row.ended_for = None if after.end is None else after.end.value
    row.report = None if after.report is None else after.report.value
    row.reported_by = after.reported_by
    row.is_suspended = after.is_suspended
    row.is_member_barred = after.is_member_barred
    row.is_collected = after.is_collected
    row.is_stale = after.is_stale
    is_judged = step.event in (ValidityEvent.CONFIRMED, ValidityEvent.REJECTED)
    reason = before.report if is_judged else step.reason
    session.add(
        CardChangeRow(
            reference=row.reference,
            at=at,
            account=step.account,
            event=step.event.value,
            reason=None if reason is None else reason.value,
            before=before.state.value,
            after=after.state.value,
            remark=remark,
        )
    )
    (trail or SqlAuditTrail(session)).append(
        AuditRecord(
            at=at,
            account=step.account,
            action=f"card.{step.event}",
            subject=AuditSubject.CARD,
            subject_id=row.reference.hex(),
            organisation=organisation or _organisation(session, row),
            details={
                "reason": None if reason is None else reason.value,
                "before": before.state.label,
                "after": after.state.label,
            },
        )
    )


def validity_of(row: CardRow) -> CardValidity:
    """What the columns say."""
    return CardValidity(
        is_handed_over=row.state == CardState.HANDED_OVER.value,
        end=None if row.ended_for is None else EndReason(row.ended_for),
        report=None if row.report is None else EndReason(row.report),
        reported_by=None if row.reported_by is None else AccountName(row.reported_by),
        is_suspended=row.is_suspended,
        is_member_barred=row.is_member_barred,
        is_collected=row.is_collected,
        is_stale=row.is_stale,
    )


def _organisation(session: Session, row: CardRow) -> OrganisationCode:
    return OrganisationCode(
        session.scalars(
            sa.select(OrganisationRow.code)
            .join(MemberRow, MemberRow.organisation_id == OrganisationRow.id)
            .where(MemberRow.id == row.member_id)
        ).one()
    )
