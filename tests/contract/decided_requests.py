"""Decided requests without the way to them, for tests that begin where cards are made."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import (
    CardRequest,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestKind,
    RequestState,
)
from issuer.domain.rights import AccountName
from issuer.services.register_ports import RegisterTransaction
from issuer.services.request_ports import RequestStep

__all__ = ["decide_for", "request_of"]


def request_of(member_id: MemberId) -> RequestId:
    """The request that ``decide_for`` makes for a member."""
    return RequestId(uuid.UUID(int=member_id.int + (1 << 64)))


def decide_for(
    transaction: RegisterTransaction,
    member_ids: Iterable[MemberId],
    *,
    organisation: OrganisationCode,
    at: datetime,
) -> None:
    """A decided request for a new issue for each of these members, with a number of their own."""
    event = RequestEvent(at=at, account=AccountName("decider"), kind=RequestEventKind.DECIDED)
    transaction.requests.add(
        [
            RequestStep(
                request=CardRequest(
                    request_id=request_of(member_id),
                    member_id=member_id,
                    organisation_code=organisation,
                    kind=RequestKind.NEW_ISSUE,
                    ordinal=1,
                    state=RequestState.DECIDED,
                    version=6,
                    created_at=at,
                    card_number=CardNumber(f"01{member_id.int % 1_000_000:06}"),
                ),
                event=event,
            )
            for member_id in member_ids
        ]
    )
