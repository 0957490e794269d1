"""What a change of a member means for the cards that they have: in the same transaction, at once.

A card bears what the register said when it was signed. Where the register says something else, the card is genuine and
its data are stale; where the member may not use it any more, it counts for nothing; and where they never will again, a
second person makes that final.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from issuer.domain.card import CardState
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.member import MemberId, Standing
from issuer.domain.member_rules import MemberColumn
from issuer.domain.rights import AccountName
from issuer.services.card_validity_ports import CardRecord, CardValidityRepository

__all__ = ["BORNE_BY_CARDS", "follow_member"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Follower:
    cards: CardValidityRepository
    account: AccountName
    at: datetime

    def take(
        self, record: CardRecord, event: ValidityEvent, reason: EndReason | None = None
    ) -> None:
        step = ValidityStep(event=event, account=self.account, reason=reason)
        self.cards.take(record.card.reference, step, at=self.at)


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
    follower = _Follower(cards=cards, account=account, at=at)
    has_left = standing is Standing.TRANSFERRED and MemberColumn.STANDING in changed
    for record in cards.of_member(member_id, lock=True):
        if record.validity.end is not None or record.card.state is CardState.CONDEMNED:
            continue
        if (has_left or not BORNE_BY_CARDS.isdisjoint(changed)) and record.bears_data:
            follower.take(record, ValidityEvent.DATA_CHANGED)
        if MemberColumn.STANDING in changed:
            _follow_standing(follower, record, standing)


def _follow_standing(follower: _Follower, record: CardRecord, standing: Standing) -> None:
    end = _ENDS.get(standing)
    if end is None and standing is not Standing.SUSPENDED:
        follower.take(record, ValidityEvent.MEMBER_RESTORED)
        return
    follower.take(record, ValidityEvent.MEMBER_BARRED)
    if end is not None and record.validity.report is None:
        follower.take(record, ValidityEvent.REPORTED, end)
