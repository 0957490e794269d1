"""Port of the rights of data subjects: what their use cases need from the register."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from issuer.domain.card import Card
from issuer.domain.data_subjects import (
    DeletionProposal,
    Disclosure,
    Erasure,
    FileToDestroy,
    RetiredNumber,
)
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode

__all__ = ["DeletionPosition", "SubjectRepository"]


class DeletionPosition(NamedTuple):
    """Where a page of proposals ended."""

    proposed_at: datetime
    member_id: MemberId


class SubjectRepository(Protocol):
    """What is held about people beyond their record, within one transaction."""

    def cards_of(self, member_id: MemberId) -> tuple[Card, ...]:
        """Every card that was ever bound to the member, oldest first."""

    def disclosures_of(self, member_id: MemberId) -> tuple[Disclosure, ...]:
        """Whom the member's data was given to, oldest first."""

    def add_disclosure(self, disclosure: Disclosure) -> None:
        """Remember that data was given to somebody; it is never changed."""

    def lock(self, member_id: MemberId) -> None:
        """Let nobody else change the member before the transaction ends."""

    def propose_deletion(self, proposal: DeletionProposal) -> None:
        """Keep a proposal until it is confirmed or withdrawn; there is one for a record at a time.

        Raises:
            ConflictError: there is one already (``subject.deletion-proposed``).
        """

    def proposed_deletion(self, member_id: MemberId) -> DeletionProposal | None:
        """What was proposed for a record, if anything was."""

    def proposed_deletions(
        self,
        *,
        roots: Collection[OrganisationCode] | None,
        limit: int,
        behind: DeletionPosition | None = None,
    ) -> Sequence[DeletionProposal]:
        """What waits for a second person at and below these organisations, or anywhere; the oldest first."""

    def withdraw_deletion(self, member_id: MemberId) -> None:
        """Forget a proposal; its document is to be destroyed (``files_to_destroy``)."""

    def erase(self, erasure: Erasure, *, numbers: Collection[RetiredNumber]) -> None:
        """Destroy all that tells who the member was, and retire their numbers.

        The digests of their picture and documents stay until the files are gone (``files_to_destroy``); what was
        proposed is forgotten.

        Raises:
            IssuerRefusedError: there is no such member (``member.unknown``).
        """

    def erasure_of(self, member_id: MemberId) -> Erasure | None:
        """How the member's record was deleted, if it was."""

    def doom(self, file: FileToDestroy) -> None:
        """Note that a file is to be destroyed, unless it is somebody else's, too."""

    def files_to_destroy(self) -> tuple[FileToDestroy, ...]:
        """Doomed files, and those of deleted members, that may still be there and are nobody else's.

        A portrait with which a card is being made stays until that is in its member's hands or has ended.
        """

    def file_was_destroyed(self, file: FileToDestroy) -> None:
        """Forget the digest of a file that is gone."""

    def retired(self, numbers: Iterable[RetiredNumber]) -> Sequence[RetiredNumber]:
        """Those of these numbers that were a deleted member's; where nobody was ever deleted they are not looked at."""

    def members_within(self, codes: Collection[OrganisationCode]) -> Iterator[MemberId]:
        """Who is recorded in one of these organisations or served by it."""
