"""Operations and the answers to requests that carry a key, in the database (SQLAlchemy)."""

import json
import uuid
from datetime import datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Mapped, mapped_column

from issuer.db.base import Base, Database, UtcDateTime
from issuer.domain.rights import AccountName
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.operation_ports import (
    KeptAnswer,
    Operation,
    OperationId,
    OperationKind,
    OperationPage,
    OperationPosition,
    OperationState,
    RequestMark,
)

__all__ = ["KeptRequestRow", "OperationRow", "SqlIdempotencyLedger", "SqlOperationLedger"]


class OperationRow(Base):
    """One operation."""

    __tablename__ = "operations"
    __table_args__ = (
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="state"),
        sa.CheckConstraint("(state = 'failed') = (code IS NOT NULL)", name="code"),
        sa.Index("ix_operations_account_created_at_id", "account", "created_at", "id"),
        sa.Index("ix_operations_state_created_at", "state", "created_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    account: Mapped[str] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(sa.String(16))
    inputs: Mapped[str] = mapped_column(sa.Text)
    attempt: Mapped[int] = mapped_column(sa.SmallInteger)
    done: Mapped[int] = mapped_column(sa.BigInteger)
    total: Mapped[int | None] = mapped_column(sa.BigInteger)
    counts: Mapped[str] = mapped_column(sa.Text)
    code: Mapped[str | None] = mapped_column(sa.String(80))
    sentence: Mapped[str | None] = mapped_column(sa.String(400))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeptRequestRow(Base):
    """A request that carries a key; ``status`` is absent until it was answered."""

    __tablename__ = "kept_requests"
    __table_args__ = (
        sa.CheckConstraint("(status IS NULL) = (body IS NULL)", name="answer"),
        sa.Index("ix_kept_requests_received_at", "received_at"),
    )

    account: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[int | None] = mapped_column(sa.SmallInteger)
    location: Mapped[str | None] = mapped_column(sa.String(400))
    body: Mapped[bytes | None] = mapped_column(sa.LargeBinary)


class SqlOperationLedger:
    """Operations in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, operation: Operation) -> None:
        """Keep a new one."""
        with self._database.writing() as session:
            session.execute(sa.insert(OperationRow).values(_values(operation)))

    def get(self, operation_id: OperationId) -> Operation:
        """One operation.

        Raises:
            IssuerRefusedError: there is none (``operation.unknown``).
        """
        with self._database.reading() as session:
            row = session.get(OperationRow, operation_id)
        if row is None:
            raise IssuerRefusedError(
                f"operation {operation_id} is not known", code="operation.unknown"
            )
        return _operation(row)

    def page(
        self, *, account: AccountName, limit: int, behind: OperationPosition | None = None
    ) -> OperationPage:
        """What an account asked for, newest first."""
        query = (
            sa.select(OperationRow)
            .where(OperationRow.account == account)
            .order_by(OperationRow.created_at.desc(), OperationRow.id.desc())
            .limit(limit + 1)
        )
        if behind is not None:
            query = query.where(
                sa.tuple_(OperationRow.created_at, OperationRow.id)
                < sa.tuple_(
                    sa.literal(behind.created_at, UtcDateTime), sa.literal(behind.operation_id)
                )
            )
        with self._database.reading() as session:
            rows = session.scalars(query).all()
        found = tuple(_operation(row) for row in rows[:limit])
        if len(rows) <= limit:
            return OperationPage(operations=found, end=None)
        last = found[-1]
        end = OperationPosition(created_at=last.created_at, operation_id=last.operation_id)
        return OperationPage(operations=found, end=end)

    def claimable(self, *, limit: int, silent_since: datetime) -> tuple[OperationId, ...]:
        """Those that wait, or whose worker gave no sign of life since then, the oldest first."""
        query = (
            sa.select(OperationRow.id)
            .where(_is_claimable(silent_since))
            .order_by(OperationRow.created_at)
            .limit(limit)
        )
        with self._database.reading() as session:
            return tuple(OperationId(each) for each in session.scalars(query))

    def claim(
        self, operation_id: OperationId, *, at: datetime, silent_since: datetime
    ) -> Operation | None:
        """Take one of these to work on it; ``None`` where another has it, or it has ended."""
        with self._database.writing() as session:
            # One statement judges and takes, so that two who try at once do not both get it.
            row = session.scalars(
                sa.update(OperationRow)
                .where(OperationRow.id == operation_id, _is_claimable(silent_since))
                .values(
                    state=OperationState.RUNNING.value,
                    changed_at=at,
                    attempt=OperationRow.attempt + 1,
                )
                .returning(OperationRow)
                .execution_options(synchronize_session=False)
            ).one_or_none()
            return None if row is None else _operation(row)

    def save(self, operation: Operation) -> bool:
        """Keep how far it is; ``False`` where it has ended, or another attempt has it by now."""
        with self._database.writing() as session:
            changed = session.execute(
                sa.update(OperationRow)
                .where(
                    OperationRow.id == operation.operation_id,
                    OperationRow.attempt == operation.attempt,
                    OperationRow.state == OperationState.RUNNING.value,
                )
                .values(_values(operation))
            )
            return cast("CursorResult[tuple[object]]", changed).rowcount == 1


def _is_claimable(silent_since: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(
        OperationRow.state == OperationState.WAITING.value,
        sa.and_(
            OperationRow.state == OperationState.RUNNING.value,
            OperationRow.changed_at < silent_since,
        ),
    )


class SqlIdempotencyLedger:
    """Requests that carry a key, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, mark: RequestMark, *, at: datetime) -> KeptAnswer | None:
        """Note, durably, that this request is about to be carried out; the answer where it was already.

        Raises:
            IssuerRefusedError: ``idempotency.key-reused``, ``idempotency.outcome-unknown``.
        """
        try:
            with self._database.writing() as session:
                session.execute(
                    sa.insert(KeptRequestRow).values(
                        account=mark.account, key=mark.key, digest=mark.digest, received_at=at
                    )
                )
        except ConflictError:
            return self._known(mark)
        return None

    def keep(self, mark: RequestMark, answer: KeptAnswer) -> None:
        """Keep the answer."""
        with self._database.writing() as session:
            session.execute(
                sa.update(KeptRequestRow)
                .where(*_is(mark))
                .values(status=answer.status, location=answer.location, body=answer.body)
            )

    def release(self, mark: RequestMark) -> None:
        """Forget the request, because it was refused and changed nothing."""
        with self._database.writing() as session:
            session.execute(
                sa.delete(KeptRequestRow).where(*_is(mark), KeptRequestRow.status.is_(None))
            )

    def forget(self, *, before: datetime) -> int:
        """Forget what is older; gives back how many."""
        with self._database.writing() as session:
            gone = session.execute(
                sa.delete(KeptRequestRow).where(KeptRequestRow.received_at < before)
            )
            return cast("CursorResult[tuple[object]]", gone).rowcount

    def _known(self, mark: RequestMark) -> KeptAnswer:
        with self._database.reading() as session:
            row = session.get(KeptRequestRow, (mark.account, mark.key))
        if row is not None and row.digest != mark.digest:
            raise IssuerRefusedError(
                "the key stands for another request, expected a new key",
                code="idempotency.key-reused",
            )
        if row is None or row.status is None or row.body is None:
            raise IssuerRefusedError(
                "the first request under this key has not been answered: it goes on, or broke off",
                code="idempotency.outcome-unknown",
                hint="look whether it was done before you ask again under a new key",
            )
        return KeptAnswer(status=row.status, location=row.location, body=row.body)


def _is(mark: RequestMark) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return KeptRequestRow.account == mark.account, KeptRequestRow.key == mark.key


def _values(operation: Operation) -> dict[str, object]:
    return {
        "id": operation.operation_id,
        "kind": operation.kind.value,
        "account": operation.account,
        "state": operation.state.value,
        "inputs": json.dumps(dict(operation.inputs), sort_keys=True),
        "attempt": operation.attempt,
        "done": operation.done,
        "total": operation.total,
        "counts": json.dumps(dict(operation.counts), sort_keys=True),
        "code": operation.code,
        "sentence": None if operation.sentence is None else operation.sentence[:400],
        "created_at": operation.created_at,
        "changed_at": operation.changed_at,
    }


def _operation(row: OperationRow) -> Operation:
    return Operation(
        operation_id=OperationId(row.id),
        kind=OperationKind(row.kind),
        account=AccountName(row.account),
        state=OperationState(row.state),
        inputs=json.loads(row.inputs),
        attempt=row.attempt,
        done=row.done,
        total=row.total,
        counts=json.loads(row.counts),
        code=row.code,
        sentence=row.sentence,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
