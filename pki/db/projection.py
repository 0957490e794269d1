"""The projection of the journal in SQL: filled step by step, looked up by keyset pages."""

import uuid
from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pki.db.base import Database
from pki.db.tables import (
    PROJECTED,
    CertificateRow,
    CheckpointRow,
    CredentialRow,
    CvCertificateRow,
    HolderBlockRow,
    ListRow,
    LogRow,
    PositionRow,
    TakenRequestRow,
)
from pki.record.journal_tail import JournalPosition
from pki.services.look_up import (
    CertificateFilter,
    CertificateView,
    CheckpointView,
    CredentialView,
    ListView,
    LogView,
    TerminalAuthorityView,
    TerminalView,
)
from pki.services.projection import (
    Change,
    CheckpointMade,
    CredentialEnrolled,
    CredentialRevoked,
    HolderBlocked,
    ListIssued,
    LogStarted,
    NewCertificate,
    NewCvCertificate,
    RequestTaken,
    Revoked,
    Step,
)

__all__ = ["SqlProjection"]


class SqlProjection:
    """Implements ``pki.services.projection.Projection`` and ``pki.services.look_up.LookUp``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def position(self) -> JournalPosition:
        """See ``Projection.position``."""
        with self._database.reading() as session:
            return _position(session.execute(sa.select(PositionRow)).scalar_one())

    def advance(self, steps: Sequence[Step], *, since: JournalPosition) -> bool:
        """See ``Projection.advance``."""
        with self._database.writing() as session:
            row = _locked_position(session)
            if _position(row) != since:
                return False
            for step in steps:
                for change in step.changes:
                    _apply(session, step, change)
                session.flush()
            last = steps[-1].position
            row.sequence, row.hash = last.sequence, last.hash
            row.offset, row.line_offset = last.offset, last.line_offset
        return True

    def clear(self) -> None:
        """See ``Projection.clear``."""
        with self._database.writing() as session:
            row = _locked_position(session)
            for table in PROJECTED:
                session.execute(sa.delete(table))
            start = JournalPosition()
            row.sequence, row.hash = start.sequence, start.hash
            row.offset, row.line_offset = start.offset, start.line_offset

    def certificates(
        self, wanted: CertificateFilter, *, after: int | None, limit: int
    ) -> list[CertificateView]:
        """See ``LookUp.certificates``."""
        query = sa.select(CertificateRow).order_by(CertificateRow.position.desc()).limit(limit)
        if after is not None:
            query = query.where(CertificateRow.position < after)
        if wanted.kind is not None:
            query = query.where(CertificateRow.kind == wanted.kind)
        if wanted.serial_number is not None:
            query = query.where(CertificateRow.serial_number == wanted.serial_number)
        if wanted.subject is not None:
            query = query.where(CertificateRow.subject == wanted.subject)
        if wanted.is_revoked is not None:
            is_revoked = CertificateRow.revoked_at.is_not(None)
            query = query.where(is_revoked if wanted.is_revoked else sa.not_(is_revoked))
        with self._database.reading() as session:
            return [_certificate_view(row) for row in session.scalars(query)]

    def certificate(self, digest: bytes) -> CertificateView | None:
        """See ``LookUp.certificate``."""
        query = sa.select(CertificateRow).where(CertificateRow.digest == digest)
        with self._database.reading() as session:
            row = session.scalar(query)
            return None if row is None else _certificate_view(row)

    def newest_certificate(self, kind: str) -> CertificateView | None:
        """See ``LookUp.newest_certificate``."""
        found = self.certificates(CertificateFilter(kind=kind), after=None, limit=1)
        return found[0] if found else None

    def credentials(self, operator: str) -> list[CredentialView]:
        """See ``LookUp.credentials``."""
        query = (
            sa.select(CredentialRow)
            .where(CredentialRow.operator == operator, CredentialRow.revoked_at.is_(None))
            .order_by(CredentialRow.enrolled_at, CredentialRow.credential_id)
        )
        with self._database.reading() as session:
            return [
                CredentialView(credential_id=row.credential_id, origin=row.origin, rp_id=row.rp_id)
                for row in session.scalars(query)
            ]

    def cv_certificate(self, digest: bytes) -> bytes | None:
        """See ``LookUp.cv_certificate``."""
        query = sa.select(CvCertificateRow.content).where(CvCertificateRow.digest == digest)
        with self._database.reading() as session:
            return session.scalar(query)

    def terminal_authorities(self, *, today: date, limit: int) -> list[TerminalAuthorityView]:
        """See ``LookUp.terminal_authorities``."""
        row = CvCertificateRow
        query = (
            sa.select(row)
            .where(row.role != "TERMINAL", sa.or_(row.role == "CVCA", row.expires >= today))
            .order_by(row.position.desc())
            .limit(limit)
        )
        with self._database.reading() as session:
            return [
                TerminalAuthorityView(
                    reference=found.holder_reference,
                    authority=found.authority_reference,
                    digest=found.digest,
                    effective=found.effective,
                    expires=found.expires,
                )
                for found in session.scalars(query)
            ]

    def terminals(self, *, after: int | None, limit: int, today: date) -> list[TerminalView]:
        """See ``LookUp.terminals``."""
        newest = (
            sa.select(sa.func.max(CvCertificateRow.position))
            .where(CvCertificateRow.role == "TERMINAL")
            .group_by(CvCertificateRow.holder)
        )
        query = (
            sa.select(CvCertificateRow, HolderBlockRow)
            .outerjoin(HolderBlockRow, HolderBlockRow.holder == CvCertificateRow.holder)
            .where(CvCertificateRow.position.in_(newest))
            .order_by(CvCertificateRow.position.desc())
            .limit(limit)
        )
        if after is not None:
            query = query.where(CvCertificateRow.position < after)
        with self._database.reading() as session:
            return [
                TerminalView(
                    position=row.position,
                    holder=row.holder,
                    reference=row.holder_reference,
                    digest=row.digest,
                    expires=row.expires,
                    is_in_good_standing=block is None and row.expires >= today,
                    blocked_at=None if block is None else block.blocked_at,
                    reason=None if block is None else block.reason,
                )
                for row, block in session.execute(query)
            ]

    def newest_list(self, series: str) -> ListView | None:
        """See ``LookUp.newest_list``."""
        found = self.lists(series, after=None, limit=1)
        return found[0] if found else None

    def lists(self, series: str, *, after: int | None, limit: int) -> list[ListView]:
        """See ``LookUp.lists``."""
        query = (
            sa.select(ListRow)
            .where(ListRow.series == series)
            .order_by(ListRow.number.desc())
            .limit(limit)
        )
        if after is not None:
            query = query.where(ListRow.number < after)
        with self._database.reading() as session:
            return [_list_view(row) for row in session.scalars(query)]

    def list_by_digest(self, digest: bytes) -> ListView | None:
        """See ``LookUp.list_by_digest``."""
        with self._database.reading() as session:
            row = session.scalar(sa.select(ListRow).where(ListRow.digest == digest))
            return None if row is None else _list_view(row)

    def log(self) -> LogView | None:
        """See ``LookUp.log``."""
        with self._database.reading() as session:
            row = session.get(LogRow, 1)
            return None if row is None else LogView(origin=row.origin, public_key=row.public_key)

    def checkpoints(self, *, after: int | None, limit: int) -> list[CheckpointView]:
        """See ``LookUp.checkpoints``."""
        query = sa.select(CheckpointRow).order_by(CheckpointRow.position.desc()).limit(limit)
        if after is not None:
            query = query.where(CheckpointRow.position < after)
        with self._database.reading() as session:
            return [
                CheckpointView(position=row.position, size=row.size, recorded_at=row.recorded_at)
                for row in session.scalars(query)
            ]


def _locked_position(session: Session) -> PositionRow:
    """The one row, which the first migration makes; who holds it is the one that goes on."""
    return session.execute(
        sa.select(PositionRow).where(PositionRow.id == 1).with_for_update()
    ).scalar_one()


def _position(row: PositionRow) -> JournalPosition:
    return JournalPosition(
        sequence=row.sequence, hash=row.hash, offset=row.offset, line_offset=row.line_offset
    )


def _apply(session: Session, step: Step, change: Change) -> None:
    match change:
        case NewCertificate():
            session.add(_certificate_row(step, change))
        case NewCvCertificate():
            session.add(_cv_row(step, change))
        case Revoked():
            session.execute(
                sa.update(CertificateRow)
                .where(CertificateRow.kind == change.kind, CertificateRow.name == change.name)
                .values(
                    # A later word on a revoked certificate changes neither its day nor its reason.
                    revoked_at=sa.func.coalesce(CertificateRow.revoked_at, change.at),
                    reason=sa.func.coalesce(CertificateRow.reason, change.reason),
                    is_compromised=sa.or_(
                        CertificateRow.is_compromised, sa.literal(change.is_compromise)
                    ),
                )
            )
        case CredentialEnrolled() | CredentialRevoked():
            _apply_credential(session, change)
        case HolderBlocked():
            session.merge(
                HolderBlockRow(holder=change.holder, blocked_at=change.at, reason=change.reason)
            )
        case ListIssued():
            session.add(
                ListRow(
                    series=change.series,
                    number=change.number,
                    digest=change.digest,
                    issued_at=change.issued_at,
                    content=change.content,
                )
            )
        case LogStarted():
            session.merge(LogRow(id=1, origin=change.origin, public_key=change.public_key))
        case CheckpointMade():
            session.add(
                CheckpointRow(
                    position=step.position.sequence, size=change.size, recorded_at=change.at
                )
            )
        case RequestTaken():
            session.merge(
                TakenRequestRow(request_id=uuid.UUID(change.request_id), taken_at=change.at)
            )


def _apply_credential(session: Session, change: CredentialEnrolled | CredentialRevoked) -> None:
    if isinstance(change, CredentialEnrolled):
        session.add(
            CredentialRow(
                credential_id=change.credential_id,
                operator=change.operator,
                origin=change.origin,
                rp_id=change.rp_id,
                enrolled_at=change.at,
            )
        )
        return
    session.execute(
        sa.update(CredentialRow)
        .where(CredentialRow.credential_id == change.credential_id)
        .values(revoked_at=change.at)
    )


def _certificate_row(step: Step, change: NewCertificate) -> CertificateRow:
    return CertificateRow(
        position=step.position.sequence,
        digest=change.digest,
        kind=change.kind,
        name=change.name,
        serial_number=change.serial_number,
        subject=change.subject,
        issuer=change.issuer,
        not_before=change.not_before,
        not_after=change.not_after,
        recorded_at=step.time,
        is_compromised=False,
        der=change.der,
    )


def _cv_row(step: Step, change: NewCvCertificate) -> CvCertificateRow:
    return CvCertificateRow(
        position=step.position.sequence,
        digest=change.digest,
        holder=change.holder,
        holder_reference=change.holder_reference,
        authority_reference=change.authority_reference,
        role=change.role,
        effective=change.effective,
        expires=change.expires,
        recorded_at=step.time,
        content=change.content,
    )


def _certificate_view(row: CertificateRow) -> CertificateView:
    return CertificateView(
        position=row.position,
        digest=row.digest,
        kind=row.kind,
        name=row.name,
        serial_number=row.serial_number,
        subject=row.subject,
        issuer=row.issuer,
        not_before=row.not_before,
        not_after=row.not_after,
        recorded_at=row.recorded_at,
        revoked_at=row.revoked_at,
        reason=row.reason,
        is_compromised=row.is_compromised,
        der=row.der,
    )


def _list_view(row: ListRow) -> ListView:
    return ListView(
        series=row.series,
        number=row.number,
        digest=row.digest,
        issued_at=row.issued_at,
        content=row.content,
    )
