"""Ports of long work: what was begun, how far it is, and answers that are given once."""

import enum
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType, Protocol

from issuer.domain.rights import AccountName

__all__ = [
    "IdempotencyLedger",
    "KeptAnswer",
    "Operation",
    "OperationId",
    "OperationKind",
    "OperationLedger",
    "OperationPage",
    "OperationPosition",
    "OperationState",
    "RequestMark",
]

OperationId = NewType("OperationId", uuid.UUID)


class OperationKind(enum.StrEnum):
    """What is being done."""

    IMPORT_MEMBERS = "import-members"
    IMPORT_ORGANISATIONS = "import-organisations"
    VERIFY_AUDIT = "verify-audit"
    DRAFT_REQUESTS = "draft-requests"
    MOVE_REQUESTS = "move-requests"
    TABLE_REQUESTS = "table-requests"
    CONFIRM_DECISION = "confirm-decision"
    DROP_DECISION = "drop-decision"
    COUNT_REPORTS = "count-reports"
    SIGN_BATCH = "sign-batch"
    TAKE_BUNDLE = "take-bundle"


class OperationState(enum.StrEnum):
    """How far it is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come."""
        return self in {OperationState.DONE, OperationState.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Work that goes on after the answer to whoever asked for it.

    Attributes:
        operation_id: drawn at random.
        kind: what is being done.
        account: who asked for it; nobody else sees it.
        state: how far it is.
        inputs: what it works on, as names of things that are kept elsewhere; nobody's data.
        attempt: how often somebody began with it; a worker that died leaves it to the next one.
        done: how many rows or things are finished.
        total: of how many; ``None`` where that is not known yet.
        counts: how it ended, as figures by name; codes and counts only.
        code: why it failed.
        sentence: the same for people, without personal data.
        created_at: when it was asked for (aware UTC).
        changed_at: when it last gave a sign of life (aware UTC).
    """

    operation_id: OperationId
    kind: OperationKind
    account: AccountName
    state: OperationState
    created_at: datetime
    changed_at: datetime
    inputs: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 0
    done: int = 0
    total: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    code: str | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationPosition:
    """Where a page of operations ends: the next one begins behind it."""

    created_at: datetime
    operation_id: OperationId


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationPage:
    """One page, newest first; ``end`` is ``None`` on the last one."""

    operations: tuple[Operation, ...]
    end: OperationPosition | None


class OperationLedger(Protocol):
    """Where operations are kept; each call is one transaction of its own."""

    def add(self, operation: Operation) -> None:
        """Keep a new one."""

    def get(self, operation_id: OperationId) -> Operation:
        """One operation.

        Raises:
            IssuerRefusedError: there is none (``operation.unknown``).
        """

    def page(
        self, *, account: AccountName, limit: int, behind: OperationPosition | None = None
    ) -> OperationPage:
        """What an account asked for, newest first."""

    def claimable(self, *, limit: int, silent_since: datetime) -> tuple[OperationId, ...]:
        """Those that wait, or whose worker gave no sign of life since then, the oldest first."""

    def claim(
        self, operation_id: OperationId, *, at: datetime, silent_since: datetime
    ) -> Operation | None:
        """Take one of these to work on it; ``None`` where another has it, or it has ended."""

    def save(self, operation: Operation) -> bool:
        """Keep how far it is; ``False`` where it has ended, or another attempt has it by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMark:
    """Which request this is: an account's key, and a digest of everything that was asked for under it."""

    account: AccountName
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer as it was given: identifiers, states and counts, never anybody's data."""

    status: int
    location: str | None
    body: bytes


class IdempotencyLedger(Protocol):
    """Requests that carry a key are carried out at most once; each call is one transaction of its own."""

    def reserve(self, mark: RequestMark, *, at: datetime) -> KeptAnswer | None:
        """Note, durably, that this request is about to be carried out; the answer where it was already.

        Raises:
            IssuerRefusedError: the key stands for another request (``idempotency.key-reused``), or its first
                request has not been answered: it goes on, or nobody knows how it ended
                (``idempotency.outcome-unknown``).
        """

    def keep(self, mark: RequestMark, answer: KeptAnswer) -> None:
        """Keep the answer."""

    def release(self, mark: RequestMark) -> None:
        """Forget the request, because it was refused and changed nothing."""

    def forget(self, *, before: datetime) -> int:
        """Forget what is older; gives back how many."""
