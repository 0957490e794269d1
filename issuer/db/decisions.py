"""Decisions in the database."""

import uuid
from collections.abc import Collection, Mapping
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import DATABASE_FAILURES, database_error, unindexed
from issuer.db.organisation_queries import below
from issuer.db.organisations import OrganisationRow
from issuer.db.production_tables import IS_NOT_CONDEMNED, CardRow
from issuer.db.request_tables import (
    BatchAuthorisationRow,
    DecisionRequestRow,
    DecisionRow,
    RequestRow,
)
from issuer.domain.card import CardState
from issuer.domain.decisions import (
    AttachedDocument,
    Decision,
    DecisionId,
    DecisionState,
    DocumentDigest,
    DocumentSignature,
)
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId, RequestState
from issuer.domain.rights import AccountName
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.request_ports import KeptAuthorisation

__all__ = [
    "SELECT_DECISIONS",
    "SqlDecisionRepository",
    "behind_decision",
    "decision_of",
    "unsigned_requests",
]


class SqlDecisionRepository:
    """Implements ``DecisionRepository`` within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, decision: Decision) -> None:
        """See ``DecisionRepository.add``."""
        committee_id = self._session.scalar(
            sa.select(OrganisationRow.id).where(OrganisationRow.code == decision.committee)
        )
        if committee_id is None:
            raise IssuerDataError(
                f"organisation {decision.committee} is not in the register",
                code="organisation.unknown",
            )
        try:
            self._session.execute(
                sa.insert(DecisionRow).values(
                    id=decision.decision_id,
                    committee_id=committee_id,
                    number=decision.number,
                    decided_on=decision.decided_on,
                    prepared_by=decision.prepared_by,
                    prepared_at=decision.prepared_at,
                    **_changing(decision),
                )
            )
        except DATABASE_FAILURES as error:
            translated = database_error(error)
            if isinstance(translated, ConflictError):
                raise ConflictError(
                    f"committee {decision.committee} has a decision {decision.number} of "
                    f"{decision.decided_on} already",
                    code="decision.number-used",
                ) from error
            raise translated from error

    def get(self, decision_id: DecisionId) -> Decision:
        """See ``DecisionRepository.get``."""
        return self._one(SELECT_DECISIONS.where(DecisionRow.id == decision_id), decision_id)

    def several(self, decision_ids: Collection[DecisionId]) -> Mapping[DecisionId, Decision]:
        """See ``DecisionRepository.several``."""
        wanted = sorted(set(decision_ids))
        rows = self._session.execute(SELECT_DECISIONS.where(DecisionRow.id.in_(wanted)))
        return {DecisionId(row.id): decision_of(row, code) for row, code in rows}

    def locked(self, decision_id: DecisionId) -> Decision:
        """See ``DecisionRepository.locked``."""
        query = (
            SELECT_DECISIONS.where(DecisionRow.id == decision_id)
            .with_for_update(of=DecisionRow)
            .execution_options(populate_existing=True)
        )
        return self._one(query, decision_id)

    def find(
        self, *, number: str, decided_on: date, committee: OrganisationCode
    ) -> Decision | None:
        """See ``DecisionRepository.find``."""
        row = self._session.execute(
            SELECT_DECISIONS.where(
                DecisionRow.number == number,
                DecisionRow.decided_on == decided_on,
                OrganisationRow.code == committee,
                DecisionRow.state != DecisionState.DROPPED.value,
            )
        ).one_or_none()
        return None if row is None else decision_of(*row)

    def store(self, decision: Decision) -> None:
        """See ``DecisionRepository.store``."""
        try:
            result = self._session.connection().execute(
                sa.update(DecisionRow)
                .where(
                    DecisionRow.id == decision.decision_id,
                    DecisionRow.version == decision.version - 1,
                )
                .values(**_changing(decision))
            )
        except DATABASE_FAILURES as error:
            raise database_error(error) from error
        if result.rowcount != 1:
            raise ConflictError(
                f"decision {decision.number} was changed by somebody else",
                code="decision.changed-meanwhile",
            )

    def put_on(self, decision_id: DecisionId, request_ids: Collection[RequestId]) -> None:
        """See ``DecisionRepository.put_on``."""
        if not request_ids:
            return
        try:
            self._session.execute(
                sa.insert(DecisionRequestRow),
                [{"decision_id": decision_id, "request_id": each} for each in request_ids],
            )
        except DATABASE_FAILURES as error:
            raise database_error(error) from error

    def page(
        self,
        *,
        limit: int,
        behind: DecisionId | None = None,
        state: DecisionState | None = None,
        committees: Collection[OrganisationCode] | None = None,
        not_prepared_by: AccountName | None = None,
    ) -> tuple[Decision, ...]:
        """See ``DecisionRepository.page``."""
        query = SELECT_DECISIONS.order_by(
            DecisionRow.prepared_at.desc(), DecisionRow.id.desc()
        ).limit(limit)
        if state is not None:
            query = query.where(DecisionRow.state == state.value)
        if committees is not None:
            query = query.where(DecisionRow.committee_id.in_(below(committees)))
        if not_prepared_by is not None:
            query = query.where(DecisionRow.prepared_by != not_prepared_by)
        if behind is not None:
            query = query.where(behind_decision(behind))
        return tuple(decision_of(row, code) for row, code in self._session.execute(query))

    def keep_authorisation(self, authorisation: KeptAuthorisation) -> None:
        """See ``DecisionRepository.keep_authorisation``."""
        row = self._session.get(BatchAuthorisationRow, authorisation.digest)
        if row is None:
            self._session.add(
                BatchAuthorisationRow(
                    digest=authorisation.digest,
                    decision_id=authorisation.decision_id,
                    content=authorisation.content,
                    created_by=authorisation.created_by,
                    created_at=authorisation.created_at,
                )
            )
        else:
            row.content = authorisation.content
        self._session.flush()

    def authorisations(self, decision_id: DecisionId) -> tuple[KeptAuthorisation, ...]:
        """See ``DecisionRepository.authorisations``."""
        return tuple(
            KeptAuthorisation(
                decision_id=DecisionId(row.decision_id),
                digest=row.digest,
                content=row.content,
                created_by=AccountName(row.created_by),
                created_at=row.created_at,
                signed=row.signed,
                is_void=row.is_void,
            )
            for row in self._session.scalars(
                sa.select(BatchAuthorisationRow)
                .where(BatchAuthorisationRow.decision_id == decision_id)
                .order_by(BatchAuthorisationRow.created_at, BatchAuthorisationRow.digest)
            )
        )

    def make_void(self, digest: bytes) -> None:
        """See ``DecisionRepository.make_void``."""
        self._session.connection().execute(
            sa.update(BatchAuthorisationRow)
            .where(BatchAuthorisationRow.digest == digest)
            .values(is_void=True)
        )

    def unsigned(self, decision_id: DecisionId) -> int:
        """See ``DecisionRepository.unsigned``."""
        return self._session.scalar(unsigned_requests(decision_id)) or 0

    def _one(self, query: sa.Select[DecisionRow, str], decision_id: uuid.UUID) -> Decision:
        row = self._session.execute(query).one_or_none()
        if row is None:
            raise IssuerRefusedError(
                f"decision {decision_id} is not in the register", code="decision.unknown"
            )
        return decision_of(*row)


def unsigned_requests(decision_id: DecisionId) -> sa.Select[int]:
    """How many requests of a decision have no card that is signed or further."""
    is_signed = sa.exists().where(
        CardRow.request_id == RequestRow.id,
        IS_NOT_CONDEMNED,
        CardRow.state != CardState.BOUND.value,
    )
    return (
        sa.select(sa.func.count())
        .select_from(DecisionRequestRow)
        .join(RequestRow, RequestRow.id == DecisionRequestRow.request_id)
        .where(
            DecisionRequestRow.decision_id == decision_id,
            unindexed(RequestRow.state) == RequestState.DECIDED.value,
            RequestRow.held_by.is_(None),
            ~is_signed,
        )
    )


SELECT_DECISIONS = sa.select(DecisionRow, OrganisationRow.code).join(
    OrganisationRow, DecisionRow.committee_id == OrganisationRow.id
)


def behind_decision(last: DecisionId) -> sa.ColumnElement[bool]:
    """Of decisions, the newest first: whether one comes behind this one."""
    found = (
        sa.select(DecisionRow.prepared_at, DecisionRow.id).where(DecisionRow.id == last).subquery()
    )
    return (
        sa.tuple_(DecisionRow.prepared_at, DecisionRow.id)
        < sa.select(found.c.prepared_at, found.c.id).scalar_subquery()
    )


def decision_of(row: DecisionRow, committee: str) -> Decision:
    """The row as a value."""
    document = None
    if row.document is not None and row.document_signature is not None:
        document = AttachedDocument(
            digest=DocumentDigest(row.document),
            signature=DocumentSignature(row.document_signature),
        )
    return Decision(
        decision_id=DecisionId(row.id),
        number=row.number,
        decided_on=row.decided_on,
        committee=OrganisationCode(committee),
        document=document,
        requests=row.requests,
        version=row.version,
        prepared_by=AccountName(row.prepared_by),
        prepared_at=row.prepared_at,
        confirmed_by=None if row.confirmed_by is None else AccountName(row.confirmed_by),
        confirmed_at=row.confirmed_at,
        dropped_by=None if row.dropped_by is None else AccountName(row.dropped_by),
    )


def _changing(decision: Decision) -> dict[str, object]:
    document = decision.document
    return {
        "state": decision.state.value,
        "document": None if document is None else document.digest,
        "document_signature": None if document is None else document.signature.value,
        "requests": decision.requests,
        "version": decision.version,
        "confirmed_by": decision.confirmed_by,
        "confirmed_at": decision.confirmed_at,
        "dropped_by": decision.dropped_by,
    }
