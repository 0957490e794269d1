"""What a change of a member means for the cards that they have: in the same transaction, at once.

A card bears what the register said when it was signed. Where the register says something else, the card is genuine and
its data are stale; where the member may not use it any more, it counts for nothing; and where they never will again, a
second person makes that final.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from issuer.domain.card import CardState
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.member import MemberId, Standing
from issuer.domain.member_rules import MemberColumn
from issuer.domain.rights import AccountName
from issuer.services.card_validity_ports import CardRecord, CardValidityRepository

__all__ = ["BORNE_BY_CARDS", "follow_member", "steps_of"]

BORNE_BY_CARDS: Final = frozenset(
    {
        MemberColumn.RECORD_NUMBER,
        MemberColumn.CITIZEN_NUMBER,
        MemberColumn.FULL_NAME,
        MemberColumn.PRIMARY_NAME,
        MemberColumn.SECONDARY_NAME,
        MemberColumn.BIRTH_DATE,
        MemberColumn.SEX,
        MemberColumn.PLACE_OF_BIRTH,
        MemberColumn.HOME_TOWN,
        MemberColumn.ETHNIC_GROUP,
        MemberColumn.ADMISSION_DATE,
        MemberColumn.RECOGNITION_DATE,
        MemberColumn.ORGANISATION_CODE,
        MemberColumn.PORTRAIT,
    }
)
"""The columns whose values a card bears (SPEC.md, 3.10)."""

_ENDS: Final[Mapping[Standing, EndReason]] = MappingProxyType(
    {
        Standing.DECEASED: EndReason.MEMBER_DECEASED,
        Standing.EXPELLED: EndReason.MEMBER_EXPELLED,
        Standing.STRUCK_OFF: EndReason.MEMBER_STRUCK_OFF,
    }
)


def follow_member(
    cards: CardValidityRepository,
    member_id: MemberId,
    standing: Standing,
    changed: Collection[MemberColumn],
    *,
    account: AccountName,
    at: datetime,
) -> None:
    """Let the member's cards follow a change of the member.

    Args:
        cards: the cards, in the transaction of the change.
        member_id: whose.
        standing: what the member is now.
        changed: which columns have another value now.
        account: by whose word.
        at: when (aware UTC).
    """
    for record in cards.of_member(member_id, lock=True):
        for step in steps_of(record, standing, changed, account=account):
            cards.take(record.card.reference, step, at=at)


def steps_of(
    record: CardRecord,
    standing: Standing,
    changed: Collection[MemberColumn],
    *,
    account: AccountName,
) -> tuple[ValidityStep, ...]:
    """The steps that one card takes when its member changes; none where it has ended or was condemned.

    Args:
        record: the card as it is.
        standing: what the member is then.
        changed: which columns have another value then.
        account: by whose word.
    """
    if record.validity.end is not None or record.card.state is CardState.CONDEMNED:
        return ()
    steps: list[ValidityStep] = []
    has_left = standing is Standing.TRANSFERRED and MemberColumn.STANDING in changed
    if (has_left or not BORNE_BY_CARDS.isdisjoint(changed)) and record.bears_data:
        steps.append(ValidityStep(event=ValidityEvent.DATA_CHANGED, account=account))
    if MemberColumn.STANDING not in changed:
        return tuple(steps)
    end = _ENDS.get(standing)
    if end is None and standing is not Standing.SUSPENDED:
        return (*steps, ValidityStep(event=ValidityEvent.MEMBER_RESTORED, account=account))
    steps.append(ValidityStep(event=ValidityEvent.MEMBER_BARRED, account=account))
    if end is not None and record.validity.report is None:
        steps.append(ValidityStep(event=ValidityEvent.REPORTED, account=account, reason=end))
    return tuple(steps)
