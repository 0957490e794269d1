"""Rows of batches and domain values."""

from typing import Any

import sqlalchemy as sa

from issuer.db.batch_tables import BatchEventRow, BatchRequestRow, BatchRow
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_tables import CardRow
from issuer.db.request_tables import RequestRow
from issuer.domain.batch import (
    Batch,
    BatchEvent,
    BatchEventKind,
    BatchId,
    BatchState,
    FreezeProposal,
)
from issuer.domain.card import CardReference, CardState
from issuer.domain.card_number import CardNumber
from issuer.domain.card_validity import EndReason
from issuer.domain.chip import Serial
from issuer.domain.decisions import DecisionId
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId
from issuer.domain.rights import AccountName
from issuer.services.batch_ports import BatchLine

__all__ = ["SELECT_BATCHES", "SELECT_LINES", "batch_of", "batch_values", "event_of", "line_of"]

SELECT_BATCHES = sa.select(BatchRow, OrganisationRow.code).join(
    OrganisationRow, BatchRow.receiver_id == OrganisationRow.id
)

SELECT_LINES = (
    sa.select(
        BatchRequestRow,
        RequestRow.member_id,
        RequestRow.card_number,
        OrganisationRow.code,
        CardRow,
    )
    .join(RequestRow, RequestRow.id == BatchRequestRow.request_id)
    .join(MemberRow, MemberRow.id == RequestRow.member_id)
    .join(OrganisationRow, OrganisationRow.id == MemberRow.organisation_id)
    .outerjoin(
        CardRow,
        (CardRow.request_id == BatchRequestRow.request_id)
        & (CardRow.batch_id == BatchRequestRow.batch_id),
    )
)


def batch_of(row: BatchRow, receiver: str) -> Batch:
    """The row as a value."""
    proposal = None
    if (
        row.proof is not None
        and row.cards is not None
        and row.proposed_by is not None
        and row.proposed_at is not None
    ):
        proposal = FreezeProposal(
            proof=row.proof,
            cards=row.cards,
            proposed_by=AccountName(row.proposed_by),
            proposed_at=row.proposed_at,
            confirmed_by=None if row.confirmed_by is None else AccountName(row.confirmed_by),
            confirmed_at=row.confirmed_at,
        )
    return Batch(
        batch_id=BatchId(row.id),
        receiver=OrganisationCode(receiver),
        decision_id=DecisionId(row.decision_id),
        follow_up_of=None if row.follow_up_of is None else BatchId(row.follow_up_of),
        state=BatchState(row.state),
        version=row.version,
        created_by=AccountName(row.created_by),
        created_at=row.created_at,
        proposal=proposal,
        carrier=row.carrier,
    )


def batch_values(batch: Batch) -> dict[str, Any]:
    """What changes of a batch, by column."""
    proposal = batch.proposal
    return {
        "state": batch.state.value,
        "version": batch.version,
        "proof": None if proposal is None else proposal.proof,
        "cards": None if proposal is None else proposal.cards,
        "proposed_by": None if proposal is None else proposal.proposed_by,
        "proposed_at": None if proposal is None else proposal.proposed_at,
        "confirmed_by": None if proposal is None else proposal.confirmed_by,
        "confirmed_at": None if proposal is None else proposal.confirmed_at,
        "carrier": batch.carrier,
    }


def event_of(row: BatchEventRow) -> BatchEvent:
    """The row as a value."""
    return BatchEvent(
        at=row.at,
        account=AccountName(row.account),
        kind=BatchEventKind(row.kind),
        count=row.count,
    )


def line_of(found: Any) -> BatchLine:
    """One row of ``SELECT_LINES`` as a value."""
    held, member_id, card_number, organisation, card = found
    line = BatchLine(
        position=held.position,
        request_id=RequestId(held.request_id),
        member_id=MemberId(member_id),
        organisation=OrganisationCode(organisation),
        card_number=CardNumber(card_number),
        line_digest=held.line_digest,
        is_live=held.is_live,
    )
    if card is None:
        return line
    return BatchLine(
        position=line.position,
        request_id=line.request_id,
        member_id=line.member_id,
        organisation=line.organisation,
        card_number=line.card_number,
        line_digest=line.line_digest,
        is_live=line.is_live,
        reference=CardReference(card.reference),
        serial=Serial(card.serial),
        state=CardState(card.state),
        condemned_for=card.condemned_for,
        produced_by=card.produced_by,
        passed_by=card.passed_by,
        box=card.box,
        received_at=card.received_at,
        handed_over_at=card.handed_over_at,
        handed_over_to=card.handed_over_to,
        ended_for=None if card.ended_for is None else EndReason(card.ended_for),
        report=None if card.report is None else EndReason(card.report),
    )
