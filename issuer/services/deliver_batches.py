"""Use case: pack a controlled batch, send it, count it in, and hand it over card by card.

Whoever receives it scans the number of every card: it is *received* once none is missing that nobody has reported as
lost or stolen. With a card's hand-over it begins to count (``issuer.domain.card_validity``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from issuer.domain.batch import (
    Acknowledgement,
    AcknowledgementKind,
    Batch,
    BatchEventKind,
    BatchId,
    BatchState,
    parse_carrier,
)
from issuer.domain.card import CardState
from issuer.domain.card_number import CardNumber
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.batch_desk import BatchDesk, batch_event, batch_record, demand_at
from issuer.services.batch_ports import BatchLine

__all__ = ["MAX_CARDS_OF_BOX", "BatchDelivery", "HandedOver", "Packed", "ReceiptReport"]

MAX_CARDS_OF_BOX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """The packed batch, and how many cards lie in how many boxes."""

    batch: Batch
    cards: int
    boxes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptReport:
    """What was counted in.

    Attributes:
        batch: as it is now: *received* where nothing is missing.
        counted: how many cards were new with this count.
        unexpected: numbers that were scanned and are of no card of the batch.
        missing: the cards that were sent, not counted in yet, and reported by nobody.
    """

    batch: Batch
    counted: int
    unexpected: tuple[CardNumber, ...]
    missing: tuple[BatchLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """One card: handed over where ``code`` is ``None``, else refused for that reason."""

    card_number: CardNumber
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDelivery:
    """Brings batches to their receivers."""

    desk: BatchDesk

    def pack(self, batch_id: BatchId, *, cards_of_box: int, actor: Actor) -> Packed:
        """Put the good cards of a controlled batch into boxes, those of one organisation together.

        A batch that is packed already takes what was missing, or held, and was found: into boxes behind the others. Once
        it is dispatched they go after it as they are packed.

        Raises:
            IssuerDataError: no box holds so many (``batch.box-size``).
            IssuerRefusedError: ``right.missing``, ``batch.unknown``, ``batch.wrong-state``; it has no good card
                (``batch.nothing-to-pack``).
        """
        if not 1 <= cards_of_box <= MAX_CARDS_OF_BOX:
            raise IssuerDataError(
                f"a box of {cards_of_box} cards, expected 1 to {MAX_CARDS_OF_BOX}",
                code="batch.box-size",
            )
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            lines = [
                line
                for line in transaction.batches.good_cards(batch_id, lock=True)
                if line.box is None
            ]
            batch = transaction.batches.locked(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.WRITE_STOCK)
            after = batch.after(BatchEventKind.PACKED)
            if not lines:
                raise IssuerRefusedError(
                    "the batch has no good card that lies in no box", code="batch.nothing-to-pack"
                )
            last = max(
                (line.box or 0 for line in transaction.batches.boxed_cards(batch_id)), default=0
            )
            placed = [
                (line, last + 1 + number // cards_of_box) for number, line in enumerate(lines)
            ]
            boxes = placed[-1][1] - last
            transaction.batches.put_in_boxes(placed, account=actor.account, at=now)
            transaction.batches.store(
                after, batch_event(BatchEventKind.PACKED, actor, now, count=len(lines))
            )
            transaction.audit.append(
                batch_record(after, "packed", actor, now, cards=len(lines), boxes=boxes)
            )
        return Packed(batch=after, cards=len(lines), boxes=boxes)

    def dispatch(self, batch_id: BatchId, *, carrier: str, actor: Actor) -> Batch:
        """Give a packed batch to whoever carries it.

        Raises:
            IssuerDataError: ``batch.carrier``.
            IssuerRefusedError: ``right.missing``, ``batch.unknown``, ``batch.wrong-state``.
        """
        name = parse_carrier(carrier)
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = transaction.batches.locked(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.WRITE_STOCK)
            after = batch.dispatched(name)
            boxed = transaction.batches.tallies([batch_id])[batch_id].boxed
            transaction.batches.store(
                after, batch_event(BatchEventKind.DISPATCHED, actor, now, count=boxed)
            )
            transaction.audit.append(batch_record(after, "dispatched", actor, now, cards=boxed))
        return after

    def receive(
        self, batch_id: BatchId, numbers: Sequence[CardNumber], *, actor: Actor
    ) -> ReceiptReport:
        """Count in the cards whose numbers were scanned, as often as it takes.

        What was reported on its way and turns up is counted in, too: its report is judged by another person all the
        same, and until then nobody gets it.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``; the batch is not on its way, or all of it was handed
                over (``batch.wrong-state``).
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            boxed = transaction.batches.boxed_cards(batch_id, lock=True)
            expected = {
                line.card_number: line
                for line in boxed
                if line.may_arrive or line.received_at is not None
            }
            batch = transaction.batches.locked(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.HAND_OVER_CARDS)
            received = batch.after(BatchEventKind.RECEIVED)
            scanned = dict.fromkeys(numbers)
            unexpected = tuple(each for each in scanned if each not in expected)
            new = [
                expected[each]
                for each in scanned
                if each in expected and expected[each].received_at is None
            ]
            counted = {line.card_number for line in new}
            missing = tuple(
                line for line in boxed if line.is_awaited and line.card_number not in counted
            )
            transaction.batches.record_received(new, account=actor.account, at=now)
            if new or unexpected:
                transaction.audit.append(
                    batch_record(
                        batch,
                        "counted-in",
                        actor,
                        now,
                        cards=len(new),
                        missing=len(missing),
                        unexpected=len(unexpected),
                    )
                )
            # What turns up after the batch was received is received with it.
            is_late = batch.state is BatchState.RECEIVED
            if (is_late and new) or (not is_late and not missing):
                here = transaction.batches.tallies([batch_id])[batch_id].received
                transaction.batches.store(
                    received, batch_event(BatchEventKind.RECEIVED, actor, now, count=here)
                )
                transaction.audit.append(batch_record(received, "received", actor, now, cards=here))
                transaction.batches.settle(batch_id, account=actor.account, at=now)
                batch = transaction.batches.get(batch_id)
        return ReceiptReport(batch=batch, counted=len(new), unexpected=unexpected, missing=missing)

    def hand_over(
        self,
        batch_id: BatchId,
        numbers: Sequence[CardNumber],
        acknowledgement: Acknowledgement,
        *,
        actor: Actor,
    ) -> Iterator[HandedOver]:
        """Hand cards of a received batch to their members, each in a transaction of its own; one outcome each.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``; the batch is not received
                (``batch.wrong-state``).
        """
        with self.desk.register.reading() as transaction:
            batch = transaction.batches.get(batch_id)
            if not actor.may_somewhere(Right.HAND_OVER_CARDS):
                demand_at(self.desk, transaction, actor, batch.receiver, Right.HAND_OVER_CARDS)
            if batch.state not in (BatchState.RECEIVED, BatchState.HANDED_OVER):
                raise IssuerRefusedError(
                    f"the batch is {batch.state}, so its cards cannot be handed over",
                    code="batch.wrong-state",
                )
            lines = {
                line.card_number: line
                for line in transaction.batches.boxed_cards(batch_id)
                if line.received_at is not None and line.state is CardState.ISSUED
            }
        return (
            self._hand_over(lines.get(number), number, acknowledgement, actor)
            for number in dict.fromkeys(numbers)
        )

    def _hand_over(
        self,
        line: BatchLine | None,
        number: CardNumber,
        acknowledgement: Acknowledgement,
        actor: Actor,
    ) -> HandedOver:
        if line is None or line.reference is None:
            return HandedOver(
                card_number=number,
                code="batch.other-card",
                message="no card of the batch that waits for its hand-over has this number",
            )
        try:
            now = self.desk.clock()
            with self.desk.register.writing() as transaction:
                demand_at(self.desk, transaction, actor, line.organisation, Right.HAND_OVER_CARDS)
                # First, because it locks the card: what is kept of it would lock it less, and another one in between.
                transaction.cards.hand_over(
                    line.reference, to=_TAKERS[acknowledgement.kind], account=actor.account, at=now
                )
                transaction.batches.acknowledge(
                    line.reference, acknowledgement, account=actor.account, at=now
                )
        except IssuerRefusedError as error:
            return HandedOver(card_number=number, code=error.code, message=str(error))
        return HandedOver(card_number=number)


_TAKERS: Final = {
    AcknowledgementKind.MEMBER: "the member",
    AcknowledgementKind.REPRESENTATIVE: "the member's representative",
}
