"""Handing over a card, within a transaction: what everything that depends on it hangs on."""

from datetime import datetime

from sqlalchemy.orm import Session

from issuer.db.production_rows import Producer, locked_card, move_card
from issuer.db.production_tables import CardRow
from issuer.db.requests import fulfil_request
from issuer.domain.card import CardEvent, CardReference
from issuer.domain.requests import RequestId
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError

__all__ = ["hand_over_row"]


def hand_over_row(
    session: Session, reference: CardReference, *, to: str, account: AccountName, at: datetime
) -> CardRow:
    """The card goes to its receiver, by whose word; its request is fulfilled.

    Raises:
        IssuerRefusedError: there is no such card (``card.unknown``); it is a batch's and quality control has not
            passed it (``card.not-passed``).
        TransitionError: it is not *issued*.
    """
    card = locked_card(session, reference)
    if card.batch_id is not None and card.passed_by is None:
        raise IssuerRefusedError(
            f"card {reference.hex()} was not passed by quality control", code="card.not-passed"
        )
    move_card(session, card, CardEvent.HANDED_OVER, at, by=Producer(account=account))
    card.handed_over_at = at
    card.handed_over_to = to
    fulfil_request(session, RequestId(card.request_id), account=account, at=at)
    return card
