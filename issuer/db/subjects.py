"""What is held about people beyond their record, in the database; and its destruction."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.bundle_tables import BundleConflictRow, LinkedMemberRow
from issuer.db.card_change_tables import CardChangeRow
from issuer.db.import_tables import ImportRowRow
from issuer.db.member_changes import MemberChangeRow
from issuer.db.member_rows import MemberRow
from issuer.db.member_seals import MemberSeals
from issuer.db.organisation_queries import below
from issuer.db.organisation_rows import OrganisationRow, OrganisationVersionRow
from issuer.db.personal_data import KEPT_MEMBER_COLUMNS, blank_of
from issuer.db.production_rows import card_of
from issuer.db.production_tables import CardContentsRow, CardRow, SecurityObjectRow
from issuer.db.request_tables import RequestEventRow, RequestRow
from issuer.db.subject_tables import (
    DeletionProposalRow,
    DisclosureRow,
    ErasureRow,
    FileToDestroyRow,
    RetiredNumberRow,
)
from issuer.domain.card import Card
from issuer.domain.data_subjects import (
    DeletionGround,
    DeletionProposal,
    Disclosure,
    DisclosureGround,
    Erasure,
    FileStore,
    FileToDestroy,
    RetiredNumber,
)
from issuer.domain.member import MemberId
from issuer.domain.member_change import EvidenceDigest
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.subject_ports import DeletionPosition

__all__ = ["SqlSubjectRepository"]

_PART = 500
_STREAM_ROWS = 5000


class SqlSubjectRepository:
    """Implements ``SubjectRepository`` on one session."""

    def __init__(self, session: Session, seals: Callable[[], MemberSeals]) -> None:
        self._session = session
        self._seals = seals

    def cards_of(self, member_id: MemberId) -> tuple[Card, ...]:
        """See ``SubjectRepository.cards_of``."""
        rows = self._session.scalars(
            sa.select(CardRow)
            .where(CardRow.member_id == member_id)
            .order_by(CardRow.bound_at, CardRow.reference)
        )
        return tuple(card_of(row) for row in rows)

    def disclosures_of(self, member_id: MemberId) -> tuple[Disclosure, ...]:
        """See ``SubjectRepository.disclosures_of``."""
        rows = self._session.scalars(
            sa.select(DisclosureRow)
            .where(DisclosureRow.member_id == member_id)
            .order_by(DisclosureRow.id)
        )
        return tuple(
            Disclosure(
                member_id=MemberId(row.member_id),
                at=row.at,
                account=AccountName(row.account),
                recipient=row.recipient,
                ground=DisclosureGround(row.ground),
                reference=row.reference,
                what=row.what,
            )
            for row in rows
        )

    def add_disclosure(self, disclosure: Disclosure) -> None:
        """See ``SubjectRepository.add_disclosure``."""
        self._session.add(
            DisclosureRow(
                member_id=disclosure.member_id,
                at=disclosure.at,
                account=disclosure.account,
                recipient=disclosure.recipient,
                ground=disclosure.ground.value,
                reference=disclosure.reference,
                what=disclosure.what,
            )
        )

    def lock(self, member_id: MemberId) -> None:
        """See ``SubjectRepository.lock``."""
        self._session.execute(
            sa.select(MemberRow.id).where(MemberRow.id == member_id).with_for_update()
        )

    def propose_deletion(self, proposal: DeletionProposal) -> None:
        """See ``SubjectRepository.propose_deletion``."""
        self.lock(proposal.member_id)
        if self.proposed_deletion(proposal.member_id) is not None:
            raise ConflictError(
                f"the deletion of member {proposal.member_id} is proposed already",
                code="subject.deletion-proposed",
            )
        self._session.add(
            DeletionProposalRow(
                member_id=proposal.member_id,
                ground=proposal.ground.value,
                reference=proposal.reference,
                evidence=proposal.evidence,
                proposed_by=proposal.proposed_by,
                proposed_at=proposal.proposed_at,
            )
        )
        self._session.flush()

    def proposed_deletion(self, member_id: MemberId) -> DeletionProposal | None:
        """See ``SubjectRepository.proposed_deletion``."""
        row = self._session.get(DeletionProposalRow, member_id)
        return None if row is None else _proposal(row)

    def proposed_deletions(
        self,
        *,
        roots: Collection[OrganisationCode] | None,
        limit: int,
        behind: DeletionPosition | None = None,
    ) -> Sequence[DeletionProposal]:
        """See ``SubjectRepository.proposed_deletions``."""
        row = DeletionProposalRow
        query = sa.select(row).order_by(row.proposed_at, row.member_id).limit(limit)
        if roots is not None:
            query = query.join(MemberRow, MemberRow.id == row.member_id).where(
                MemberRow.organisation_id.in_(below(roots))
            )
        if behind is not None:
            is_later = row.proposed_at > behind.proposed_at
            is_next = (row.proposed_at == behind.proposed_at) & (row.member_id > behind.member_id)
            query = query.where(is_later | is_next)
        return tuple(_proposal(each) for each in self._session.scalars(query))

    def withdraw_deletion(self, member_id: MemberId) -> None:
        """See ``SubjectRepository.withdraw_deletion``."""
        row = self._session.get(DeletionProposalRow, member_id)
        if row is None:
            return
        if row.evidence is not None:
            self._session.merge(
                FileToDestroyRow(store=FileStore.EVIDENCE.value, digest=row.evidence)
            )
        self._session.delete(row)
        self._session.flush()

    def erase(self, erasure: Erasure, *, numbers: Collection[RetiredNumber]) -> None:
        """See ``SubjectRepository.erase``."""
        row = self._session.execute(
            sa.select(MemberRow.portrait, MemberRow.version).where(
                MemberRow.id == erasure.member_id, MemberRow.erased_at.is_(None)
            )
        ).one_or_none()
        if row is None:
            raise IssuerRefusedError(
                f"member {erasure.member_id} is not in the register", code="member.unknown"
            )
        self._session.add(
            ErasureRow(
                member_id=erasure.member_id,
                at=erasure.at,
                account=erasure.account,
                proposed_by=erasure.proposed_by,
                ground=erasure.ground.value,
                reference=erasure.reference,
                evidence=erasure.evidence,
                digest=erasure.digest,
            )
        )
        self.withdraw_deletion(erasure.member_id)
        self._doom_files(erasure.member_id, row.portrait)
        self._session.execute(
            sa.delete(MemberChangeRow)
            .where(MemberChangeRow.member_id == erasure.member_id)
            .execution_options(synchronize_session=False)
        )
        # What a person wrote when they decided on the row of the list that the member came from.
        self._update(
            sa.update(ImportRowRow)
            .where(ImportRowRow.member_id == erasure.member_id)
            .values(findings="[]", content_digest=None, reason=None)
        )
        # What a person wrote when they sent a request back or withdrew it.
        requests = sa.select(RequestRow.id).where(RequestRow.member_id == erasure.member_id)
        self._update(
            sa.update(RequestEventRow)
            .where(RequestEventRow.request_id.in_(requests))
            .values(remark="")
        )
        # What other instances stated of the person.
        self._update(
            sa.update(BundleConflictRow)
            .where(BundleConflictRow.member_id == erasure.member_id)
            .values(sealed=b"", reason="")
        )
        self._update(
            sa.update(LinkedMemberRow)
            .where(LinkedMemberRow.member_id == erasure.member_id)
            .values(sealed=b"")
        )
        seals = self._seals()
        for each in numbers:
            # The same number may have been two things of one person, or retired before.
            self._session.merge(
                RetiredNumberRow(kind=each.kind, digest=seals.retired_number_digest(each))
            )
        blanks: dict[str, Any] = {
            column.name: blank_of(column.name)
            for column in MemberRow.__table__.columns
            if column.name not in KEPT_MEMBER_COLUMNS
        }
        self._update(
            sa.update(MemberRow)
            .where(MemberRow.id == erasure.member_id)
            .values(**blanks, erased_at=erasure.at, version=row.version + 1)
        )
        references = sa.select(CardRow.reference).where(CardRow.member_id == erasure.member_id)
        for kept in (SecurityObjectRow, CardContentsRow):
            self._session.execute(
                sa.delete(kept)
                .where(kept.reference.in_(references))
                .execution_options(synchronize_session=False)
            )
        self._update(
            sa.update(CardChangeRow)
            .where(CardChangeRow.reference.in_(references))
            .values(remark="")
        )
        self._update(
            sa.update(CardRow)
            .where(CardRow.member_id == erasure.member_id)
            .values(sealed_secrets=b"", handed_over_to=None)
        )

    def erasure_of(self, member_id: MemberId) -> Erasure | None:
        """See ``SubjectRepository.erasure_of``."""
        row = self._session.get(ErasureRow, member_id)
        if row is None:
            return None
        return Erasure(
            member_id=MemberId(row.member_id),
            at=row.at,
            account=AccountName(row.account),
            proposed_by=None if row.proposed_by is None else AccountName(row.proposed_by),
            ground=DeletionGround(row.ground),
            reference=row.reference,
            evidence=None if row.evidence is None else EvidenceDigest(row.evidence),
            digest=row.digest,
        )

    def doom(self, file: FileToDestroy) -> None:
        """See ``SubjectRepository.doom``."""
        self._session.merge(FileToDestroyRow(store=file.store.value, digest=file.digest))
        self._session.flush()

    def files_to_destroy(self) -> tuple[FileToDestroy, ...]:
        """See ``SubjectRepository.files_to_destroy``."""
        doomed = sa.select(FileToDestroyRow.digest).where(
            FileToDestroyRow.store == FileStore.PORTRAITS.value
        )
        # No index tells whose a picture is: all members are looked through once, and not for each picture.
        of_members = sa.select(MemberRow.portrait).where(MemberRow.portrait.in_(doomed))
        is_used = sa.or_(
            sa.and_(
                FileToDestroyRow.store == FileStore.PORTRAITS.value,
                sa.or_(
                    # A card is being made with it.
                    sa.exists().where(CardContentsRow.portrait == FileToDestroyRow.digest),
                    FileToDestroyRow.digest.in_(of_members),
                ),
            ),
            sa.and_(
                FileToDestroyRow.store == FileStore.EVIDENCE.value,
                sa.or_(
                    sa.exists().where(MemberChangeRow.evidence == FileToDestroyRow.digest),
                    sa.exists().where(DeletionProposalRow.evidence == FileToDestroyRow.digest),
                    sa.exists().where(OrganisationVersionRow.evidence == FileToDestroyRow.digest),
                ),
            ),
        )
        rows = self._session.scalars(
            sa.select(FileToDestroyRow)
            .where(~is_used)
            .order_by(FileToDestroyRow.store, FileToDestroyRow.digest)
        )
        return tuple(FileToDestroy(store=FileStore(row.store), digest=row.digest) for row in rows)

    def file_was_destroyed(self, file: FileToDestroy) -> None:
        """See ``SubjectRepository.file_was_destroyed``."""
        self._session.execute(
            sa.delete(FileToDestroyRow)
            .where(
                FileToDestroyRow.store == file.store.value, FileToDestroyRow.digest == file.digest
            )
            .execution_options(synchronize_session=False)
        )

    def _doom_files(self, member_id: MemberId, portrait: bytes) -> None:
        documents = self._session.scalars(
            sa.select(MemberChangeRow.evidence)
            .where(MemberChangeRow.member_id == member_id, MemberChangeRow.evidence.is_not(None))
            .distinct()
        )
        files = [
            (FileStore.PORTRAITS, portrait),
            *((FileStore.EVIDENCE, each) for each in documents),
        ]
        for store, digest in files:
            self._session.merge(FileToDestroyRow(store=store.value, digest=digest))
        self._session.flush()

    def retired(self, numbers: Iterable[RetiredNumber]) -> Sequence[RetiredNumber]:
        """See ``SubjectRepository.retired``."""
        if self._session.scalar(sa.select(RetiredNumberRow.kind).limit(1)) is None:
            return ()
        seals = self._seals()
        by_digest = {(each.kind, seals.retired_number_digest(each)): each for each in numbers}
        digests = [digest for _, digest in by_digest]
        found: list[RetiredNumber] = []
        for start in range(0, len(digests), _PART):
            rows = self._session.execute(
                sa.select(RetiredNumberRow.kind, RetiredNumberRow.digest).where(
                    RetiredNumberRow.digest.in_(digests[start : start + _PART])
                )
            )
            found += [
                by_digest[row.kind, row.digest]
                for row in rows
                if (row.kind, row.digest) in by_digest
            ]
        return found

    def members_within(self, codes: Collection[OrganisationCode]) -> Iterator[MemberId]:
        """See ``SubjectRepository.members_within``."""
        wanted = list(codes)
        for start in range(0, len(wanted), _PART):
            ids = sa.select(OrganisationRow.id).where(
                OrganisationRow.code.in_(wanted[start : start + _PART])
            )
            statement = (
                sa.select(MemberRow.id)
                .where(
                    sa.or_(MemberRow.organisation_id.in_(ids), MemberRow.served_in_id.in_(ids)),
                    MemberRow.erased_at.is_(None),
                )
                .order_by(MemberRow.id)
                .limit(_STREAM_ROWS)
            )
            behind = None
            while True:
                part = statement if behind is None else statement.where(MemberRow.id > behind)
                found = self._session.scalars(part).all()
                yield from map(MemberId, found)
                if len(found) < _STREAM_ROWS:
                    break
                behind = found[-1]

    def _update(self, statement: sa.Update) -> None:
        self._session.execute(statement.execution_options(synchronize_session=False))


def _proposal(row: DeletionProposalRow) -> DeletionProposal:
    return DeletionProposal(
        member_id=MemberId(row.member_id),
        ground=DeletionGround(row.ground),
        reference=row.reference,
        evidence=None if row.evidence is None else EvidenceDigest(row.evidence),
        proposed_by=AccountName(row.proposed_by),
        proposed_at=row.proposed_at,
    )
