"""Use case: open a batch for a receiving committee, put decided requests into it, take some out, give it up."""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass

from issuer.domain.batch import (
    MAX_CARDS_OF_BATCH,
    Batch,
    BatchEventKind,
    BatchId,
    BatchState,
)
from issuer.domain.decisions import DecisionId, DecisionState
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.batch_desk import BatchDesk, batch_event, batch_record, demand_at
from issuer.services.places import Places
from issuer.services.register_ports import RegisterTransaction

__all__ = ["BatchFilling", "FillReport"]


def _new_batch_id() -> BatchId:
    return BatchId(uuid.uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReport:
    """How many requests were put in, how many the batch holds now, and how many more are waiting."""

    filled: int
    held: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFilling:
    """Opens and fills batches."""

    desk: BatchDesk
    new_batch_id: Callable[[], BatchId] = _new_batch_id

    def create(
        self,
        receiver: OrganisationCode,
        decision_id: DecisionId,
        *,
        actor: Actor,
        follow_up_of: BatchId | None = None,
    ) -> Batch:
        """An open batch for cards of one decision, for members at or below the receiver.

        Args:
            receiver: the committee that will receive the cards.
            decision_id: a confirmed decision.
            actor: who opens it.
            follow_up_of: the batch whose condemned cards are to be made anew.

        Raises:
            IssuerRefusedError: ``right.missing``, ``decision.unknown``, ``batch.unknown``; the decision is not
                confirmed (``decision.wrong-state``); the receiver is not below its committee
                (``batch.other-receiver``); the batch before is another committee's, or by another decision
                (``batch.other-receiver``, ``batch.other-decision``).
            IssuerDataError: ``organisation.unknown``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            demand_at(self.desk, transaction, actor, receiver, Right.FREEZE_BATCHES)
            decision = transaction.decisions.get(decision_id)
            if decision.state is not DecisionState.CONFIRMED:
                raise IssuerRefusedError(
                    f"the decision is {decision.state}, expected a confirmed one",
                    code="decision.wrong-state",
                )
            if decision.committee not in Places(transaction.organisations).of(receiver):
                raise IssuerRefusedError(
                    f"organisation {receiver} is not below {decision.committee}, which decided",
                    code="batch.other-receiver",
                )
            if follow_up_of is not None:
                _require_same(transaction.batches.get(follow_up_of), receiver, decision_id)
            batch = Batch(
                batch_id=self.new_batch_id(),
                receiver=receiver,
                decision_id=decision_id,
                follow_up_of=follow_up_of,
                created_by=actor.account,
                created_at=now,
            )
            transaction.batches.add(batch, batch_event(BatchEventKind.OPENED, actor, now))
            transaction.audit.append(
                batch_record(batch, "opened", actor, now, decision=decision_id.hex)
            )
        return batch

    def fill(self, batch_id: BatchId, *, actor: Actor, limit: int | None = None) -> FillReport:
        """Put in what waits, in the register's order; at most as many as a batch may hold.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``; it is not open (``batch.wrong-state``).
            ConflictError: another batch took a request meanwhile (``batch.changed-meanwhile``).
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = self._locked(transaction, batch_id, actor)
            after = batch.after(BatchEventKind.FILLED)
            held = transaction.batches.tallies([batch_id])[batch_id].requests
            room = MAX_CARDS_OF_BATCH - held
            most = room if limit is None else min(limit, room)
            filled = transaction.batches.fill(batch, limit=most)
            # Where there was room for more, nothing more waits.
            waiting = transaction.batches.waiting(batch) if filled == most else 0
            if filled:
                transaction.batches.store(
                    after, batch_event(BatchEventKind.FILLED, actor, now, count=filled)
                )
                transaction.audit.append(
                    batch_record(after, "filled", actor, now, requests=filled, held=held + filled)
                )
        return FillReport(filled=filled, held=held + filled, waiting=waiting)

    def take_out(
        self, batch_id: BatchId, request_ids: Collection[RequestId], *, actor: Actor
    ) -> int:
        """Take requests out of an open batch; how many it held of them.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``, ``batch.wrong-state``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = self._locked(transaction, batch_id, actor)
            after = batch.after(BatchEventKind.FILLED)
            taken = transaction.batches.take_out(batch_id, request_ids)
            if taken:
                transaction.batches.store(
                    after, batch_event(BatchEventKind.FILLED, actor, now, count=-taken)
                )
                transaction.audit.append(
                    batch_record(after, "taken-out", actor, now, requests=taken)
                )
        return taken

    def cancel(self, batch_id: BatchId, *, actor: Actor) -> Batch:
        """Give a batch up before it is frozen; its requests can go into another one.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``, ``batch.wrong-state``.
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = self._locked(transaction, batch_id, actor)
            after = batch.after(BatchEventKind.CANCELLED)
            held = transaction.batches.take_out(batch_id)
            transaction.batches.store(
                after, batch_event(BatchEventKind.CANCELLED, actor, now, count=held)
            )
            transaction.audit.append(batch_record(after, "cancelled", actor, now, requests=held))
        return after

    def _locked(self, transaction: RegisterTransaction, batch_id: BatchId, actor: Actor) -> Batch:
        batch = transaction.batches.locked(batch_id)
        demand_at(self.desk, transaction, actor, batch.receiver, Right.FREEZE_BATCHES)
        return batch


def _require_same(earlier: Batch, receiver: OrganisationCode, decision_id: DecisionId) -> None:
    if earlier.receiver != receiver:
        raise IssuerRefusedError(
            f"batch {earlier.short_name} is for {earlier.receiver}, got {receiver}",
            code="batch.other-receiver",
        )
    if earlier.decision_id != decision_id:
        raise IssuerRefusedError(
            f"batch {earlier.short_name} is by another decision", code="batch.other-decision"
        )
    if earlier.state in (BatchState.OPEN, BatchState.FREEZING, BatchState.CANCELLED):
        raise IssuerRefusedError(
            f"batch {earlier.short_name} is {earlier.state}, so it has no cards",
            code="batch.wrong-state",
        )
