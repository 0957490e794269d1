"""Requests and decisions in SQL (``pki.services.operator_requests.RequestLedger``)."""

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pki.db.base import Database
from pki.db.tables import DecisionRow, RequestRow, TakenRequestRow
from pki.errors import RecordError
from pki.services.operator_requests import (
    Decision,
    DecisionRecord,
    OperatorRequest,
    RequestState,
)
from pki.services.request_contents import RequestContent

__all__ = ["SqlRequestLedger"]

_TAKEN = TakenRequestRow.request_id.is_not(None)
_WAITING = (RequestState.OPEN.value, RequestState.APPROVED.value)


class SqlRequestLedger:
    """Requests and decisions in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextlib.contextmanager
    def writing(self) -> Iterator["SqlRequestTransaction"]:
        """See ``RequestLedger.writing``."""
        with self._database.writing() as session:
            yield SqlRequestTransaction(session)

    def find(self, request_id: uuid.UUID) -> OperatorRequest | None:
        """See ``RequestLedger.find``."""
        with self._database.reading() as session:
            return _first(session, RequestRow.id == request_id)

    def page(
        self, *, state: RequestState | None, after: int | None, limit: int, now: datetime
    ) -> list[OperatorRequest]:
        """See ``RequestLedger.page``."""
        conditions = [] if after is None else [RequestRow.number < after]
        if state is RequestState.TAKEN:
            conditions.append(_TAKEN)
        elif state is RequestState.EXPIRED:
            conditions += [
                RequestRow.state.in_(_WAITING),
                RequestRow.expires_at < now,
                sa.not_(_TAKEN),
            ]
        elif state is not None:
            conditions += [RequestRow.state == state.value, sa.not_(_TAKEN)]
            if state.value in _WAITING:
                conditions.append(RequestRow.expires_at >= now)
        with self._database.reading() as session:
            return _select(session, conditions, limit=limit)


class SqlRequestTransaction:
    """One transaction (``pki.services.operator_requests.RequestTransaction``)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, request_id: uuid.UUID) -> OperatorRequest | None:
        """See ``RequestTransaction.find``."""
        # The row is locked first: two decisions on one request come one after the other.
        self._session.execute(
            sa.select(RequestRow.number).where(RequestRow.id == request_id).with_for_update()
        )
        return _first(self._session, RequestRow.id == request_id)

    def find_by_key(self, requester: str, key: str) -> OperatorRequest | None:
        """See ``RequestTransaction.find_by_key``."""
        return _first(
            self._session, RequestRow.requester == requester, RequestRow.request_key == key
        )

    def find_decision_by_key(
        self, operator: str, key: str
    ) -> tuple[OperatorRequest, DecisionRecord] | None:
        """See ``RequestTransaction.find_decision_by_key``."""
        row = self._session.scalar(
            sa.select(DecisionRow).where(
                DecisionRow.operator == operator, DecisionRow.decision_key == key
            )
        )
        if row is None:
            return None
        request = _first(self._session, RequestRow.number == row.request_number)
        return None if request is None else (request, _decision(row))

    def count_open(self, now: datetime) -> int:
        """See ``RequestTransaction.count_open``."""
        query = (
            sa.select(sa.func.count())
            .select_from(RequestRow)
            .outerjoin(TakenRequestRow, TakenRequestRow.request_id == RequestRow.id)
            .where(RequestRow.state.in_(_WAITING), RequestRow.expires_at >= now, sa.not_(_TAKEN))
        )
        return self._session.execute(query).scalar_one()

    def add(
        self,
        content: RequestContent,
        *,
        request_id: uuid.UUID,
        requester: str,
        key: str,
        requested_at: datetime,
        expires_at: datetime,
    ) -> OperatorRequest:
        """See ``RequestTransaction.add``."""
        row = RequestRow(
            id=request_id,
            kind=content.kind.value,
            content=content.to_json(),
            digest=content.digest,
            requester=requester,
            request_key=key,
            requested_at=requested_at,
            expires_at=expires_at,
            state=RequestState.OPEN.value,
            version=1,
        )
        self._session.add(row)
        self._session.flush()
        return _request(row, is_taken=False, decisions=())

    def add_decision(
        self, request: OperatorRequest, record: DecisionRecord, *, key: str, state: RequestState
    ) -> OperatorRequest:
        """See ``RequestTransaction.add_decision``."""
        self._session.add(
            DecisionRow(
                request_number=request.number,
                operator=record.operator,
                verdict=record.decision.value,
                reason=record.reason,
                decision_key=key,
                decided_at=record.decided_at,
            )
        )
        self._session.execute(
            sa.update(RequestRow)
            .where(RequestRow.number == request.number)
            .values(state=state.value, version=RequestRow.version + 1)
        )
        self._session.flush()
        self._session.expire_all()
        found = _first(self._session, RequestRow.number == request.number)
        if found is None:
            raise LookupError(request.id)
        return found


def _first(session: Session, *conditions: sa.ColumnElement[bool]) -> OperatorRequest | None:
    found = _select(session, conditions, limit=1)
    return found[0] if found else None


def _select(
    session: Session, conditions: Sequence[sa.ColumnElement[bool]], *, limit: int
) -> list[OperatorRequest]:
    rows = list(
        session.execute(
            sa.select(RequestRow, TakenRequestRow.request_id)
            .outerjoin(TakenRequestRow, TakenRequestRow.request_id == RequestRow.id)
            .where(*conditions)
            .order_by(RequestRow.number.desc())
            .limit(limit)
        )
    )
    decisions: dict[int, list[DecisionRow]] = {row.number: [] for row, _ in rows}
    query = sa.select(DecisionRow).where(DecisionRow.request_number.in_(decisions))
    for decision in session.scalars(query.order_by(DecisionRow.number)):
        decisions[decision.request_number].append(decision)
    return [
        _request(row, is_taken=taken is not None, decisions=decisions[row.number])
        for row, taken in rows
    ]


def _request(
    row: RequestRow, *, is_taken: bool, decisions: Sequence[DecisionRow]
) -> OperatorRequest:
    content = RequestContent.from_json(row.kind, row.content)
    if content.digest != row.digest:
        raise RecordError(
            f"request {row.id} was altered: its digest does not fit its content",
            code="database.request-altered",
        )
    return OperatorRequest(
        number=row.number,
        id=row.id,
        content=content,
        requester=row.requester,
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        state=RequestState.TAKEN if is_taken else RequestState(row.state),
        version=row.version + is_taken,
        decisions=tuple(_decision(each) for each in decisions),
    )


def _decision(row: DecisionRow) -> DecisionRecord:
    return DecisionRecord(
        operator=row.operator,
        decision=Decision(row.verdict),
        reason=row.reason,
        decided_at=row.decided_at,
    )
