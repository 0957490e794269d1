"""The audit trail in the database: two tables, one of which never changes what it holds.

Records wait in memory until their transaction commits. Only then is the row of the head locked, last of all locks,
and released by the commit: transactions wait for each other shortly, in no circle, and one that is dropped has
taken no number.
"""

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Mapped, Session, mapped_column

from issuer.db.audit_reach import sequences_of
from issuer.db.base import Base, UtcDateTime
from issuer.domain.audit import AuditRecord
from issuer.domain.audit_chain import ChainedRecord, ChainHead, check_record, link
from issuer.errors import IssuerUnavailableError
from issuer.services.audit_ports import AuditPage, AuditQuestion

__all__ = ["AuditHeadRow", "AuditRecordRow", "SqlAuditTrail"]

_HEAD_ID = 1
_STREAM_ROWS = 5000
_ONE_TO_ONE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class AuditHeadRow(Base):
    """The one row that says where the trail ends; who writes to the trail locks it."""

    __tablename__ = "audit_head"
    __table_args__ = (sa.CheckConstraint("id = 1", name="id"),)

    id: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    trail_id: Mapped[bytes] = mapped_column(sa.LargeBinary(16))
    sequence: Mapped[int] = mapped_column(sa.BigInteger)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


class AuditRecordRow(Base):
    """One record; the database refuses to change or delete it."""

    __tablename__ = "audit_records"
    __table_args__ = (
        sa.CheckConstraint("sequence > 0", name="sequence"),
        sa.Index(
            "ix_audit_records_subject_subject_id_sequence", "subject", "subject_id", "sequence"
        ),
        sa.Index("ix_audit_records_subject_sequence", "subject", "sequence"),
        sa.Index("ix_audit_records_account_sequence", "account", "sequence"),
        sa.Index("ix_audit_records_account_subject_sequence", "account", "subject", "sequence"),
        sa.Index("ix_audit_records_organisation_sequence", "organisation", "sequence"),
    )

    sequence: Mapped[int] = mapped_column(_ONE_TO_ONE, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(sa.String(200))
    action: Mapped[str] = mapped_column(sa.String(80))
    subject: Mapped[str] = mapped_column(sa.String(40))
    subject_id: Mapped[str] = mapped_column(sa.String(128))
    organisation: Mapped[str | None] = mapped_column(sa.String(32))
    details: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))


_COLUMNS = (
    AuditRecordRow.sequence,
    AuditRecordRow.at,
    AuditRecordRow.account,
    AuditRecordRow.action,
    AuditRecordRow.subject,
    AuditRecordRow.subject_id,
    AuditRecordRow.organisation,
    AuditRecordRow.details,
    AuditRecordRow.digest,
)

_Row = sa.Row[int, datetime, str, str, str, str, str | None, str, bytes]
_Statement = sa.Select[int, datetime, str, str, str, str, str | None, str, bytes]


class SqlAuditTrail:
    """Implements ``AuditTrail`` on one session, whose commit it joins."""

    def __init__(self, session: Session, *, is_writing: bool = True) -> None:
        self._session = session
        self._is_writing = is_writing
        self._waiting: list[AuditRecord] = []
        if is_writing:
            event.listen(session, "before_commit", self._write)

    def append(self, record: AuditRecord) -> None:
        """See ``AuditTrail.append``."""
        if not self._is_writing:
            raise ValueError(f"{record.action} happens in a transaction that only reads")
        if self._session.in_nested_transaction():
            # What happens inside a savepoint may be undone alone, and its record would stay.
            raise ValueError(f"{record.action} is said inside a savepoint, expected outside")
        check_record(record)
        self._waiting.append(record)

    def head(self) -> ChainHead:
        """See ``AuditTrail.head``."""
        return self._head(for_update=False)

    def page(self, question: AuditQuestion, *, limit: int, behind: int | None = None) -> AuditPage:
        """See ``AuditTrail.page``."""
        statement = sa.select(*_COLUMNS).order_by(AuditRecordRow.sequence)
        if question.organisations is not None:
            found = self._within(question, limit=limit + 1, behind=behind or 0)
            return self._page(statement.where(AuditRecordRow.sequence.in_(found)), limit)
        statement = statement.where(*_conditions(question))
        if behind is not None:
            statement = statement.where(AuditRecordRow.sequence > behind)
        return self._page(statement, limit)

    def page_back(
        self, question: AuditQuestion, *, limit: int, before: int | None = None
    ) -> AuditPage:
        """See ``AuditTrail.page_back``."""
        statement = sa.select(*_COLUMNS).order_by(AuditRecordRow.sequence.desc())
        if question.organisations is not None:
            found = self._within(question, limit=limit + 1, before=before)
            return self._page(statement.where(AuditRecordRow.sequence.in_(found)), limit)
        statement = statement.where(*_conditions(question))
        if before is not None:
            statement = statement.where(AuditRecordRow.sequence < before)
        return self._page(statement, limit)

    def records(self, *, behind: int = 0) -> Iterator[ChainedRecord]:
        """See ``AuditTrail.records``."""
        statement = sa.select(*_COLUMNS).order_by(AuditRecordRow.sequence).limit(_STREAM_ROWS)
        position = behind
        while True:
            rows = self._session.execute(
                statement.where(AuditRecordRow.sequence > position)
            ).fetchall()
            for row in rows:
                yield _record(row)
            if len(rows) < _STREAM_ROWS:
                return
            position = rows[-1].sequence

    def at(self, sequence: int) -> ChainedRecord | None:
        """See ``AuditTrail.at``."""
        row = self._session.execute(
            sa.select(*_COLUMNS).where(AuditRecordRow.sequence == sequence)
        ).one_or_none()
        return None if row is None else _record(row)

    def _within(
        self,
        question: AuditQuestion,
        *,
        limit: int,
        behind: int | None = None,
        before: int | None = None,
    ) -> list[int]:
        return sequences_of(
            self._session,
            frozenset(question.organisations or ()),
            number=AuditRecordRow.sequence.expression,
            organisation=AuditRecordRow.organisation.expression,
            conditions=_conditions(question),
            limit=limit,
            behind=behind,
            before=before,
        )

    def _page(self, statement: _Statement, limit: int) -> AuditPage:
        rows = self._session.execute(statement.limit(limit + 1)).fetchall()
        records = tuple(_record(row) for row in rows[:limit])
        return AuditPage(records=records, end=records[-1].sequence if len(rows) > limit else None)

    def _write(self, session: Session) -> None:
        if not self._waiting:
            return
        # Whatever else the transaction writes goes first: the lock on the head is the last one it takes.
        session.flush()
        head = self._head(for_update=True)
        values: list[dict[str, object]] = []
        for record in self._waiting:
            chained, head = link(head, record)
            values.append({name: getattr(chained, name) for name in chained.__slots__})
        self._waiting.clear()
        session.execute(sa.insert(AuditRecordRow), values)
        session.execute(
            sa.update(AuditHeadRow)
            .where(AuditHeadRow.id == _HEAD_ID)
            .values(sequence=head.sequence, digest=head.digest)
            .execution_options(synchronize_session=False)
        )

    def _head(self, *, for_update: bool) -> ChainHead:
        statement = sa.select(
            AuditHeadRow.trail_id, AuditHeadRow.sequence, AuditHeadRow.digest
        ).where(AuditHeadRow.id == _HEAD_ID)
        if for_update:
            statement = statement.with_for_update()
        row = self._session.execute(statement).one_or_none()
        if row is None:
            raise IssuerUnavailableError(
                "the audit trail has lost its head: nothing can be changed before it is mended",
                code="audit.head-missing",
                hint="run: membercard-issuer --home DIR audit verify",
            )
        return ChainHead(trail_id=row.trail_id, sequence=row.sequence, digest=row.digest)


def _conditions(question: AuditQuestion) -> list[sa.ColumnElement[bool]]:
    """What narrows the trail down, but the part of the tree."""
    row = AuditRecordRow
    asked = (
        (row.subject, None if question.subject is None else question.subject.value),
        (row.subject_id, question.subject_id),
        (row.account, question.account),
    )
    conditions = [column == value for column, value in asked if value is not None]
    return conditions if question.since is None else [*conditions, row.at >= question.since]


def _record(row: _Row) -> ChainedRecord:
    return ChainedRecord(
        sequence=row.sequence,
        at=row.at,
        account=row.account,
        action=row.action,
        subject=row.subject,
        subject_id=row.subject_id,
        organisation=row.organisation,
        details=row.details,
        digest=row.digest,
    )
