"""Ports of what cards count as, once they are made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from issuer.domain.card import Card, CardReference
from issuer.domain.card_dossier import CardDossier
from issuer.domain.card_number import CardNumber
from issuer.domain.card_validity import CardValidity, EndReason, ValidityEvent, ValidityStep
from issuer.domain.chip import Serial
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from pki.signed.card_states import CardState

__all__ = ["CardChange", "CardDossiers", "CardRecord", "CardValidityRepository"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRecord:
    """A card, where its member is recorded, and what it counts as.

    Attributes:
        card: the card.
        organisation: where its member is recorded now.
        validity: what it counts as, and why.
        bears_data: whether its files were made, so that it says what the register said then.
        valid_until: its last day; ``None`` while its files are not made.
    """

    card: Card
    organisation: OrganisationCode
    validity: CardValidity
    bears_data: bool
    valid_until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardChange:
    """One step of a card's validity, as it was kept; ``remark`` is what a person wrote."""

    at: datetime
    account: AccountName
    event: ValidityEvent
    reason: EndReason | None
    before: CardState
    after: CardState
    remark: str = field(default="", repr=False)


class CardValidityRepository(Protocol):
    """The validity of cards, within one transaction."""

    def get(self, reference: CardReference) -> CardRecord:
        """One card.

        Raises:
            IssuerRefusedError: there is none (``card.unknown``).
        """

    def on_chip(self, serial: Serial) -> CardRecord:
        """The card on this chip.

        Raises:
            IssuerRefusedError: there is none (``card.unknown``).
        """

    def with_number(self, number: CardNumber) -> CardRecord:
        """The newest card that bears this number, one in its member's hand before all others.

        Raises:
            IssuerRefusedError: there is none (``card.unknown``).
        """

    def of_member(self, member_id: MemberId, *, lock: bool = False) -> Sequence[CardRecord]:
        """Every card that was ever bound for a member, the oldest first; with ``lock`` nobody else moves them meanwhile."""

    def take(
        self, reference: CardReference, step: ValidityStep, *, at: datetime, remark: str = ""
    ) -> CardRecord:
        """Take one step: judged under a lock, kept with its change and its record in the audit trail.

        A step that changes nothing leaves no trace.

        Raises:
            IssuerRefusedError: ``card.unknown``; as ``issuer.domain.card_validity.apply``.
        """

    def data_changed(
        self, member_ids: Sequence[MemberId], *, account: AccountName, at: datetime
    ) -> int:
        """The register says something else of these members from now on: their cards' data are stale.

        Only cards whose files were made, and which have not ended, are meant; gives back how many they are. They are
        read many members at a time.
        """

    def count_bearing(self, code: OrganisationCode) -> int:
        """How many cards ``data_changed`` would mean of the members who are recorded in this organisation."""

    def hand_over(
        self, reference: CardReference, *, to: str, account: AccountName, at: datetime
    ) -> CardRecord:
        """The card is in its member's hand: it counts, its request is fulfilled, the member's cards before it end.

        Raises:
            IssuerRefusedError: ``card.unknown``; as ``apply``; a later card of the member was handed over
                (``card.superseded``); its last day has passed (``card.expired``); the member gets no card
                (``card.member-not-entitled``).
            TransitionError: the card is not *issued*.
        """

    def expired(self, *, on: date) -> Sequence[CardReference]:
        """The cards in their members' hands whose last day was before this one, and which have not ended."""

    def changes(self, reference: CardReference) -> Sequence[CardChange]:
        """What happened to a card's validity, in order."""


class CardDossiers(Protocol):
    """Where dossiers are put together, within one transaction."""

    def gather(self, reference: CardReference, *, at: datetime) -> CardDossier:
        """Everything of one card.

        Raises:
            IssuerRefusedError: there is no such card (``card.unknown``).
        """
