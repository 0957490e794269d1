"""Batches in the database."""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import DATABASE_FAILURES, database_error, insert_rows
from issuer.db.batch_delivery import (
    acknowledged,
    boxed_cards,
    boxed_counts,
    good_cards,
    keep_acknowledgement,
    keep_passed,
    keep_received,
    put_in_boxes,
    under_control,
)
from issuer.db.batch_filling import (
    count_waiting,
    drop_ineligible,
    fill_batch,
    take_out,
)
from issuer.db.batch_progress import settle_batch, tallies_of
from issuer.db.batch_rows import (
    SELECT_BATCHES,
    SELECT_LINES,
    batch_of,
    batch_values,
    event_of,
    line_of,
)
from issuer.db.batch_tables import BatchEventRow, BatchRequestRow, BatchRow
from issuer.db.card_binding import bind_rows, free_chips, status_list_with_room
from issuer.db.card_vault import CardVault
from issuer.db.organisation_queries import below
from issuer.db.organisation_rows import OrganisationRow
from issuer.domain.batch import Acknowledgement, Batch, BatchEvent, BatchId, BatchTally
from issuer.domain.card import CardReference
from issuer.domain.chip import Serial
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId
from issuer.domain.status_allotment import StatusListRoom
from issuer.domain.stock_account import SiteCode
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.batch_ports import (
    BatchLine,
    BatchPage,
    BatchPosition,
    BatchQuestion,
    CardUnderControl,
)
from issuer.services.production_ports import NewCard
from issuer.services.status_ports import StatusMarkStore

__all__ = ["SqlBatchRepository"]

_LOOKUP_SIZE = 500
"""How many identifiers stand in one IN (...): far below the parameter limits of both databases."""


class SqlBatchRepository:
    """Implements ``BatchRepository`` within one session."""

    def __init__(self, session: Session, vault: Callable[[], CardVault]) -> None:
        """``vault`` gives the keys of production; it is asked when cards are bound, and not before."""
        self._session = session
        self._vault = vault

    def add(self, batch: Batch, event: BatchEvent) -> None:
        """See ``BatchRepository.add``."""
        receiver_id = self._session.scalar(
            sa.select(OrganisationRow.id).where(OrganisationRow.code == batch.receiver)
        )
        if receiver_id is None:
            raise IssuerDataError(
                f"organisation {batch.receiver} is not in the register", code="organisation.unknown"
            )
        insert_rows(
            self._session,
            BatchRow,
            [
                {
                    "id": batch.batch_id,
                    "receiver_id": receiver_id,
                    "decision_id": batch.decision_id,
                    "follow_up_of": batch.follow_up_of,
                    "created_by": batch.created_by,
                    "created_at": batch.created_at,
                    **batch_values(batch),
                }
            ],
        )
        self._keep_event(batch.batch_id, event)

    def get(self, batch_id: BatchId) -> Batch:
        """See ``BatchRepository.get``."""
        return self._one(SELECT_BATCHES.where(BatchRow.id == batch_id), batch_id)

    def locked(self, batch_id: BatchId) -> Batch:
        """See ``BatchRepository.locked``."""
        query = (
            SELECT_BATCHES.where(BatchRow.id == batch_id)
            .with_for_update(of=BatchRow)
            .execution_options(populate_existing=True)
        )
        return self._one(query, batch_id)

    def store(self, batch: Batch, event: BatchEvent) -> None:
        """See ``BatchRepository.store``."""
        try:
            result = self._session.connection().execute(
                sa.update(BatchRow)
                .where(BatchRow.id == batch.batch_id, BatchRow.version == batch.version - 1)
                .values(**batch_values(batch))
            )
        except DATABASE_FAILURES as error:
            raise database_error(error) from error
        if result.rowcount != 1:
            raise ConflictError(
                f"batch {batch.batch_id} was changed by somebody else",
                code="batch.changed-meanwhile",
            )
        self._keep_event(batch.batch_id, event)

    def page(
        self, question: BatchQuestion, *, limit: int, behind: BatchPosition | None = None
    ) -> BatchPage:
        """See ``BatchRepository.page``."""
        query = SELECT_BATCHES.order_by(BatchRow.created_at.desc(), BatchRow.id.desc())
        if question.states is not None:
            query = query.where(BatchRow.state.in_(sorted(each.value for each in question.states)))
        if question.below is not None:
            query = query.where(BatchRow.receiver_id.in_(below(question.below)))
        if question.decision_id is not None:
            query = query.where(BatchRow.decision_id == question.decision_id)
        if behind is not None:
            query = query.where(
                sa.tuple_(BatchRow.created_at, BatchRow.id)
                < sa.tuple_(
                    sa.literal(behind.created_at, BatchRow.created_at.type),
                    sa.literal(behind.batch_id),
                )
            )
        rows = self._session.execute(query.limit(limit + 1)).all()
        batches = tuple(batch_of(row, code) for row, code in rows[:limit])
        if len(rows) <= limit:
            return BatchPage(batches=batches, end=None)
        return BatchPage(
            batches=batches, end=BatchPosition(batches[-1].created_at, batches[-1].batch_id)
        )

    def events(self, batch_id: BatchId) -> tuple[BatchEvent, ...]:
        """See ``BatchRepository.events``."""
        rows = self._session.scalars(
            sa.select(BatchEventRow)
            .where(BatchEventRow.batch_id == batch_id)
            .order_by(BatchEventRow.sequence)
        )
        return tuple(event_of(row) for row in rows)

    def tallies(self, batch_ids: Collection[BatchId]) -> Mapping[BatchId, BatchTally]:
        """See ``BatchRepository.tallies``."""
        return tallies_of(self._session, batch_ids)

    def fill(self, batch: Batch, *, limit: int) -> int:
        """See ``BatchRepository.fill``."""
        return fill_batch(self._session, batch, limit=limit)

    def waiting(self, batch: Batch) -> int:
        """See ``BatchRepository.waiting``."""
        return count_waiting(self._session, batch)

    def take_out(self, batch_id: BatchId, request_ids: Collection[RequestId] | None = None) -> int:
        """See ``BatchRepository.take_out``."""
        return take_out(self._session, batch_id, request_ids)

    def drop_ineligible(self, batch_id: BatchId) -> tuple[RequestId, ...]:
        """See ``BatchRepository.drop_ineligible``."""
        return drop_ineligible(self._session, batch_id)

    def free_chips(self, count: int, *, sites: Collection[SiteCode]) -> tuple[Serial, ...]:
        """See ``BatchRepository.free_chips``."""
        return free_chips(self._session, count, sites=sites)

    def room(
        self,
        *,
        size: int,
        draw_list_id: Callable[[], bytes],
        marks: StatusMarkStore,
        at: datetime,
    ) -> StatusListRoom:
        """See ``BatchRepository.room``."""
        return status_list_with_room(
            self._session, size=size, draw_list_id=draw_list_id, marks=marks, at=at
        )

    def bind(self, cards: Sequence[NewCard], *, account: str, at: datetime) -> tuple[int, ...]:
        """See ``BatchRepository.bind``."""
        return bind_rows(self._session, self._vault().sealer, cards, account=account, at=at)

    def lines(
        self,
        batch_id: BatchId,
        *,
        limit: int,
        behind: int | None = None,
        below_organisation: OrganisationCode | None = None,
    ) -> tuple[BatchLine, ...]:
        """See ``BatchRepository.lines``."""
        query = (
            SELECT_LINES.where(BatchRequestRow.batch_id == batch_id)
            .order_by(BatchRequestRow.position)
            .limit(limit)
        )
        if behind is not None:
            query = query.where(BatchRequestRow.position > behind)
        if below_organisation is not None:
            query = query.where(OrganisationRow.id.in_(below([below_organisation])))
        return tuple(line_of(found) for found in self._session.execute(query))

    def under_control(
        self, batch_id: BatchId, serials: Collection[Serial]
    ) -> Mapping[Serial, CardUnderControl]:
        """See ``BatchRepository.under_control``."""
        return under_control(self._session, batch_id, serials)

    def pass_cards(
        self, references: Collection[CardReference], *, account: str, at: datetime
    ) -> None:
        """See ``BatchRepository.pass_cards``."""
        keep_passed(self._session, references, account=account, at=at)

    def good_cards(self, batch_id: BatchId, *, lock: bool = False) -> tuple[BatchLine, ...]:
        """See ``BatchRepository.good_cards``."""
        return good_cards(self._session, batch_id, lock=lock)

    def boxed_cards(self, batch_id: BatchId, *, lock: bool = False) -> tuple[BatchLine, ...]:
        """See ``BatchRepository.boxed_cards``."""
        return boxed_cards(self._session, batch_id, lock=lock)

    def boxed_counts(self, batch_id: BatchId) -> Mapping[OrganisationCode, int]:
        """See ``BatchRepository.boxed_counts``."""
        return boxed_counts(self._session, batch_id)

    def put_in_boxes(
        self, cards: Sequence[tuple[BatchLine, int]], *, account: str, at: datetime
    ) -> None:
        """See ``BatchRepository.put_in_boxes``."""
        put_in_boxes(self._session, cards, account=account, at=at)

    def record_received(self, lines: Sequence[BatchLine], *, account: str, at: datetime) -> None:
        """See ``BatchRepository.record_received``."""
        keep_received(self._session, lines, account=account, at=at)

    def acknowledge(
        self,
        reference: CardReference,
        acknowledgement: Acknowledgement,
        *,
        account: str,
        at: datetime,
    ) -> None:
        """See ``BatchRepository.acknowledge``."""
        keep_acknowledgement(self._session, reference, acknowledgement, account=account, at=at)

    def acknowledgements(
        self, references: Collection[CardReference]
    ) -> Mapping[CardReference, Acknowledgement]:
        """See ``BatchRepository.acknowledgements``."""
        return acknowledged(self._session, references)

    def settle(self, batch_id: BatchId, *, account: str, at: datetime) -> None:
        """See ``BatchRepository.settle``."""
        settle_batch(self._session, batch_id, account=account, at=at)

    def _keep_event(self, batch_id: BatchId, event: BatchEvent) -> None:
        insert_rows(
            self._session,
            BatchEventRow,
            [
                {
                    "batch_id": batch_id,
                    "at": event.at,
                    "account": event.account,
                    "kind": event.kind.value,
                    "count": event.count,
                }
            ],
        )

    def _one(self, query: sa.Select[BatchRow, str], batch_id: uuid.UUID) -> Batch:
        row = self._session.execute(query).one_or_none()
        if row is None:
            raise IssuerRefusedError(
                f"batch {batch_id} is not in the register", code="batch.unknown"
            )
        return batch_of(*row)


def _parts(values: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    for start in range(0, len(values), _LOOKUP_SIZE):
        yield values[start : start + _LOOKUP_SIZE]
