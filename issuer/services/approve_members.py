"""Use case: record the deciding committee's approval, after which a card may be made."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.card_number import CardNumber
from issuer.domain.member import Approval, Member, MemberId, MemberState
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.register_ports import PagePosition, PortraitStore, Register

__all__ = ["ApprovalOutcome", "MemberApproval"]

_BY_BYTES = 200
_APPROVED_ALREADY = "member.approved-already"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOutcome:
    """One member and what became of the approval: ``code`` is ``None`` where it was recorded."""

    member_id: MemberId
    card_number: CardNumber
    code: str | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberApproval:
    """Everything that an approval needs from the world; ``clock`` gives aware UTC."""

    register: Register
    store: PortraitStore
    clock: Callable[[], datetime]
    chunk_rows: int = 200

    def approve_all(self, *, by: str) -> Iterator[ApprovalOutcome]:
        """Approve every member that is recorded and not approved, in chunks of one transaction each.

        Raises:
            IssuerDataError: ``by`` does not name a body (``approval.by``).
        """
        decider = _decider(by)
        behind: PagePosition | None = None
        while True:
            with self.register.reading() as transaction:
                page = transaction.members.page(
                    limit=self.chunk_rows, behind=behind, state=MemberState.RECORDED
                )
            yield from self._approve(page.members, decider)
            if page.end is None:
                return
            behind = page.end

    def approve(self, card_numbers: Sequence[CardNumber], *, by: str) -> Iterator[ApprovalOutcome]:
        """Approve these members; whoever is approved already stays so, and is reported as refused.

        Raises:
            IssuerDataError: ``by`` does not name a body (``approval.by``).
            IssuerRefusedError: no member has one of these numbers (``member.unknown``); nobody was approved.
        """
        decider = _decider(by)
        members: list[Member] = []
        with self.register.reading() as transaction:
            for card_number in card_numbers:
                member = transaction.members.find_by_card_number(card_number)
                if member is None:
                    raise IssuerRefusedError(
                        f"no member has card number {card_number}", code="member.unknown"
                    )
                members.append(member)
        yield from self._approve(members, decider)

    def _approve(self, members: Sequence[Member], by: str) -> list[ApprovalOutcome]:
        outcomes: list[ApprovalOutcome] = []
        ready: list[Member] = []
        for member in members:
            try:
                self._judge(member)
            except IssuerRefusedError as error:
                outcomes.append(_outcome(member, error.code, str(error)))
            else:
                ready.append(member)
        with self.register.writing() as transaction:
            approved = transaction.members.approve(
                [member.member_id for member in ready], Approval(by=by, at=self.clock())
            )
        for member in ready:
            if member.member_id in approved:
                outcomes.append(_outcome(member, None, ""))
            else:
                # Somebody else approved the member since the page was read.
                outcomes.append(
                    _outcome(member, _APPROVED_ALREADY, "the member is approved already")
                )
        return outcomes

    def _judge(self, member: Member) -> None:
        """What the import found may have been lost since: a card needs its portrait."""
        if member.approval is not None:
            raise IssuerRefusedError("the member is approved already", code=_APPROVED_ALREADY)
        self.store.get(member.portrait)


def _decider(by: str) -> str:
    try:
        return clean_text(by, max_bytes=_BY_BYTES)
    except IssuerDataError as error:
        raise IssuerDataError(f"the deciding body: {error}", code="approval.by") from error


def _outcome(member: Member, code: str | None, sentence: str) -> ApprovalOutcome:
    return ApprovalOutcome(
        member_id=member.member_id,
        card_number=member.statement.card_number,
        code=code,
        sentence=sentence,
    )
