"""Which requests a batch holds, in the database: filled, taken out, let go."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from issuer.db.base import unindexed
from issuer.db.batch_tables import IS_LIVE, BatchRequestRow
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_queries import below
from issuer.db.production_tables import IS_NOT_CONDEMNED, CardRow
from issuer.db.request_tables import DecisionRequestRow, RequestRow
from issuer.domain.batch import Batch, BatchId
from issuer.domain.card import CardState
from issuer.domain.decisions import DecisionId
from issuer.domain.eligibility import STANDINGS_WITH_CARD
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId, RequestState
from issuer.errors import ConflictError

__all__ = [
    "MAY_HAVE_CARD",
    "count_waiting",
    "drop_ineligible",
    "fill_batch",
    "recorded_below",
    "take_out",
    "waiting_requests",
]

_LOOKUP_SIZE = 500
"""How many identifiers stand in one IN (...): far below the parameter limits of both databases."""

_PUT_IN = sa.insert(BatchRequestRow.metadata.tables[BatchRequestRow.__tablename__])

_STANDINGS = sorted(each.value for each in STANDINGS_WITH_CARD)

MAY_HAVE_CARD = (
    # The requests of one decision or batch are looked at; those of a state or standing are the country's.
    (unindexed(RequestRow.state.expression) == RequestState.DECIDED.value)
    & RequestRow.held_by.is_(None)
    & unindexed(MemberRow.standing.expression).in_(_STANDINGS)
    & MemberRow.erased_at.is_(None)
)
"""Of a request joined with its member: whether a card may be made."""


def fill_batch(session: Session, batch: Batch, *, limit: int) -> int:
    """Put waiting requests into a batch, in the register's order; how many.

    Raises:
        ConflictError: another batch took one of them meanwhile (``batch.changed-meanwhile``).
    """
    _let_go_of_condemned(session, batch)
    last = session.scalar(
        sa.select(sa.func.max(BatchRequestRow.position)).where(
            BatchRequestRow.batch_id == batch.batch_id
        )
    )
    order = (MemberRow.sort_key, MemberRow.id)
    chosen = (
        waiting_requests(batch.decision_id, batch.receiver)
        .with_only_columns(
            sa.literal(batch.batch_id, BatchRequestRow.batch_id.type),
            RequestRow.id,
            sa.func.row_number().over(order_by=order) + (last or 0),
            sa.true(),
        )
        .order_by(*order)
        .limit(limit)
    )
    columns = ["batch_id", "request_id", "position", "is_live"]
    try:
        # Nothing of them is needed here: the database puts them in by itself.
        session.connection().execute(_PUT_IN.from_select(columns, chosen))
    except IntegrityError as error:
        raise ConflictError(
            "another batch took a request meanwhile", code="batch.changed-meanwhile"
        ) from error
    # SQLite's driver does not tell how many rows a statement put in that begins with a WITH.
    put_in = sa.select(sa.func.count()).where(
        BatchRequestRow.batch_id == batch.batch_id, BatchRequestRow.position > (last or 0)
    )
    return session.scalar(put_in) or 0


def count_waiting(session: Session, batch: Batch) -> int:
    """How many requests could be put into a batch."""
    waiting = waiting_requests(batch.decision_id, batch.receiver)
    counted = sa.select(sa.func.count()).select_from(waiting.subquery())
    return session.scalar(counted) or 0


def take_out(
    session: Session, batch_id: BatchId, request_ids: Collection[RequestId] | None = None
) -> int:
    """Take these requests, or all, out of a batch that has no cards; how many it held."""
    taken = 0
    parts: Iterable[Sequence[uuid.UUID] | None] = (
        [None] if request_ids is None else _parts(sorted(set(request_ids)))
    )
    for part in parts:
        statement = sa.delete(BatchRequestRow).where(BatchRequestRow.batch_id == batch_id)
        if part is not None:
            statement = statement.where(BatchRequestRow.request_id.in_(part))
        taken += session.connection().execute(statement).rowcount
    return taken


def drop_ineligible(session: Session, batch_id: BatchId) -> tuple[RequestId, ...]:
    """Take out those whose member may not have a card any more; which they were."""
    found = session.scalars(
        sa.select(BatchRequestRow.request_id)
        .join(RequestRow, RequestRow.id == BatchRequestRow.request_id)
        .join(MemberRow, MemberRow.id == RequestRow.member_id)
        .where(BatchRequestRow.batch_id == batch_id, ~MAY_HAVE_CARD)
        .order_by(BatchRequestRow.position)
    ).all()
    dropped = tuple(RequestId(each) for each in found)
    take_out(session, batch_id, dropped)
    return dropped


def waiting_requests(
    decision_id: DecisionId, receiver: OrganisationCode | None = None
) -> sa.Select[uuid.UUID]:
    """The requests of a decision that could be put into a batch; those of one receiver's members, if wished."""
    condemned_there = sa.exists().where(
        CardRow.request_id == BatchRequestRow.request_id,
        CardRow.batch_id == BatchRequestRow.batch_id,
        CardRow.state == CardState.CONDEMNED.value,
    )
    # A batch whose card was condemned lets the request go as soon as another one wants it.
    is_held = sa.exists().where(
        BatchRequestRow.request_id == RequestRow.id, IS_LIVE, ~condemned_there
    )
    has_card = sa.exists().where(CardRow.request_id == RequestRow.id, IS_NOT_CONDEMNED)
    found = (
        sa.select(RequestRow.id)
        .join(DecisionRequestRow, DecisionRequestRow.request_id == RequestRow.id)
        .join(MemberRow, MemberRow.id == RequestRow.member_id)
        .where(
            DecisionRequestRow.decision_id == decision_id,
            MAY_HAVE_CARD,
            ~is_held,
            ~has_card,
        )
    )
    return found if receiver is None else found.where(recorded_below([receiver]))


def recorded_below(roots: Collection[OrganisationCode]) -> sa.ColumnElement[bool]:
    """Of a member: whether they are recorded at or below one of these organisations."""
    return MemberRow.organisation_id.in_(below(roots))


def _let_go_of_condemned(session: Session, batch: Batch) -> None:
    """A batch does not hold a request any longer whose card there was condemned."""
    condemned = sa.exists().where(
        CardRow.request_id == BatchRequestRow.request_id,
        CardRow.batch_id == BatchRequestRow.batch_id,
        CardRow.state == CardState.CONDEMNED.value,
    )
    of_decision = sa.select(DecisionRequestRow.request_id).where(
        DecisionRequestRow.decision_id == batch.decision_id
    )
    session.connection().execute(
        sa.update(BatchRequestRow)
        .where(
            IS_LIVE,
            BatchRequestRow.batch_id != batch.batch_id,
            BatchRequestRow.request_id.in_(of_decision),
            condemned,
        )
        .values(is_live=False)
    )


def _parts(values: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    for start in range(0, len(values), _LOOKUP_SIZE):
        yield values[start : start + _LOOKUP_SIZE]
