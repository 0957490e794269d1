"""The rights of the people in the register (Law 91/2025/QH15, Decree 356/2025): what may be disclosed, deleted, kept.

A record of the register is deleted when the membership that it is about has ended, when it should never have been made, or
when an authority orders it; by the word of two people, since it cannot be undone. What is deleted is whatever tells who the person was. What stays is what others rely on: the
register of cards, the decisions, the audit trail, all of which name a number drawn at random; and digests under a secret
key, so that no number that was printed on a card is given to anybody else.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from issuer.domain.card import Card, CardState
from issuer.domain.member import MemberId, MemberStatement, Standing
from issuer.domain.member_change import EvidenceDigest
from issuer.domain.rights import AccountName, two_different_people
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = [
    "KEPT_BECAUSE",
    "DeletionGround",
    "DeletionProposal",
    "Disclosure",
    "DisclosureGround",
    "Erasure",
    "FileStore",
    "FileToDestroy",
    "KeptItem",
    "RetiredNumber",
    "check_deletion",
    "numbers_to_retire",
    "parse_recipient",
    "parse_reference",
    "require_evidence",
]

_TEXT_BYTES: Final = 200


class DisclosureGround(enum.StrEnum):
    """Why somebody was given a person's data."""

    ASKED_BY_THE_PERSON = "asked-by-the-person"
    CONSENT = "consent"
    LEGAL_DUTY = "legal-duty"
    ORDERED_BY_AUTHORITY = "ordered-by-authority"
    TRANSFER_OF_THE_RECORD = "transfer-of-the-record"
    INSPECTION = "inspection"


class DeletionGround(enum.StrEnum):
    """Why a person's record is deleted."""

    MEMBERSHIP_ENDED = "membership-ended"
    RECORDED_IN_ERROR = "recorded-in-error"
    ORDERED_BY_AUTHORITY = "ordered-by-authority"


class KeptItem(enum.StrEnum):
    """What stays when a record is deleted."""

    IDENTIFIER = "identifier"
    ORGANISATION = "organisation"
    CARD_REGISTER = "card-register"
    NUMBER_DIGESTS = "number-digests"
    DISCLOSURES = "disclosures"
    AUDIT_TRAIL = "audit-trail"


KEPT_BECAUSE: Final = {
    KeptItem.IDENTIFIER: "a number drawn at random, by which the other records hang together; it tells nothing about the person",
    KeptItem.ORGANISATION: "the committee that answers for what was done; it tells nothing about the person alone",
    KeptItem.CARD_REGISTER: "the committee must account for every card: chip, dates and place in the status list, without a name",
    KeptItem.NUMBER_DIGESTS: "no number that was given once may be given again: card numbers that this register gave out stay beside the identifier; of others there are digests under a secret key, which cannot be read back",
    KeptItem.DISCLOSURES: "who was given the data must stay provable after its deletion",
    KeptItem.AUDIT_TRAIL: "who did what must stay provable; it holds identifiers and digests, and no name",
}
"""What is told to the person about what is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """Somebody outside was given somebody's data.

    Attributes:
        member_id: whose.
        at: when (aware UTC).
        account: who gave it.
        recipient: the office or body that was given it, or ``the person`` themselves.
        ground: on what ground.
        reference: the paper that it rests on, such as a letter's number.
        what: which part of the data, in a few words.
    """

    member_id: MemberId
    at: datetime
    account: AccountName
    recipient: str
    ground: DisclosureGround
    reference: str
    what: str


class FileStore(enum.StrEnum):
    """Where files about people lie."""

    PORTRAITS = "portraits"
    EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToDestroy:
    """A file about somebody whose record was deleted, by its digest."""

    store: FileStore
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredNumber:
    """A number that was a deleted member's, of a certain kind."""

    kind: str
    number: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A record was deleted.

    Attributes:
        member_id: whose it was.
        at: when (aware UTC).
        account: who confirmed that it is deleted, which deletes it.
        proposed_by: who proposed it; ``None`` where one person alone deleted it, as could be done before.
        ground: on what ground.
        reference: the paper that it rests on.
        evidence: that paper's digest, where it was brought; the file itself is destroyed with the record.
        digest: SHA-256 over a salt, which only the proof holds, and all that was destroyed.
    """

    member_id: MemberId
    at: datetime
    account: AccountName
    proposed_by: AccountName | None
    ground: DeletionGround
    reference: str
    evidence: EvidenceDigest | None
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionProposal:
    """Somebody wants a record to be deleted; until another person confirms it nothing is.

    Attributes:
        member_id: whose record.
        ground: on what ground.
        reference: the paper that it rests on.
        evidence: that paper; an authority's order is always brought.
        proposed_by: who wants it.
        proposed_at: since when (aware UTC).
    """

    member_id: MemberId
    ground: DeletionGround
    reference: str
    evidence: EvidenceDigest | None
    proposed_by: AccountName
    proposed_at: datetime

    def require_confirmable(self, account: AccountName) -> None:
        """Somebody else confirms it.

        Raises:
            IssuerRefusedError: ``right.same-person``.
        """
        two_different_people(self.proposed_by, account, act="to delete a record")


def require_evidence(ground: DeletionGround, evidence: bytes | None) -> None:
    """What an authority ordered is shown by its order.

    Raises:
        IssuerRefusedError: ``subject.order-missing``.
    """
    if ground is DeletionGround.ORDERED_BY_AUTHORITY and evidence is None:
        raise IssuerRefusedError(
            f"the ground is {ground}, and the order was not brought",
            code="subject.order-missing",
            hint="--evidence ORDER.pdf",
        )


def check_deletion(standing: Standing, cards: Sequence[Card], *, ground: DeletionGround) -> None:
    """Whether a record may be deleted on this ground.

    Raises:
        IssuerRefusedError: ``subject.still-member``: the membership goes on, and needs the record;
            ``subject.card-under-way``: a card is being made; ``subject.card-in-hand``: a card was handed over, so that the
            record was no mistake.
    """
    if ground is DeletionGround.MEMBERSHIP_ENDED and not standing.is_final:
        raise IssuerRefusedError(
            f"the member is {standing}, and the record is needed as long as the membership lasts",
            code="subject.still-member",
            hint="record the end of the membership first, or name another ground",
        )
    for card in cards:
        if card.state is CardState.HANDED_OVER:
            if ground is DeletionGround.RECORDED_IN_ERROR:
                raise IssuerRefusedError(
                    f"card {card.reference.hex()} was handed over, so the record was no mistake",
                    code="subject.card-in-hand",
                )
        elif card.state is not CardState.CONDEMNED:
            raise IssuerRefusedError(
                f"card {card.reference.hex()} is {card.state}: what is being made needs the record",
                code="subject.card-under-way",
                hint="hand the card over, or condemn it",
            )


def numbers_to_retire(statement: MemberStatement) -> tuple[RetiredNumber, ...]:
    """The numbers of a member that nobody else may ever have; a citizen number is not ours to retire."""
    # A number that a decision here gave out is known for ever by itself.
    earlier = statement.earlier_card_number
    return (
        RetiredNumber(kind="record-number", number=statement.record_number),
        *((RetiredNumber(kind="card-number", number=earlier),) if earlier is not None else ()),
    )


def parse_recipient(text: str) -> str:
    """Whoever was given data: the name of an office or a body.

    Raises:
        IssuerDataError: ``disclosure.recipient``.
    """
    return _clean(text, "the recipient", "disclosure.recipient")


def parse_reference(text: str) -> str:
    """The paper that an act rests on.

    Raises:
        IssuerDataError: ``disclosure.reference``.
    """
    return _clean(text, "the reference", "disclosure.reference")


def _clean(text: str, name: str, code: str) -> str:
    try:
        return clean_text(text, max_bytes=_TEXT_BYTES)
    except IssuerDataError as error:
        raise IssuerDataError(f"{name}: {error}", code=code) from error
