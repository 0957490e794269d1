"""Use case: quality control passes finished cards by their serials; another person than whoever made them."""

from collections.abc import Sequence
from dataclasses import dataclass

from issuer.domain.batch import BatchId, BatchState
from issuer.domain.card import CardReference, CardState
from issuer.domain.chip import Serial
from issuer.domain.chip_hold import require_not_held
from issuer.domain.rights import AccountName, Actor, Right, two_different_people
from issuer.errors import IssuerRefusedError
from issuer.services.batch_desk import BatchDesk, batch_record, demand_at
from issuer.services.batch_ports import CardUnderControl

__all__ = ["BatchControl", "ControlReport", "NotPassed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPassed:
    """A serial that was scanned and whose card was not passed, and why."""

    serial: Serial
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReport:
    """How many cards were passed now, which were not, and how many of the batch are left to be looked at."""

    passed: int
    refused: tuple[NotPassed, ...]
    left: int
    state: BatchState


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchControl:
    """Passes the cards of batches."""

    desk: BatchDesk

    def pass_cards(
        self, batch_id: BatchId, serials: Sequence[Serial], *, actor: Actor
    ) -> ControlReport:
        """Pass the cards on these chips; the batch is *controlled* once every card is passed or condemned.

        A card that was passed before stays so: a list can be scanned again.

        Raises:
            IssuerRefusedError: ``right.missing``, ``batch.unknown``; the batch is not in production
                (``batch.wrong-state``).
        """
        now = self.desk.clock()
        with self.desk.register.writing() as transaction:
            batch = transaction.batches.get(batch_id)
            demand_at(self.desk, transaction, actor, batch.receiver, Right.CONTROL_QUALITY)
            if batch.state is not BatchState.PRODUCING:
                raise IssuerRefusedError(
                    f"the batch is {batch.state}, so its cards cannot be passed",
                    code="batch.wrong-state",
                )
            cards = transaction.batches.under_control(batch_id, serials)
            refused: list[NotPassed] = []
            passed: list[CardReference] = []
            for serial in dict.fromkeys(serials):
                try:
                    card = _passable(cards.get(serial), actor)
                except IssuerRefusedError as error:
                    refused.append(NotPassed(serial=serial, code=error.code, message=str(error)))
                else:
                    if card.passed_by is None:
                        passed.append(card.reference)
            if passed:
                transaction.batches.pass_cards(passed, account=actor.account, at=now)
                transaction.audit.append(
                    batch_record(
                        batch, "cards-passed", actor, now, cards=len(passed), refused=len(refused)
                    )
                )
                transaction.batches.settle(batch_id, account=actor.account, at=now)
            tally = transaction.batches.tallies([batch_id])[batch_id]
            state = transaction.batches.get(batch_id).state
        return ControlReport(
            passed=len(passed),
            refused=tuple(refused),
            left=tally.bound + tally.signed + tally.issued,
            state=state,
        )


def _passable(card: CardUnderControl | None, actor: Actor) -> CardUnderControl:
    """A card that this person may pass.

    Raises:
        IssuerRefusedError: ``batch.other-card``, ``card.not-issued``, ``chip.stolen``, ``chip.held``,
            ``card.producer-unknown``, ``right.same-person``.
    """
    if card is None:
        raise IssuerRefusedError("no card of the batch is on this chip", code="batch.other-card")
    if card.state is not CardState.ISSUED:
        raise IssuerRefusedError(
            f"the card is {card.state}, expected an issued one", code="card.not-issued"
        )
    require_not_held(card.held, card.serial)
    if card.produced_by is None:
        raise IssuerRefusedError(
            "nobody knows who made the card, so nobody is another person",
            code="card.producer-unknown",
        )
    for hand in (card.produced_by, *sorted(card.hands)):
        two_different_people(AccountName(hand), actor.account, act="to issue a card")
    return card
