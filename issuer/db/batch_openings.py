"""What could go into batches, in the database."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.batch_filling import recorded_below, waiting_requests
from issuer.db.decisions import SELECT_DECISIONS, behind_decision, decision_of
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_queries import below as ids_below
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.request_tables import DecisionRow, RequestRow
from issuer.domain.card_number import CardNumber
from issuer.domain.decisions import Decision, DecisionId, DecisionState
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId, RequestKind
from issuer.services.opening_ports import MOST_WAITING, DecisionQuestion, WaitingRequest

__all__ = ["SqlBatchOpenings"]


class SqlBatchOpenings:
    """Implements ``BatchOpenings`` within one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def decisions(
        self, question: DecisionQuestion, *, limit: int, behind: DecisionId | None = None
    ) -> tuple[Decision, ...]:
        """See ``BatchOpenings.decisions``."""
        query = (
            SELECT_DECISIONS.where(DecisionRow.state == DecisionState.CONFIRMED.value)
            .order_by(DecisionRow.prepared_at.desc(), DecisionRow.id.desc())
            .limit(limit)
        )
        if question.below is not None:
            query = query.where(
                DecisionRow.committee_id.in_(ids_below(question.below))
                | OrganisationRow.code.in_(sorted(question.above))
            )
        if question.text is not None:
            # SQLite knows the case of ASCII letters alone, and numbers hold a "Đ".
            texts = {question.text, question.text.upper(), question.text.lower()}
            query = query.where(
                sa.or_(
                    *(DecisionRow.number.icontains(each, autoescape=True) for each in sorted(texts))
                )
            )
        if behind is not None:
            query = query.where(behind_decision(behind))
        return tuple(decision_of(row, code) for row, code in self._session.execute(query))

    def waiting(
        self, decision_id: DecisionId, *, below: Collection[OrganisationCode] | None
    ) -> int:
        """See ``BatchOpenings.waiting``."""
        found = waiting_requests(decision_id)
        if below is not None:
            found = found.where(recorded_below(below))
        counted = sa.select(sa.func.count()).select_from(found.limit(MOST_WAITING).subquery())
        return self._session.scalar(counted) or 0

    def waiting_by_organisation(
        self, decision_id: DecisionId, *, below: Collection[OrganisationCode] | None
    ) -> Mapping[OrganisationCode, int]:
        """See ``BatchOpenings.waiting_by_organisation``."""
        found = waiting_requests(decision_id)
        if below is not None:
            found = found.where(recorded_below(below))
        rows = self._session.execute(
            found.join(OrganisationRow, OrganisationRow.id == MemberRow.organisation_id)
            .with_only_columns(OrganisationRow.code, sa.func.count())
            .group_by(OrganisationRow.code)
        )
        return {OrganisationCode(code): count for code, count in rows}

    def requests(
        self, decision_id: DecisionId, receiver: OrganisationCode, *, limit: int
    ) -> tuple[WaitingRequest, ...]:
        """See ``BatchOpenings.requests``."""
        rows = self._session.execute(
            waiting_requests(decision_id, receiver)
            .join(OrganisationRow, OrganisationRow.id == MemberRow.organisation_id)
            .with_only_columns(
                RequestRow.id,
                RequestRow.member_id,
                RequestRow.kind,
                OrganisationRow.code,
                RequestRow.card_number,
            )
            .order_by(MemberRow.sort_key, MemberRow.id)
            .limit(limit)
        )
        return tuple(
            WaitingRequest(
                request_id=RequestId(request_id),
                member_id=MemberId(member_id),
                kind=RequestKind(kind),
                organisation=OrganisationCode(organisation),
                card_number=CardNumber(card_number),
            )
            for request_id, member_id, kind, organisation, card_number in rows
            # A decided request has a number: the database sees to it.
            if card_number is not None
        )
