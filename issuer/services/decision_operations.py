"""Use case: long work with decisions, as operations: fill one with all that is compiled, decide its requests, drop it.

What two people said is kept before the work begins; the work carries it out, and goes on where it broke off.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from issuer.domain.decisions import Decision, DecisionId
from issuer.domain.requests import RequestEventKind, RequestKind
from issuer.domain.rights import AccountName, Actor
from issuer.services.confirm_decisions import DecisionConfirmation
from issuer.services.operation_actor import actor_of_today
from issuer.services.operation_ports import Operation, OperationKind
from issuer.services.operations import OperationDesk, Progress
from issuer.services.prepare_decisions import DecisionPreparation
from issuer.services.read_requests import MOST_COUNTED, ReadingOfRequests, RequestSelection
from issuer.services.register_ports import Register
from issuer.services.request_operations import tally
from issuer.services.request_outcome import CHUNK_ROWS, RequestOutcome, chunks

__all__ = ["DECISION", "ConfirmWork", "DecisionOperations", "DropWork", "TableWork"]

DECISION: Final = "decision"
"""Among the inputs of an operation: which decision it works on."""

_KIND: Final = "kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionOperations:
    """Begins long work with decisions."""

    operations: OperationDesk
    preparing: DecisionPreparation
    confirming: DecisionConfirmation

    def table_all(
        self, decision_id: DecisionId, *, kind: RequestKind | None, actor: Actor
    ) -> Operation:
        """Have all compiled requests on which the committee decides put into a decision that the actor prepared.

        Raises:
            IssuerRefusedError: ``right.*``, ``decision.unknown``, ``decision.other-preparer``,
                ``decision.wrong-state``.
        """
        self.preparing.check_may_add(decision_id, actor=actor)
        inputs = {} if kind is None else {_KIND: kind.value}
        return self._begin(OperationKind.TABLE_REQUESTS, actor.account, decision_id, inputs)

    def confirm(self, decision_id: DecisionId, *, requests: int, actor: Actor) -> Operation:
        """Confirm a decision that another person prepared, and have its requests decided.

        Raises:
            IssuerRefusedError, ConflictError: as ``DecisionConfirmation.confirm``.
        """
        self.confirming.confirm(decision_id, actor=actor, requests=requests)
        return self._begin(OperationKind.CONFIRM_DECISION, actor.account, decision_id, {})

    def drop(self, decision_id: DecisionId, *, actor: Actor) -> Operation:
        """Give a prepared decision up, and have its requests compiled again.

        Raises:
            IssuerRefusedError: as ``DecisionPreparation.drop``.
        """
        self.preparing.drop(decision_id, actor=actor)
        return self._begin(OperationKind.DROP_DECISION, actor.account, decision_id, {})

    def _begin(
        self,
        kind: OperationKind,
        account: AccountName,
        decision_id: DecisionId,
        inputs: Mapping[str, str],
    ) -> Operation:
        return self.operations.begin(
            kind, account=account, inputs={DECISION: str(decision_id), **inputs}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableWork:
    """What is done for an operation that fills a decision (``issuer.services.operations.Work``)."""

    register: Register
    reading: ReadingOfRequests
    preparing: DecisionPreparation
    clock: Callable[[], datetime]

    def __call__(self, operation: Operation, progress: Progress) -> Mapping[str, int]:
        """Put them in, or go on: what stands in the decision is compiled no more."""
        decision_id = _decision_id(operation)
        with self.register.reading() as transaction:
            decision = transaction.decisions.get(decision_id)
        kind = operation.inputs.get(_KIND)
        selection = RequestSelection(
            waiting_for=RequestEventKind.TABLED,
            kind=None if kind is None else RequestKind(kind),
            root=decision.committee,
        )
        actor = actor_of_today(self.register, operation.account)
        count = self.reading.count(selection, actor=actor)
        total = None if count >= MOST_COUNTED else count
        return tally(self._table(operation, decision, selection), progress, total=total)

    def _table(
        self, operation: Operation, decision: Decision, selection: RequestSelection
    ) -> Iterator[RequestOutcome]:
        actor = actor_of_today(self.register, operation.account)
        for part in chunks(self.reading.ids(selection, actor=actor), CHUNK_ROWS):
            # The second factor was shown when this was asked for; how long the work takes is not theirs to say.
            present = actor_of_today(self.register, operation.account, stepped_up_at=self.clock())
            yield from self.preparing.add(decision.decision_id, part, actor=present)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmWork:
    """What is done for an operation that decides the requests of a confirmed decision."""

    register: Register
    confirming: DecisionConfirmation

    def __call__(self, operation: Operation, progress: Progress) -> Mapping[str, int]:
        """Decide them, or go on with those that are still tabled."""
        decision_id = _decision_id(operation)
        with self.register.reading() as transaction:
            total = transaction.decisions.get(decision_id).requests
        return tally(self.confirming.carry_on(decision_id), progress, total=total)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropWork:
    """What is done for an operation that takes requests out of a dropped decision."""

    register: Register
    preparing: DecisionPreparation

    def __call__(self, operation: Operation, progress: Progress) -> Mapping[str, int]:
        """Take them out, or go on with those that are still tabled."""
        decision_id = _decision_id(operation)
        with self.register.reading() as transaction:
            total = transaction.decisions.get(decision_id).requests
        return tally(self.preparing.carry_on_dropping(decision_id), progress, total=total)


def _decision_id(operation: Operation) -> DecisionId:
    return DecisionId(uuid.UUID(operation.inputs[DECISION]))
