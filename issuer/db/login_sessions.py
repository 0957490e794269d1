"""Sessions and failed log-ins in the database (SQLAlchemy)."""

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session as DatabaseSession

from issuer.db.base import DATABASE_FAILURES, database_error, insert_unless_there
from issuer.db.people import account_of
from issuer.db.people_tables import AccountRow, AssignmentRow, LoginAttemptRow, SessionRow
from issuer.domain.account import AccountId
from issuer.domain.login_attempts import AttemptKey, FailedAttempts
from issuer.domain.second_factor import Challenge
from issuer.domain.session import Face, LoginMethod, Restriction, Session, SessionId
from issuer.services.people_ports import SessionWithAccount

__all__ = ["SqlSessionRepository"]

_SWEEP: Final = 500
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SqlSessionRepository:
    """See ``issuer.services.people_ports.SessionRepository``."""

    def __init__(self, session: DatabaseSession) -> None:
        self._session = session

    def find(self, token_digest: bytes) -> SessionWithAccount | None:
        """See ``SessionRepository``."""
        # One statement: every request begins with it.
        rows = self._session.execute(
            sa.select(SessionRow, AccountRow, AssignmentRow)
            .join(AccountRow, AccountRow.id == SessionRow.account_id)
            .outerjoin(AssignmentRow, AssignmentRow.account_id == AccountRow.id)
            .where(SessionRow.token_digest == token_digest)
            .order_by(AssignmentRow.position)
            .execution_options(populate_existing=True)
        ).all()
        if not rows:
            return None
        session, account, _ = rows[0]
        assignments = [each for _, _, each in rows if each is not None]
        return SessionWithAccount(
            session=_session(session), account=account_of(account, assignments)
        )

    def of_account(self, account_id: AccountId) -> tuple[Session, ...]:
        """See ``SessionRepository``."""
        rows = self._session.scalars(
            sa.select(SessionRow)
            .where(SessionRow.account_id == account_id)
            .order_by(SessionRow.created_at.desc(), SessionRow.session_id)
            .execution_options(populate_existing=True)
        )
        return tuple(_session(row) for row in rows)

    def add(self, session: Session) -> None:
        """See ``SessionRepository``."""
        self._write(sa.insert(SessionRow).values(_values(session)))

    def replace(self, token_digest: bytes, session: Session) -> bool:
        """See ``SessionRepository``."""
        statement = sa.update(SessionRow).where(SessionRow.token_digest == token_digest)
        return bool(self._write(statement.values(_values(session))))

    def touch(self, token_digest: bytes, seen_at: datetime) -> None:
        """See ``SessionRepository``."""
        statement = sa.update(SessionRow).where(SessionRow.token_digest == token_digest)
        self._write(statement.values(seen_at=seen_at))

    def challenge(self, token_digest: bytes, challenge: Challenge) -> None:
        """See ``SessionRepository``."""
        statement = sa.update(SessionRow).where(SessionRow.token_digest == token_digest)
        self._write(
            statement.values(challenge=challenge.value, challenge_expires_at=challenge.expires_at)
        )

    def take_challenge(self, token_digest: bytes) -> Challenge | None:
        """See ``SessionRepository``."""
        row = self._session.execute(
            sa.select(SessionRow.challenge, SessionRow.challenge_expires_at)
            .where(SessionRow.token_digest == token_digest)
            .with_for_update()
        ).one_or_none()
        if row is None or row[0] is None or row[1] is None:
            return None
        statement = sa.update(SessionRow).where(SessionRow.token_digest == token_digest)
        self._write(statement.values(challenge=None, challenge_expires_at=None))
        return Challenge(value=row[0], expires_at=row[1])

    def step_up_by_challenge(
        self, account_id: AccountId, value: bytes, *, face: Face, now: datetime
    ) -> Session | None:
        """See ``SessionRepository``."""
        row = self._session.scalars(
            sa.select(SessionRow)
            .where(
                SessionRow.account_id == account_id,
                SessionRow.face == face.value,
                SessionRow.challenge == value,
                SessionRow.challenge_expires_at >= now,
                SessionRow.expires_at > now,
            )
            .limit(1)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one_or_none()
        if row is None:
            return None
        statement = sa.update(SessionRow).where(SessionRow.session_id == row.session_id)
        self._write(statement.values(stepped_up_at=now, challenge=None, challenge_expires_at=None))
        self._session.refresh(row)
        return _session(row)

    def end(self, token_digest: bytes) -> bool:
        """See ``SessionRepository``."""
        return bool(
            self._write(sa.delete(SessionRow).where(SessionRow.token_digest == token_digest))
        )

    def end_all(self, account_id: AccountId) -> int:
        """See ``SessionRepository``."""
        return self._write(sa.delete(SessionRow).where(SessionRow.account_id == account_id))

    def end_expired(self, now: datetime, *, unused_since: datetime) -> int:
        """See ``SessionRepository``."""
        over = sa.or_(SessionRow.expires_at <= now, SessionRow.seen_at < unused_since)
        # What another transaction has in hand is left to the next sweep: waiting for it could be waiting in a circle.
        free = sa.select(SessionRow.session_id).where(over).limit(_SWEEP)
        chosen = self._session.scalars(free.with_for_update(skip_locked=True)).all()
        if not chosen:
            return 0
        return self._write(sa.delete(SessionRow).where(SessionRow.session_id.in_(chosen)))

    def attempts(self, key: AttemptKey) -> FailedAttempts | None:
        """See ``SessionRepository``."""
        # A row that is not there cannot be locked: two first attempts would both begin at nothing.
        self._insert_unless_there(key)
        row = self._session.scalars(
            sa.select(LoginAttemptRow)
            .where(LoginAttemptRow.attempt_key == key)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one()
        if row.count == 0:
            return None
        return FailedAttempts(count=row.count, last_at=row.last_at, blocked_until=row.blocked_until)

    def remember_attempts(self, key: AttemptKey, attempts: FailedAttempts) -> None:
        """See ``SessionRepository``."""
        self._insert_unless_there(key)
        statement = sa.update(LoginAttemptRow).where(LoginAttemptRow.attempt_key == key)
        self._write(
            statement.values(
                count=attempts.count,
                last_at=attempts.last_at,
                blocked_until=attempts.blocked_until,
            )
        )

    def forget_attempts(self, key: AttemptKey) -> None:
        """See ``SessionRepository``."""
        self._write(sa.delete(LoginAttemptRow).where(LoginAttemptRow.attempt_key == key))

    def forget_attempts_before(self, moment: datetime) -> int:
        """See ``SessionRepository``."""
        free = (
            sa.select(LoginAttemptRow.attempt_key)
            .where(LoginAttemptRow.last_at < moment)
            .limit(_SWEEP)
        )
        chosen = self._session.scalars(free.with_for_update(skip_locked=True)).all()
        if not chosen:
            return 0
        statement = sa.delete(LoginAttemptRow).where(LoginAttemptRow.attempt_key.in_(chosen))
        return self._write(statement)

    def _insert_unless_there(self, key: AttemptKey) -> None:
        values = {"attempt_key": key, "count": 0, "last_at": _NEVER, "blocked_until": _NEVER}
        insert_unless_there(self._session, LoginAttemptRow, values)

    def _write(self, statement: sa.Insert | sa.Update | sa.Delete) -> int:
        try:
            result: Any = self._session.execute(
                statement, execution_options={"synchronize_session": False}
            )
        except DATABASE_FAILURES as error:
            raise database_error(error) from error
        return int(result.rowcount)


def _session(row: SessionRow) -> Session:
    return Session(
        session_id=SessionId(row.session_id),
        token_digest=row.token_digest,
        account_id=AccountId(row.account_id),
        face=Face(row.face),
        method=LoginMethod(row.method),
        created_at=row.created_at,
        expires_at=row.expires_at,
        seen_at=row.seen_at,
        stepped_up_at=row.stepped_up_at,
        restriction=None if row.restriction is None else Restriction(row.restriction),
    )


def _values(session: Session) -> dict[str, Any]:
    restriction = session.restriction
    return {
        "session_id": session.session_id,
        "token_digest": session.token_digest,
        "account_id": session.account_id,
        "face": session.face.value,
        "method": session.method.value,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "seen_at": session.seen_at,
        "stepped_up_at": session.stepped_up_at,
        "restriction": None if restriction is None else restriction.value,
    }
