"""Ports of the register: what its use cases need from the world."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from issuer.domain.card_number import CardNumber
from issuer.domain.member import Member, MemberId, PortraitDigest
from issuer.domain.member_change import EvidenceDigest, MemberChange
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import OrganisationCode
from issuer.domain.organisation_history import OrganisationAct
from issuer.domain.portrait import NormalisedPortrait, WaitingPortrait
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.services.audit_ports import AuditTrail
from issuer.services.batch_ports import BatchRepository
from issuer.services.bundle_ports import ExchangeRepository
from issuer.services.card_validity_ports import CardDossiers, CardValidityRepository
from issuer.services.directory_ports import MemberDirectory
from issuer.services.import_ports import ImportLedger, Likeness
from issuer.services.member_check_ports import MemberChecks
from issuer.services.number_ports import NumberRepository
from issuer.services.opening_ports import BatchOpenings
from issuer.services.organisation_ports import OrganisationRepository
from issuer.services.people_ports import (
    AccountProposalRepository,
    AccountRepository,
    SessionRepository,
)
from issuer.services.proof_ports import ProofRepository
from issuer.services.request_ports import DecisionRepository, RequestRepository
from issuer.services.station_book_ports import StationRepository
from issuer.services.stock_ports import StockActRepository, StockRepository
from issuer.services.subject_ports import SubjectRepository

__all__ = [
    "EvidenceStore",
    "HistoryPage",
    "HistoryPosition",
    "MemberNumbers",
    "MemberPage",
    "MemberRepository",
    "OrganisationRepository",
    "PagePosition",
    "PortraitNormaliser",
    "PortraitSource",
    "PortraitStore",
    "Register",
    "RegisterTransaction",
    "SealedMembers",
    "WaitingPortraits",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberNumbers:
    """The numbers that are unique in the register."""

    record_number: RecordNumber = field(repr=False)
    citizen_number: CitizenNumber = field(repr=False)
    earlier_card_number: CardNumber | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedMembers:
    """New members as a register is going to keep them: worked out beforehand, so that the transaction is short.

    Attributes:
        members: who they are.
        columns: what the register has made of them, a value for each member; only it knows what they say.
    """

    members: Sequence[Member] = ()
    columns: Mapping[str, Sequence[object]] = field(default_factory=dict, repr=False)

    def only(self, chosen: Collection[MemberId]) -> "SealedMembers":
        """Those who are among ``chosen``."""
        if all(member.member_id in chosen for member in self.members):
            return self
        kept = [at for at, each in enumerate(self.members) if each.member_id in chosen]
        return SealedMembers(
            members=[self.members[at] for at in kept],
            columns={
                column: [values[at] for at in kept] for column, values in self.columns.items()
            },
        )


@dataclass(frozen=True, slots=True)
class PagePosition:
    """Where a page of the list ends: the next one begins behind it (keyset pages)."""

    sort_key: bytes = field(repr=False)
    member_id: MemberId


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPage:
    """One page of the list in Vietnamese order; ``end`` is ``None`` on the last one."""

    members: tuple[Member, ...]
    end: PagePosition | None


@dataclass(frozen=True, slots=True)
class HistoryPosition:
    """Where a page of a member's history ends."""

    version: int
    column: MemberColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """One page of a member's history, the newest first; ``end`` is ``None`` on the last one."""

    changes: tuple[MemberChange, ...]
    end: HistoryPosition | None


class MemberRepository(Protocol):
    """The members of the register, within one transaction."""

    def get(self, member_id: MemberId) -> Member:
        """One member.

        Raises:
            IssuerRefusedError: there is none (``member.unknown``).
        """

    def several(self, member_ids: Collection[MemberId]) -> tuple[Member, ...]:
        """Those of these members who are in the register."""

    def find_by_card_number(self, card_number: CardNumber) -> Member | None:
        """The member who holds this card number: from elsewhere, or by a decision here."""

    def holders_of(self, numbers: Collection[MemberNumbers]) -> tuple[Member, ...]:
        """Every member who holds at least one of these numbers."""

    def alike(self, likenesses: Collection[Likeness]) -> tuple[Member, ...]:
        """Every member who may be one of these people: the same folded name and date of birth."""

    def sealed(self, members: Sequence[Member]) -> SealedMembers:
        """New members ready to be stored, in this transaction or a later one; nothing is stored yet.

        Raises:
            ConflictError: an organisation is not there.
        """

    def add(self, members: Sequence[Member] | SealedMembers) -> None:
        """Store new members.

        Raises:
            ConflictError: a number is already taken, or an organisation is not there.
            IssuerRefusedError: a number was a deleted member's (``number.retired``).
        """

    def page(
        self,
        *,
        limit: int,
        behind: PagePosition | None = None,
        organisation_code: OrganisationCode | None = None,
    ) -> MemberPage:
        """Members in Vietnamese order of their names (``issuer.domain.vietnamese_text.sort_key``)."""

    def count(self) -> int:
        """How many there are."""

    def change(self, member: Member, changes: Sequence[MemberChange]) -> None:
        """Store what a member is now, with what changed; ``member.version`` is one more than what is stored.

        Raises:
            ConflictError: somebody else changed the member first (``member.changed``), a number is taken, or
                an organisation is not there.
        """

    def count_in(self, code: OrganisationCode) -> int:
        """How many members are recorded in this organisation, or served there."""

    def recorded_in(self, code: OrganisationCode) -> Sequence[MemberId]:
        """The members who are recorded in this organisation itself."""

    def move_all(
        self, code: OrganisationCode, to: OrganisationCode, *, on: date, act: OrganisationAct
    ) -> int:
        """Let all members of an organisation be recorded, or served, in another one; gives back how many.

        Each gets the next version, and its line of history.
        """

    def history(
        self, member_id: MemberId, *, limit: int, behind: HistoryPosition | None = None
    ) -> HistoryPage:
        """What changed, the newest first."""

    def rests_on(self, member_id: MemberId, evidence: EvidenceDigest) -> bool:
        """Whether a change of this member rests on this document."""


class RegisterTransaction(Protocol):
    """What one transaction of the register can reach."""

    @property
    def members(self) -> MemberRepository:
        """The members."""

    @property
    def checks(self) -> MemberChecks:
        """What people say of members without changing them."""

    @property
    def directory(self) -> MemberDirectory:
        """The members in lists and by search."""

    @property
    def organisations(self) -> OrganisationRepository:
        """The organisations."""

    @property
    def people(self) -> AccountRepository:
        """The accounts."""

    @property
    def account_proposals(self) -> AccountProposalRepository:
        """What waits for another administrator."""

    @property
    def sessions(self) -> SessionRepository:
        """Sessions and failed log-ins."""

    @property
    def requests(self) -> RequestRepository:
        """The requests for cards."""

    @property
    def decisions(self) -> DecisionRepository:
        """The decisions on them."""

    @property
    def batches(self) -> BatchRepository:
        """The batches of cards."""

    @property
    def proofs(self) -> ProofRepository:
        """What will stand on their cards."""

    @property
    def openings(self) -> BatchOpenings:
        """What could go into batches."""

    @property
    def cards(self) -> CardValidityRepository:
        """The cards, and what they count as."""

    @property
    def card_dossiers(self) -> CardDossiers:
        """Everything that is held of single cards."""

    @property
    def numbers(self) -> NumberRepository:
        """The card numbers."""

    @property
    def stock(self) -> StockRepository:
        """The stock of chips: sites and movements."""

    @property
    def stock_acts(self) -> StockActRepository:
        """Closes of days, destructions, and the stop list."""

    @property
    def stations(self) -> StationRepository:
        """The stations elsewhere, and what they are given."""

    @property
    def subjects(self) -> SubjectRepository:
        """What is held about people beyond their record."""

    @property
    def audit(self) -> AuditTrail:
        """The audit trail; what is appended is stored with the rest of the transaction."""

    @property
    def exchange(self) -> ExchangeRepository:
        """Other instances, bundles, and conflicts with what they state."""

    @property
    def imports(self) -> ImportLedger:
        """The imports of member lists, and the rows that wait for a person."""


class Register(Protocol):
    """The register as a place where transactions happen."""

    def writing(self) -> AbstractContextManager[RegisterTransaction]:
        """One transaction: committed when the block ends, dropped when it raises."""

    def reading(self) -> AbstractContextManager[RegisterTransaction]:
        """One transaction that only reads."""


class EvidenceStore(Protocol):
    """Where the documents are kept that changes rest on, by their digest."""

    def put(self, document: bytes) -> EvidenceDigest:
        """Keep a document durably; putting the same again changes nothing.

        Raises:
            IssuerDataError: it is none that we keep (``evidence.kind``, ``evidence.too-large``).
            IssuerUnavailableError: it cannot be kept (``evidence-store.unavailable``).
        """

    def remove(self, digest: EvidenceDigest) -> None:
        """Destroy the document with this digest; one that is not there is destroyed already.

        Raises:
            IssuerUnavailableError: it cannot be destroyed (``evidence-store.unavailable``).
        """

    def get(self, digest: EvidenceDigest) -> bytes:
        """The document with this digest, checked against it.

        Raises:
            IssuerRefusedError: it is not there (``evidence.lost``) or is another one (``evidence.altered``).
            IssuerUnavailableError: it cannot be read (``evidence-store.unavailable``).
        """


class PortraitStore(Protocol):
    """Where normalised portraits are kept, by their digest."""

    def put(self, image: bytes) -> PortraitDigest:
        """Keep an image durably; putting the same again changes nothing.

        Raises:
            IssuerUnavailableError: it cannot be kept (``portrait-store.unavailable``).
        """

    def remove(self, digest: PortraitDigest) -> None:
        """Destroy the image with this digest; one that is not there is destroyed already.

        Raises:
            IssuerUnavailableError: it cannot be destroyed (``portrait-store.unavailable``).
        """

    def get(self, digest: PortraitDigest) -> bytes:
        """The image with this digest, checked against it.

        Raises:
            IssuerRefusedError: it is not there (``portrait.lost``) or is another one (``portrait.altered``).
            IssuerUnavailableError: it cannot be read (``portrait-store.unavailable``).
        """


class WaitingPortraits(Protocol):
    """Where new portraits wait, for an hour at most, until whoever brought one has looked at it."""

    def keep(self, member_id: MemberId, waiting: WaitingPortrait) -> str:
        """Keep one; gives back the word by which it is named.

        Raises:
            IssuerUnavailableError: it cannot be kept (``upload.unavailable``).
        """

    def get(self, member_id: MemberId, word: str) -> WaitingPortrait:
        """The one that waits for this member under this word.

        Raises:
            IssuerRefusedError: there is none, or it was too old (``portrait.gone``).
            IssuerUnavailableError: it cannot be read (``upload.unavailable``).
        """

    def remove(self, member_id: MemberId, word: str) -> None:
        """Take it away; one that is gone is left alone."""


class PortraitSource(Protocol):
    """The pictures that come with a member list."""

    def read(self, name: str) -> bytes:
        """The picture with this file name.

        Raises:
            IssuerDataError: ``portrait.name``, ``portrait.missing``, ``portrait.too-large``,
                ``portrait.unreadable``.
        """


class PortraitNormaliser(Protocol):
    """Turns a picture from outside into the card's portrait."""

    def normalise(self, picture: bytes) -> NormalisedPortrait:
        """A JPEG of 3:4 within the card profile's bounds of size, and what a person should look at.

        Raises:
            IssuerDataError: the picture is refused (``portrait.unreadable``, ``portrait.too-many-pixels``,
                ``portrait.too-small``, ``portrait.time-limit``, ``portrait.too-little-detail``).
        """
