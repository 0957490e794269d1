"""Requests in the database."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.audit import SqlAuditTrail
from issuer.db.base import DATABASE_FAILURES, database_error
from issuer.db.import_tables import ImportRowRow
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_queries import below
from issuer.db.organisations import OrganisationRow
from issuer.db.production_tables import CardRow
from issuer.db.request_rows import candidate_of, event_values, request_of, request_values
from issuer.db.request_tables import DecisionRequestRow, DecisionRow, RequestEventRow, RequestRow
from issuer.domain.card import CardState
from issuer.domain.decisions import DecisionId, DecisionState
from issuer.domain.eligibility import Candidate
from issuer.domain.member import MemberId
from issuer.domain.requests import (
    LIVE_STATES,
    CardRequest,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestKind,
    RequestState,
)
from issuer.domain.rights import AccountName
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.import_ports import DoubtState
from issuer.services.request_outcome import request_record
from issuer.services.request_ports import (
    RequestPage,
    RequestPosition,
    RequestQuestion,
    RequestStep,
)

__all__ = ["SqlRequestRepository", "fulfil_request"]

_Query = TypeVar("_Query", bound=sa.Select[*tuple[Any, ...]])

_LOOKUP_SIZE = 500
"""How many identifiers stand in one IN (...): far below the parameter limits of both databases."""


class SqlRequestRepository:
    """Implements ``RequestRepository`` within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def candidates(
        self, member_ids: Collection[MemberId], *, lock: bool = False
    ) -> Mapping[MemberId, Candidate]:
        """See ``RequestRepository.candidates``."""
        found: dict[MemberId, Candidate] = {}
        # One order of locking for everybody: nobody waits in a circle.
        for part in _parts(sorted(set(member_ids))):
            query = (
                sa.select(MemberRow, OrganisationRow.code)
                .join(OrganisationRow, MemberRow.organisation_id == OrganisationRow.id)
                .where(MemberRow.id.in_(part), MemberRow.erased_at.is_(None))
                .order_by(MemberRow.id)
            )
            if lock:
                query = query.with_for_update(of=MemberRow, key_share=True)
            rows = self._session.execute(query).all()
            live, earlier = self._live_and_earlier(part)
            doubts = self._open_doubts(part)
            for row, code in rows:
                found[MemberId(row.id)] = candidate_of(
                    row,
                    code,
                    live=live.get(row.id),
                    earlier=earlier.get(row.id, ()),
                    open_doubts=doubts.get(row.id, 0),
                )
        return found

    def add(self, steps: Sequence[RequestStep]) -> None:
        """See ``RequestRepository.add``."""
        if not steps:
            return
        codes = {step.request.organisation_code for step in steps}
        ids = dict(
            self._session.execute(
                sa.select(OrganisationRow.code, OrganisationRow.id).where(
                    OrganisationRow.code.in_(codes)
                )
            ).all()
        )
        self._insert(
            sa.insert(RequestRow),
            [request_values(step.request, ids[step.request.organisation_code]) for step in steps],
        )
        self._insert(sa.insert(RequestEventRow), [event_values(step) for step in steps])

    def get(self, request_id: RequestId) -> CardRequest:
        """See ``RequestRepository.get``."""
        row = self._session.execute(_SELECT.where(RequestRow.id == request_id)).one_or_none()
        if row is None:
            raise IssuerRefusedError(
                f"request {request_id} is not in the register", code="request.unknown"
            )
        return request_of(*row)

    def known(self, request_ids: Collection[RequestId]) -> Mapping[RequestId, CardRequest]:
        """See ``RequestRepository.known``."""
        return self._many(_SELECT, request_ids)

    def locked(self, request_ids: Collection[RequestId]) -> Mapping[RequestId, CardRequest]:
        """See ``RequestRepository.locked``."""
        # One order of locking for everybody: nobody waits in a circle.
        return self._many(
            _SELECT.order_by(RequestRow.id).with_for_update(of=RequestRow), request_ids
        )

    def store(self, steps: Sequence[RequestStep]) -> None:
        """See ``RequestRepository.store``."""
        if not steps:
            return
        statement = (
            sa.update(RequestRow)
            .where(
                RequestRow.id == sa.bindparam("old_id"),
                RequestRow.version == sa.bindparam("old_version"),
            )
            .values(
                state=sa.bindparam("new_state"),
                version=sa.bindparam("new_version"),
                card_number=sa.bindparam("new_number"),
            )
        )
        for step in steps:
            changed = self._changed(
                statement,
                {
                    "old_id": step.request.request_id,
                    "old_version": step.request.version - 1,
                    "new_state": step.request.state.value,
                    "new_version": step.request.version,
                    "new_number": step.request.card_number,
                },
            )
            if changed != 1:
                raise ConflictError(
                    f"request {step.request.request_id} was changed by somebody else",
                    code="request.changed-meanwhile",
                )
        self._insert(sa.insert(RequestEventRow), [event_values(step) for step in steps])

    def time_lines(
        self, request_ids: Collection[RequestId]
    ) -> Mapping[RequestId, tuple[RequestEvent, ...]]:
        """See ``RequestRepository.time_lines``."""
        lines: dict[RequestId, list[RequestEvent]] = {each: [] for each in request_ids}
        for part in _parts(sorted(set(request_ids))):
            for row in self._session.scalars(
                sa.select(RequestEventRow)
                .where(RequestEventRow.request_id.in_(part))
                .order_by(RequestEventRow.sequence)
            ):
                lines[RequestId(row.request_id)].append(
                    RequestEvent(
                        at=row.at,
                        account=AccountName(row.account),
                        kind=RequestEventKind(row.kind),
                        remark=row.remark,
                    )
                )
        return {each: tuple(line) for each, line in lines.items()}

    def page(
        self, question: RequestQuestion, *, limit: int, behind: RequestPosition | None = None
    ) -> RequestPage:
        """See ``RequestRepository.page``."""
        query = (
            _narrowed(_SELECT, question)
            .order_by(RequestRow.created_at, RequestRow.id)
            .limit(limit + 1)
        )
        if behind is not None:
            query = query.where(
                sa.tuple_(RequestRow.created_at, RequestRow.id)
                > sa.tuple_(
                    sa.literal(behind.created_at, RequestRow.created_at.type),
                    sa.literal(behind.request_id),
                )
            )
        rows = self._session.execute(query).all()
        requests = tuple(request_of(row, code) for row, code in rows[:limit])
        if len(rows) <= limit:
            return RequestPage(requests=requests, end=None)
        last = requests[-1]
        return RequestPage(requests=requests, end=RequestPosition(last.created_at, last.request_id))

    def count(self, question: RequestQuestion) -> Mapping[RequestState, int]:
        """See ``RequestRepository.count``."""
        query = _narrowed(
            sa.select(RequestRow.state, sa.func.count()).group_by(RequestRow.state), question
        )
        return {RequestState(state): count for state, count in self._session.execute(query)}

    def count_up_to(self, question: RequestQuestion, most: int) -> int:
        """See ``RequestRepository.count_up_to``."""
        found = _narrowed(sa.select(RequestRow.id), question).limit(most).subquery()
        return self._session.scalar(sa.select(sa.func.count()).select_from(found)) or 0

    def count_by_kind(self, question: RequestQuestion) -> Mapping[RequestKind, int]:
        """See ``RequestRepository.count_by_kind``."""
        query = _narrowed(
            sa.select(RequestRow.kind, sa.func.count()).group_by(RequestRow.kind), question
        )
        return {RequestKind(kind): count for kind, count in self._session.execute(query)}

    def with_cards(self, request_ids: Collection[RequestId]) -> frozenset[RequestId]:
        """See ``RequestRepository.with_cards``."""
        found: set[RequestId] = set()
        for part in _parts(sorted(set(request_ids))):
            rows = self._session.scalars(
                sa.select(CardRow.request_id).where(
                    CardRow.request_id.in_(part), CardRow.state != CardState.CONDEMNED.value
                )
            )
            found.update(RequestId(each) for each in rows)
        return frozenset(found)

    def someone_took(
        self, account: AccountName, kinds: Collection[RequestEventKind], decision_id: DecisionId
    ) -> RequestId | None:
        """See ``RequestRepository.someone_took``."""
        found = self._session.scalar(
            sa.select(RequestEventRow.request_id)
            .join(RequestRow, RequestRow.id == RequestEventRow.request_id)
            .join(DecisionRequestRow, DecisionRequestRow.request_id == RequestRow.id)
            .where(
                DecisionRequestRow.decision_id == decision_id,
                RequestRow.state == RequestState.TABLED.value,
                sa.or_(
                    RequestEventRow.account == account,
                    # Somebody of another instance whose account has the same name may be the same person.
                    RequestEventRow.account.endswith(f":{account}", autoescape=True),
                ),
                RequestEventRow.kind.in_([each.value for each in kinds]),
            )
            .limit(1)
        )
        return None if found is None else RequestId(found)

    def current_decision(self, request_id: RequestId) -> DecisionId | None:
        """See ``RequestRepository.current_decision``."""
        found = self._session.scalar(
            sa.select(DecisionRow.id)
            .join(DecisionRequestRow, DecisionRequestRow.decision_id == DecisionRow.id)
            .join(RequestRow, RequestRow.id == DecisionRequestRow.request_id)
            .where(
                DecisionRequestRow.request_id == request_id,
                DecisionRow.state != DecisionState.DROPPED.value,
                RequestRow.state.in_(_DECIDED_STATES),
            )
            .order_by(DecisionRow.prepared_at.desc())
            .limit(1)
        )
        return None if found is None else DecisionId(found)

    def _many(
        self, query: sa.Select[RequestRow, str], request_ids: Collection[RequestId]
    ) -> dict[RequestId, CardRequest]:
        found: dict[RequestId, CardRequest] = {}
        for part in _parts(sorted(set(request_ids))):
            rows = self._session.execute(
                query.where(RequestRow.id.in_(part)).execution_options(populate_existing=True)
            )
            found.update((RequestId(row.id), request_of(row, code)) for row, code in rows)
        return found

    def _open_doubts(self, member_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
        """How many rows of lists wait for a person because they resemble a member."""
        return dict(
            self._session.execute(
                sa.select(MemberRow.id, sa.func.count())
                .join(ImportRowRow, ImportRowRow.likeness_digest == MemberRow.likeness_digest)
                .where(
                    MemberRow.id.in_(member_ids),
                    ImportRowRow.state == DoubtState.WAITING.value,
                )
                .group_by(MemberRow.id)
            ).all()
        )

    def _live_and_earlier(
        self, member_ids: Sequence[uuid.UUID]
    ) -> tuple[dict[uuid.UUID, uuid.UUID], dict[uuid.UUID, list[str]]]:
        """The open requests of members, and the numbers of the cards that they had through others, the latest first."""
        live: dict[uuid.UUID, uuid.UUID] = {}
        cards: dict[uuid.UUID, list[str]] = {}
        ended = RequestState.FULFILLED.value
        query = (
            sa.select(RequestRow.member_id, RequestRow.id, RequestRow.state, RequestRow.card_number)
            .where(
                RequestRow.member_id.in_(member_ids),
                RequestRow.state.in_([ended, *(state.value for state in LIVE_STATES)]),
            )
            .order_by(RequestRow.ordinal.desc(), RequestRow.created_at.desc())
        )
        for member_id, request_id, state, number in self._session.execute(query):
            if state != ended:
                live[member_id] = request_id
            elif number is not None:
                cards.setdefault(member_id, []).append(number)
        return live, cards

    def _changed(self, statement: sa.Update, values: Mapping[str, object]) -> int:
        try:
            result = self._session.connection().execute(statement, dict(values))
        except DATABASE_FAILURES as error:
            raise database_error(error) from error
        return result.rowcount

    def _insert(self, statement: sa.Insert, values: list[dict[str, object]]) -> None:
        try:
            self._session.execute(statement, values)
        except DATABASE_FAILURES as error:
            raise database_error(error) from error


def fulfil_request(
    session: Session, request_id: RequestId, *, account: AccountName, at: datetime
) -> None:
    """The request's card is in the member's hand: the request has ended.

    Raises:
        IssuerRefusedError: it is not *decided* (``request.wrong-state``).
    """
    requests = SqlRequestRepository(session)
    request = requests.locked([request_id])[request_id].after(RequestEventKind.FULFILLED)
    event = RequestEvent(at=at, account=account, kind=RequestEventKind.FULFILLED)
    step = RequestStep(request=request, event=event)
    requests.store([step])
    SqlAuditTrail(session).append(request_record(step))


_DECIDED_STATES = [
    state.value for state in (RequestState.TABLED, RequestState.DECIDED, RequestState.FULFILLED)
]

_SELECT = sa.select(RequestRow, OrganisationRow.code).join(
    OrganisationRow, RequestRow.organisation_id == OrganisationRow.id
)


def _parts(values: Iterable[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    wanted = list(values)
    for start in range(0, len(wanted), _LOOKUP_SIZE):
        yield wanted[start : start + _LOOKUP_SIZE]


def _narrowed(query: _Query, question: RequestQuestion) -> _Query:
    if question.states is not None:
        query = query.where(RequestRow.state.in_(sorted(each.value for each in question.states)))
    if question.kind is not None:
        query = query.where(RequestRow.kind == question.kind.value)
    if question.member_id is not None:
        query = query.where(RequestRow.member_id == question.member_id)
    if question.below is not None:
        query = query.where(RequestRow.organisation_id.in_(below(question.below)))
    if question.decision_id is not None:
        query = query.where(
            RequestRow.id.in_(
                sa.select(DecisionRequestRow.request_id).where(
                    DecisionRequestRow.decision_id == question.decision_id
                )
            )
        )
    if question.untouched is not None:
        query = query.where(
            ~sa.exists().where(
                RequestEventRow.request_id == RequestRow.id,
                RequestEventRow.account == question.untouched.account,
                RequestEventRow.kind.in_(sorted(each.value for each in question.untouched.steps)),
            )
        )
    return query
