"""Use case: work that goes on after its answer, with progress that anybody of the office's processes can tell.

The row of an operation is the work list: whoever runs jobs claims it, and where a worker dies, another begins again.
"""

import dataclasses
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from issuer.domain.rights import AccountName
from issuer.errors import IssuerError, IssuerRefusedError
from issuer.services.job_ports import JobQueue
from issuer.services.operation_ports import (
    Operation,
    OperationId,
    OperationKind,
    OperationLedger,
    OperationPage,
    OperationPosition,
    OperationState,
)

__all__ = [
    "INTERRUPTED",
    "OPERATIONS",
    "SILENCE",
    "OperationDesk",
    "OperationWork",
    "Progress",
    "Work",
]

OPERATIONS: Final = "operations"
"""The kind of job that an operation is."""

SILENCE: Final = timedelta(seconds=90)
"""Whoever works gives a sign of life more often; after it another may begin again."""

INTERRUPTED: Final = "operation.interrupted"
_MAX_ATTEMPTS: Final = 3
_SIGN_OF_LIFE: Final = timedelta(milliseconds=400)
_log = structlog.get_logger(__name__)


class Progress(Protocol):
    """What work says while it goes on."""

    def __call__(self, *, done: int, total: int | None) -> None:
        """So many of so many are finished."""


Work = Callable[[Operation, Progress], Mapping[str, int]]
"""What is done for an operation of one kind; it gives back how it ended, in figures. It may be begun again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDesk:
    """Begins work and tells how far it is.

    Attributes:
        ledger: where operations are kept.
        jobs: who is told that something waits.
        clock: the present time (aware UTC).
    """

    ledger: OperationLedger
    jobs: JobQueue
    clock: Callable[[], datetime]

    def begin(
        self, kind: OperationKind, *, account: AccountName, inputs: Mapping[str, str]
    ) -> Operation:
        """Note the work durably, then say that it waits."""
        now = self.clock()
        operation = Operation(
            operation_id=OperationId(uuid.uuid4()),
            kind=kind,
            account=account,
            state=OperationState.WAITING,
            created_at=now,
            changed_at=now,
            inputs=dict(inputs),
        )
        self.ledger.add(operation)
        self.jobs.wake(OPERATIONS, [str(operation.operation_id)])
        return operation

    def show(self, operation_id: OperationId, *, account: AccountName) -> Operation:
        """One's own operation.

        Raises:
            IssuerRefusedError: there is none, or it is somebody else's (``operation.unknown``).
        """
        operation = self.ledger.get(operation_id)
        if operation.account != account:
            # Whoever may not see it does not learn that it is there.
            raise IssuerRefusedError(
                f"operation {operation_id} is not known", code="operation.unknown"
            )
        return operation

    def page(
        self, *, account: AccountName, limit: int, behind: OperationPosition | None = None
    ) -> OperationPage:
        """One's own operations, newest first."""
        return self.ledger.page(account=account, limit=limit, behind=behind)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationWork:
    """The work list of operations (``issuer.services.job_ports.WorkList``).

    Attributes:
        ledger: where operations are kept.
        works: what is done, by kind.
        clock: the present time (aware UTC).
    """

    ledger: OperationLedger
    works: Mapping[OperationKind, Work]
    clock: Callable[[], datetime]

    def waiting(self, *, limit: int) -> Sequence[str]:
        """Those that wait, or whose worker has died, the oldest first."""
        found = self.ledger.claimable(limit=limit, silent_since=self.clock() - SILENCE)
        return [str(each) for each in found]

    def work(self, key: str) -> None:
        """Do it, unless another does or it is done; how it ended stands in its row."""
        now = self.clock()
        operation = self.ledger.claim(
            OperationId(uuid.UUID(key)), at=now, silent_since=now - SILENCE
        )
        if operation is None:
            return
        reporter = _Reporter(operation, self.ledger, self.clock)
        if operation.attempt > _MAX_ATTEMPTS:
            reporter.end(
                OperationState.FAILED,
                code=INTERRUPTED,
                sentence="whoever worked on it broke off again and again",
            )
            return
        try:
            counts = self.works[operation.kind](operation, reporter)
        except IssuerError as error:
            reporter.end(OperationState.FAILED, code=error.code, sentence=str(error))
        except Exception as error:
            reporter.end(
                OperationState.FAILED, code="api.internal", sentence="a fault of this program"
            )
            _log.error("operation failed", kind=operation.kind.value, fault=type(error).__name__)
            raise
        else:
            reporter.end(OperationState.DONE, counts=counts)


class _Reporter:
    """Writes progress down, not more often than somebody could read it."""

    def __init__(
        self, operation: Operation, ledger: OperationLedger, clock: Callable[[], datetime]
    ) -> None:
        self._operation = operation
        self._ledger = ledger
        self._clock = clock

    def __call__(self, *, done: int, total: int | None) -> None:
        now = self._clock()
        known = self._operation
        is_first = known.total is None and total is not None
        if not is_first and now - known.changed_at < _SIGN_OF_LIFE:
            return
        self._save(dataclasses.replace(known, done=done, total=total, changed_at=now))

    def end(
        self,
        state: OperationState,
        *,
        counts: Mapping[str, int] | None = None,
        code: str | None = None,
        sentence: str | None = None,
    ) -> None:
        """Write down how it ended."""
        known = self._operation
        done = known.total if state is OperationState.DONE and known.total is not None else None
        self._save(
            dataclasses.replace(
                known,
                state=state,
                done=known.done if done is None else done,
                counts=dict(counts or {}),
                code=code,
                sentence=sentence,
                changed_at=self._clock(),
            )
        )

    def _save(self, operation: Operation) -> None:
        self._operation = operation
        if not self._ledger.save(operation):
            raise IssuerRefusedError(
                f"operation {operation.operation_id} is worked on elsewhere by now",
                code="operation.elsewhere",
            )
