"""Rows of requests as values, and values as rows."""

import uuid
from collections.abc import Sequence

from issuer.db.member_rows import MemberRow
from issuer.db.request_tables import RequestRow
from issuer.domain.card_number import CardNumber
from issuer.domain.eligibility import Candidate
from issuer.domain.member import MemberId, PortraitDigest, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import (
    CardRequest,
    ReissueReason,
    RequestId,
    RequestKind,
    RequestState,
)
from issuer.services.request_ports import RequestStep

__all__ = ["candidate_of", "event_values", "request_of", "request_values"]


def candidate_of(
    row: MemberRow,
    code: str,
    *,
    live: uuid.UUID | None,
    earlier: Sequence[str],
    open_doubts: int,
) -> Candidate:
    """A member as far as the rules of eligibility need to know them."""
    # The cards of decisions here are younger than the one that the member held when they were recorded.
    numbers = [*earlier, *([row.earlier_card_number] if row.earlier_card_number else [])]
    return Candidate(
        member_id=MemberId(row.id),
        organisation_code=OrganisationCode(code),
        standing=Standing(row.standing),
        recognised_on=row.recognition_date,
        portrait=PortraitDigest(row.portrait),
        held_card_number=CardNumber(numbers[0]) if numbers else None,
        cards_before=len(numbers),
        open_doubts=open_doubts,
        live_request=None if live is None else RequestId(live),
    )


def request_of(row: RequestRow, code: str) -> CardRequest:
    """The request of a row; ``code`` is that of its organisation."""
    return CardRequest(
        request_id=RequestId(row.id),
        member_id=MemberId(row.member_id),
        organisation_code=OrganisationCode(code),
        kind=RequestKind(row.kind),
        reason=None if row.reason is None else ReissueReason(row.reason),
        ordinal=row.ordinal,
        state=RequestState(row.state),
        version=row.version,
        created_at=row.created_at,
        card_number=None if row.card_number is None else CardNumber(row.card_number),
        held_by=row.held_by,
    )


def request_values(request: CardRequest, organisation_id: uuid.UUID) -> dict[str, object]:
    """The row of a new request."""
    return {
        "id": request.request_id,
        "member_id": request.member_id,
        "organisation_id": organisation_id,
        "kind": request.kind.value,
        "reason": None if request.reason is None else request.reason.value,
        "ordinal": request.ordinal,
        "state": request.state.value,
        "version": request.version,
        "created_at": request.created_at,
        "card_number": request.card_number,
        "held_by": request.held_by,
    }


def event_values(step: RequestStep) -> dict[str, object]:
    """The row of a step in a time line."""
    return {
        "request_id": step.request.request_id,
        "at": step.event.at,
        "account": step.event.account,
        "kind": step.event.kind.value,
        "remark": step.event.remark,
    }
