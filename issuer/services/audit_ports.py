"""Port of the audit trail: what use cases write to it, and what an auditor reads from it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import ChainedRecord, ChainHead
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName

__all__ = ["AuditPage", "AuditQuestion", "AuditTrail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuestion:
    """Which records are asked for; what is ``None`` does not narrow.

    Attributes:
        subject: what kind of thing.
        subject_id: which one; only with ``subject``.
        account: who acted.
        organisations: whose matters; a record of no organisation is none of them.
        since: not before this time (aware).
    """

    subject: AuditSubject | None = None
    subject_id: str | None = None
    account: AccountName | None = None
    organisations: Collection[OrganisationCode] | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Records by sequence; ``end`` is the sequence behind which the next page begins, ``None`` on the last one."""

    records: tuple[ChainedRecord, ...]
    end: int | None


class AuditTrail(Protocol):
    """The audit trail within one transaction."""

    def append(self, record: AuditRecord) -> None:
        """Say what is done in this transaction: it is stored with it, or not at all.

        The record gets its place in the chain when the transaction commits, so it is not among what the same
        transaction reads.

        Raises:
            ValueError: the record is none, or the transaction only reads: a mistake of the program.
        """

    def head(self) -> ChainHead:
        """Where the trail ends."""

    def page(self, question: AuditQuestion, *, limit: int, behind: int | None = None) -> AuditPage:
        """Records in order of their sequence, oldest first."""

    def page_back(
        self, question: AuditQuestion, *, limit: int, before: int | None = None
    ) -> AuditPage:
        """Records in order of their sequence, newest first."""

    def records(self, *, behind: int = 0) -> Iterator[ChainedRecord]:
        """All records by sequence, in bounded memory."""

    def at(self, sequence: int) -> ChainedRecord | None:
        """The record with this sequence number."""
