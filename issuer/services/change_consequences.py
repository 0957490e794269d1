"""What a change of a member means for their cards and open request: told before it is stored, and after."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date

from issuer.domain.card import Card, CardState
from issuer.domain.card_number import CardNumber
from issuer.domain.card_validity import CardValidity, EndReason, apply
from issuer.domain.eligibility import (
    STANDINGS_WITH_CARD,
    Asking,
    EligibilityFinding,
    findings,
)
from issuer.domain.member import Member
from issuer.domain.member_rules import MemberColumn
from issuer.domain.requests import CardRequest
from issuer.domain.rights import AccountName
from issuer.services.card_validity_ports import CardRecord
from issuer.services.follow_members import BORNE_BY_CARDS, steps_of
from issuer.services.register_ports import RegisterTransaction

__all__ = ["CardConsequence", "Consequences", "RequestConsequence", "consequences_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardConsequence:
    """One card that has not ended, before and after.

    Attributes:
        card: the card.
        number: that it bears; ``None`` where its request has none.
        before: what it counts as, and why.
        after: likewise, with the change.
        must_be_condemned: two people froze what it is to say, and the member is not so any more: it is not made.
    """

    card: Card
    number: CardNumber | None
    before: CardValidity
    after: CardValidity
    must_be_condemned: bool = False

    @property
    def becomes_stale(self) -> bool:
        """Whether the card says something else than the register by this change."""
        return self.after.is_stale and not self.before.is_stale

    @property
    def opened_report(self) -> EndReason | None:
        """For which reason the card is to end as soon as another person confirms it, by this change."""
        return None if self.before.report is not None else self.after.report

    @property
    def is_touched(self) -> bool:
        """Whether the change makes any difference to it."""
        return self.must_be_condemned or self.before != self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestConsequence:
    """One open request, with the rules that it breaks by the change and did not break before."""

    request: CardRequest
    findings: tuple[EligibilityFinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What becomes of the member's cards that have not ended, and of their open request."""

    cards: tuple[CardConsequence, ...]
    request: RequestConsequence | None


def consequences_of(
    transaction: RegisterTransaction,
    before: Member,
    after: Member,
    changed: Collection[MemberColumn],
    *,
    account: AccountName,
    today: date,
) -> Consequences:
    """What the change means; to be asked for before the change is stored.

    Args:
        transaction: in which the member is as ``before`` says.
        before: the member as they are.
        after: as they will be.
        changed: which columns have another value then.
        account: by whose word.
        today: on which day the rules of requests are judged.
    """
    records = [
        each
        for each in transaction.cards.of_member(before.member_id)
        if each.validity.end is None and each.card.state is not CardState.CONDEMNED
    ]
    asked_by = transaction.requests.known([each.card.request_id for each in records])
    return Consequences(
        cards=tuple(
            CardConsequence(
                card=record.card,
                number=asked_by[record.card.request_id].card_number,
                before=record.validity,
                after=_followed(record, after, changed, account),
                must_be_condemned=_is_frozen_otherwise(record, after, changed),
            )
            for record in records
        ),
        request=_request(transaction, before, after, today),
    )


def _followed(
    record: CardRecord, after: Member, changed: Collection[MemberColumn], account: AccountName
) -> CardValidity:
    validity = record.validity
    for step in steps_of(record, after.statement.standing, changed, account=account):
        validity = apply(validity, step)
    return validity


def _is_frozen_otherwise(
    record: CardRecord, after: Member, changed: Collection[MemberColumn]
) -> bool:
    if record.bears_data or record.card.batch_id is None:
        return False
    is_barred = after.statement.standing not in STANDINGS_WITH_CARD
    return is_barred or not BORNE_BY_CARDS.isdisjoint(changed)


def _request(
    transaction: RegisterTransaction, before: Member, after: Member, today: date
) -> RequestConsequence | None:
    known = transaction.requests.candidates([before.member_id])[before.member_id]
    if known.live_request is None:
        return None
    request = transaction.requests.get(known.live_request)
    then = replace(
        known,
        organisation_code=after.statement.organisation_code,
        standing=after.statement.standing,
        recognised_on=after.statement.recognition_date,
        portrait=after.portrait,
    )
    asking = Asking(
        kind=request.kind,
        today=today,
        request_id=request.request_id,
        organisation_code=request.organisation_code,
    )
    broken = {each.code for each in findings(known, asking)}
    return RequestConsequence(
        request=request,
        findings=tuple(each for each in findings(then, asking) if each.code not in broken),
    )
